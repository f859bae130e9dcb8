"""How events are written: as they are, as a table, as rows for a spreadsheet or for Parquet."""

from __future__ import annotations

import csv
import io
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.text import Text
from sightline_client import encode
from sightline_client.events import CorrectionEvent, Event

from configs.build import InputError

COLUMNS = {  # of a row, and how wide they are on a screen
    "time": 23,
    "type": 20,
    "subject": 30,
    "camera_id": 10,
    "state": 9,
    "x_m": 8,
    "y_m": 8,
    "height_m": 8,
    "sequence": 8,
    "partitionkey": 0,
    "tracklet_id": 0,
    "decision": 0,
    "detail": 0,
    "id": 0,
}
NUMBERS = ("x_m", "y_m", "height_m")
STYLES = {"appeared": "green", "reappeared": "green", "lost": "yellow", "expired": "dim", "merged": "magenta"}
STYLES |= {"split": "magenta", "erased": "red", "gap": "red", "source_down": "red", "source_stalled": "red"}
AT_ONCE = 10_000  # rows of a piece of Parquet


class Form(ABC):
    """Writes one event after the other; `finish` is called at the end, whatever the end is."""

    @abstractmethod
    def put(self, event: Event) -> None:
        """Write it."""

    def finish(self) -> None:
        """Write what is held."""


class Json(Form):
    """Each event byte for byte as it was published, a line each."""

    def __init__(self, out: Path | None) -> None:
        self._file = opened(out)

    def put(self, event: Event) -> None:
        self._file.write(encode(event) + b"\n")
        self._file.flush()

    def finish(self) -> None:
        if self._file is not sys.stdout.buffer:
            self._file.close()


class Csv(Form):
    """A row each, below a line of names."""

    def __init__(self, out: Path | None) -> None:
        self._file = io.TextIOWrapper(opened(out), "utf-8", newline="")
        self._is_ours = out is not None
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def put(self, event: Event) -> None:
        self._rows.writerow([_guarded(cell) for cell in row(event).values()])
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()
        if self._is_ours:
            self._file.close()
        else:
            self._file.detach()


class Screen(Form):
    """A line each, in columns."""

    def __init__(self, out: Path | None) -> None:
        self._file = sys.stdout if out is None else io.TextIOWrapper(opened(out), "utf-8")
        self._console = Console(file=self._file, highlight=False, soft_wrap=True)
        self._print({name: name for name in COLUMNS}, "bold")

    def put(self, event: Event) -> None:
        cells = {name: "" if cell is None else str(cell) for name, cell in row(event).items()}
        self._print(cells, STYLES.get(event.kind, ""))

    def finish(self) -> None:
        self._file.flush()
        if self._file is not sys.stdout:
            self._file.close()

    def _print(self, cells: dict[str, str], style: str) -> None:
        shown = [f"{cells[name][:width]:{width}}" for name, width in COLUMNS.items() if width]
        self._console.print(Text("  ".join([*shown, cells["detail"]]).rstrip(), style=style))


class Parquet(Form):
    """A file of columns, which is there when it is whole."""

    def __init__(self, out: Path | None) -> None:
        if out is None:
            raise InputError("--format parquet: needs a file; add --out FILE")
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            text = "needs pyarrow; install the 'parquet' extra, pip install '.[parquet]'"
            raise InputError(f"--format parquet: {text}") from error
        self._arrow, self._out, self._rows = pyarrow, out, list[dict[str, Any]]()
        numbers = dict.fromkeys(NUMBERS, pyarrow.float64()) | {
            "sequence": pyarrow.int64(),
            "time_ns": pyarrow.int64(),
        }
        self._schema = pyarrow.schema([(n, numbers.get(n, pyarrow.string())) for n in ("time_ns", *COLUMNS)])
        self._part = out.with_name(f"{out.name}.part")
        opened(self._part).close()
        self._file = parquet.ParquetWriter(self._part, self._schema)

    def put(self, event: Event) -> None:
        self._rows.append({"time_ns": event.time_ns, **row(event)})
        if len(self._rows) == AT_ONCE:
            self._write()

    def finish(self) -> None:
        try:
            self._write()
            self._file.close()
            self._part.replace(self._out)
        except OSError as error:
            with suppress(OSError):
                self._part.unlink()
            raise InputError(
                f"{self._out}: cannot be written, {error.strerror or error}; make room"
            ) from error

    def _write(self) -> None:
        self._file.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []


FORMS: dict[str, type[Json] | type[Csv] | type[Screen] | type[Parquet]] = {
    "json": Json,
    "table": Screen,
    "csv": Csv,
    "parquet": Parquet,
}


def row(event: Event) -> dict[str, Any]:
    """What of an event fits a row; None for what it does not have."""
    floor, match = getattr(event, "floor", None), getattr(event, "match", None)
    detail = getattr(event, "detail", None)
    if isinstance(event, CorrectionEvent):
        detail = f"{' '.join(event.from_ids)} > {' '.join(event.to_ids) or 'nobody'}, {event.evidence}"
    return {
        "time": _clock(event.time_ns),
        "type": f"{event.family}.{event.kind}",
        "subject": event.subject,
        "camera_id": getattr(event, "camera_id", None) or None,
        "state": getattr(event, "state", None),
        "x_m": floor.x_m if floor is not None else None,
        "y_m": floor.y_m if floor is not None else None,
        "height_m": getattr(event, "height_m", None),
        "sequence": event.sequence,
        "partitionkey": event.key,
        "tracklet_id": getattr(event, "tracklet_id", None),
        "decision": match.decision if match is not None else None,
        "detail": detail or None,
        "id": event.id,
    }


def opened(out: Path | None) -> BinaryIO:
    """A new file, or standard output."""
    if out is None:
        return sys.stdout.buffer
    try:
        return out.open("wb")
    except OSError as error:
        raise InputError(f"{out}: cannot be written, {error.strerror}; choose another place") from error


def _guarded(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula is made plain."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


def _clock(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"
    except (OverflowError, ValueError):  # no year that a calendar has
        return str(time_ns)
