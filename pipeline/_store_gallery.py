"""What replicas of the gallery are told of a cut: who is new in it or has changed, and who is in it no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import msgspec

from pipeline.cuts import ANEW
from pipeline.gallery_key import GalleryKey
from pipeline.keyed import Changes
from pipeline.messages import Identity
from pipeline.wire import KIND, body_of, headed

GALLERY = "gallery"  # no event, but a record by identity for replicas
_AS_LOWERED = {KIND: Identity.__name__, **dict.fromkeys(field.name for field in fields(Identity))}
PERSON = msgspec.msgpack.encode(_AS_LOWERED)[:12]  # how somebody begins in a state
CHANGES = msgspec.msgpack.encode({KIND: Changes.__name__, "put": 0, "deleted": 0})[:11]

Home = tuple[str, str]  # a node, and a camera or none
States = Mapping[str, Mapping[str, bytes]]
_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_put = msgspec.msgpack.Decoder(dict[str | int, msgspec.Raw])
_deleted = msgspec.msgpack.Decoder(list[str | int])


class Gallery:
    """Everybody in the states of one store, as records by identity: sealed, or empty where somebody is gone. Without a
    key nothing is told but that whoever was told of is gone.
    """

    def __init__(self, key: GalleryKey | None) -> None:
        self._key = key
        self._homes: dict[str, Home] = {}  # by identity

    @property
    def key_name(self) -> str:
        return self._key.name if self._key else ""

    def begun(self, states: States, told: Mapping[str, str]) -> dict[str, bytes]:
        """What replicas that were told of these, by the name of the key that they were told with, must be told yet."""
        records = self.records(states, {id for id, name in told.items() if name == self.key_name})
        return {**records, **dict.fromkeys((id for id in told if id not in self._homes), b"")}

    def records(self, states: States, known: set[str] | frozenset[str] = frozenset()) -> dict[str, bytes]:
        """What a cut has changed, but for those who are known. Who goes comes last: a merge never loses anybody."""
        if self._key is None:
            return {}
        put: dict[str, bytes] = {}
        gone: dict[str, bytes] = {}
        for home, changed, deleted in _people(states, self._homes):
            gone |= dict.fromkeys((id for id in deleted if id in self._homes), b"")
            self._homes |= dict.fromkeys(changed, home)
            put |= {id: self._key.sealed(id, headed(one)) for id, one in changed.items() if id not in known}
        gone = {id: b"" for id in gone if id not in put}
        for id in gone:
            del self._homes[id]
        return {**put, **gone}


def _people(
    states: States, homes: Mapping[str, Home]
) -> Iterator[tuple[Home, dict[str, bytes], list[str | int]]]:
    """Of each state with identities in it those that were put, as bytes, and all keys that were deleted."""
    for node, by_camera in states.items():
        for camera, state in by_camera.items():
            kept = _fields.decode(body_of(state))
            if kept.pop(ANEW, None) is not None:
                yield (node, camera), {}, [id for id, home in homes.items() if home == (node, camera)]
            for value in kept.values():
                if bytes(value).startswith(CHANGES):
                    changes = _fields.decode(value)
                    put = {str(key): bytes(one) for key, one in _put.decode(changes["put"]).items()}
                    people = {key: one for key, one in put.items() if one.startswith(PERSON)}
                    yield (node, camera), people, _deleted.decode(changes["deleted"])
