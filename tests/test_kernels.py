"""Compiled code that is kept on disk is what it is taken for: whoever else keeps some at the same time, and whatever changes."""

import ast
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from configs.kernels import Kept

ROOT = Path(__file__).parents[1]
FOLDERS = ("calibration", "configs", "engines", "pipeline", "stages")
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
WITH_KERNELS = [file for file in FILES if "from configs.kernels import" in file.read_text()]
MARKS = {"kernel", "quick"}
TOTAL = """
import sys
import numpy as np
from configs.kernels import kernel

@kernel
def total(of):
    added = 0.0
    for y in range(of.shape[0]):
        for x in range(of.shape[1]):
            added += of[y, x] * (1 + 10 * y + 100 * x)
    return added

print(total(np.asarray([[1.0, 2.0], [3.0, 4.0]], order=sys.argv[1])), total.stats.cache_hits)
"""


@pytest.mark.parametrize("file", WITH_KERNELS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_kernel_calls_no_kernel_of_another_file(file):
    tree = ast.parse(file.read_text())
    elsewhere = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FOLDERS
        for name in node.names
        if name.name[0].islower()
    }
    marked = [
        function
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and any(getattr(mark, "id", "") in MARKS for mark in function.decorator_list)
    ]
    called = {
        call.func.id
        for function in marked
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    assert marked and called & elsewhere == set()


def test_nothing_is_compiled_in_another_way():
    assert [file.name for file in FILES if "njit(" in file.read_text()] == ["kernels.py"]


def test_two_who_keep_code_at_once_do_not_keep_it_under_one_name(tmp_path, monkeypatch):
    one, other = (Kept(str(tmp_path), "total", 1) for _ in range(2))
    other.save("for rows", "by rows")
    with monkeypatch.context() as late:
        late.setattr(one, "_load_index", dict)  # it had looked before the other one had come so far
        one.save("for columns", "by columns")
    again = Kept(str(tmp_path), "total", 1)
    assert again.load("for columns") == "by columns"
    assert again.load("for rows") in (None, "by rows")


def test_numba_s_own_way_does(tmp_path, monkeypatch):
    """Else `Kept` is not needed any more."""
    one, other = (numba.core.caching.IndexDataCacheFile(str(tmp_path), "total", 1) for _ in range(2))
    one.save("for columns", "by columns")
    with monkeypatch.context() as late:
        late.setattr(other, "_load_index", dict)
        other.save("for rows", "by rows")
    one._save_index({"for columns": one._data_name(1)})
    assert one.load("for columns") == "by rows"


def test_is_compiled_once_for_each_kind_of_argument(tmp_path):
    script = tmp_path / "total.py"
    script.write_text(TOTAL)

    def said(order):
        done = subprocess.run(
            [sys.executable, script, order],
            env={"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "kept")},
            capture_output=True,
            text=True,
            check=True,
        )
        number, _, hits = done.stdout.partition(" ")
        return float(number), hits.strip() != "{}" and ": 1" in hits

    wanted = float((np.array([[1, 2], [3, 4]]) * [[1, 101], [11, 111]]).sum())
    assert [said(order) for order in "CFCF"] == [
        (wanted, False),
        (wanted, False),
        (wanted, True),
        (wanted, True),
    ]
