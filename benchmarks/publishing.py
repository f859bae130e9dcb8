"""How fast events go to Kafka, beside the bare client libraries: python benchmarks/publishing.py [ROUNDS]

Real `observed` events of a simulated run, to a broker that it starts itself; what has arrived is counted by Kafka's own
offsets. Needs Java, and `make .kafka/.done`.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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

from pipeline.publish._kafka_message import Message, message
from pipeline.publish._kafka_topics import topics_of
from pipeline.publish._publisher import Row
from pipeline.publish.kafka import Kafka

ROOT = Path(__file__).parents[1]
ROUNDS = 5
EVENTS = {"kafka-python": 10_000, "confluent": 100_000}
AT_ONCE = 1000  # between two looks at what the bare client has been told
LEAST_BYTES = 700
SITE = "lobby"


def main(rounds: int) -> None:
    """Print events a second of each way, and how ours compares: all ways take turns in each round."""
    with TemporaryDirectory() as folder:
        events = observed(Path(folder) / "run")
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        try:
            for client, count in EVENTS.items():
                rows = [Row(n, "identity", SITE, body) for n, body in enumerate(renumbered(events, count), 1)]
                Console().print(table(client, rows, measured(client, rows, broker, rounds)))
        finally:
            broker.stop()


def observed(folder: Path) -> list[dict[str, Any]]:
    """The `observed` events of a short simulated run that are as large as real ones."""
    command = [
        "--graph",
        "configs/topview_rgbd.yaml",
        "--simulate",
        "--people",
        "4",
        "--seconds",
        "8",
        "--out",
        folder,
    ]
    subprocess.run([sys.executable, "run.py", *command], cwd=ROOT, check=True, capture_output=True)
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    found = [line for line in lines if b"identity.observed" in line and len(line) >= LEAST_BYTES]
    return [json.loads(line) for line in found]


def renumbered(events: list[dict[str, Any]], count: int) -> Iterator[bytes]:
    """As many as are wanted, each with an id and a number of its own."""
    for number, event in enumerate(islice(cycle(events), count), 1):
        named = {**event, "id": f"{number:032x}", "sequence": str(number)}
        yield json.dumps(named, separators=(",", ":")).encode()


def measured(client: str, rows: Sequence[Row], broker: Broker, rounds: int) -> dict[str, list[float]]:
    """Events a second, a figure a round; all have been connected before, and have sent some already."""
    topics = topics_of(SITE)
    prepared = [message(row, topics) for row in rows]
    publisher = Kafka(servers=(broker.servers,), client=client)  # type: ignore[arg-type]
    publisher.open(Path(), SITE)
    bare = BareKafkaPython(broker.servers) if client == "kafka-python" else BareConfluent(broker.servers)
    alone = Kafka(servers=(broker.servers,), client=client, exclusive=True)  # type: ignore[arg-type]
    alone.open(Path(), SITE)
    alone.resume(None)
    ways: dict[str, Callable[[int], int]] = {
        "ours": lambda count: drained(publisher, rows[:count]) * 0,
        "ours, exclusive": lambda count: drained(alone, rows[:count]),
        "the bare client": lambda count: bare.send(prepared[:count]),
    }
    gc.collect()
    gc.freeze()  # what is prepared for the bare client is not looked through while the others work
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(AT_ONCE)
    for number in range(rounds):
        for name in list(ways) if number % 2 else reversed(list(ways)):
            before, began = end_of(broker.servers, topics["identity"]), time.perf_counter()
            marks = ways[name](len(rows))
            took = time.perf_counter() - began
            arrived = end_of(broker.servers, topics["identity"]) - before - marks
            assert arrived == len(rows), f"{name}: {arrived} of {len(rows)} have arrived"
            figures[name].append(len(rows) / took)
    for one in (publisher, alone, bare):
        one.close()
    return figures


def drained(publisher: Kafka, rows: Sequence[Row]) -> int:
    """As a drain sends what it takes out of the outbox; in how many parts. A transaction puts a mark behind each."""
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


def end_of(servers: str, topic: str) -> int:
    """How many messages the topic has had, as Kafka counts them."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=servers)
    try:
        ends = consumer.end_offsets([TopicPartition(topic, 0)])
        return int(next(iter(ends.values())))
    finally:
        consumer.close()


def table(client: str, rows: Sequence[Row], figures: dict[str, list[float]]) -> Table:
    """The middle of the rounds; the ratio is the middle one of theirs."""
    size = median(len(row.body) for row in rows)
    made = Table(title=f"{client}: {len(rows)} observed events of {size:.0f} bytes, one topic, acks=all")
    for header in ("", "events/s", "of the bare client", "rounds"):
        made.add_column(header, justify="left" if not header else "right")
    for name, values in figures.items():
        ratio = median(a / b for a, b in zip(values, figures["the bare client"], strict=True))
        shown = f"{ratio:.2f}" if name != "the bare client" else ""
        made.add_row(name, f"{median(values):,.0f}", shown, " ".join(f"{value:,.0f}" for value in values))
    return made


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
