"""What every test may use: the folder of recordings, a small disk, a Kafka broker; and the rule that CI skips nothing
unlisted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from broker import Broker

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
DEVICES = frozenset(
    {
        "test_admission.py",
        "test_camera.py",
        "test_command_line.py",
        "test_devices.py",
        "test_filming.py",
        "test_isolated_cameras.py",
        "test_plug_in.py",
        "test_realsense.py",
        "test_sdk.py",
        "test_signals.py",
    }
)
LISTED = ROOT / "tests" / "skips.txt"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings beside the project; a test that needs it skips without it."""
    if not DATA.is_dir():
        pytest.skip("the folder of real recordings is not there")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a test keeps for the next time, it does not keep among the user's files."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk of its own for a test, as mount's options say: `small_disk("size=200k")`."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    made = []

    def make(options: str) -> Path:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this machine lets nobody make a small disk")
        made.append(disk)
        return disk

    yield make
    for disk in made:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Kafka for all tests: take topics of your own, by a site of your own. `broker.servers` is plain,
    `broker.at("SECURE")` wants TLS and a password (`secured_broker`).
    """
    from secured_broker import secured

    running = secured(tmp_path_factory.mktemp("kafka"))
    running.start()
    yield running
    running.stop()


class Together(LoadFileScheduling):
    """A file of tests to one worker of pytest-xdist; and all that use RealSense devices to the same: a machine has each
    device once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "devices" if Path(file).name in DEVICES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Called where tests run in several processes."""
    return Together(config, log)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI, with the recordings present, a skipped test that is not listed with its reason is a failure."""
    is_worker = hasattr(
        session.config, "workerinput"
    )  # of pytest-xdist: its first process hears of every test
    if is_worker or not (os.environ.get("CI") and DATA.is_dir()):
        return
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    lines = [line.partition("  ") for line in LISTED.read_text().splitlines() if not line.startswith("#")]
    listed = [test for test, _, reason in lines if reason.strip()]
    unlisted = [skip.nodeid for skip in reporter.stats.get("skipped", ()) if skip.nodeid not in listed]
    if unlisted:
        reporter.write_line(
            f"skipped, and not in {LISTED.name} with a reason: {', '.join(unlisted)}", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
