"""Every shell block in README and docs/ runs, one after the other, in a clean copy of the project; a block of code that
begins with the name of a file is that file. Every setting and every event is somewhere in the manual.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from every_stage import every_source, every_stage

import run
from calibration.site import SiteCamera
from engines.embedder import Embedder
from engines.overhead_depth import OverheadDepth
from engines.overhead_descriptor import OverheadDescriptor
from engines.reid.data.synthped import SynthPed
from engines.reid.methods.clip_reid import ClipReid
from engines.reid.methods.dpm import Dpm
from engines.reid.methods.saga import Saga
from engines.reid.methods.tvrid import Tvrid
from engines.reid.methods.tvrid_baseline import TvridBaseline
from engines.reid.methods.tvrid_picture import TvridPicture
from engines.reid.methods.unified import Unified
from engines.reid.recipe import Recipe
from engines.reid.trained import Trained
from engines.ssd import Ssd
from engines.tvrid_embedder import TvridEmbedder
from engines.ultralytics import Ultralytics
from engines.yolo import Yolo
from engines.yolox import Yolox
from pipeline.admission import Admission
from pipeline.graph_schema import GIVEN
from pipeline.publish.kafka import Kafka
from pipeline.publish.log import Log
from pipeline.publish.zmq import Zmq
from pipeline.schema import event_schemas
from pipeline.store import Keeping

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"(?P<mark><!-- [^\n]+ -->\n *)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)
MARKS = {
    "<!-- needs hardware -->",
    "<!-- needs recordings -->",
    "<!-- needs a broker -->",
    "<!-- run by CI itself -->",
}
LIMIT_S = 600


FILE = re.compile(r"# (?P<name>[\w/.]+)\n")


def run_blocks(page, folder):
    """Write the files and run the shell blocks of a page that can run anywhere, in their order."""
    environment = {**os.environ, "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "120"}
    for fence in FENCE.finditer(page.read_text()):
        text, named = fence["text"], FILE.match(fence["text"])
        if fence["language"] == "python" and named:
            (folder / named["name"]).write_text(text[named.end() :])
        if fence["language"] == "sh" and not fence["mark"]:
            shell = ["bash", "-euo", "pipefail", "-c", text]
            done = subprocess.run(
                shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S
            )
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The tracked and new files, as a clone would have them, with the environment that runs this test."""
    folder = tmp_path_factory.mktemp("clone")
    command = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for environment in (".venv", ".venv-judges", ".kafka"):
        if (ROOT / environment).exists():
            (folder / environment).symlink_to(ROOT / environment)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_shell_blocks_of_the_page_run(page, clone):
    run_blocks(page, clone)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_mark_before_a_block_is_one_that_is_known(page):
    marks = {fence["mark"].strip() for fence in FENCE.finditer(page.read_text()) if fence["mark"]}
    assert marks <= MARKS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_examples_of_one_engine_alone_run(recordings, clone):
    """One detector on a picture, one embedder on two."""
    page = (clone / "docs" / "models.md").read_text()
    for fence in FENCE.finditer(page):
        if fence["language"] == "python":
            (clone / FILE.match(fence["text"])["name"]).write_text(fence["text"])
    picture = sorted((recordings / "mot17/mini_img").glob("*/000001.jpg"))[0]
    asked = {"detect_people.py": r"10 \[", "compare_people.py": r"(1\.0|0\.99999)"}
    environment = {**os.environ, "SIGHTLINE_MODELS": str(recordings / "models")}
    for name, answer in asked.items():
        command = [sys.executable, name, picture, picture]
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        assert re.match(answer, done.stdout), done.stderr


def settings_of(part):
    return {f.name for f in fields(part) if f.init} - set(GIVEN)


ENGINES = [OverheadDepth, OverheadDescriptor, Yolox, Ssd, Yolo, Ultralytics, Embedder, TvridEmbedder]
TRAINING = [Recipe, ClipReid, Dpm, Saga, Unified, SynthPed, Tvrid, TvridBaseline, TvridPicture, Trained]


@pytest.mark.parametrize(
    "part",
    [*every_stage(), *every_source(), *ENGINES, *TRAINING, Log, Kafka, Zmq, Admission, Keeping, SiteCamera],
)
def test_every_setting_is_in_the_manual(part):
    manual = "".join(page.read_text() for page in PAGES)
    assert {name for name in settings_of(part) if not re.search(rf"\b{name}\b", manual)} == set()


def test_every_event_is_explained():
    page = (ROOT / "docs" / "events.md").read_text()
    kinds = [name.split(".")[-2] for name in event_schemas()]
    assert [kind for kind in kinds if not re.search(rf"^\| .*`{kind}`.* \|", page, re.M)] == []


def test_every_option_and_command_is_explained():
    page = (ROOT / "docs" / "running.md").read_text()
    said = subprocess.run(
        [sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    options = set(re.findall(r"--[a-z]+", said.stdout)) - {"--help"}
    assert {name for name in options | set(run.COMMANDS) if f"`{name}" not in page} == set()
