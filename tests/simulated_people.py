"""A plugin of pytest: `people` is a recording of simulated people before two cameras, `graph` the main graph with only
those two.
"""

import pytest
from command_line import CAMERAS, sightline, write_graph


@pytest.fixture(scope="session")
def graph(tmp_path_factory):
    return write_graph(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """80 frames each: five people before one camera, one or two before the other."""
    folder = tmp_path_factory.mktemp("people") / "recording"
    settings = ("--people", 12, "--seconds", 8, "--cameras", len(CAMERAS))
    done = sightline("simulate", "--out", folder, *settings)
    assert done.returncode == 0, done.stderr
    return folder
