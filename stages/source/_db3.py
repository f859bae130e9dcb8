"""Reads a RealSense `.db3`, rosbag2 in SQLite as librealsense 2.58 and later writes it, without the SDK.

Each picture is a row, followed by one of metadata with the device's own stamp, its clock and the frame's number. The
time of a row is when it was written, which says nothing of when the picture was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from calibration.camera import Intrinsics, Pose
from pipeline.messages import Encoded
from pipeline.stage import InputError
from stages.source._facts import Facts, Streams
from stages.source._leaves import Row
from stages.source._moments import Optics, Shot, Stream
from stages.source._pictures import whole
from stages.source._reader import Damage, absent, shot_of
from stages.source._ros import (
    HEAD,
    UNITS,
    Fields,
    Topic,
    head_of,
    intrinsics_of,
    metres,
    name_of,
    settings_of,
    single,
)
from stages.source._rows import Rows


class Db3:
    """A Reader of one `.db3`."""

    def __init__(self, path: Path) -> None:
        self.optics: Optics
        self.rates_hz: dict[Stream, float] = {}
        self.damage: Damage | None = None
        self._path, self._rows = path, Rows(path)
        self._topics: dict[int, Topic] = {}
        self._streams: Streams

    def open(self) -> None:
        """Raises InputError for a file without a stream of ours."""
        names = self._rows.topics()
        self._topics = {id: topic for id, name in names.items() if (topic := Topic.named(name)) is not None}
        try:
            facts = self._facts({id for id, name in names.items() if UNITS.fullmatch(name)})
            self._streams = facts.streams(self._topics[id].key for id in self._images)
        except ValueError as error:
            why = f" ({self._rows.damage})" if self._rows.damage else ""
            raise InputError(f"{self._path}: {error}{why}") from error
        self.optics, self.rates_hz = self._streams.optics, self._streams.rates_hz

    def shots(self) -> Iterator[Shot]:
        """Every picture, in the order of the file; one without a time stamp of its own is lost."""
        images: dict[Stream, Row] = {}  # whose metadata have not come yet
        lost: Counter[Stream] = Counter()
        for row in self._rows.rows(self._images):
            topic = self._topics.get(row.topic)
            if topic is None or self._streams.keys.get(topic.stream) != topic.key:
                continue
            if topic.says == "image":
                lost[topic.stream] += topic.stream in images
                images[topic.stream] = row
            elif topic.says == "metadata":
                image = images.pop(topic.stream, None)
                is_its = image is not None and (row.id == image.id + 1 or row.written_ns == image.written_ns)
                shot = self._shot(topic, row, image if is_its else None)
                lost[topic.stream] += image is not None and not (is_its and shot)
                if shot:
                    yield shot
        lost.update(images.keys())
        self.damage = self._damage(lost)

    def close(self) -> None:
        self._rows.close()

    @property
    def is_damaged(self) -> bool:
        return bool(self._rows.damage)

    @property
    def _images(self) -> set[int]:
        """The topics whose rows are large."""
        return {id for id, topic in self._topics.items() if topic.says == "image"}

    def _facts(self, units: set[int]) -> Facts:
        """What comes before the first picture of each stream, or with it; raises ValueError where it is damaged."""
        facts = Facts()
        wanted = {id for id, topic in self._topics.items() if topic.says in ("info", "lens", "place")} | units
        for row in self._rows.rows(self._images):
            if row.topic in wanted:
                wanted.remove(row.topic)
                try:
                    self._learn(facts, self._topics.get(row.topic), Fields(row.content, is_cdr=True).text())
                except (ValueError, KeyError) as error:
                    raise ValueError(
                        f"what it says of its streams is damaged in row {row.id}, {error!r}"
                    ) from error
            if not wanted:
                break
        return facts

    def _learn(self, facts: Facts, topic: Topic | None, text: str) -> None:
        if topic is None:
            facts.depth_scale_m = metres(text)
            return
        settings = settings_of(text)
        if topic.says == "info":
            facts.rates_hz[topic.key] = float(settings["fps"])
            facts.encodings[topic.key] = settings["encoding"]
        elif topic.says == "lens":
            facts.intrinsics[topic.key] = _lens(settings)
        else:
            facts.from_reference[topic.key] = _place(settings)

    def _shot(self, topic: Topic, row: Row, image: Row | None) -> Shot | None:
        """None where the metadata do not say when it was."""
        picture = absent if image is None else partial(self._picture, topic.stream, image)
        try:
            settings = settings_of(Fields(row.content, is_cdr=True).text())
            clock, number = name_of(settings["timestamp_domain"]), int(settings.get("Frame number", "0"))
            return shot_of(topic.stream, float(settings["timestamp"]), clock, number, picture)
        except (KeyError, ValueError):
            return None

    def _picture(self, stream: Stream, image: Row) -> Encoded:
        with image.blob() as blob:
            head = head_of(blob[:HEAD], is_cdr=True, is_compressed=self._topics[image.topic].is_compressed)
            picture = Encoded(head.codec, blob[head.start :])
        return whole(picture, *self._streams.sizes_px[stream])

    def _damage(self, lost: Counter[Stream]) -> Damage | None:
        frames = lost[self._streams.lead]
        unstamped = [
            f"{count} pictures of {stream} have no time stamp" for stream, count in lost.items() if count
        ]
        detail = ", ".join([self._rows.damage] * bool(self._rows.damage) + unstamped)
        return Damage(detail, None if self._rows.damage else frames) if detail else None


def _lens(settings: Mapping[str, str]) -> Intrinsics:
    pinhole = [single(settings[name]) for name in ("fx", "fy", "ppx", "ppy")]
    coefficients = [single(number) for number in settings["coeffs"].split(",")]
    return intrinsics_of(
        int(settings["width"]), int(settings["height"]), pinhole, settings["model"], coefficients
    )


def _place(settings: Mapping[str, str]) -> Pose:
    rotation, translation_m = (
        np.array([single(number) for number in settings[name].split(",")])
        for name in ("rotation", "translation")
    )
    return Pose(rotation.reshape(3, 3, order="F"), translation_m)  # columns first
