"""A run of thousands of events through store and log, without the command line, which is slow to load; the same in a
process of its own: python crowded.py OUT FRAMES|GRAPH EXECUTOR MUTANT. A mutant is a store that is wrong in one way.
"""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path

FAULTS = Path(__file__).parent
ROOT = FAULTS.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import stages  # noqa: E402
from pipeline import _store_facts, _store_outbox, _store_writer  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.publish import _drain  # noqa: E402
from pipeline.session import Session  # noqa: E402

GRAPH = """
version: 1
site: {site}
cameras:
  east: {{{east}}}
  west: {{{west}}}
graph:
  looks: {{stage: looks, from: cameras}}
  who: {{stage: who, from: looks}}
publish: {{log: {{}}{publish}}}
store: {{every_s: 0.5}}
"""


def write_crowd(folder, east, west, site="crossing", publish=""):
    """The graph, of two cameras that may be others."""
    (folder / "sites").mkdir(parents=True, exist_ok=True)
    (folder / "sites" / f"{site}.yaml").write_text("cameras: {east: {}, west: {}}\n")
    path = folder / "graph.yaml"
    path.write_text(GRAPH.format(east=east, west=west, site=site, publish=publish))
    return path


def walkers(frames):
    return f"stage: walkers, frames: {frames}"


def conduct(out, frames, executor="inline", to=None):
    """Run, or go on; of so many frames, or a graph. It publishes `to` some of what the graph names, or all."""
    stages.__path__.append(str(FAULTS / "crowd"))
    try:
        graph = frames
        if isinstance(frames, int):
            graph = write_crowd(Path(out).parent / f"graph{frames}", walkers(frames), walkers(frames))
        session = Session(GraphFile.read(graph), Choices(executor=executor), Path(out))
        kept = {name: one for name, one in session._publishers.items() if name in (to or (name,))}
        session._publishers = kept
        return session.conduct(say=print)
    finally:  # other tests look at every stage that there is
        stages.__path__.remove(str(FAULTS / "crowd"))


def command(out, frames, executor="inline", mutant=""):
    return [sys.executable, str(FAULTS / "crowded.py"), str(out), str(frames), executor, mutant]


def restart(out, frames, mutant=""):
    """Go on, here, and to the end."""
    with mutated(mutant):
        assert conduct(out, frames) == 0


def started(out, frames, executor="inline", mutant="", before=()):
    """In a process, and a group, of its own."""
    line = [*map(str, before), *command(out, frames, executor, mutant)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def judged(out):
    """What a consumer has to have: ids and data, each key's sequence without a gap; and how many came twice."""
    return judgement([json.loads(line) for line in (Path(out) / "events.jsonl").read_text().splitlines()])


def judgement(events):
    """The same of events from anywhere, in the order in which they came."""
    events = list(events)
    by_id = {event["id"]: json.dumps(event["data"], sort_keys=True) for event in events}
    of_key: dict[tuple[str, str], list[int]] = {}
    for event in {event["id"]: event for event in events}.values():
        of_key.setdefault((event["type"].split(".")[1], event["partitionkey"]), []).append(
            int(event["sequence"])
        )
    gaps = [key for key, some in of_key.items() if some != [*range(1, len(some) + 1)]]
    data = hashlib.sha256("".join(f"{id}{data}" for id, data in sorted(by_id.items())).encode()).hexdigest()
    return data, gaps, len(events) - len(by_id)


def kinds(out):
    """How many events of each kind there are."""
    lines = (Path(out) / "events.jsonl").read_text().splitlines()
    return Counter(json.loads(line)["type"].split(".")[2] for line in lines)


@contextmanager
def mutated(name):
    """A store that is wrong in this way."""
    before = {
        (cls, method): getattr(cls, method)
        for cls, method in (
            (_store_writer.Writer, "commit"),
            (_drain.Drain, "_send"),
            (_store_outbox.Outbox, "add"),
        )
    }
    try:
        MUTANTS[name]()
        yield
    finally:
        for (cls, method), kept in before.items():
            setattr(cls, method, kept)


def _deletes_before_the_acknowledgement():
    send = _drain.Drain._send

    def sending(self, rows, most_left=0):
        if rows:
            self._acknowledge(self.name, (rows[-1].number, self._publisher.mark()))
            _wait_until_written(self, rows[-1].number)
        return send(self, rows, most_left)

    _drain.Drain._send = sending


def _wait_until_written(drain, number):
    """A broker takes its time; not for ever, for at its end a run writes no more."""
    until_s = time.monotonic() + 2
    with closing(sqlite3.connect(drain._acknowledge.__self__._base.path)) as db:
        while time.monotonic() < until_s:
            if (number,) <= db.execute(
                "SELECT max(number) FROM publishers WHERE name = ?", (drain.name,)
            ).fetchone():
                return
            time.sleep(0.01)


def _writes_no_positions():
    commit = _store_writer.Writer.commit

    def without(self, batch):
        is_cut = (
            batch.facts
            and not isinstance(batch.facts[0], _store_facts.Origin)
            and not batch.facts[0].has_ended
        )
        commit(self, _store_writer.Batch(batch.events, batch.states) if is_cut else batch)

    _store_writer.Writer.commit = without


def _writes_states_and_positions_apart():
    commit = _store_writer.Writer.commit

    def twice(self, batch):
        commit(self, _store_writer.Batch((), batch.states))
        commit(self, _store_writer.Batch(batch.events, (), batch.facts))

    _store_writer.Writer.commit = twice


def _allots_sequences_outside():
    add = _store_outbox.Outbox.add

    def outside(self, events, envelopes):
        before, last = dict(envelopes._sequences), self.last
        self._db.execute("SAVEPOINT rows")
        add(self, events, envelopes)
        rows = self._db.execute("SELECT * FROM sequences").fetchall()
        self._db.execute("ROLLBACK TO rows")
        self._db.executemany("INSERT OR REPLACE INTO sequences VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")  # the numbers are given out; what they are for comes in the next one
        self._db.execute("BEGIN IMMEDIATE")
        envelopes._sequences, self.last = before, last
        add(self, events, envelopes)

    _store_outbox.Outbox.add = outside


MUTANTS = {
    "": lambda: None,
    "deletes before the acknowledgement": _deletes_before_the_acknowledgement,
    "writes no positions": _writes_no_positions,
    "writes states and positions apart": _writes_states_and_positions_apart,
    "allots sequences outside": _allots_sequences_outside,
}


def kill(process):
    """All of it, at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


if __name__ == "__main__":
    MUTANTS[sys.argv[4]]()
    of = sys.argv[2]
    sys.exit(conduct(sys.argv[1], int(of) if of.isdecimal() else Path(of), sys.argv[3]))
