"""Rows out of the pages of an SQLite file that SQLite itself cannot read, because it is cut off or damaged.

Knows the file format (sqlite.org/fileformat2.html, sections 1.3, 1.6 and 2.1), no table but the two of a recording.
A row lies on a leaf page of its table; what is too long for it goes on in a chain of overflow pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

MAGIC = b"SQLite format 3\0"
LEAF = 0x0D  # the first byte of a leaf page of a table
BLOCK = 1024  # pages that are looked through at once
FIRST_PAGE_HEADER = 100  # bytes before the first page's own content
WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # bytes of a column, by serial type; beyond are texts and blobs


class Row(NamedTuple):
    """A row of `messages`: when it was written, and its content, or else the call that opens it."""

    id: int
    topic: int
    written_ns: int
    content: bytes
    blob: Callable[[], AbstractContextManager[Any]]


class Cell(NamedTuple):
    """A row of any table: its serial types, and where they and its content lie in its payload."""

    id: int
    where: int
    types: list[int]
    columns: list[bytes]  # those that lie on the leaf itself


def missing_bytes(path: Path) -> tuple[int, int]:
    """How many bytes the file has, and how many it says it should have."""
    with path.open("rb") as file:
        head = file.read(FIRST_PAGE_HEADER)
    size = path.stat().st_size
    if len(head) < FIRST_PAGE_HEADER or head[24:28] != head[92:96]:  # an older writer kept no count of pages
        return size, size
    return size, _page_size(head) * int.from_bytes(head[28:32], "big")


class Leaves:
    """A damaged file, read page by page; opening it looks through all of it."""

    def __init__(self, path: Path) -> None:
        self._size = path.stat().st_size
        self._file = path.open("rb")
        head = self._file.read(FIRST_PAGE_HEADER).ljust(FIRST_PAGE_HEADER, b"\0")
        self._page_size = _page_size(head)
        self._usable = self._page_size - head[20]
        self._pages = sorted(self._leaf_pages(), key=self._first_id)

    def close(self) -> None:
        self._file.close()

    def topics(self) -> dict[int, str]:
        """Names of topics, by id."""
        cells = (cell for page in self._pages for cell in self._cells(page))
        return {cell.id: cell.columns[1].decode("utf-8", "replace") for cell in cells if _is_topic(cell)}

    def rows(self, bulky: Set[int]) -> Iterator[Row]:
        """Every row that can be read, in the order of ids, if its pages are not stale; the content of `bulky` topics is
        left where it is.
        """
        for page in self._pages:
            for cell in self._cells(page):
                if (row := self._row(cell, bulky)) is not None:
                    yield row

    def _blob(self, where: int) -> AbstractContextManager[bytes]:
        """The content of the row that lies there; raises ValueError if it is not whole."""
        payload = self._payload(where)
        types, start = _types(payload)
        return nullcontext(payload[start + sum(map(_width, types[:-1])) :])

    def _row(self, cell: Cell, bulky: Set[int]) -> Row | None:
        if not _is_message(cell):
            return None
        topic, written_ns = (_number(cell.types[n], cell.columns[n]) for n in (1, 2))
        blob = partial(self._blob, cell.where)
        if topic in bulky:
            return Row(cell.id, topic, written_ns, b"", blob)
        try:
            with blob() as content:
                return Row(cell.id, topic, written_ns, content, blob)
        except ValueError:
            return None

    def _leaf_pages(self) -> Iterator[int]:
        """Where they lie, in bytes from the beginning."""
        for start in range(0, self._size, self._page_size * BLOCK):
            kinds = bytearray(self._read(start, self._page_size * BLOCK)[:: self._page_size])
            if start == 0:
                kinds[:1] = self._read(FIRST_PAGE_HEADER, 1)
            yield from (start + n * self._page_size for n, kind in enumerate(kinds) if kind == LEAF)

    def _first_id(self, page: int) -> int:
        return next((cell.id for cell in self._cells(page)), 0)

    def _cells(self, page: int) -> Iterator[Cell]:
        """The rows of a leaf page, as far as they make sense."""
        content = self._read(page, self._page_size)
        head = FIRST_PAGE_HEADER if page == 0 else 0
        count = int.from_bytes(content[head + 3 : head + 5], "big")
        for n in range(min(count, self._page_size // 4)):
            at = head + 8 + 2 * n
            start = int.from_bytes(content[at : at + 2], "big")
            try:
                length, behind = _varint(content, start)
                id, behind = _varint(content, behind)
                local = content[behind : behind + self._local(length)]
                types, begin = _types(local)
                if begin + sum(map(_width, types)) == length <= self._size:
                    yield Cell(id, page + start, types, _columns(local, types, begin))
            except ValueError:
                continue

    def _payload(self, where: int) -> bytes:
        """All of a row, its overflow pages included."""
        head = self._read(where, 18)
        length, behind = _varint(head, 0)
        _, behind = _varint(head, behind)
        local = self._local(length)
        parts = [self._read(where + behind, local)]
        missing = length - len(parts[0])
        following = int.from_bytes(self._read(where + behind + local, 4), "big") if missing else 0
        while missing > 0 and following:
            page = self._read((following - 1) * self._page_size, min(self._usable, missing + 4))
            following = int.from_bytes(page[:4], "big")
            parts.append(page[4:])
            missing -= len(parts[-1])
            if not parts[-1]:
                break
        if missing:
            raise ValueError(f"is cut off, {missing} of its {length} bytes are missing")
        return b"".join(parts)

    def _local(self, length: int) -> int:
        """How many bytes of a payload lie on its leaf page (section 1.6)."""
        if length <= self._usable - 35:
            return length
        least = (self._usable - 12) * 32 // 255 - 23
        wanted = least + (length - least) % (self._usable - 4)
        return wanted if wanted <= self._usable - 35 else least

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return 65536 if size == 1 else size if size >= 512 and size & (size - 1) == 0 else 4096


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for n in range(9):
        if at + n >= len(data):
            raise ValueError("a number cut off")
        byte = data[at + n]
        value = value << 8 | byte if n == 8 else value << 7 | byte & 0x7F
        if n == 8 or byte < 0x80:
            return value, at + n + 1
    raise ValueError("a number without end")


def _types(payload: bytes) -> tuple[list[int], int]:
    """The serial types of a record, and where its columns begin."""
    begin, at = _varint(payload, 0)
    types = []
    while at < begin:
        kind, at = _varint(payload, at)
        types.append(kind)
    return types, begin


def _columns(local: bytes, types: list[int], begin: int) -> list[bytes]:
    """Those columns that end on the leaf page."""
    columns = []
    for kind in types:
        end = begin + _width(kind)
        if end > len(local):
            break
        columns.append(local[begin:end])
        begin = end
    return columns


def _width(kind: int) -> int:
    return WIDTHS[kind] if kind < len(WIDTHS) else max(0, (kind - 12) // 2)


def _number(kind: int, column: bytes) -> int:
    return kind - 8 if kind in (8, 9) else int.from_bytes(column, "big", signed=True)


def _is_topic(cell: Cell) -> bool:
    """Id, name, type, format and quality of service."""
    is_ours = len(cell.types) == 5 and cell.types[0] == 0 and all(map(_is_text, cell.types[1:]))
    return is_ours and len(cell.columns) > 1


def _is_message(cell: Cell) -> bool:
    """Id, topic, time and content."""
    is_ours = len(cell.types) == 4 and cell.types[0] == 0 and all(0 < kind < 10 for kind in cell.types[1:3])
    return is_ours and _is_blob(cell.types[3]) and len(cell.columns) > 2


def _is_text(kind: int) -> bool:
    return kind >= 13 and kind % 2 == 1


def _is_blob(kind: int) -> bool:
    return kind >= 12 and kind % 2 == 0
