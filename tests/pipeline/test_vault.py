"""What is sealed opens for whom it was sealed and for nobody else, and never again once its key is destroyed."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline._keys_file import KEYS
from pipeline._master_key import key_path
from pipeline._store_file import StoreError
from pipeline.vault import ErasedError, ForgedError, Vault

PLAIN = bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def settings_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def wrapped(folder, identity):
    with closing(sqlite3.connect(folder / KEYS)) as db:
        row = db.execute("SELECT wrapped FROM keys WHERE identity = ?", (identity,)).fetchone()
    return row and row[0]


def test_opens_what_it_sealed_also_when_it_is_opened_anew(folder):
    with closing(Vault(folder)) as vault:
        sealed = vault.seal("P-1", PLAIN, "looks")
        vault.keep()
    with closing(Vault(folder)) as vault:
        assert vault.opened("P-1", sealed, "looks") == PLAIN
    assert PLAIN[:16] not in sealed


def test_no_two_nonces_and_no_two_sealed_texts_are_the_same(folder):
    with closing(Vault(folder)) as vault:
        sealed = [vault.seal("P-1", PLAIN) for _ in range(3000)]
    assert len({one[1:13] for one in sealed}) == len({one[13:] for one in sealed}) == 3000


def test_each_identity_has_a_key_of_its_own(folder):
    with closing(Vault(folder)) as vault:
        one, other = vault.seal("P-1", PLAIN), vault.seal("P-2", PLAIN)
        for identity, sealed in (("P-2", one), ("P-1", other)):
            with pytest.raises(ForgedError):
                vault.opened(identity, sealed)


def test_what_was_moved_to_another_purpose_does_not_open(folder):
    with closing(Vault(folder)) as vault:
        sealed = vault.seal("P-1", PLAIN, "vectors T-1")
        with pytest.raises(ForgedError, match="P-1: what was sealed has been changed, or moved"):
            vault.opened("P-1", sealed, "vectors T-2")


@settings(max_examples=200, deadline=None)
@given(some.data())
def test_damaged_bytes_are_a_typed_error(tmp_path_factory, data):
    with closing(Vault(tmp_path_factory.mktemp("run"))) as vault:
        sealed = bytearray(vault.seal("P-1", b"plain"))
        place = data.draw(some.integers(0, len(sealed) - 1))
        if data.draw(some.booleans()):
            sealed[place] ^= data.draw(some.integers(1, 255))
        else:
            del sealed[place:]
        with pytest.raises(ForgedError):
            vault.opened("P-1", bytes(sealed))


def test_what_was_erased_never_opens_again(folder):
    with closing(Vault(folder)) as vault:
        sealed = vault.seal("P-1", PLAIN)
        vault.keep()
        vault.erase("P-1")
        with pytest.raises(ErasedError):
            vault.opened("P-1", sealed)
        vault.seal("P-1", PLAIN)  # with another key
        with pytest.raises(ForgedError):
            vault.opened("P-1", sealed)


def test_an_erased_key_is_in_no_file_and_its_copy_in_memory_is_zero(folder):
    with closing(Vault(folder)) as vault:
        for number in range(200):
            vault.seal(f"P-{number}", PLAIN)
        vault.keep()
        key, on_disk = vault._keys["P-7"], wrapped(folder, "P-7")
        assert any(on_disk[12:44] in file.read_bytes() for file in folder.iterdir())
        vault.erase("P-7")
        assert key == bytes(32)
        assert [file.name for file in folder.iterdir()] == [KEYS]
        assert on_disk[12:44] not in (folder / KEYS).read_bytes()


def test_a_key_is_destroyed_only_when_that_is_over_which_can_do_without(folder):
    with closing(Vault(folder)) as vault:
        vault.seal("P-1", PLAIN)
        vault.seal("P-2", PLAIN)
        vault.keep()
        vault.forget("P-1")
        vault.forget("P-2")
        vault.keep()
        assert wrapped(folder, "P-1") and wrapped(folder, "P-2")
        vault.seal("P-2", PLAIN)  # so it is not forgotten after all
        vault.settle()
        assert not wrapped(folder, "P-1") and wrapped(folder, "P-2")


def test_keys_that_nobody_needs_are_destroyed(folder):
    with closing(Vault(folder)) as vault:
        for identity in ("P-1", "P-2"):
            vault.seal(identity, PLAIN)
        vault.keep()
        vault.keep_only({"P-2"})
        assert not vault.has("P-1") and vault.has("P-2")


def test_keys_that_do_not_fit_into_memory_are_read_again(folder, monkeypatch):
    monkeypatch.setattr("pipeline.vault.CACHED", 3)
    with closing(Vault(folder)) as vault:
        sealed = {f"P-{number}": vault.seal(f"P-{number}", PLAIN) for number in range(10)}
        assert vault.opened("P-0", sealed["P-0"]) == PLAIN  # not in the file yet
        vault.keep()
        assert all(vault.opened(identity, one) == PLAIN for identity, one in sealed.items())
        assert len(vault._keys) == 3


def test_files_are_for_their_user_alone(folder):
    Vault(folder).close()
    for path in (key_path(), folder / KEYS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_path().parent.stat().st_mode) == 0o700


def test_the_master_key_may_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_MASTER_KEY", "ab" * 32)
    with closing(Vault(folder)) as vault:
        sealed = vault.seal("P-1", PLAIN)
        vault.keep()
    assert not key_path().exists()
    with closing(Vault(folder)) as vault:
        assert vault.opened("P-1", sealed) == PLAIN


def refusal(folder):
    with pytest.raises(StoreError) as refused:
        Vault(folder)
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("told", ["", "ab" * 31, "xy" * 32])
def test_a_master_key_that_is_none_is_refused_without_being_shown(folder, monkeypatch, told):
    monkeypatch.setenv("SIGHTLINE_MASTER_KEY", told)
    text = refusal(folder)
    assert text.startswith("SIGHTLINE_MASTER_KEY: must be 64 hexadecimal digits; make one with openssl")
    assert not told or told not in text
    assert list(folder.iterdir()) == []


def test_a_lost_master_key_is_said(folder):
    Vault(folder).close()
    key_path().unlink()
    assert refusal(folder).startswith(
        f"{key_path()}: is not there, and what is kept was sealed with it; put it back"
    )
    assert not key_path().exists()


def test_another_master_key_is_said(folder, monkeypatch):
    Vault(folder).close()
    monkeypatch.setenv("SIGHTLINE_MASTER_KEY", "ab" * 32)
    assert refusal(folder).startswith(f"{folder / KEYS}: was made with another master key; put that one back")


def test_a_master_key_that_others_may_read_is_refused(folder):
    Vault(folder).close()
    key_path().chmod(0o640)
    assert refusal(folder) == f"{key_path()}: others may read it, mode 0640; chmod 600 it"


def test_a_damaged_master_key_file_is_refused(folder):
    Vault(folder).close()
    key_path().write_text("not a key\n")
    assert refusal(folder).startswith(f"{key_path()}: must be 64 hexadecimal digits")


def test_a_file_of_keys_that_is_another_programs_or_newer_is_refused_and_left(folder):
    with closing(sqlite3.connect(folder / KEYS)) as db:
        db.execute("CREATE TABLE birds (name TEXT)")
    key_path().parent.mkdir(parents=True)
    os.close(os.open(key_path(), os.O_CREAT | os.O_WRONLY, 0o600))
    key_path().write_text("ab" * 32)
    there = (folder / KEYS).read_bytes()
    assert "holds no keys of this program" in refusal(folder)
    assert (folder / KEYS).read_bytes() == there
    (folder / KEYS).unlink()
    Vault(folder).close()
    with closing(sqlite3.connect(folder / KEYS)) as db:
        db.execute("PRAGMA user_version = 9")
    assert "was written by a newer version (keys 9, this one knows 1)" in refusal(folder)


def test_a_damaged_file_of_keys_is_said(folder):
    with closing(Vault(folder)) as vault:
        vault.seal("P-1", PLAIN)
        vault.keep()
    content = bytearray((folder / KEYS).read_bytes())
    place = content.index(wrapped(folder, "P-1"))
    content[place + 20] ^= 1
    (folder / KEYS).write_bytes(content)
    with (
        closing(Vault(folder)) as vault,
        pytest.raises(StoreError, match="the key of P-1 is not what was written"),
    ):
        vault.has("P-1")


def test_a_full_disk_is_said(small_disk):
    disk = small_disk("size=60k")
    with closing(Vault(disk)) as vault:
        for number in range(2000):
            vault.seal(f"P-{number}", b"")
        with pytest.raises(StoreError, match="its disk is full or fails; make room"):
            vault.keep()


def test_nothing_is_sealed_together_of_whom_anybody_is_erased(folder):
    with closing(Vault(folder)) as vault:
        for identity in ("P-1AA", "P-2AA", "P-3BB"):
            vault.seal(identity, PLAIN)
        vault.keep()
        both = {"AA": (("P-1AA", "P-2AA"), bytearray(PLAIN)), "BB": (("P-3BB",), bytearray(PLAIN))}
        made = vault.seal_blocks("kind", both)
        assert {place: bytes(vault.opened_block("kind", place, one)) for place, one in made.items()} == {
            "AA": PLAIN,
            "BB": PLAIN,
        }
        assert vault.opened_block("another kind", "AA", made["AA"]) is None
        assert vault.opened_block("kind", "BB", made["AA"]) is None
        vault.erase("P-2AA")
        assert vault.opened_block("kind", "AA", made["AA"]) is None
        assert vault.seal_blocks("kind", both).keys() == {"BB"}
        assert vault.opened_block("kind", "BB", made["BB"]) is None  # its place has another key now


def test_a_tracklets_key_takes_no_block_along(folder):
    with closing(Vault(folder)) as vault:
        for name in ("P-1AA", "T-1AA"):
            vault.seal(name, PLAIN)
        vault.keep()
        made = vault.seal_blocks("kind", {"AA": (("P-1AA",), bytearray(PLAIN))})
        vault.erase("T-1AA")
        assert vault.opened_block("kind", "AA", made["AA"]) == PLAIN
