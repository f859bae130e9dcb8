"""The topics of a site and how they are set: made where they are missing, else compared, and what differs is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from configs.build import InputError
from pipeline.publish._kafka_access import Access
from pipeline.publish._publisher import Unreachable

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NAMES = {  # by family
    "tracklet": "tracklets",
    "identity": "identities",
    "state": "identity-state",
    "gallery": "gallery",
    "system": "system",
    "rejected": "rejected",
    "writer": "writer",
}
COMPACT = {  # what is erased in it is gone from the broker's disk after an hour and a segment
    "cleanup.policy": "compact",
    "segment.ms": str(HOUR_MS // 6),
    "max.compaction.lag.ms": str(HOUR_MS),
    "delete.retention.ms": str(7 * DAY_MS),
    "min.cleanable.dirty.ratio": "0.01",
}
SETTINGS = {
    "tracklets": {"cleanup.policy": "delete", "retention.ms": str(DAY_MS)},
    "identities": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)},
    "identity-state": COMPACT,
    "gallery": COMPACT,
    "system": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)},
    "rejected": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)},
    "writer": COMPACT,
}
AT_MOST, AT_LEAST = (
    ("segment.ms", "max.compaction.lag.ms", "min.cleanable.dirty.ratio"),
    ("delete.retention.ms",),
)
ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,200}")


def topics_of(site: str) -> dict[str, str]:
    """Names by family. Raises InputError for a site that no topic can be named after."""
    if not ALLOWED.fullmatch(site):
        raise InputError(
            f"site {site!r}: names Kafka's topics, which take letters, digits, '.', '_' and '-' only; rename its file"
        )
    return {family: f"{site}.{name}.v1" for family, name in NAMES.items()}


def prepare(
    admin: Any, topics: Mapping[str, str], own: Mapping[str, Mapping[str, str]], copies: Mapping[str, int]
) -> None:
    """Make what is missing, with `copies` (partitions and replicas). Raises InputError for one that is set otherwise.
    `own` are a user's settings by a topic's short name; what Kafka answers is raised as kafka-python's errors.
    """
    wanted = {topic: settings_of(family, own) for family, topic in topics.items()}
    there = set(admin.list_topics())
    missing = {
        topic: {**copies, "configs": settings} for topic, settings in wanted.items() if topic not in there
    }
    if missing:
        admin.create_topics(missing, wait_for_metadata=True)
    for topic, settings in wanted.items():
        if topic in there:
            differing = list(_differing(_found(admin, topic), settings))
            if differing:
                raise InputError(
                    f"publish.kafka: topic {topic}: {', '.join(differing)}; change it over there (kafka-configs), "
                    f"or say under 'topics' that it is to be so"
                )


def settings_of(family: str, own: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Of the topic of a family; `own` are a user's, by a topic's short name."""
    return {**SETTINGS[NAMES[family]], **own.get(NAMES[family], {})}


def blamed(error: Exception, access: Access) -> InputError | Unreachable:
    """What Kafka answered when it was asked about topics."""
    from kafka.errors import AuthorizationError, BrokerResponseError

    if isinstance(error, AuthorizationError):
        text = f"publish.kafka: {access.who} may not see or make the topics of this site"
        return InputError(f"{text}; have it allowed over there (kafka-acls)")
    if isinstance(error, BrokerResponseError) and not getattr(error, "retriable", False):
        return InputError(
            f"publish.kafka: topics cannot be made: {error}; see 'topics', 'partitions' and 'replicas'"
        )
    return Unreachable(f"topics cannot be made yet: {error}")


def _found(admin: Any, topic: str) -> dict[str, str]:
    from kafka.admin import ConfigResource, ConfigResourceType

    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: str(one["value"]) for name, one in answer["topic"][topic].items()}


def _differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        is_value = found.get(name, "nothing")
        if name in AT_MOST and _number(is_value) <= _number(value):
            continue
        if name in AT_LEAST and _number(is_value) >= _number(value):
            continue
        if is_value != value:
            bound = "at most " if name in AT_MOST else "at least " if name in AT_LEAST else ""
            yield f"{name} is {is_value}, not {bound}{value}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
