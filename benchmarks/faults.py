"""The long form of tests/faults/test_kafka.py: runs of thousands of events on a real broker, and what may go wrong
meanwhile, each judged by kcat against a run that nobody disturbed:

python benchmarks/faults.py [--frames N] [--kills N] [--sends N] [--away SECONDS]

Needs Java, kcat, root for a disk that is full, and `make .kafka/.done`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

import numpy as np  # noqa: E402
from broker import Broker, free_ports  # noqa: E402
from crowded import kill, kinds  # noqa: E402
from on_a_broker import Arriving, Crowd  # noqa: E402
from proxy import Proxy  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

CLIENTS = ("kafka-python", "confluent")
LISTENERS = {"listener.security.protocol.map": "PLAIN:PLAINTEXT,CUT:PLAINTEXT,CONTROLLER:PLAINTEXT"}
FULL = "size=2500k"
LIMIT_S = 600.0
SENDS, SENDING = "sendto,sendmsg", 100  # the system calls, and the frames of a run that is killed at one


@dataclass
class Outcome:
    """What came of one kind of trouble, over all its runs."""

    runs: int = 0
    events: int = 0
    repeats: int = 0
    wrong: int = 0  # runs of which kcat finds something missing, changed, or out of order
    restarts_s: list[float] = field(
        default_factory=list
    )  # from the start of a process to its first event there

    def add(self, crowd: Crowd, servers: str, whole: tuple[str, list[Any], int]) -> None:
        """Judge one run."""
        data, gaps, repeats = crowd.judged(servers)
        self.runs += 1
        self.events += len(crowd.arrived(servers)) - repeats
        self.repeats += repeats
        self.wrong += (data, gaps) != whole[:2] or bool(gaps)


@dataclass
class Lab:
    """A broker with a way to it that can be cut, and folders for runs."""

    folder: Path
    broker: Broker
    proxy: Proxy
    frames: int
    away_s: float

    def crowd(self, name: str, client: str, folder: Path | None = None, frames: int = 0) -> Crowd:
        """Not started yet; its topics are its own."""
        return Crowd(folder or self.folder / name, self.broker.at("CUT"), name, frames or self.frames, client)

    def killed(self, client: str, runs: int) -> Outcome:
        """Each once, at a random moment; and started again."""
        random_, outcome = random.Random(client), Outcome()
        for number in range(runs):
            crowd = self.crowd(f"killed-{client}-{number}", client)
            whole = crowd.whole()
            events = sum(kinds(crowd.folder / "whole").values())
            with closing(Arriving(self.broker.servers, crowd.site)) as arriving:
                with under_way(crowd, arriving, random_.randrange(1, events // 3)):
                    time.sleep(random_.random() * 0.1)
                before, began = arriving.count(), time.monotonic()
                with under_way(crowd, arriving, before + 1):
                    outcome.restarts_s.append(time.monotonic() - began)
            crowd.finish()
            outcome.add(crowd, self.broker.servers, whole)
        return outcome

    def killed_as_it_sends(self, client: str, windows: int) -> Outcome:
        """Each at another send, those in the middle of a run; and started again."""
        outcome, first = Outcome(), self.crowd(f"sends-{client}", client, frames=SENDING)
        log = first.folder / "sends"
        traced = ["strace", "-f", "-qq", "-o", log, "-e", f"trace={SENDS}"]
        run = first.start(before=traced)
        run.communicate(timeout=LIMIT_S)
        middle = log.read_text().count("send") // 2
        for number in range(middle - windows // 2, middle + windows // 2):
            crowd = self.crowd(f"send-{client}-{number}", client, frames=SENDING)
            whole = crowd.whole()
            inject = ["-e", f"inject={SENDS}:signal=SIGKILL:when={number}"]
            run = crowd.start(before=[*traced[:-3], crowd.folder / "sends", *traced[-2:], *inject])
            run.communicate(timeout=LIMIT_S)
            kill(run)
            crowd.finish()
            outcome.add(crowd, self.broker.servers, whole)
        return outcome

    def away(self, client: str, name: str, hurt: Callable[[Lab], None]) -> Outcome:
        """A broker that is away for a while, in the middle of a run."""
        outcome, crowd = Outcome(), self.crowd(f"{name}-{client}", client)
        whole = crowd.whole()
        assert sum(kinds(crowd.folder / "whole").values()) >= 5000 or self.frames < 1300
        with (
            closing(Arriving(self.broker.servers, crowd.site)) as arriving,
            under_way(crowd, arriving, self.frames // 2) as run,
        ):
            hurt(self)
            run.communicate(timeout=LIMIT_S)
        crowd.finish()
        outcome.add(crowd, self.broker.servers, whole)
        return outcome

    def full(self, client: str) -> Outcome:
        """A disk that is full, and then is not."""
        outcome, disk = Outcome(), self.folder / f"disk-{client}"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", FULL, "tmpfs", disk], check=True)
        try:
            crowd = self.crowd(f"full-{client}", client, disk)
            run = crowd.start()
            _, said = run.communicate(timeout=LIMIT_S)
            kill(run)
            assert b"make room and run again" in said, said
            subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
            crowd.finish()
            outcome.add(crowd, self.broker.servers, crowd.whole())
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
        return outcome


def main() -> None:
    """Do everything once, and the kills many times, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=1300)
    parser.add_argument("--kills", type=int, default=100, help="of each client")
    parser.add_argument("--sends", type=int, default=40, help="at which each client is killed")
    parser.add_argument("--away", type=float, default=60.0, help="seconds that a broker is away")
    given = parser.parse_args()
    made = Table("what happens", "client", "runs", "events", "repeats", "wrong", "restart p95, s")
    with TemporaryDirectory() as folder:
        plain, cut, front, controller = free_ports(4)
        ports = {"PLAIN": plain, "CUT": cut}
        broker = Broker(Path(folder) / "kafka", ports, {"CUT": front}, LISTENERS, controller_port=controller)
        broker.start()
        try:
            with closing(Proxy(front, cut)) as proxy:
                lab = Lab(Path(folder), broker, proxy, given.frames, given.away)
                for name, client, outcome in outcomes(lab, given.kills, given.sends):
                    p95 = f"{np.percentile(outcome.restarts_s, 95):.1f}" if outcome.restarts_s else ""
                    counted = (outcome.runs, outcome.events, outcome.repeats, outcome.wrong)
                    made.add_row(name, client, *map(str, counted), p95)
                    print(name, client, outcome, flush=True)
        finally:
            broker.stop()
    Console(width=110, highlight=False).print(made)


