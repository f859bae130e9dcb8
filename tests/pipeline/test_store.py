"""The site store: what went in comes out, in its order; what has changed alone is written; other files are refused."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pytest
from builders import GAP, IDENTITY_EVENT, TRACKLET_EVENT, tracklet
from byte_search import places
from hypothesis import given, settings
from hypothesis import strategies as st
from outbox_rows import rows, waiting
from stored import ORIGIN, VECTOR, Shelf, cut, gallery, held, somebody, stored

from pipeline import _store_file, wire
from pipeline._store_commands import Asked, add_command, add_entry, audit, commands, take_command
from pipeline._store_facts import Origin
from pipeline._store_file import DamagedError, FaultError
from pipeline.cuts import Cuts
from pipeline.keyed import Changes
from pipeline.messages import Embedding, Sighting
from pipeline.order import Barrier
from pipeline.publish._publisher import Row
from pipeline.publish.log import Log
from pipeline.store import Keeping, Store, StoreError
from pipeline.vault import FORMAT, NONCE, TAG, Vault
from pipeline.wire import decode, encode

OVERHEAD = len(FORMAT) + NONCE + TAG  # of what is sealed


def opened(folder):
    return closing(sqlite3.connect(folder / "site.db"))


def count(folder, table):
    with opened(folder) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def restored(folder, origin=ORIGIN):
    with closing(Store(folder, Keeping())) as store:
        return store.restored(origin)


def state(folder):
    return decode(restored(folder).cut.states["match"][""])


def test_a_folder_without_a_store_is_a_beginning_and_stays_empty(tmp_path):
    kept = restored(tmp_path)
    assert (kept.is_new, kept.cut.at_ns, list(tmp_path.iterdir())) == (True, 0, [])


def test_goes_on_from_the_last_cut(tmp_path):
    with stored(tmp_path) as (store, _):
        store.take(cut(5, plain=(1, "two"), keyed=Changes({"a": 1, "b": 2})))
        store.take(cut(9, keyed=Changes({"a": 3}, ("b",))))
    kept = restored(tmp_path)
    assert (kept.is_new, kept.has_ended, kept.cut.at_ns) == (False, False, 9)
    assert state(tmp_path) == {"plain": (1, "two"), "keyed": Changes({"a": 3})}


def test_a_cut_that_may_wait_is_written_with_the_next_event_or_after_a_second(tmp_path):
    steps = [
        (1000, None, Changes({"a": 1, "b": 1})),
        (1100, None, Changes({"a": 2, "c": 1})),
        (1200, None, Changes({"d": 1}, ("c", "b"))),
        (1300, TRACKLET_EVENT, Changes({"a": 3})),
        (1400, None, Changes({"e": 1})),
        (2400, None, Changes({})),
    ]
    went_on_from = []
    for count in range(1, len(steps) + 1):
        folder = tmp_path / str(count)
        with stored(folder) as (store, _):
            for ms, event, keyed in steps[:count]:
                if event:
                    store.emit(event)
                store.take(cut(ms * 1_000_000, keyed=keyed), may_wait=True)
        went_on_from.append(restored(folder).cut.at_ns // 1_000_000)
    assert went_on_from == [1000, 1000, 1000, 1300, 1300, 2400]
    assert [*state(folder)["keyed"].put.items()] == [("d", 1), ("a", 3), ("e", 1)]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["put", "delete"]), st.one_of(st.integers(0, 3), st.sampled_from("ab"))),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(ACTIONS, st.just("anew")), max_size=8))
def test_holds_what_cuts_in_memory_hold_in_the_same_order(tmp_path_factory, steps):
    folder, memory = tmp_path_factory.mktemp("store"), Cuts()
    with stored(folder) as (store, _):
        for at_ns, step in enumerate(steps, 1):
            put, deleted = {}, []
            for number, (what, key) in enumerate(step if step != "anew" else ()):
                put.pop(key, None)
                deleted = [one for one in deleted if one != key]
                if what == "put":
                    put[key] = (at_ns, number)
                else:
                    deleted.append(key)
            fields = {"keyed": Changes(put, tuple(deleted)), "whole": at_ns}
            states = {"node": {"flat": encode(({"~anew": True} if step == "anew" else {}) | fields)}}
            memory.take(Barrier((at_ns, "", 0), (), states))
            store.take(cut(at_ns, x=1))
            store.take(type(cut(0))(at_ns, states))
    expected = memory.at(len(steps)).states.get("node", {}).get("flat")
    got = restored(folder).cut.states.get("node", {}).get("flat")
    if expected is None:
        assert got is None
        return
    expected, got = decode(expected), decode(got)
    assert got["whole"] == expected["whole"]
    assert [*got["keyed"].put.items()] == [*expected["keyed"].put.items()] if "keyed" in got else True


def test_vectors_and_crops_lie_in_their_own_tables_alone(tmp_path):
    with stored(tmp_path) as (store, _):
        waiting = Changes({"T-9": somebody("", "T-9").sightings[0]})
        store.take(
            cut(5, _identities=gallery(somebody("P-1", "T-1", "T-2")), _waiting=waiting, _crop=held("T-5"))
        )
    with opened(tmp_path) as db:
        vectors = db.execute(
            "SELECT identity, tracklet, kind, sealed FROM vectors ORDER BY tracklet"
        ).fetchall()
        crops = db.execute("SELECT identity, tracklet, kind, length(sealed) FROM crops").fetchall()
        others = b"".join(value for (value,) in db.execute("SELECT value FROM states"))
    owners = [("P-1", "T-1"), ("P-1", "T-2"), ("T-9", "T-9")]
    assert [row[:3] for row in vectors] == [(*one, "match kind") for one in owners]
    with closing(Vault(tmp_path)) as vault:
        for identity, tracklet_, kind, sealed in vectors:
            assert vault.opened(identity, sealed, f"vectors {tracklet_} {kind}") == VECTOR.tobytes()
    assert crops == [("T-5", "T-5", "match 7 color", 36 + OVERHEAD)]
    assert VECTOR.tobytes() not in others
    assert bytes([99] * 12) not in others
    again = state(tmp_path)
    assert [one.looks.tolist() for one in again["_identities"].put["P-1"].sightings] == [VECTOR.tolist()] * 2
    assert again["_crop"].put["T-5"].color.tolist() == np.full((3, 4, 3), 99).tolist()


def test_what_showed_of_somebody_is_sealed_as_what_they_look_like_is(tmp_path):
    shown = np.stack([VECTOR, VECTOR / 16])
    looked = Embedding(tracklet("flat", "T-8"), VECTOR * 3, "rgb", "kind", VECTOR / 32)
    with stored(tmp_path) as (store, _):
        people = gallery(somebody("P-1", "T-1", shown=shown), somebody("P-2", "T-2"))
        store.take(cut(5, _identities=people, _next=Changes({"T-8": looked})))
    secrets = [
        (some / by).tobytes() for some, by in ((VECTOR, 1), (VECTOR, 16), (VECTOR, 32), (VECTOR * 3, 1))
    ]
    assert places(secrets, tmp_path) == []
    with opened(tmp_path) as db:
        kinds = db.execute("SELECT identity, kind FROM vectors ORDER BY identity, kind").fetchall()
    told = ["match kind", "match kind shown"]
    assert kinds == [*(("P-1", one) for one in told), ("P-2", "match kind")] + [
        ("T-8", "match vector"),
        ("T-8", "match visibility"),
    ]
    again = state(tmp_path)
    assert again["_identities"].put["P-1"].sightings[0].shown.tolist() == shown.tolist()
    assert again["_identities"].put["P-2"].sightings[0].shown is None
    assert again["_next"].put["T-8"].visibility.tolist() == (VECTOR / 32).tolist()
    with stored(tmp_path) as (store, _):
        store.take(cut(8, _identities=gallery(deleted=("P-1", "P-2")), _next=Changes({}, ("T-8",))))
    assert count(tmp_path, "vectors") == 0


def test_a_gallery_of_before_anybody_said_what_shows_is_read(tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        names = tuple(name for name in wire.NAMES[Sighting] if name != "shown")
        older.setitem(wire.NAMES, Sighting, names)
        older.setitem(wire.VALUES, Sighting, attrgetter(*names))
        with stored(tmp_path) as (store, _):
            store.take(cut(5, _identities=gallery(somebody("P-1", "T-1"))))
    (one,) = state(tmp_path)["_identities"].put["P-1"].sightings
    assert (one.looks.tolist(), one.shown) == (VECTOR.tolist(), None)


def test_vectors_that_nobody_has_any_more_are_deleted(tmp_path):
    with stored(tmp_path) as (store, _):
        store.take(cut(5, _identities=gallery(somebody("P-1", "T-1", "T-2"), somebody("P-2", "T-3"))))
        store.take(cut(6, _identities=gallery(somebody("P-1", "T-2"), deleted=("P-2",)), _crop=held("T-5")))
        store.take(cut(7, _crop=Changes({}, ("T-5",))))
    with opened(tmp_path) as db:
        assert db.execute("SELECT identity, tracklet FROM vectors").fetchall() == [("P-1", "T-2")]
    assert count(tmp_path, "crops") == 0
    with stored(tmp_path) as (store, _):  # and what an earlier run has written
        store.take(cut(8, _identities=gallery(deleted=("P-1",))))
    assert count(tmp_path, "vectors") == 0


class Told:
    """A seal that turns bytes over, and tells what it was asked."""

    def __init__(self):
        self.sealed, self.forgotten, self.kept = [], [], 0

    def seal(self, identity, plain, purpose):
        self.sealed.append(identity)
        return plain[::-1]

    def opened(self, identity, sealed, purpose):
        return sealed[::-1]

    def keep(self):
        self.kept += 1

    def forget(self, identity):
        self.forgotten.append(identity)

    def settle(self):
        self.settled = self.kept

    def close(self):
        self.is_closed = True


def test_what_is_sealed_is_sealed_when_it_changes_and_forgotten_with_its_identity(tmp_path):
    sealing = Told()
    with stored(tmp_path) as (store, _):
        store._base.states._sealing = store._base.sealing = sealing
        store.take(cut(5, _identities=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))))
        store.take(cut(6, _identities=gallery(somebody("P-1", "T-1", "T-3"))))
        store.take(cut(7, _identities=gallery(deleted=("P-2",))))
    assert sealing.sealed == ["P-1", "P-2", "P-1"]
    assert sealing.forgotten == ["P-2"]
    assert sealing.kept == sealing.settled >= 3
    assert sealing.is_closed
    with closing(Store(tmp_path, Keeping(), lambda folder: sealing)) as store:
        people = decode(store.restored(ORIGIN).cut.states["match"][""])["_identities"].put
    assert [one.looks.tolist() for one in people["P-1"].sightings] == [VECTOR.tolist()] * 2


def test_publishers_see_events_when_their_cut_is_written_and_what_all_have_is_deleted(tmp_path):
    first, second = Shelf(), Shelf(away="is at lunch")
    with stored(tmp_path, {"first": first, "second": second}) as (store, _):
        store.emit(TRACKLET_EVENT)
        store.emit(IDENTITY_EVENT)
        assert first.rows == []
        store.take(cut(5))
        store.emit(GAP)  # is in no cut
    assert [(row.number, row.family, row.key) for row in first.rows] == [
        (1, "tracklet", "flat"),
        (2, "identity", "site"),
        (3, "state", "P-1"),
    ]
    assert (second.rows, waiting(tmp_path / "site.db")) == ([], first.rows)
    second.away = ""
    with stored(tmp_path, {"first": first, "second": second}) as (store, _):
        store.emit(IDENTITY_EVENT)
        store.end()
    assert second.rows == first.rows
    assert [json.loads(row.body)["sequence"] for row in first.rows if row.family == "identity"] == ["1", "2"]
    assert (first.rows[-1].number, waiting(tmp_path / "site.db")) == (5, [])


def test_a_publisher_that_takes_little_at_once_gets_all_in_order(tmp_path):
    slow = Shelf(most=2)
    with stored(tmp_path, {"slow": slow}) as (store, _):
        for _ in range(25):
            store.emit(TRACKLET_EVENT)
        store.end()
    assert [row.number for row in slow.rows] == [*range(1, 26)]


def test_a_publisher_that_comes_back_gets_all_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.publish._drain.DELAYS_S", (0.01, 0.02))
    shelf = Shelf(away="is at lunch")
    with stored(tmp_path, {"shelf": shelf}) as (store, _):
        for at_ns in range(1, 6):
            store.emit(TRACKLET_EVENT)
            store.take(cut(at_ns))
        shelf.away = ""
        store.end()
    assert [row.number for row in shelf.rows] == [1, 2, 3, 4, 5]


def test_too_many_events_for_a_publisher_that_is_away_stop_the_graph_and_are_kept(tmp_path):
    away = {"shelf": Shelf(away="is at lunch")}
    said = r"1\d\d\d events wait for publisher 'shelf', which takes none \(is at lunch\); bring it back and run again"
    with (
        pytest.raises(StoreError, match=said),
        stored(tmp_path, away, keeping=Keeping(max_waiting=1000)) as (store, _),
    ):
        for at_ns in range(1, 1000):
            for _ in range(100):
                store.emit(TRACKLET_EVENT)
            store.take(cut(at_ns))
    left = waiting(tmp_path / "site.db")
    assert len(left) > 1000
    shelf = Shelf()
    with stored(tmp_path, {"shelf": shelf}) as (store, _):
        store.end()
    assert shelf.rows == left


def test_what_a_publisher_fails_with_stops_the_graph(tmp_path):
    with (
        pytest.raises(OSError, match="pulled"),
        stored(tmp_path, {"shelf": Shelf(fails="pulled")}) as (store, _),
    ):
        for at_ns in range(1, 100_000):
            store.emit(TRACKLET_EVENT)
            store.take(cut(at_ns))


def test_a_publisher_that_is_no_longer_in_the_graph_is_not_waited_for(tmp_path):
    with stored(tmp_path, {"gone": Shelf(away="for good"), "log": Log()}) as (store, _):
        store.emit(TRACKLET_EVENT)
        store.take(cut(5))
    assert len(waiting(tmp_path / "site.db")) == 1
    with stored(tmp_path, {"log": Log()}) as (store, _):
        store.end()
    assert waiting(tmp_path / "site.db") == []


@pytest.mark.parametrize(
    ("origin", "what"),
    [
        (Origin("site", "another", "recording", "epoch"), "another graph"),
        (Origin("elsewhere", "graph", "recording", "epoch"), "another graph"),
        (Origin("site", "graph", "another", "epoch"), "other recordings"),
        (Origin("site", "graph", "live", "epoch"), "recordings"),
    ],
)
def test_another_run_s_store_is_refused(tmp_path, origin, what):
    with stored(tmp_path):
        pass
    said = rf"site.db: holds a run of {what}; choose another --out, or go on with what it was"
    with pytest.raises(StoreError, match=said):
        restored(tmp_path, origin)


def test_a_second_run_is_refused_while_the_first_one_lasts(tmp_path):
    holds = (
        "import sys; from pathlib import Path; from pipeline._store_file import locked\n"
        "locked(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with stored(tmp_path):
        pass
    command = [sys.executable, "-c", holds, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            StoreError, match="another run writes there; wait for it, or choose another --out"
        ):
            restored(tmp_path)
        other.kill()
    assert restored(tmp_path).is_new is False


def test_a_file_that_is_no_store_is_refused_and_left(tmp_path):
    (tmp_path / "site.db").write_bytes(b"holiday pictures")
    with pytest.raises(StoreError, match="site.db: is no store of this program; move it away"):
        restored(tmp_path)
    assert (tmp_path / "site.db").read_bytes() == b"holiday pictures"


def test_another_program_s_database_is_refused_and_left(tmp_path):
    with opened(tmp_path) as db:
        db.execute("CREATE TABLE birds (name)")
        db.commit()
    before = (tmp_path / "site.db").read_bytes()
    with pytest.raises(StoreError, match="site.db: is another program's"):
        restored(tmp_path)
    assert (tmp_path / "site.db").read_bytes() == before


def test_a_newer_store_is_refused(tmp_path):
    with stored(tmp_path):
        pass
    with opened(tmp_path) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(
        StoreError, match=r"written by a newer version \(store 7, this one knows 4\); run that one"
    ):
        restored(tmp_path)


def test_an_older_store_is_migrated_and_keeps_what_it_holds(tmp_path, monkeypatch):
    with stored(tmp_path) as (store, _):
        store.take(cut(5, plain=1))
    newer = (*_store_file.MIGRATIONS, "CREATE TABLE more (x); INSERT INTO more VALUES (7)")
    monkeypatch.setattr(_store_file, "MIGRATIONS", newer)
    assert state(tmp_path) == {"plain": 1}
    assert count(tmp_path, "more") == 1
    assert restored(tmp_path).cut.at_ns == 5


def second_version(path, sent):
    """A store as version 2 wrote it, with these rows in its outbox."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{_store_file.FIRST}{_store_file.SECOND}")
        for row in sent:
            values = row.number, row.family, row.key, row.body
            said = _store_file.checksum("outbox", *values)
            db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", (*values, said))
        db.execute(f"PRAGMA application_id = {_store_file.OURS}")
        db.execute("PRAGMA user_version = 2")
        db.commit()


