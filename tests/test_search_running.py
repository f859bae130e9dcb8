"""A run at work is searched while people are erased from it: whoever has been erased is not shown any more, by a search
that begins then, nor by one that has had what they look like in its memory.
"""

import shutil
import subprocess
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from byte_search import copies
from command_line import RUN, begun, command, environment, write_graph
from searched import engine, person, unit, untaught, write_gallery
from test_erasure_running import WAITS_S, in_view

from pipeline._gallery_file import GalleryFile
from pipeline.erasure import erase
from pipeline.search import Filter, found

pytest_plugins = ["simulated_people"]
EVERYBODY = Filter(most=1000)


@pytest.fixture
def model(tmp_path):
    return untaught(tmp_path / "model.safetensors")


def searched(gallery, kind=None):
    """Whom a search shows."""
    kind = kind or next(iter(gallery.kinds()), None)
    if kind is None:
        return set()
    gallery.look(kind)
    return {one.identity_id for one in found(gallery, kind, unit(1), EVERYBODY)}


class Erasing(threading.Thread):
    """Erases somebody of a run at work, again and again; `gone` are those of whom that is done."""

    def __init__(self, out, most):
        super().__init__()
        self.out, self.most, self.gone = out, most, []

    def run(self):
        while len(self.gone) < self.most:
            for who in {*in_view(self.out).values()} - {*self.gone}:
                self.gone += erase(self.out, who, WAITS_S)
                break


def test_who_is_erased_from_a_run_at_work_is_not_shown_any_more(people, model, tmp_path):
    by_color = [("{engine: tvrid_embedder}", engine(model))]
    graph = write_graph(tmp_path, changes=by_color)
    out = tmp_path / "run"
    how = ("--speed", "0.2", "--executor", "threads", "--out", out)
    run = begun("--graph", graph, "--replay", people, *how)
    shown = set()
    try:
        in_view(out)
        with closing(GalleryFile(out)) as kept:
            shown |= searched(kept)
            erasing = Erasing(out, 2)
            erasing.start()
            while erasing.is_alive():
                gone = {*erasing.gone}
                now = searched(kept)
                shown |= now
                assert not now & gone
                with closing(GalleryFile(out)) as anew:
                    gone = {*erasing.gone}
                    assert not searched(anew) & gone
            assert {*erasing.gone} & shown  # they had been there
            assert not searched(kept) & {*erasing.gone}
    finally:
        run.kill()
        run.communicate()


class Overtaken(GalleryFile):
    """While somebody is looked up they are erased: before it is read who they are, or behind that."""

    def known(self, kind, identity):
        before = super().known(kind, identity) if self.is_read_first else None
        if identity == "P-A":
            erase(self.path.parent, identity, 10)
        return before or super().known(kind, identity)


@pytest.mark.parametrize("is_read_first", [False, True])
def test_who_is_erased_between_a_look_and_the_answer_is_left_out(model, tmp_path, is_read_first):
    looks = model.texts(["a red top", "a backpack"])
    folder = write_gallery(
        tmp_path / "run", *(person(name, looks[n : n + 1], model.model_id) for n, name in enumerate("AB"))
    )
    with closing(Overtaken(folder)) as gallery:
        gallery.is_read_first = is_read_first
        (kind,) = gallery.kinds()
        gallery.look(kind)
        assert [one.identity_id for one in found(gallery, kind, looks[0], EVERYBODY)] == ["P-B"]


def test_a_search_that_goes_on_leaves_nothing_in_memory_of_who_is_erased(model, tmp_path):
    """It is told nothing, and nobody asks it anything: it looks by itself."""
    looks = np.sign(np.stack([unit(7), unit(8)])) / 8  # so that their bytes are those of a vector of length 1
    looks[:, 64:] = 0
    people = [person(name, looks[n : n + 1], model.model_id) for n, name in enumerate("AB")]
    folder = write_gallery(tmp_path / "run", *people)
    words = ("search", "--out", folder, "--model", engine(model), "--json")
    asking = subprocess.Popen(
        command(*words, script=RUN),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        asking.stdin.write("a red top\n")
        asking.stdin.flush()
        assert "P-" in asking.stdout.readline()
        own, other = ({one[:64].tobytes()} for one in looks)
        assert copies(asking.pid, own) == copies(asking.pid, other) > 0
        erase(folder, "P-A", 10)
        until_s = time.monotonic() + 60
        while copies(asking.pid, own) and time.monotonic() < until_s:
            time.sleep(0.2)
        assert copies(asking.pid, own) == 0 < copies(asking.pid, other)
    finally:
        asking.kill()
        asking.communicate()


def test_a_search_does_not_hold_up_the_run_that_writes(model, tmp_path):
    """A run begins and ends beside a gallery that stays open, and a copy of its folder can be searched."""
    looks = model.texts(["a red top"])
    folder = write_gallery(tmp_path / "run", person("A", looks, model.model_id))
    with closing(GalleryFile(folder)) as gallery:
        assert searched(gallery) == {"P-A"}
        write_gallery(folder, person("B", looks, model.model_id), deleted=("P-A",))
        assert searched(gallery) == {"P-B"}
    copy = shutil.copytree(folder, tmp_path / "copy")
    with closing(GalleryFile(copy)) as gallery:
        assert searched(gallery) == {"P-B"}
