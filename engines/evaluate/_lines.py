"""Reads text files line by line, so that a mistake in one can be said with its line."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path

ENDS = 2**63  # of what an array of whole numbers holds


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that is not blank. Raises ValueError where the file can't be read."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read, {error.strerror}; name a file that is there") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no text in UTF-8, see byte {error.start}; name a text file") from error
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def values_of(line: str) -> list[str]:
    """The values of a line, with commas between them, or spaces."""
    return [value.strip() for value in line.split(",")] if "," in line else line.split()


def as_number(value: str, name: str, where: str) -> float:
    """A value as a number; raises ValueError if it is none."""
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{where}: {name} is {value!r}; write a number")
    return number


def as_whole(value: str, name: str, where: str, least: int) -> int:
    """A value as a whole number, '3' or '3.0'; raises ValueError if it is none, or out of range."""
    # not through a float where that can be helped: it rounds times in nanoseconds
    number = int(value) if value.isdecimal() else as_number(value, name, where)
    if number != int(number) or not least <= number < ENDS:
        raise ValueError(f"{where}: {name} is {value!r}; write a whole number from {least}")
    return int(number)


def as_text(number: float) -> str:
    """The shortest text that reads as the same number: 912 rather than 912.0."""
    return repr(float(number)).removesuffix(".0")
