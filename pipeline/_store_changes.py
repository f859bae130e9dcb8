"""What cuts change of the rows that a store keeps of states, one for each thing that a stage remembers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from pipeline.cuts import ANEW
from pipeline.keyed import Changes
from pipeline.wire import KIND, body_of

WHOLE = b""  # the key of a field that is not kept by key
CHANGES = msgspec.msgpack.encode({KIND: Changes.__name__, "put": 0, "deleted": 0})[:11]  # how one begins

_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_put = msgspec.msgpack.Decoder(dict[str | int, msgspec.Raw])
_deleted = msgspec.msgpack.Decoder(list[str | int])

Key = str | int | bytes
Row = tuple[str, str, str, Key]  # node, camera, field, key
States = Mapping[str, Mapping[str, bytes]]  # by node and camera


def last_of(cuts: Iterable[States], before: Collection[Row]) -> dict[Row, bytes | None]:
    """The last value of each row that some cuts change, in the order in which they were last put; None for those that
    they delete. `before` were there already.
    """
    last: dict[Row, bytes | None] = {}
    for node, camera, state in _each(cuts):
        fields = _fields.decode(body_of(state))
        if fields.pop(ANEW, None) is not None:
            last |= dict.fromkeys([row for row in (*before, *last) if row[:2] == (node, camera)], None)
        for field, value in fields.items():
            if not bytes(value).startswith(CHANGES):
                whole = (node, camera, field, WHOLE)
                last.pop(whole, None)
                last[whole] = bytes(value)
                continue
            changes = _fields.decode(value)
            last |= {(node, camera, field, key): None for key in _deleted.decode(changes["deleted"])}
            put = _put.decode(changes["put"])
            rows: dict[Row, bytes | None] = {(node, camera, field, key): bytes(put[key]) for key in put}
            for row in rows.keys() & last.keys():
                del last[row]
            last |= rows
    return last


def _each(cuts: Iterable[States]) -> Iterator[tuple[str, str, bytes]]:
    for states in cuts:
        for node, by_camera in states.items():
            yield from ((node, camera, state) for camera, state in by_camera.items())
