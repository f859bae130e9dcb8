"""Every shell block in README and docs/ runs, one after the other, in a clean copy of the project."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"(?P<mark><!-- [^\n]+ -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)
MARKS = {"<!-- needs hardware -->", "<!-- needs recordings -->", "<!-- run by CI itself -->"}
LIMIT_S = 600


def blocks(page):
    """The shell blocks of a page that can run anywhere."""
    for fence in FENCE.finditer(page.read_text()):
        if fence["language"] == "sh" and not fence["mark"]:
            yield fence["text"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The tracked and new files, as a clone would have them, with the environment that runs this test."""
    folder = tmp_path_factory.mktemp("clone")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    ):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for environment in (".venv", ".venv-judges"):
        if (ROOT / environment).exists():
            (folder / environment).symlink_to(ROOT / environment)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_shell_blocks_of_the_page_run(page, clone):
    for text in blocks(page):
        environment = {**os.environ, "PATH": f"{clone}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "120"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_mark_before_a_block_is_one_that_is_known(page):
    marks = {fence["mark"].strip() for fence in FENCE.finditer(page.read_text()) if fence["mark"]}
    assert marks <= MARKS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
