"""Reads who a detector has found, from the files of others: MOT's det.txt, CSV, and SceneScape's JSON lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.stage import InputError

Format = Literal["mot", "csv", "scenescape"]
MOT = ("frame", "id", "left", "top", "width", "height", "score")
EDGES = ("left", "top", "width", "height")
LATEST_S = 9e9  # the year 2255; nanoseconds end there
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Found:
    """One box; `moment` is the number of a frame, from 1, or nanoseconds."""

    moment: int
    box: tuple[float, float, float, float]  # left, top, right, bottom
    score: float


@dataclass(frozen=True, slots=True)
class DetectionFile:
    """The boxes of a file, and the moments at which somebody looked but found nobody."""

    found: list[Found]
    moments: frozenset[int]
    is_timed: bool  # moments are nanoseconds, not numbers of frames


class _Wrong(Exception):
    """What is wrong with a line, and what to do."""


def detection_file(path: Path, format: Format) -> DetectionFile:
    """All of a file. Raises InputError that names the line that is wrong."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8; name a file of detections") from error
    read: Callable[[Path, list[str]], DetectionFile] = {
        "mot": _mot,
        "csv": _csv,
        "scenescape": _scenescape,
    }[format]
    made = read(path, lines)
    if not made.moments:
        raise InputError(f"{path}: holds no detections; name another file, or check its format ({format})")
    return made


def _mot(path: Path, lines: list[str]) -> DetectionFile:
    def row(line: str) -> Found:
        values = line.split(",")
        if len(values) < len(MOT):
            raise _Wrong(f"has {len(values)} of {len(MOT)} values; write {','.join(MOT)}")
        return _row(dict(zip(MOT, values, strict=False)), is_timed=False)

    found = [one for _, one in _lines(path, enumerate(lines, 1), row)]
    return DetectionFile(found, frozenset(one.moment for one in found), is_timed=False)


def _csv(path: Path, lines: list[str]) -> DetectionFile:
    rows = csv.reader(lines)
    names = [name.strip() for name in next(rows, [])]
    timed = "seconds" in names
    missing = [name for name in EDGES if name not in names]
    if missing or timed == ("frame" in names):
        wanted = f"frame or seconds, {', '.join(EDGES)}, and score"
        raise InputError(f"{path}: line 1: names {', '.join(names) or 'nothing'}; name {wanted}")

    def row(values: list[str]) -> Found:
        if len(values) != len(names):
            raise _Wrong(f"has {len(values)} values for {len(names)} names; give one for each")
        return _row(dict(zip(names, values, strict=True)), timed)

    found = [one for _, one in _lines(path, ((rows.line_num, values) for values in rows), row)]
    return DetectionFile(found, frozenset(one.moment for one in found), timed)


def _scenescape(path: Path, lines: list[str]) -> DetectionFile:
    def moment(line: str) -> tuple[int, list[Found]]:
        try:
            said = json.loads(line)
            at = datetime.fromisoformat(said["timestamp"])
            people = said["objects"].get(PERSON, [])
            passed = at.replace(tzinfo=at.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
            ns = (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1000
            return ns, [_person(ns, one) for one in people]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _Wrong(f"is no frame of SceneScape's, {_words(error)}; give one frame a line") from error

    read = [one for _, one in _lines(path, enumerate(lines, 1), moment)]
    return DetectionFile(
        [one for _, people in read for one in people], frozenset(ns for ns, _ in read), is_timed=True
    )


def _person(ns: int, said: Mapping[str, Any]) -> Found:
    box = said["bounding_box_px"]
    edges = {name: str(box[key]) for name, key in zip(EDGES, ("x", "y", "width", "height"), strict=True)}
    return _found(ns, {**edges, "score": str(said.get("confidence", 1.0))})


def _lines(
    path: Path, lines: Iterator[tuple[int, Any]], read: Callable[[Any], Any]
) -> Iterator[tuple[int, Any]]:
    for number, line in lines:
        if not line or isinstance(line, str) and not line.strip():
            continue
        try:
            yield number, read(line)
        except _Wrong as wrong:
            raise InputError(f"{path}: line {number}: {wrong}") from wrong


def _row(values: Mapping[str, str], is_timed: bool) -> Found:
    name = "seconds" if is_timed else "frame"
    at = _number(values[name], name)
    if is_timed and not 0 <= at < LATEST_S:
        raise _Wrong(f"seconds is {values[name]!r}; give seconds from 0 on")
    if not is_timed and (at < 1 or at != int(at)):
        raise _Wrong(f"frame is {values[name]!r}; count frames from 1")
    return _found(round(at * 1e9) if is_timed else int(at), values)


def _found(moment: int, values: Mapping[str, str]) -> Found:
    left, top, width, height = (_number(values[name], name) for name in EDGES)
    score = _number(values.get("score", "1"), "score")
    if width <= 0 or height <= 0:
        raise _Wrong(f"a box of {width:g} x {height:g}; leave out boxes without a size")
    if not 0 <= score <= 1:
        raise _Wrong(f"score is {score:g}; scale scores to 0 to 1")
    return Found(moment, (left, top, left + width, top + height), score)


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Wrong(f"{name} is {text!r}; write a number")
    return number


def _words(error: Exception) -> str:
    return f"without {error}" if isinstance(error, KeyError) else str(error)
