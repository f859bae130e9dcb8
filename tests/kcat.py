"""Kafka as kcat sees it, and not our own code: what is in a topic, how topics are set, and rows of an outbox to send."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient, ConfigResource


@dataclass(frozen=True)
class Seen:
    key: str
    value: str | None
    headers: dict[str, str]
    partition: int
    offset: int


def seen(servers: str, topic: str, begin: int = 0, isolation: str = "read_committed") -> list[Seen]:
    """Everything in a topic from an offset on, partition by partition, in order; of transactions those that are over, or
    all.
    """
    command = ["kcat", "-C", "-b", servers, "-t", topic, "-o", str(begin), "-e", "-q", "-J"]
    command += ["-X", f"isolation.level={isolation}"]
    done = subprocess.run(command, capture_output=True, errors="replace", check=True, timeout=120)
    return [_seen(json.loads(line)) for line in done.stdout.split("\n") if line]


def ids(rows: Iterable[Seen]) -> list[str]:
    return [row.headers["ce_id"] for row in rows]


def once(names: list[str]) -> list[str]:
    """Without repeats, each where it came first."""
    return list(dict.fromkeys(names))


def topic_settings(servers: str, topic: str) -> dict[str, str]:
    """As librdkafka reads them; kcat does not."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": servers})
    answer = admin.describe_configs([resource])[resource].result(60)
    return {name: one.value for name, one in answer.items()}


def _seen(one: dict) -> Seen:
    pairs = one.get("headers") or []
    headers = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return Seen(one["key"], one["payload"], headers, one["partition"], one["offset"])
