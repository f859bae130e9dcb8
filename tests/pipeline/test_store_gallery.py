"""What replicas of the gallery are told of a store: in the transaction of each cut, sealed, and nothing of who is gone."""

import time
from contextlib import closing
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import outbox_rows
import pytest
from byte_search import places
from stored import VECTOR, Shelf, cut, gallery, somebody, stored

from configs.known import known
from pipeline._store_facts import At
from pipeline._store_file import StoreError, connect
from pipeline.erasure import erase
from pipeline.gallery_key import GalleryKey, SealError
from pipeline.publish._publisher import Sharing
from pipeline.wire import decode

KEY, OTHER = GalleryKey("site", b"k" * 32), GalleryKey("site", b"o" * 32)


@dataclass
class Told(Shelf):
    """A publisher that shares the gallery; what is on its `rows` of it."""

    key: GalleryKey | None = KEY
    known: list[str] | None = None  # by whoever wrote there before
    asked: list[bool] = field(default_factory=list)

    def sharing(self, is_first):
        self.asked.append(is_first)
        known = self.known if self.known is not None else [] if is_first else None
        return Sharing(self.key, known) if self.key else None

    def heard(self):
        """Identities and what was told of them: how many sightings, or that they are gone."""
        told = [(row.key, row.body) for row in self.rows if row.family == "gallery"]
        return [(id, len(self.read(id, body).sightings) if body else None) for id, body in told]

    def read(self, id, body):
        return decode(self.key.opened(id, body))


def waiting(folder):
    rows = outbox_rows.waiting(folder / "site.db")
    return [(row.key, row.body) for row in rows if row.family == "gallery"]


def told(folder, *cuts, **settings):
    """What replicas hear of these cuts, and the publisher that told them."""
    publisher = Told(**settings)
    with stored(folder, {"kafka": publisher}) as (store, _):
        for one in cuts:
            store.take(one)
            is_heard(store, one.at_ns)
        store.end()
    return publisher


def is_heard(store, at_ns):
    """Wait for a cut to be written and taken: what still waits of somebody gives way to what is told of them later."""
    until_s = time.monotonic() + 60
    with closing(connect(store.path)) as reader:
        while not (
            written_ns(reader) == at_ns
            and all(drain.number >= store._base.outbox.last for drain in store._drains)
        ):
            store.check()
            assert time.monotonic() < until_s
            time.sleep(0.01)


def written_ns(reader):
    row = reader.execute("SELECT value FROM facts WHERE name = ?", (At.__name__,)).fetchone()
    return row and msgspec.msgpack.decode(row[0], type=known(At)).at_ns


def test_a_cut_tells_who_is_new_who_has_changed_and_who_is_gone(tmp_path):
    publisher = told(
        tmp_path,
        cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))),
        cut(2, people=gallery(somebody("P-1", "T-1", "T-3"))),
        cut(3, others=1),
        cut(4, people=gallery(somebody("P-3", "T-1", "T-2", "T-3"), deleted=("P-1", "P-2"))),
    )
    assert publisher.heard() == [("P-1", 1), ("P-2", 1), ("P-1", 2), ("P-3", 3), ("P-1", None), ("P-2", None)]
    who = publisher.read("P-1", publisher.rows[0].body)
    assert (who.identity_id, who.sightings[0].tracklet.tracklet_id) == ("P-1", "T-1")
    assert np.array_equal(who.sightings[0].looks, VECTOR)


def test_what_was_before_a_stage_began_anew_is_gone(tmp_path):
    first, then = gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2")), gallery(somebody("P-2", "T-2"))
    publisher = told(tmp_path, cut(1, people=first), cut(2, **{"~anew": True, "people": then}))
    assert publisher.heard() == [("P-1", 1), ("P-2", 1), ("P-2", 1), ("P-1", None)]


def test_nothing_is_told_where_the_gallery_is_not_shared(tmp_path):
    publisher = told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"))), key=None)
    assert publisher.rows == []


def test_what_waits_is_sealed_and_only_the_last_of_each(tmp_path):
    with stored(tmp_path, {"kafka": Told(away="it is away")}) as (store, _):
        for at_ns in range(1, 4):
            store.take(cut(at_ns, people=gallery(somebody("P-1", *(f"T-{n}" for n in range(at_ns))))))
    ((id, body),) = waiting(tmp_path)
    assert len(decode(KEY.opened(id, body)).sightings) == 3
    assert places([VECTOR.tobytes()], tmp_path) == []


