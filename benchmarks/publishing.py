"""How fast events go to Kafka, beside the bare client libraries: python benchmarks/publishing.py [ROUNDS]

Real `observed` events of a simulated run, each with the record of who that is now, to a broker that it starts itself;
what has arrived is counted by Kafka's own offsets. Needs Java, and `make .kafka/.done`.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from broker import Broker
from rich.console import Console
from rich.table import Table

from pipeline._store_facts import Origin
from pipeline._store_outbox import Waiting
from pipeline.choices import Choices
from pipeline.cuts import Cut
from pipeline.events import Envelopes, Provenance
from pipeline.graphfile import GraphFile
from pipeline.messages import IdentityEvent
from pipeline.publish._kafka_message import Message, message
from pipeline.publish._kafka_topics import topics_of
from pipeline.publish._publisher import FAMILIES, Row
from pipeline.publish.kafka import Kafka
from pipeline.session import Session
from pipeline.store import Keeping, Restored, Store

ROOT = Path(__file__).parents[1]
ROUNDS = 5
EVENTS = {"kafka-python": 10_000, "confluent": 100_000}
AT_ONCE = 1000  # events in a cut; between two looks at what the bare client has been told
LEAST_BYTES = 700
STEP_NS = 1_000_000
SITE, TOPICS = "lobby", ("identity", "state")
STORE, PUBLISHER, BARE = "from commit to deleted row", "the publisher alone", "the bare client"
EXCLUSIVE = (
    "the publisher alone, as the only writer"  # in transactions, each of which puts a mark into each topic
)


def main(rounds: int) -> None:
    """Print messages a second of each way, and how ours compares: all ways take turns in each round."""
    with TemporaryDirectory() as folder:
        events = observed(Path(folder) / "run")
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        try:
            for client, count in EVENTS.items():
                with closing(Kept(Path(folder) / client, client, broker.servers)) as kept:
                    kept.fill(events, count)
                    Console().print(table(client, kept.rows, measured(kept, events, broker.servers, rounds)))
        finally:
            broker.stop()


def observed(folder: Path) -> list[IdentityEvent]:
    """The `observed` events of a short simulated run."""
    crowd = {"people": 4, "seconds": 8.0, "fps": 10.0, "seed": 1}
    session = Session(GraphFile.read(ROOT / "configs" / "topview_rgbd.yaml"), Choices(simulate=crowd), folder)
    found, emit = list[IdentityEvent](), session.store.emit

    def emitting(event: Any) -> None:
        emit(event)
        if isinstance(event, IdentityEvent) and event.kind == "observed":
            found.append(event)

    session.store.emit = emitting  # type: ignore[method-assign]
    if session.conduct(say=print):
        raise SystemExit("the run did not end well")
    return found


@dataclass
class Held(Kafka):
    """Sends nothing before it may."""

    may: threading.Event = field(default_factory=threading.Event, init=False)

    def send(self, rows: Sequence[Row]) -> int:
        self.may.wait()
        return super().send(rows)


class Kept:
    """A store that publishes, and what is in its outbox until it may."""

    def __init__(self, folder: Path, client: str, servers: str) -> None:
        self.client, self.rows = client, list[Row]()
        self._publisher = Held(servers=(servers,), client=client)  # type: ignore[arg-type]
        self._store, self._at_ns = Store(folder, Keeping(max_waiting=10_000_000)), 0
        envelopes = Envelopes(Provenance(SITE, "topview", "epoch", "0" * 64))
        restored = Restored(Origin(SITE, "graph", "recording", "epoch"))
        self._store.begin(envelopes, {"kafka": self._publisher}, restored, False)
        self._waiting = Waiting(self._store.path, FAMILIES)

    def fill(self, events: Sequence[IdentityEvent], count: int) -> None:
        """As many events as are wanted, each at a time of its own, and of those the rows."""
        self._publisher.may.clear()
        before = self._last()
        for number, event in enumerate(islice(cycle(events), count), 1):
            self._at_ns += STEP_NS
            self._store.emit(replace(event, captured_ns=self._at_ns))
            if number % AT_ONCE == 0 or number == count:
                self._store.take(Cut(self._at_ns))
        while not self._has_row(before + 2 * count):
            time.sleep(0.01)
        self.rows = list(self._waiting.after(before, before + 2 * count, 2 * count)[0])
        bodies = [len(row.body) for row in self.rows if row.family == "identity"]
        assert len(bodies) == count
        assert min(bodies) >= LEAST_BYTES, f"an event of {min(bodies)} bytes is smaller than real ones"

    def drain(self) -> int:
        """Send all that waits, until not a row is left of it; without a mark."""
        self._publisher.may.set()
        while self._has_row():
            time.sleep(0.001)
        return 0

    def close(self) -> None:
        self._publisher.may.set()
        self._store.end()
        self._waiting.close()
        self._store.close()

    def _last(self) -> int:
        return self.rows[-1].number if self.rows else 0

    def _has_row(self, number: int = 0) -> bool:
        query = "SELECT 1 FROM outbox WHERE last >= ? LIMIT 1"
        return self._waiting._db.execute(query, (number,)).fetchone() is not None


def measured(
    kept: Kept, events: Sequence[IdentityEvent], servers: str, rounds: int
) -> dict[str, list[float]]:
    """Messages a second, a figure a round; all have been connected before, and have sent some already."""
    topics, rows = topics_of(SITE), kept.rows
    prepared = [message(row, topics) for row in rows]
    publisher = Kafka(servers=(servers,), client=kept.client)  # type: ignore[arg-type]
    publisher.open(Path(), SITE)
    alone = Kafka(servers=(servers,), client=kept.client, exclusive=True)  # type: ignore[arg-type]
    alone.open(Path(), SITE)
    alone.resume(None)
    bare: Any = (BareKafkaPython if kept.client == "kafka-python" else BareConfluent)(servers)
    ways: dict[str, Callable[[], int]] = {
        STORE: kept.drain,
        PUBLISHER: lambda: drained(publisher, rows) * 0,
        EXCLUSIVE: lambda: drained(alone, rows) * len(TOPICS),
        BARE: lambda: bare.send(prepared),
    }
    gc.collect()
    gc.freeze()  # what is prepared for the bare client is not looked through while the others work
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        kept.fill(events, len(rows) // 2)
        for name in list(ways) if number % 2 else reversed(list(ways)):
            before, began = arrived(servers), time.perf_counter()
            marks = ways[name]()
            took = time.perf_counter() - began
            came = arrived(servers) - before - marks
            assert came == len(rows), f"{name}: {came} of {len(rows)} have arrived"
            figures[name].append(len(rows) / took)
    for one in (publisher, alone, bare):
        one.close()
    return figures


def drained(publisher: Kafka, rows: Sequence[Row]) -> int:
    """As a drain sends what it takes out of the outbox; in how many parts."""
    parts = 0
    for start in range(0, len(rows), publisher.most_rows):
        left = rows[start : start + publisher.most_rows]
        while left:
            left, parts = left[publisher.send(left) :], parts + 1
    return parts


class BareKafkaPython:
    """The same settings, and every acknowledgement looked at."""

    def __init__(self, servers: str) -> None:
        from kafka import KafkaProducer

        from pipeline.publish._kafka_python import BATCH_BYTES, LINGER_MS

        self._producer = KafkaProducer(
            bootstrap_servers=servers,
            acks="all",
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            metrics_enabled=False,
        )

    def send(self, messages: Sequence[Message]) -> int:
        """All at once, as fast as it takes them; without a mark."""
        futures = [self._producer.send(one.topic, one.value, one.key, one.headers) for one in messages]
        for future in futures:
            future.get(60)
        return 0

    def close(self) -> None:
        """End its threads."""
        self._producer.close()


class BareConfluent:
    """The same settings, and every acknowledgement counted."""

    def __init__(self, servers: str) -> None:
        from confluent_kafka import Producer

        from pipeline.publish._confluent import LINGER_MS, QUEUE

        settings = {"acks": "all", "enable.idempotence": True, "linger.ms": LINGER_MS}
        self._producer = Producer(
            {"bootstrap.servers": servers, "queue.buffering.max.messages": QUEUE, **settings}
        )
        self._acknowledged = 0

    def send(self, messages: Sequence[Message]) -> int:
        """All at once, as fast as it takes them; without a mark."""
        self._acknowledged = 0
        for number, one in enumerate(messages):
            self._producer.produce(
                one.topic, one.value, one.key, headers=one.headers, on_delivery=self._delivered
            )
            if number % AT_ONCE == 0:
                self._producer.poll(0)
        self._producer.flush(60)
        assert self._acknowledged == len(messages)
        return 0

    def close(self) -> None:
        """Nothing is left to end."""

    def _delivered(self, error: object, _: object) -> None:
        self._acknowledged += error is None


def arrived(servers: str) -> int:
    """How many messages both topics have had, as Kafka counts them."""
    from kafka import KafkaConsumer, TopicPartition

    topics = topics_of(SITE)
    consumer = KafkaConsumer(bootstrap_servers=servers)
    try:
        ends = consumer.end_offsets([TopicPartition(topics[family], 0) for family in TOPICS])
        return sum(map(int, ends.values()))
    finally:
        consumer.close()


def table(client: str, rows: Sequence[Row], figures: dict[str, list[float]]) -> Table:
    """The middle of the rounds; the ratio is the middle one of theirs."""
    size = median(len(row.body) for row in rows if row.family == "identity")
    text = f"{client}: {len(rows) // 2} observed events of {size:.0f} bytes, and as many records, acks=all"
    made = Table(title=text, min_width=100)
    for header in ("", "messages/s", "of the bare client", "rounds"):
        made.add_column(header, justify="left" if not header else "right")
    for name, values in figures.items():
        ratio = median(a / b for a, b in zip(values, figures[BARE], strict=True))
        shown = "" if name == BARE else f"{ratio:.2f}"
        made.add_row(name, f"{median(values):,.0f}", shown, " ".join(f"{value:,.0f}" for value in values))
    return made


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
