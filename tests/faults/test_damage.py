"""Ten thousand damaged stores: each is a typed error or the state that was, never another one, and never a crash."""

import random
import resource
import shutil
import sqlite3
from contextlib import closing

from builders import IDENTITY_EVENT, TRACKLET_EVENT
from stored import ORIGIN, cut, gallery, held, somebody, stored

from pipeline._store_file import DamagedError
from pipeline.keyed import Changes
from pipeline.publish.log import Log
from pipeline.store import Keeping, Store, StoreError

MUTANTS = 10_000
MOST_MIB = 256


def made(folder):
    """A store with something in every table that a run reads, and what a run reads of it."""
    with stored(folder, {"log": Log()}) as (store, _):
        for at_ns in range(1, 6):
            people = gallery(*(somebody(f"P-{n}", f"T-{n}") for n in range(at_ns)))
            store.emit(TRACKLET_EVENT)
            store.emit(IDENTITY_EVENT)
            store.take(
                cut(
                    at_ns,
                    _identities=people,
                    _crop=held(f"T-{at_ns}"),
                    plain=[at_ns] * 50,
                    few=Changes({1: "x"}),
                )
            )
        store.end()
    return read(folder)


def read(folder):
    """What a run goes on from, or the kind of the error."""
    store = Store(folder, Keeping())
    try:
        with closing(store):
            store._take_lock()
            kept = store._read(ORIGIN)
    except DamagedError:
        return "damaged"
    except StoreError:
        return "refused"
    return kept.cut, kept.taken, kept.sequences, kept.has_ended


def mutated(whole, random_):
    """Some bytes turned, lost, or put where others were."""
    data = bytearray(whole)
    match random_.randrange(4):
        case 0:
            for _ in range(random_.choice((1, 1, 4, 100))):
                data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        case 1:
            del data[random_.randrange(len(data)) :]
        case 2:
            at, length = random_.randrange(len(data)), random_.randrange(1, 5000)
            data[at : at + length] = random_.randbytes(len(data[at : at + length]))
        case _:
            first, second = (4096 * random_.randrange(len(data) // 4096) for _ in range(2))
            data[first : first + 4096] = whole[second : second + 4096]
    return data


def test_a_damaged_file_is_a_typed_error_or_the_state_that_was(tmp_path):
    want = made(tmp_path / "whole")
    whole, random_, seen = (tmp_path / "whole" / "site.db").read_bytes(), random.Random(5), {}
    folder = tmp_path / "mutant"
    folder.mkdir()
    shutil.copy2(tmp_path / "whole" / "keys.db", folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        (folder / "site.db").write_bytes(mutated(whole, random_))
        got = read(folder)
        kind = (
            got
            if isinstance(got, str)
            else "same"
            if got == want
            else "new"
            if got[0].at_ns == 0
            else "other"
        )
        seen[kind] = seen.get(kind, 0) + 1
        for name in ("site.db", "site.db-wal", "site.db-shm"):
            (folder / name).unlink(missing_ok=True)
    assert seen["damaged"] > 1000
    assert set(seen) <= {"damaged", "refused", "same"}, seen
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MOST_MIB


def test_every_value_of_a_row_that_is_another_is_noticed(tmp_path):
    """Damage that SQLite cannot see: one value of one row, of every table that a run reads."""
    made(tmp_path / "whole")
    columns = {
        "facts": ("name", "value"),
        "states": ("node", "camera", "field", "key", "turn", "value"),
        "vectors": ("identity", "tracklet", "kind", "sealed"),
        "sequences": ("family", "key", "last"),
        "publishers": ("name", "number", "mark"),
    }
    for table, names in columns.items():
        for name in names:
            folder = shutil.copytree(tmp_path / "whole", tmp_path / f"{table} {name}")
            with closing(sqlite3.connect(folder / "site.db")) as db, db:
                (key,) = db.execute(f"SELECT {name} FROM {table}").fetchone()
                other = (
                    key + 1
                    if isinstance(key, int)
                    else key[:-1] + type(key)("~" if isinstance(key, str) else b"~")
                )
                db.execute(f"UPDATE OR REPLACE {table} SET {name} = ? WHERE {name} IS ?", (other, key))
            assert read(folder) == "damaged", (table, name)
