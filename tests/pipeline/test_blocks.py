"""What a search seals for the next one: found as without it, and gone with anybody whom it shows; and whom a search finds
through the mask of a picture of which not all shows.
"""

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from byte_search import places
from searched import NOON, S, person, unit, write_gallery
from stored import cut, gallery, stored

from engines.index.masked import masked_cosines
from pipeline import _store_file
from pipeline._blocks import Blocks
from pipeline._gallery_file import GalleryFile
from pipeline.erasure import erase
from pipeline.search import Filter, found
from pipeline.vault import Vault

COUNT = 8
EVERYBODY = Filter(most=1000)
EVERY = set(range(COUNT))


def looks(number):
    """In bytes that are easily found: those of a vector of length 1, and the half of them nobody else's."""
    return np.sign(unit(number, 64)) / 8


def name(number):
    return f"P-{number}AA" if number < 3 else f"P-{number}BB"


def somebody(number, vector=None):
    return person(name(number)[2:], [looks(number) if vector is None else vector], "toy.1")


@pytest.fixture
def site(tmp_path):
    return write_gallery(tmp_path / "run", *map(somebody, range(COUNT)))


def searched(folder, keeps=True):
    """Whom somebody who looks like the first finds, and what each looks like to them."""
    with closing(GalleryFile(folder)) as opened:
        (kind,) = opened.kinds()
        opened.look(kind)
        people = found(opened, kind, looks(0), EVERYBODY)
        if keeps:
            opened.keep(kind)
    return {int(one.identity_id[2]): one.score for one in people}


def rows(file, query):
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query).fetchall()


def sealed(folder):
    """Places that a search need not open one by one, with their keys as they lie on the disk."""
    blocks = rows(folder / "site.db", "SELECT place FROM blocks WHERE sealed IS NOT NULL")
    keys = dict(rows(folder / "keys.db", "SELECT place, wrapped FROM blocks"))
    return {place: keys[place] for (place,) in blocks if place in keys}


@pytest.fixture
def opened_alone(monkeypatch):
    """Whose looks are opened one by one."""
    opened = []
    before = Vault.opened_into

    def noted(self, told, into):
        opened.extend(identity for identity, *_ in told)
        return before(self, told, into)

    monkeypatch.setattr(Vault, "opened_into", noted)
    return opened


def test_what_one_search_has_opened_the_next_one_has_at_once(site, opened_alone):
    first = searched(site)
    assert first.keys() == EVERY and first[0] == pytest.approx(1, abs=1e-4)
    assert {*opened_alone} == {*map(name, EVERY)} and sealed(site).keys() == {"AA", "BB"}
    opened_alone.clear()
    assert searched(site) == first and opened_alone == []


def test_nothing_that_anybody_looks_like_lies_in_it_unsealed(site):
    searched(site)
    assert places([looks(number)[:16].tobytes() for number in EVERY], site) == []


def test_who_has_changed_is_seen_and_others_of_other_places_stay(site, opened_alone):
    searched(site)
    opened_alone.clear()
    write_gallery(site, somebody(1, looks(0)), somebody(9))
    assert sealed(site).keys() == set()  # 1 lies at AA, and 9 came to BB
    assert searched(site)[1] == pytest.approx(1, abs=1e-4)
    write_gallery(site, somebody(2, looks(0)))
    opened_alone.clear()
    now = searched(site)
    assert now[2] == pytest.approx(1, abs=1e-4) and now.keys() == {*EVERY, 9}
    assert {*opened_alone} == {name(0), name(1), name(2)}


def test_a_search_that_goes_on_opens_only_where_somebody_has_changed(site, opened_alone):
    with closing(GalleryFile(site)) as kept:
        (kind,) = kept.kinds()
        kept.look(kind)
        opened_alone.clear()
        write_gallery(site, somebody(2, looks(0)), deleted=(name(1),))
        kept.look(kind)
        assert {*opened_alone} == {name(0), name(2)}
        people = {one.identity_id: one.score for one in found(kept, kind, looks(0), EVERYBODY)}
    assert people.keys() == {*map(name, EVERY - {1})}
    assert people[name(2)] == pytest.approx(1, abs=1e-4)


def test_with_whoever_is_erased_goes_the_key_of_all_that_shows_them(site, tmp_path, opened_alone):
    searched(site)
    keys, copy = sealed(site), shutil.copytree(site, tmp_path / "copy")
    erase(site, name(1), 10)
    assert sealed(site).keys() == {"BB"}
    assert places([keys["AA"][12:]], site) == [] != places([keys["BB"][12:]], site)
    # nor can it be opened in a copy of the store, whose key has gone
    shutil.copy(site / "keys.db", copy / "keys.db")
    with closing(GalleryFile(copy)) as old:
        blocks = Blocks(old._db, old._vault)
        turns = blocks.turns("match toy.1/rgb")
        assert [place for place, _ in blocks.opened("match toy.1/rgb", turns)] == ["BB"]
    opened_alone.clear()
    assert searched(copy).keys() == EVERY - {1} == searched(site).keys()


def test_who_goes_by_themselves_takes_it_along(site):
    searched(site)
    with stored(site) as (store, _):
        store.take(cut((NOON + 7200) * S, _identities=gallery(deleted=(name(7),))))
        store.end()
    assert sealed(site).keys() == {"AA"}


def test_a_run_that_begins_leaves_what_is_sealed(site):
    searched(site)
    write_gallery(site)
    assert sealed(site).keys() == {"AA", "BB"}


