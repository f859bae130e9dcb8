"""A plugin of pytest for live sources: `source` makes them, `long_file` is a device for them."""

import pytest
from sdk_files import HEIGHT, WIDTH, shots, write

from stages.source.realsense import RealSense


@pytest.fixture(scope="session")
def long_file(tmp_path_factory):
    """A second or so of a device 1001."""
    return write(tmp_path_factory.mktemp("long") / "long.db3", shots(60), pace_s=0.01)


@pytest.fixture
def source():
    """Makes live sources of small pictures, and closes them."""
    made = []

    def make(**settings):
        made.append(RealSense(**{"camera_id": "flat", "width": WIDTH, "height": HEIGHT, **settings}))
        return made[-1]

    yield make
    for one in made:
        one.close()
