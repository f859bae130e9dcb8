"""A copy of a gallery, told of it record by record: what it answers, what it keeps, and what it leaves of who is gone."""

import http.client
import io
import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from builders import tracklet
from byte_search import places
from hypothesis import given
from hypothesis import strategies as some

from pipeline._replica_server import answering
from pipeline._replica_table import BLOCK, Table
from pipeline._store_file import StoreError
from pipeline.erasure import erase
from pipeline.gallery_key import GalleryKey
from pipeline.messages import Identity, Sighting
from pipeline.replica import OtherKeyError, QueryError, Replica
from pipeline.vault import Vault
from pipeline.wire import encode

KEY, OTHER = GalleryKey("site", b"k" * 32), GalleryKey("site", b"o" * 32)
EAST, NORTH = np.array([2.125, 0, 0.0625, 0], np.float32), np.array([0, 3.125, 0.0625, 0], np.float32)


def seen(id, looks, seen_ns=1_000_000_000, kind="toy/rgb", **more):
    """Somebody who was seen once."""
    one = Sighting(replace(tracklet("flat", f"T-{id}"), seen_ns=seen_ns), looks.copy(), 2, kind)
    return Identity(id, 0, (one,), is_confirmed=True, seen_ns=seen_ns, **more)


def record(who, key=KEY):
    return who.identity_id, key.sealed(who.identity_id, encode(who))


@contextmanager
def replica(folder, *records, key=KEY, at=1):
    with closing(Replica(folder / "replica", key)) as one:
        if records:
            one.take(records, {0: at})
        yield one


def names(likes):
    return [(like.person.identity_id, round(like.similarity, 2)) for like in likes]


def test_says_who_is_here_and_where_they_were(tmp_path):
    lost = seen("P-3", EAST, 3, is_lost=True)
    with replica(tmp_path, record(seen("P-1", EAST, 5)), record(seen("P-2", NORTH, 9)), record(lost)) as one:
        assert [who.identity_id for who in one.present()] == ["P-2", "P-1"]
        assert [who.identity_id for who in one.present(with_lost=True)] == ["P-2", "P-1", "P-3"]
        who = one.person("P-1")
    assert (who.state, who.camera_id, who.tracklet_id, who.height_m) == ("confirmed", "flat", "T-P-1", 1.7)
    assert (who.floor_frame, who.floor_m, who.seen) == ("site", (0.0, 0.0), "1970-01-01T00:00:00.000000005Z")


def test_says_whom_somebody_is_like(tmp_path):
    both = np.array([2, 3, 0, 0], np.float32)
    people = [seen("P-1", EAST), seen("P-2", NORTH), seen("P-3", both), seen("P-4", EAST, kind="other/rgb")]
    with replica(tmp_path, *map(record, people)) as one:
        assert names(one.like("P-3", 5)) == [("P-2", 0.83), ("P-1", 0.55)]
        assert names(one.like_vector(EAST * 7, "toy/rgb", 1)) == [("P-1", 1.0)]


def test_somebody_is_as_like_as_when_they_were_seen_well(tmp_path):
    """And not as when something hid them."""
    behind = [np.array([0, 0, 1, number], np.float32) for number in range(5)]
    parts = [(EAST, 0.9), *((looks, 0.2) for looks in behind)]
    sightings = tuple(
        Sighting(
            tracklet("flat", f"T-{number}"), looks, 1, "toy/rgb", shown=np.full((2, 2), share, np.float32)
        )
        for number, (looks, share) in enumerate(parts)
    )
    with replica(tmp_path, record(Identity("P-1", 0, sightings)), record(seen("P-2", NORTH))) as one:
        assert names(one.like_vector(EAST, "", 1)) == [("P-1", 1.0)]
        one.take(
            [record(Identity("P-1", 0, sightings[1:]))], {0: 2}
        )  # never seen well: then that is all there is
        assert one.status().vectors == {"toy/rgb": 6}


@pytest.mark.parametrize("shown", [np.ones((2, 3)), np.ones(2), np.full((2, 2), np.nan), np.ones((1, 2))])
def test_a_record_that_says_of_other_parts_what_shows_is_left_out(tmp_path, shown):
    who = seen("P-1", EAST)
    wrong = replace(who, sightings=(replace(who.sightings[0], shown=shown.astype(np.float32)),))
    with replica(tmp_path, record(wrong)) as one:
        assert one._unreadable == {"P-1": "is not what a gallery holds"}