class Overtaken(Vault):
    """Somebody is erased, or changed, behind what a search has read."""

    def seal_blocks(self, kind, blocks):
        if self.is_before:
            self.change()
        made = super().seal_blocks(kind, blocks)
        if not self.is_before:
            self.change()
        return made


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("change", ["erased", "changed"])
def test_what_changes_while_it_is_sealed_is_not_kept(site, monkeypatch, is_before, change, opened_alone):
    Overtaken.change = lambda _: (
        erase(site, name(1), 10) if change == "erased" else write_gallery(site, somebody(1, looks(0)))
    )
    Overtaken.is_before = is_before
    with monkeypatch.context() as patch:
        patch.setattr("pipeline._gallery_file.Vault", Overtaken)
        searched(site)
    opened_alone.clear()
    now = searched(site, keeps=False)
    assert {name(0), name(2)} <= {*opened_alone} <= {name(0), name(1), name(2)}
    assert now.keys() == EVERY - {1} if change == "erased" else now[1] == pytest.approx(1, abs=1e-4)


def test_a_block_that_is_damaged_is_passed_over(site):
    first = searched(site)
    with closing(sqlite3.connect(site / "site.db", isolation_level=None)) as db:
        for cut_off in ("sealed", "x'01'", "x''"):
            db.execute(f"UPDATE blocks SET sealed = substr({cut_off}, 1, length({cut_off}) - 1)")
            assert searched(site, keeps=False) == first


def test_a_store_of_version_3_is_searched_and_gets_blocks_with_its_next_run(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_store_file, "MIGRATIONS", _store_file.MIGRATIONS[:3])
        folder = write_gallery(tmp_path / "run", *map(somebody, range(COUNT)))
    assert rows(folder / "site.db", "PRAGMA user_version") == [(3,)]
    first = searched(folder)
    write_gallery(folder)
    assert searched(folder) == first and sealed(folder).keys() == {"AA", "BB"}


def test_a_file_of_keys_from_before_there_were_blocks_has_them_from_then_on(site):
    with closing(sqlite3.connect(site / "keys.db")) as db:
        db.executescript("DROP TRIGGER gone; DROP TABLE blocks")
    searched(site)
    assert sealed(site).keys() == {"AA", "BB"}


def hidden(count, parts, width, seed=3):
    """Sightings as sums, and of how much each part is the sum."""
    random = np.random.default_rng(seed)
    shown = random.uniform(0.1, 4, (count, parts)).astype(np.float32)
    means = np.stack([unit(100 + n, width) for n in range(count)])
    sums = means * np.repeat(shown, width // parts, axis=1)
    return means, sums, np.stack([shown, np.minimum(shown / 4, 1)], axis=1)


@pytest.mark.parametrize("parts", [8, 32])
def test_a_picture_of_which_not_all_shows_finds_as_the_formula_has_it(tmp_path, parts):
    """Everybody is compared by what their crops show, in the mean; and through what the picture shows."""
    means, sums, shown = hidden(40, parts, 32)
    people = []
    for n, (looks_like, said) in enumerate(zip(sums, shown, strict=True)):
        people.append(person(f"{n:02}", [looks_like], "toy.1", shown=[said]))
    folder = write_gallery(tmp_path / "run", *people)
    vector, visibility = unit(7, 32), np.random.default_rng(1).random(parts).astype(np.float32)
    wanted = masked_cosines(vector[None], visibility[None], means)[0]
    plain = means @ vector
    assert np.argsort(-wanted).tolist() != np.argsort(-plain).tolist()
    for turn in range(2):  # what is sealed by the first is the same
        with closing(GalleryFile(folder)) as opened:
            (kind,) = opened.kinds()
            opened.look(kind)
            through = found(opened, kind, vector, EVERYBODY, visibility)
            whole = found(opened, kind, vector, EVERYBODY)
            opened.keep(kind)
        assert [int(one.identity_id[2:]) for one in through] == np.argsort(-wanted).tolist(), turn
        assert [one.score for one in through] == pytest.approx(np.sort(wanted)[::-1], abs=1e-4)
        assert [one.score for one in whole] == pytest.approx(np.sort(plain)[::-1], abs=1e-4)


def test_of_many_the_most_alike_come_first_and_then_everybody_else_through_the_mask(tmp_path):
    means, sums, shown = hidden(500, 8, 16)
    people = [person(f"{n:03}", [sums[n]], "toy.1", shown=[shown[n]]) for n in range(500)]
    folder = write_gallery(tmp_path / "run", *people)
    vector, visibility = unit(7, 16), np.random.default_rng(1).random(8).astype(np.float32)
    wanted = masked_cosines(vector[None], visibility[None], means)[0]
    with closing(GalleryFile(folder)) as opened:
        (kind,) = opened.kinds()
        opened.look(kind)
        ranked = [int(one[2:]) for one, _, _ in opened.like(vector, visibility)]
        few = found(opened, kind, vector, Filter(most=12), visibility)
        every = found(opened, kind, vector, Filter(most=500), visibility)
    near = np.argsort(-np.round(means @ vector, 5), kind="stable")[:200]
    first = near[np.argsort(-wanted[near], kind="stable")].tolist()
    assert ranked[:200] == first and [int(one.identity_id[2:]) for one in few] == first[:12]
    assert sorted(ranked) == list(range(500))
    assert [one.score for one in every] == pytest.approx(np.sort(wanted)[::-1], abs=1e-4)