def test_nothing_that_waits_is_left_of_who_is_gone(tmp_path):
    with stored(tmp_path, {"kafka": Told(away="it is away")}) as (store, _):
        store.take(cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))))
    sealed = dict(waiting(tmp_path))
    assert places([sealed["P-1"]], tmp_path) == [str(tmp_path / "site.db")]
    assert erase(tmp_path, "P-1", 0) == ("P-1",)
    assert places([sealed["P-1"]], tmp_path) == []
    assert waiting(tmp_path) == [("P-2", sealed["P-2"]), ("P-1", b"")]


def test_a_store_that_is_opened_again_tells_what_is_not_known_yet(tmp_path):
    told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))))
    again = told(tmp_path, cut(2, people=gallery(somebody("P-3", "T-3"))))
    assert (again.heard(), again.asked) == ([("P-3", 1)], [False])


def test_a_gallery_that_is_shared_later_is_told_whole(tmp_path):
    told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))), key=None)
    later = told(tmp_path)
    assert (later.heard(), later.asked) == ([("P-1", 1), ("P-2", 1)], [True])


def test_another_key_has_everything_told_anew(tmp_path):
    told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))))
    assert told(tmp_path, key=OTHER).heard() == [("P-1", 1), ("P-2", 1)]
    assert told(tmp_path, key=OTHER).heard() == []


def test_a_gallery_that_is_shared_no_more_is_taken_back(tmp_path):
    told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"))))
    gone = told(tmp_path, cut(2, people=gallery(somebody("P-2", "T-2"))), key=None)
    assert [(row.key, row.body) for row in gone.rows] == [("P-1", b"")]
    assert told(tmp_path).heard() == [("P-1", 1), ("P-2", 1)]


def test_whom_another_run_has_told_of_is_gone_and_ours_are_told_anew(tmp_path):
    told(tmp_path, cut(1, people=gallery(somebody("P-1", "T-1"), somebody("P-2", "T-2"))))
    after = told(tmp_path, known=["P-8", "P-2", "P-9"])
    assert sorted(after.heard(), key=str) == [("P-1", 1), ("P-2", 1), ("P-8", None), ("P-9", None)]


def test_who_is_erased_while_nothing_runs_is_told_of_with_the_next_start(tmp_path):
    here = replace(somebody("P-1", "T-1"), sightings=somebody("P-1", "T-1").sightings)
    told(tmp_path, cut(1, people=gallery(here)))
    erase(tmp_path, "P-1", 0)
    after = told(tmp_path)
    ((new, body),) = [(id, count) for id, count in after.heard() if count]
    assert (after.heard()[0], new != "P-1", body) == (("P-1", None), True, 1)  # T-1 is open: they are in view
    assert after.read(new, after.rows[-1].body).sightings[0].votes == 0


@pytest.mark.parametrize(
    ("key", "id", "change", "text"),
    [
        (OTHER, "P-1", lambda sealed: sealed, "was sealed with another gallery key"),
        (GalleryKey("hall", b"k" * 32), "P-1", lambda sealed: sealed, "was sealed with another gallery key"),
        (KEY, "P-2", lambda sealed: sealed, "is damaged, or somebody else's"),
        (KEY, "P-1", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), "is damaged, or somebody else's"),
        (KEY, "P-1", lambda sealed: sealed[:30], "is nothing that this version has sealed"),
        (KEY, "P-1", lambda sealed: b"\x02" + sealed[1:], "is nothing that this version has sealed"),
        (KEY, "P-1", lambda sealed: b"", "is nothing that this version has sealed"),
    ],
)
def test_sealed_bytes_open_for_nobody_else(key, id, change, text):
    sealed = KEY.sealed("P-1", b"what P-1 looks like")
    assert KEY.opened("P-1", sealed) == b"what P-1 looks like"
    assert KEY.sealed("P-1", b"what P-1 looks like") != sealed
    with pytest.raises(SealError, match=text):
        key.opened(id, change(sealed))


def test_a_key_file_that_is_none_is_refused_and_never_shown(tmp_path):
    secret = "ab" * 32
    path = tmp_path / "gallery.key"
    with pytest.raises(
        StoreError, match=r"gallery.key: is not there, and replicas .* openssl rand -hex 32 > FILE"
    ):
        GalleryKey.read(str(path), "site")
    path.write_text(secret)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="gallery.key: others may read it, mode 0644; chmod 600 it"):
        GalleryKey.read(str(path), "site")
    path.chmod(0o600)
    assert secret not in repr(GalleryKey.read(str(path), "site")) and "ab" * 8 not in repr(KEY.name)
    path.write_text(secret[:-2])
    with pytest.raises(StoreError, match="must be 64 hexadecimal digits") as caught:
        GalleryKey.read(str(path), "site")
    assert secret[:20] not in str(caught.value)