def test_the_last_record_counts_and_a_former_name_leads_to_who_has_it_now(tmp_path):
    merged = replace(seen("P-1", NORTH), previous_ids=("P-2",))
    told = [record(seen("P-1", EAST)), record(seen("P-2", NORTH))]
    with replica(tmp_path, *told) as one:
        one.take([record(merged), ("P-2", None)], {0: 4})
        assert one.person("P-2").identity_id == "P-1"
        assert names(one.like_vector(NORTH, "", 5)) == [("P-1", 1.0)]
        one.take([("P-1", None)], {0: 5})
        with pytest.raises(QueryError, match="nobody here is called P-2"):
            one.person("P-2")
        with pytest.raises(QueryError, match="nobody is in the gallery"):
            one.like_vector(NORTH, "", 5)


def test_goes_on_where_it_stopped(tmp_path):
    with replica(tmp_path, record(seen("P-1", EAST)), record(seen("P-2", NORTH)), at=7):
        pass
    with replica(tmp_path) as one:
        assert one.places == {0: 7}
        assert names(one.like("P-1", 5)) == [("P-2", 0.0)]
        one.clear()
    with replica(tmp_path) as one:
        assert (one.places, one.present()) == ({}, [])


def test_nothing_is_left_of_who_is_gone_and_nothing_readable_of_who_is_not(tmp_path):
    folder = tmp_path / "replica"
    with replica(tmp_path, record(seen("P-1", EAST)), record(seen("P-2", NORTH))) as one:
        with closing(sqlite3.connect(folder / "site.db")) as db:
            sealed = dict(db.execute("SELECT identity, sealed FROM vectors"))
        with closing(Vault(folder)) as vault:
            secret = bytes(vault._key("P-1"))
            (wrapped,) = vault._db.execute("SELECT wrapped FROM keys WHERE identity = 'P-1'").fetchone()
        known = one._people["P-1"].sightings[0].looks
        unit = one._tables["toy/rgb"]._blocks[0]
        assert places([EAST.tobytes(), NORTH.tobytes(), secret], tmp_path) == []
        assert places([sealed["P-1"]], tmp_path) != []
        one.take([("P-1", None)], {0: 2})
        assert places([sealed["P-1"], secret, wrapped[12:], EAST.tobytes()], tmp_path) == []
        assert places([sealed["P-2"]], tmp_path) != []
        assert not known.any() and np.count_nonzero(unit.any(axis=1)) == 1


def test_a_record_that_this_key_does_not_open_is_left_out_and_said(tmp_path, caplog):
    good, strange = seen("P-1", EAST), ("P-2", KEY.sealed("P-2", encode({"a": 1})))
    moved = ("P-3", record(good)[1])
    with replica(tmp_path, record(good), strange, moved, record(seen("P-4", EAST), OTHER)) as one:
        one.has_read({0: 1})
        assert [who.identity_id for who in one.present()] == ["P-1"]
        assert one.status().unreadable == 3
        reasons = {"P-3": "is damaged, or somebody else's", "P-4": "was sealed with another gallery key"}
        assert one._unreadable.items() >= reasons.items()
        one.take([record(seen("P-4", EAST)), ("P-3", None)], {0: 2})
        one.has_read({0: 2})
        assert one.status().unreadable == 1
    assert caplog.messages == [
        "gallery of site: 3 records are left out that cannot be read; that of P-2 is not what a gallery holds"
    ]


def test_another_key_is_said_and_with_the_right_one_everything_is_read_again(tmp_path):
    told = record(seen("P-1", EAST))
    with (
        replica(tmp_path, told, key=OTHER) as one,
        pytest.raises(
            OtherKeyError, match="record of P-1 was sealed with another gallery key, and so with all"
        ),
    ):
        one.has_read({0: 1})
    for key in (OTHER, KEY):
        with replica(tmp_path, key=key) as one:
            assert one.places == {}
    with replica(tmp_path, told, key=KEY):
        pass
    with replica(tmp_path, key=OTHER) as one:
        assert (one.places, one.present()) == ({}, [])


def test_a_folder_of_something_else_is_refused(tmp_path):
    with replica(tmp_path, record(seen("P-1", EAST))):
        pass
    with pytest.raises(StoreError, match="holds a replica of site; choose another --out"):
        Replica(tmp_path / "replica", GalleryKey("hall", b"k" * 32))
    with pytest.raises(StoreError, match="is a replica; erase P-1 where the site is written"):
        erase(tmp_path / "replica", "P-1", 0)


