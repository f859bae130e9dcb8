"""Threads that meet a type at the same time: msgspec by itself crashes."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("calibration", "configs", "engines", "pipeline", "stages")
TOGETHER = """
import sys
from threading import Barrier, Thread

import msgspec

from calibration.manifest import RecordedCamera
from configs.known import known

sys.setswitchinterval(1e-6)
started = Barrier(8)

def read(kind):
    started.wait()
    try:
        msgspec.convert({"file": "a.db3"}, known(kind))
    except msgspec.ValidationError:
        pass

threads = [Thread(target=read, args=[RecordedCamera]) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_meet_a_type_at_once_all_read_it():
    command = [sys.executable, "-c", TOGETHER]
    assert [subprocess.run(command, cwd=ROOT, check=False).returncode for _ in range(20)] == [0] * 20


def test_every_type_that_is_read_is_known():
    calls = []
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("msgspec."):
                    kinds = [one.value for one in node.keywords if one.arg == "type"]
                    if node.func.attr == "convert":
                        kinds += node.args[1:2]
                    calls += [(file.name, ast.unparse(kind)) for kind in kinds]
    assert len(calls) > 20
    assert [call for call in calls if not call[1].startswith("known(")] == []
