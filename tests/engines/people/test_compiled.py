"""Compiled code that is kept on disk is made anew when what it stands for changes."""

import ast
from pathlib import Path

import pytest

import engines.people

FILES = sorted(Path(engines.people.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_kernel_calls_no_kernel_of_another_file(file):
    tree = ast.parse(file.read_text())
    elsewhere = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engines.")
        for name in node.names
        if name.name[0].islower()
    }
    called = {
        call.func.id
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and any(getattr(mark, "id", "") == "kernel" for mark in function.decorator_list)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    assert called & elsewhere == set()