def test_a_damaged_one_is_set_aside_and_read_again(tmp_path, caplog):
    with replica(tmp_path, record(seen("P-1", EAST))):
        pass
    with closing(sqlite3.connect(tmp_path / "replica" / "site.db")) as db:
        db.execute("UPDATE vectors SET sealed = x'00'")
        db.commit()
    with replica(tmp_path) as one:
        assert (one.places, one.present()) == ({}, [])
    assert (
        "what is sealed of P-1 is not what was written" in caplog.text
        and "is kept, its files end with .damaged-1; everything is read again" in caplog.text
    )
    assert (tmp_path / "replica" / "site.db.damaged-1").exists()


@given(
    some.lists(some.tuples(some.sampled_from("abcdef"), some.integers(0, 4)), max_size=30),
    some.integers(1, 7),
)
def test_finds_what_a_search_through_everything_finds(steps, most):
    table, known, random = Table(8), {}, np.random.default_rng(len(steps))
    for id, count in steps:
        vectors = [v / np.linalg.norm(v) for v in random.normal(size=(count, 8)).astype(np.float32)]
        table.put(id, vectors)
        known[id] = vectors
    query = np.ones(8, np.float32) / np.sqrt(np.float32(8))
    means = {id: np.mean(sorted(v @ query for v in vectors)[-3:]) for id, vectors in known.items() if vectors}
    wanted = sorted(means.values(), reverse=True)[:most]
    assert len(table) == sum(map(len, known.values()))
    assert [cosine for _, cosine in table.like(query, most)] == pytest.approx(wanted, abs=3e-5)


def test_a_likeness_does_not_depend_on_who_else_is_there():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(2 * BLOCK + 5, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table, query, said = Table(64), vectors[7], []
    for number, vector in enumerate(vectors):
        table.put(f"P-{number}", [vector])
        if number in (10, BLOCK, 2 * BLOCK):
            said.append(dict(table.like(query, 5000))["P-3"])
    assert len(set(said)) == 1


@contextmanager
def asked(one):
    """Asks it as any program does: status, and what the JSON says."""

    def ask(method, path, body=None, host=None):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request(method, path, body, {"Host": host} if host else {})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told

    with answering(one, 0) as url:
        yield ask


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_answers_over_http_and_says_what_is_wrong_with_a_question(tmp_path):
    with replica(tmp_path, record(seen("P-1", EAST)), record(seen("P-2", NORTH))) as one, asked(one) as ask:
        status, said = ask("GET", "/status")
        assert (status, said["people"], said["vectors"], said["behind"]) == (200, 2, {"toy/rgb": 2}, -1)
        assert [who["identity_id"] for who in ask("GET", "/people")[1]] == ["P-1", "P-2"]
        assert ask("GET", "/people/P-1")[1]["camera_id"] == "flat"
        (like,) = ask("GET", "/people/P-1/like?most=1")[1]
        assert like["person"]["identity_id"] == "P-2"
        assert [one["similarity"] for one in ask("POST", "/like", saved(EAST))[1]] == [1.0, 0.00059]
        assert ask("POST", "/like?kind=toy/rgb", saved(NORTH.astype(np.float64)))[0] == 200
        for status, kind, question in (
            (404, "unknown_identity", ("GET", "/people/P-9")),
            (404, "unknown_path", ("GET", "/nobody")),
            (404, "unknown_path", ("POST", "/people")),
            (400, "bad_number", ("GET", "/people/P-1/like?most=0")),
            (400, "bad_vector", ("POST", "/like", b"no array")),
            (400, "bad_vector", ("POST", "/like", saved(np.array(["a"], object)))),
            (400, "bad_vector", ("POST", "/like", saved(np.ones((2, 4), np.float32)))),
            (400, "bad_vector", ("POST", "/like", saved(np.ones(5, np.float32)))),
            (400, "bad_vector", ("POST", "/like", saved(np.full(4, np.nan, np.float32)))),
            (400, "bad_vector", ("POST", "/like", saved(np.zeros(4, np.float32)))),
            (400, "unknown_kind", ("POST", "/like?kind=x", saved(EAST))),
            (413, "too_large", ("POST", "/like", saved(np.zeros(1 << 18, np.float64)))),
            (403, "not_from_here", ("GET", "/people", None, "evil.example")),
        ):
            answer = ask(*question)
            assert (answer[0], answer[1]["error"]) == (status, kind)
            assert answer[1]["message"]
