"""Reads a RealSense `.bag`, a ROS 1 bag as librealsense before 2.58 writes it, without the SDK.

A picture bears the device's stamp and the frame's number in its header; messages of metadata follow it, one of which
names the clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera import Intrinsics, Pose
from pipeline.messages import Encoded
from pipeline.stage import InputError
from stages.source._chunks import Chunks, Message
from stages.source._facts import Facts, Streams
from stages.source._moments import Optics, Shot, Stream
from stages.source._pictures import whole
from stages.source._reader import Damage
from stages.source._ros import HEAD, UNITS, Fields, Head, Topic, head_of, intrinsics_of, metres, name_of

CLOCK = "timestamp_domain"
DEFAULT_CLOCK = "hardware_clock"  # where the metadata name none


class Image(NamedTuple):
    """A picture, still part of its chunk."""

    head: Head
    content: memoryview


class Bag:
    """A Reader of one `.bag`."""

    def __init__(self, path: Path) -> None:
        self.optics: Optics
        self.rates_hz: dict[Stream, float] = {}
        self.damage: Damage | None = None
        self._path, self._chunks = path, Chunks(path)
        self._streams: Streams

    def open(self) -> None:
        """Raises InputError for a file without a stream of ours."""
        try:
            facts = self._facts()
            topics = filter(None, map(named, self._chunks.topics))
            self._streams = facts.streams(topic.key for topic in topics if topic.says == "image")
        except ValueError as error:
            why = f" ({self._chunks.damage})" if self._chunks.damage else ""
            raise InputError(f"{self._path}: {error}{why}") from error
        self.optics, self.rates_hz = self._streams.optics, self._streams.rates_hz

    def shots(self) -> Iterator[Shot]:
        """Every picture, in the order of the file."""
        given: Counter[Stream] = Counter()
        for shot in self._shots():
            given[shot.stream] += 1
            yield shot
        self.damage = self._damage(given[self._streams.lead])

    def close(self) -> None:
        self._chunks.close()

    @property
    def is_damaged(self) -> bool:
        return bool(self._chunks.damage)

    def _shots(self) -> Iterator[Shot]:
        images: dict[Stream, Image] = {}  # whose metadata have not named a clock yet
        clocks: dict[Stream, str] = {}
        for message in self._chunks.messages():
            topic = named(message.topic)
            if topic is None or self._streams.keys.get(topic.stream) != topic.key:
                continue
            stream, clock = topic.stream, _clock(message) if topic.says == "metadata" else ""
            if clock:
                clocks[stream] = clock
            if stream in images and (clock or topic.says == "image"):
                yield self._shot(stream, images.pop(stream), clocks.get(stream, DEFAULT_CLOCK))
            if topic.says == "image":
                with suppress(ValueError):  # it is counted as one that was not given
                    images[stream] = self._image(stream, message)
        for stream, image in images.items():
            yield self._shot(stream, image, clocks.get(stream, DEFAULT_CLOCK))

    def _facts(self) -> Facts:
        """What is said before the first pictures; raises ValueError where it is damaged."""
        facts, done = Facts(), set[str]()
        said = {name for name in self._chunks.topics if _is_fact(name)}
        for message in self._chunks.messages():
            if message.topic not in done and _is_fact(message.topic):
                done.add(message.topic)
                _learn(facts, message)
            if self._chunks.has_index and done >= said:
                break
        return facts

    def _image(self, stream: Stream, message: Message) -> Image:
        """Raises ValueError where the head makes no sense: then its stamp does not either."""
        head = head_of(message.content[:HEAD], is_cdr=False, is_compressed=False)
        width, height = self._streams.sizes_px[stream]
        if not head.codec.endswith(f"/{width}x{height}"):
            raise ValueError(f"is {head.codec}, and its camera {width}x{height}")
        return Image(head, message.content[head.start : head.start + head.length])

    def _shot(self, stream: Stream, image: Image, clock: str) -> Shot:
        picture = partial(self._picture, stream, image)
        return Shot(stream, image.head.stamp_ms, clock, image.head.number, picture)

    def _picture(self, stream: Stream, image: Image) -> Encoded:
        return whole(Encoded(image.head.codec, bytes(image.content)), *self._streams.sizes_px[stream])

    def _damage(self, given: int) -> Damage | None:
        """Of the leading stream so many pictures were given; how many there are only an index knows."""
        key, counts = self._streams.keys[self._streams.lead], self._chunks.counts
        there = sum(
            counts[name] for name in counts if (topic := named(name)) and topic[:3] == (*key, "image")
        )
        lost = there - given if self._chunks.has_index else 0 if self._chunks.is_complete else None
        detail = self._chunks.damage or ("holds pictures without a time stamp" if lost else "")
        return Damage(detail, lost) if detail else None


@cache
def named(name: str) -> Topic | None:
    """The topic of this name, if it is one of ours."""
    return Topic.named(name)


def _is_fact(name: str) -> bool:
    topic = named(name)
    return bool(UNITS.fullmatch(name)) or (topic is not None and topic.says in ("info", "lens", "place"))


def _clock(message: Message) -> str:
    """The clock domain that metadata name, or nothing."""
    fields = Fields(message.content, is_cdr=False)
    try:
        return name_of(fields.text()) if fields.text() == CLOCK else ""
    except ValueError:
        return ""


def _learn(facts: Facts, message: Message) -> None:
    topic, fields = named(message.topic), Fields(message.content, is_cdr=False)
    if topic is None:
        facts.depth_scale_m = metres(*fields.numbers("f"))
    elif topic.says == "info":
        facts.rates_hz[topic.key], facts.encodings[topic.key] = fields.whole(), fields.text()
    elif topic.says == "lens":
        facts.intrinsics[topic.key] = _lens(fields)
    else:
        translation_m, quaternion = fields.numbers("d", 3), fields.numbers("d", 4)
        rotation = Rotation.from_quat(quaternion).as_matrix()
        facts.from_reference[topic.key] = Pose(rotation, np.array(translation_m))


def _lens(fields: Fields) -> Intrinsics:
    """A CameraInfo."""
    fields.numbers("I", 3), fields.text()  # its header
    height, width, model = fields.whole(), fields.whole(), fields.text()
    coefficients = fields.numbers("d", fields.whole())
    fx, _, cx, _, fy, cy, *_ = fields.numbers("d", 9)
    return intrinsics_of(width, height, (fx, fy, cx, cy), model, coefficients)
