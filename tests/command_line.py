"""The command line as its users have it, in processes of its own, and graphs for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUN, WITH_MORE = ROOT / "run.py", ROOT / "tests" / "with_more.py"
MAIN = ROOT / "configs" / "topview_rgbd.yaml"
CAMERAS = ("flat", "ascent")
LOGS = ("events.jsonl", "system.jsonl", "positions.jsonl")


def command(*given, before=(), script=RUN):
    return [*map(str, before), sys.executable, str(script), *map(str, given)]


def environment(**more):
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "plugged")]
    return {**os.environ, "PYTHONPATH": ":".join(paths), "COLUMNS": "120", **more}


def sightline(*given, before=(), script=RUN, cwd=None, **more):
    """The command line that has ended."""
    line = command(*given, before=before, script=script)
    return subprocess.run(
        line, env=environment(**more), cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def begun(*given, script=RUN, **more):
    """The command line that runs."""
    out = subprocess.PIPE
    line = command(*given, script=script)
    return subprocess.Popen(line, env=environment(**more), stdout=out, stderr=out, text=True)


def write_graph(folder, cameras=CAMERAS, changes=(), name="two.yaml"):
    """The main graph with only these cameras and some words changed, in a folder that holds its site too."""
    shutil.copytree(MAIN.parent / "sites", folder / "sites", dirs_exist_ok=True)
    lines = MAIN.read_text().splitlines(keepends=True)
    text = "".join(
        line for line in lines if "serial: auto" not in line or line.split(":")[0].strip() in cameras
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text)
    return folder / name


def logged(out):
    """Every line of the logs of a run, which hold nothing else."""
    texts = [(out / name).read_text() for name in LOGS if (out / name).exists()]
    assert all(text.endswith("\n") for text in texts if text)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def ledger(printed):
    """The rows of the ledger as printed: node, camera, received, processed and how many were dropped."""
    table = printed[printed.index("Ledger (frames)") :].partition("└")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if line.startswith("│")]
    return [
        (node, camera, int(received), int(processed), sum(int(w) for w in dropped.split() if w.isdigit()))
        for node, camera, received, processed, dropped in rows
    ]
