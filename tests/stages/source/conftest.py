"""Small recordings for the readers, made once."""

import shutil

import pytest
from recording_files import shown, write_bag
from sdk_files import write


@pytest.fixture(scope="session")
def day(tmp_path_factory):
    """A `.db3` of depth and colour, numbered and stamped from a start that is not 0."""
    return write(tmp_path_factory.mktemp("day") / "flat.db3", shown(first=100), pace_s=0.002)


@pytest.fixture(scope="session")
def day_bag(tmp_path_factory):
    """The same as a `.bag`."""
    return write_bag(tmp_path_factory.mktemp("day") / "flat.bag", shown(first=100))


@pytest.fixture
def copy(tmp_path):
    """Copies a recording, for a test that spoils it."""
    return lambda path: shutil.copy(path, tmp_path / path.name)