def test_what_waited_in_a_store_of_version_2_still_does(tmp_path):
    sent = [*rows(3), Row(4, "gallery", "P-1", b"sealed"), *rows(2, first=5)]
    second_version(tmp_path / "site.db", sent)
    _store_file.opened(tmp_path / "site.db").close()
    assert waiting(tmp_path / "site.db") == sent
    with opened(tmp_path) as db:
        assert db.execute("SELECT last FROM outbox WHERE identity = 'P-1'").fetchall() == [(4,)]


def test_a_store_of_version_2_whose_outbox_is_damaged_is_said_and_not_changed(tmp_path):
    second_version(tmp_path / "site.db", rows(3))
    with opened(tmp_path) as db:
        db.execute("UPDATE outbox SET body = x'77' WHERE number = 2")
        db.commit()
    with pytest.raises(DamagedError, match="row 2 of the outbox is not what was written"):
        _store_file.opened(tmp_path / "site.db")
    with opened(tmp_path) as db:
        assert db.execute("SELECT count(number) FROM outbox").fetchone() == (3,)


def test_a_piece_of_the_outbox_that_is_damaged_stops_the_graph(tmp_path):
    away = Shelf(away="is at lunch")
    with stored(tmp_path, {"shelf": away}) as (store, _):
        store.emit(TRACKLET_EVENT)
        store.take(cut(5))
    with opened(tmp_path) as db:
        db.execute("UPDATE outbox SET packed = x'77'")
        db.commit()
    with (
        pytest.raises(FaultError, match="what ends with row 1 of the outbox is not what was written"),
        stored(tmp_path, {"shelf": Shelf()}) as (store, _),
    ):
        store.end()


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    with stored(tmp_path) as (store, _):
        store.take(cut(5, plain=1))

    def fails(db):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(_store_file, "MIGRATIONS", (*_store_file.MIGRATIONS, "CREATE TABLE more (x)", fails))
        with pytest.raises(OSError, match="power cut"):
            restored(tmp_path)
    assert state(tmp_path) == {"plain": 1}
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        count(tmp_path, "more")


