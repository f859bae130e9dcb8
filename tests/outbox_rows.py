"""Rows as an outbox holds them, with events as a run makes them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline._store_outbox import unpacked
from pipeline.publish._publisher import Row

EVENT = """{"specversion":"1.0","id":"%(id)s","source":"/%(site)s/topview/match","type":"sightline.identity.observed.v1",\
"subject":"P-01KDVQBRC0C9TD6J8KQ0FQX2N4","time":"2026-01-01T00:00:00.300000000Z",\
"dataschema":"urn:sightline:schema:sightline.identity.observed.v1","datacontenttype":"application/json",\
"sequence":"%(number)d","partitionkey":"%(key)s",\
"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data":%(data)s}"""
DATA = """{"identity_id":"P-01KDVQBRC0C9TD6J8KQ0FQX2N4","state":"confirmed","previous_ids":[],"tracklet_id":"lobby-12",\
"camera_id":"lobby","modality":"depth","frame_index":%(number)d,"captured_ns":1767225600300000000,"clock_domain":"recorded",\
"sync_offset_ms":0.0,"box_px":[10.0,20.0,110.5,220.25],"box_normalized":[0.1,0.2,0.3,0.4],"image_size_px":[640,480],\
"floor":{"frame_id":"site","x_m":1.25,"y_m":-3.5,"covariance_m2":[0.01,0.0,0.0,0.01],"vx_m_s":0.4,"vy_m_s":-0.2},\
"height_m":1.76,"visibility":0.93,"detection_score":0.88,"track_score":0.91,"match":{"model_id":"overhead","engine_sha256":\
"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","dimension":64,"score":0.83,"probability":0.97,\
"margin_to_second":0.31,"votes":4,"gallery_size":12,"decision":"match"},"zones":["entrance"],"time_ns":1767225600300000000,\
"provenance":{"graph_sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","code_version":"0.1.0"},\
"privacy":{"retention_class":"default","purpose":"unspecified"}%(more)s}"""


def event(number: int, key: str = "lobby", site: str = "lobby", more: str = "") -> bytes:
    """An `observed` event; `more` is put at the end of its data."""
    data = DATA % {"number": number, "more": more}
    return (
        EVENT % {"id": f"{number:032x}", "site": site, "number": number, "key": key, "data": data}
    ).encode()


def rows(count: int, keys: Sequence[str] = ("lobby",), family: str = "identity", first: int = 1) -> list[Row]:
    """Numbered from `first`, with the keys in turn."""
    made = range(first, first + count)
    return [Row(n, family, keys[n % len(keys)], event(n, keys[n % len(keys)])) for n in made]


def waiting(store: Path) -> list[Row]:
    """What is in the outbox of a store, which is not touched: who closes one puts its log into it."""
    with TemporaryDirectory() as folder:
        for path in store.parent.glob(f"{store.name}*"):
            shutil.copy(path, folder)
        return _read(Path(folder) / store.name)


def _read(store: Path) -> list[Row]:
    with closing(sqlite3.connect(store)) as db:
        pieces = db.execute("SELECT packed FROM outbox ORDER BY last").fetchall()
    return [row for (piece,) in pieces for row in unpacked(piece)]


def id_of(row: Row) -> str:
    return f"{row.number:032x}"