def outcomes(lab: Lab, kills: int, sends: int) -> Iterator[tuple[str, str, Outcome]]:
    """One for each thing that may go wrong, and each client."""
    for client in CLIENTS:
        for name, hurt in {"broker killed": killed, "broker frozen": frozen, "cut off": cut}.items():
            yield name, client, lab.away(client, name.replace(" ", "-"), hurt)
        yield "disk full", client, lab.full(client)
        yield "process killed", client, lab.killed(client, kills)
        yield "killed as it sends", client, lab.killed_as_it_sends(client, sends)


def killed(lab: Lab) -> None:
    """End it in the middle of what it does, and start it again."""
    lab.broker.kill()
    time.sleep(lab.away_s)
    lab.broker.start()


def frozen(lab: Lab) -> None:
    """It lives, and says nothing."""
    lab.broker.freeze()
    time.sleep(lab.away_s)
    lab.broker.thaw()


def cut(lab: Lab) -> None:
    """It lives, and cannot be reached."""
    lab.proxy.cut()
    time.sleep(lab.away_s)
    lab.proxy.mend()


@contextmanager
def under_way(crowd: Crowd, arriving: Arriving, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """Its run, of which so many identity events have arrived, or which has ended; killed at the end of the block."""
    run = crowd.start()
    try:
        arriving.wait_for(count, run)
        yield run
    finally:
        kill(run)


if __name__ == "__main__":
    main()
