"""The messages of a ROS 1 bag, chunk by chunk, also of one that is cut off or damaged. Knows no message.

A bag is a row of records (wiki.ros.org/Bags/Format/2.0): a head, chunks of messages, and an index: the connections,
and where the chunks lie.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from rosbags.rosbag1.reader import Header, ReaderError, RecordType, decompressors, read_uint32

MAGIC = b"#ROSBAG V2.0\n"
FIRST_CHUNK = 4117  # of every writer, whose head is padded to 4,096 bytes
LONGEST_HEADER = 1 << 16
UNREADABLE = (ReaderError, ValueError, OSError, EOFError, RuntimeError)  # of rosbags, bz2 and lz4


class Message(NamedTuple):
    """One message, and the name of its topic."""

    topic: str
    content: memoryview


class Record(NamedTuple):
    """Any record: what it is, and where its content lies."""

    kind: int
    header: Header
    start: int
    length: int


class Chunks:
    """One bag. `topics` and `counts` are from its index, which one that was cut off does not have."""

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()  # of messages, by topic
        self.has_index = False
        self._topics: dict[int, str] = {}  # by connection
        self._places: list[int] = []  # of chunks, as the index says
        self._size = path.stat().st_size
        self._first, self._end, self._said = FIRST_CHUNK, self._size, 0
        self._read, self._damaged = 0, 0  # chunks
        self._file = path.open("rb")
        try:
            self._open()
        except UNREADABLE:
            self.counts.clear()
            self._places.clear()

    @property
    def topics(self) -> set[str]:
        """All that are known so far."""
        return set(self._topics.values())

    @property
    def damage(self) -> str:
        """What is wrong with the chunks that have been read, or nothing."""
        faults = [f"{self._damaged} of its chunks are damaged"] if self._damaged else []
        if not self.has_index:
            faults.append(f"has no index, it was cut off after {self._size} bytes or never closed")
        return ", ".join(faults)

    @property
    def is_complete(self) -> bool:
        """Whether all chunks that there ever were have been read."""
        return not self._damaged and 0 < self._said == self._read

    def close(self) -> None:
        self._file.close()

    def messages(self) -> Iterator[Message]:
        """Every message that can be read, in the order of the file."""
        self._read = self._damaged = 0
        for record in self._records():
            if record.kind == RecordType.CHUNK:
                try:
                    yield from self._messages(self._content(record))
                    self._read += 1
                except UNREADABLE:
                    self._damaged += 1

    def _open(self) -> None:
        """Read the head and the index."""
        head = self._record(len(MAGIC))
        self._first, self._said = head.start + head.length, head.header.get_uint32("chunk_count")
        at = index = head.header.get_uint64("index_pos")
        for _ in range(head.header.get_uint32("conn_count")):
            record = self._record(at)
            self._topics[record.header.get_uint32("conn")] = record.header.get_string("topic")
            at = record.start + record.length
        for _ in range(self._said):
            record = self._record(at)
            self._places.append(record.header.get_uint64("chunk_pos"))
            for _ in range(record.header.get_uint32("count")):
                connection, count = read_uint32(self._file), read_uint32(self._file)
                self.counts[self._topics.get(connection, "")] += count
            at = record.start + record.length
        self._places.sort()
        self._end, self.has_index = index, True

    def _records(self) -> Iterator[Record]:
        """What lies before the index. Behind a record that makes no sense it goes on with the next known chunk."""
        at = self._first
        while at < self._end:
            known = bisect_right(self._places, at)
            following = self._places[known] if known < len(self._places) else self._end
            try:
                record = self._record(at)
            except UNREADABLE:
                self._damaged += 1
                at = following
                continue
            room = following - record.start
            yield record._replace(length=min(record.length, room))
            at = record.start + min(record.length, room)

    def _record(self, at: int) -> Record:
        """The record that lies there; the file is read up to its content."""
        self._file.seek(at)
        if read_uint32(self._file) > LONGEST_HEADER:
            raise ReaderError("a header that cannot be one")
        self._file.seek(at)
        header = Header.read(self._file)
        length = read_uint32(self._file)
        return Record(header.get_uint8("op"), header, self._file.tell(), length)

    def _content(self, chunk: Record) -> bytes:
        """What is in a chunk; of one that is cut off and not compressed, what there is of it."""
        compression = chunk.header.get_string("compression")
        if compression not in decompressors:
            raise ReaderError("a compression that there is not")
        self._file.seek(chunk.start)
        return decompressors[compression](self._file.read(chunk.length))

    def _messages(self, content: bytes) -> Iterator[Message]:
        file, whole = BytesIO(content), memoryview(content)
        while file.tell() < len(content):
            header = Header.read(file)
            kind, length = header.get_uint8("op"), read_uint32(file)
            start = file.tell()
            if start + length > len(content):
                raise ReaderError("a message that is cut off")
            if kind == RecordType.CONNECTION:
                self._topics[header.get_uint32("conn")] = header.get_string("topic")
            elif kind == RecordType.MSGDATA:
                topic = self._topics.get(header.get_uint32("conn"), "")
                yield Message(topic, whole[start : start + length])
            file.seek(start + length)