def test_a_damaged_store_is_said_and_set_aside_with_its_logs_and_never_written_over(tmp_path, caplog):
    kept = []
    for number in (1, 2):
        with stored(tmp_path, {"log": Log()}) as (store, _):
            store.emit(TRACKLET_EVENT)
            store.take(cut(5, plain=number))
            store.end()
        with opened(tmp_path) as db:
            db.execute("UPDATE states SET value = x'77'")
            db.commit()
        kept.append((tmp_path / "site.db").read_bytes())
        caplog.clear()
        assert restored(tmp_path).is_new
        assert f"their names end with .damaged-{number}, and the run begins anew" in caplog.text
        assert "site.db: is damaged, a state is damaged" in caplog.text
    assert [(tmp_path / f"site.db.damaged-{number}").read_bytes() for number in (1, 2)] == kept
    assert (tmp_path / "events.jsonl.damaged-1").read_text().count("\n") == 1
    assert not (tmp_path / "events.jsonl").exists()


def test_commands_and_audit_are_rows_that_another_program_may_add(tmp_path):
    with stored(tmp_path) as (store, _):
        with opened(tmp_path) as db, db:
            assert add_command(db, "erase", b"P-1") == 1
            assert add_command(db, "erase", b"P-2") == 2
            add_entry(db, 5, "erased", "P-1", "on request")
        store.take(cut(5))
    with opened(tmp_path) as db, db:
        assert commands(db) == [Asked(1, "erase", b"P-1"), Asked(2, "erase", b"P-2")]
        take_command(db, 1, 40)
        assert (commands(db), commands(db, is_taken=True)) == (
            [Asked(2, "erase", b"P-2")],
            [Asked(1, "erase", b"P-1", 40)],
        )
        assert [(entry.subject, entry.detail) for entry in audit(db)] == [("P-1", "on request")]


def test_who_somebody_is_now_follows_each_event_about_them_also_after_a_restart(tmp_path):
    (shelf, event), later = (Shelf(), IDENTITY_EVENT), Shelf()
    with stored(tmp_path, {"shelf": shelf}) as (store, _):
        store.emit(event)
        store.take(cut(5))
        store.end()
    event, told = shelf.rows
    record = json.loads(told.body)
    assert (event.family, told.family, told.key) == ("identity", "state", IDENTITY_EVENT.identity_id)
    assert (record["state"], record["sequence"]) == (IDENTITY_EVENT.state, 1)
    with stored(tmp_path, {"shelf": later}) as (store, _):
        store.emit(
            replace(IDENTITY_EVENT, kind="lost", state="lost", captured_ns=IDENTITY_EVENT.captured_ns + 9)
        )
        store.emit(replace(IDENTITY_EVENT, kind="expired"))
        store.take(cut(9))
        store.end()
    lost, gone = (row for row in later.rows if row.family == "state")
    assert json.loads(lost.body)["appeared_ns"] == record["appeared_ns"]  # that was known from before
    assert (gone.key, gone.body) == (IDENTITY_EVENT.identity_id, b"")
    assert count(tmp_path, "records") == 0
