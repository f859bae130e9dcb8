"""Looks through an ONNX file before any runtime reads it: that it is one, what it needs beside it, and its weights.

A runtime would follow a path to weights anywhere on the disk, guess that a damaged file is of another format, and
OpenVINO's activations turn weights that are no numbers into zeros, so that nobody would see it in what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from configs.build import InputError

Field = tuple[int, memoryview]  # its number, and its bytes
# Protocol Buffers, of onnx.proto3: in which field of what lies what leads to tensors
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# by TensorProto.data_type
FLOATS: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA, DOUBLE_DATA, EXTERNAL_DATA = 2, 4, 8, 9, 10, 13
FIRST_SIZE = 7, 11, 2, 1, 2, 1  # graph, input, type, tensor, shape, dimension: the first of each
DIM_VALUE = 1
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # how a field is written
LONGEST_VARINT = 10


def checked_onnx(model: Path, known: Iterable[str]) -> None:
    """Raises InputError for a file that is no ONNX, that needs a file which is none of the `known` ones in its folder,
    or whose weights are no numbers.
    """
    try:
        wrong = _wrong(memoryview(model.read_bytes()), model.parent, frozenset(known))
    except OSError as error:
        raise InputError(f"{model}: cannot be read, {error.strerror}; mend it, or fetch it again") from error
    except ValueError as error:
        raise InputError(f"{model}: is not an ONNX file, {error}; fetch it again") from error
    if wrong:
        raise InputError(f"{model}: {wrong}")


def fixed_batch(model: Path) -> int:
    """How many rows the first input of an ONNX file always takes; 0 where that is open, or is not said."""
    at = memoryview(model.read_bytes())
    try:
        for number in FIRST_SIZE:
            at = next(value for name, value in _fields(at) if name == number)
        return next((_number(value) for name, value in _fields(at) if name == DIM_VALUE), 0)
    except (StopIteration, ValueError):
        return 0


def _wrong(whole: memoryview, folder: Path, known: frozenset[str]) -> str:
    if not any(number == 7 for number, _ in _fields(whole)):
        raise ValueError("it holds no graph")
    for tensor in _tensors(whole):
        fields = list(_fields(tensor))
        name = next((_text(value) for number, value in fields if number == NAME), "")
        entries = [_entry(value) for number, value in fields if number == EXTERNAL_DATA]
        for key, place in entries:
            if key == "location" and (why := _outside(place, folder, known)):
                return f"the weights {name!r} {why}"
        if entries:
            fields.append((RAW_DATA, _lying_outside(dict(entries), folder)))
        if _has_nan(fields):
            return f"the weights {name!r} are not all numbers; fetch it again, or export it anew"
    return ""


def _tensors(whole: memoryview) -> Iterator[memoryview]:
    """All that lie in a model, however deep; whoever nests them deeply makes no stack overflow."""
    waiting = [("model", whole)]
    while waiting:
        kind, message = waiting.pop()
        if kind == "tensor":
            yield message
            continue
        waiting += [
            (INSIDE[kind][number], value) for number, value in _fields(message) if number in INSIDE[kind]
        ]


def _entry(message: memoryview) -> tuple[str, str]:
    """A key and its value, of what is said about weights outside."""
    pair = {number: _text(value) for number, value in _fields(message)}
    return pair.get(1, ""), pair.get(2, "")


def _outside(place: str, folder: Path, known: frozenset[str]) -> str:
    """What is wrong with where the weights of a tensor lie; empty where nothing is."""
    if place not in known:
        return f"lie in {place!r}, which is none of the files of its manifest"
    if (folder / place).resolve().parent != folder.resolve():
        return f"lie in {place!r}, which leads out of its folder; put the file itself there"
    return ""


def _lying_outside(entries: Mapping[str, str], folder: Path) -> memoryview:
    """The bytes of weights, in a file that may be read."""
    path = folder / entries.get("location", "")
    first, size = int(entries.get("offset", "0")), path.stat().st_size
    length = int(entries.get("length", size - first))
    if min(first, length) < 0 or first + length > size:
        raise ValueError(f"its weights are {length} bytes from {first} on of {path.name}, which has {size}")
    with path.open("rb") as file:
        file.seek(first)
        return memoryview(file.read(length))


def _has_nan(fields: list[Field]) -> bool:
    kind = next((_number(value) for number, value in fields if number == DATA_TYPE), 0)
    if kind not in FLOATS:
        return False
    holders = {RAW_DATA: FLOATS[kind], FLOAT_DATA: FLOATS[1], DOUBLE_DATA: FLOATS[11]}
    arrays = (np.frombuffer(value, holders[number]) for number, value in fields if number in holders)
    return any(bool(np.isnan(array).any()) for array in arrays)


def _fields(message: memoryview) -> Iterator[Field]:
    """Every field of a message; a number as its bytes. Raises ValueError where it breaks off or has no meaning."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        first, how = at, tag & 7
        if how == BYTES:
            length, first = _varint(message, at)
            at = first + length
        elif how == VARINT:
            _, at = _varint(message, at)
        elif how in (EIGHT, FOUR):
            at += 8 if how == EIGHT else 4
        else:
            raise ValueError(f"a field is written in no known way ({how})")
        if at > end or tag < 8:
            raise ValueError(f"it breaks off: {at} bytes are named, there are {end}")
        yield tag >> 3, message[first:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    for size, byte in enumerate(message[at : at + LONGEST_VARINT]):
        if byte < 128:
            return _number(message[at : at + size + 1]), at + size + 1
    raise ValueError("it breaks off inside a number")


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")


def _number(value: memoryview) -> int:
    return sum((byte & 127) << 7 * place for place, byte in enumerate(value))
