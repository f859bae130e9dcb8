"""CI skips no test that is not listed with its reason, where the recordings are there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPPED = "test_some.py::test_one"
TESTS = "import pytest\n\ndef test_one():\n    pytest.skip('no')\n\ndef test_two():\n    pass\n"


def exit_status(folder, listed="", tests=TESTS, is_ci=True, has_recordings=True):
    """Of pytest in a project of one file, with our conftest."""
    project = folder / "project" / "tests"
    project.mkdir(parents=True)
    shutil.copy(CONFTEST, project)
    (project / "skips.txt").write_text(f"# test, two spaces, reason\n{listed}\n")
    (project / "test_some.py").write_text(tests)
    if has_recordings:
        (folder / "shared" / "data").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"CI": "true"} if is_ci else {}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_skip_that_is_not_listed_fails(tmp_path):
    status, said = exit_status(tmp_path)
    assert status == 1
    assert f"skipped, and not in skips.txt with a reason: {SKIPPED}" in said


def test_a_skip_that_is_listed_with_its_reason_passes(tmp_path):
    assert exit_status(tmp_path, f"{SKIPPED}  needs a camera on a ceiling")[0] == 0


def test_a_listed_skip_without_a_reason_fails(tmp_path):
    assert exit_status(tmp_path, SKIPPED)[0] == 1


def test_a_whole_file_that_skips_itself_fails(tmp_path):
    status, said = exit_status(tmp_path, tests="import pytest\npytest.importorskip('no_such_module')\n")
    assert status == 1
    assert "not in skips.txt with a reason: test_some.py" in said


@pytest.mark.parametrize("where", ["is_ci", "has_recordings"])
def test_elsewhere_a_skip_is_only_a_skip(where, tmp_path):
    assert exit_status(tmp_path, **{where: False})[0] == 0
