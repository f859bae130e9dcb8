"""Our recipe for TVRID: sets of frames, depth alone, and lessons that are the same every time."""

import numpy as np
import pytest
import torch

from configs.build import InputError
from engines._overhead_maps import CHANNELS, MAPS, NUMBERS, SIDE
from engines.reid import lessons, upright
from engines.reid.blocks import in_blocks
from engines.reid.fit import Training
from engines.reid.lessons import Lessons
from engines.reid.methods.tvrid import (
    LessonTask,
    Network,
    Tvrid,
    half_turned,
    together,
    without_color,
)
from engines.reid.methods.tvrid_picture import Taught, TvridPicture
from engines.reid.overhead_people import packed, unpacked
from engines.reid.tvrid_export import export, teachers
from engines.reid.upright import CELLS, HIGH_PX, WIDE_PX


def drawn(people=6, passages=4, frames=2):
    random, n = np.random.default_rng(1), people * passages * frames
    return Lessons(
        random.integers(0, 255, (n, MAPS * CHANNELS, SIDE, SIDE), np.uint8),
        random.normal(size=(n, NUMBERS)).astype(np.float32),
        random.integers(0, 255, (n, HIGH_PX, WIDE_PX, 3), np.uint8),
        random.normal(size=(n, upright.NUMBERS)).astype(np.float32),
        random.integers(0, 255, (n, 2, *CELLS), np.uint8),
        np.repeat(np.arange(people), passages * frames).astype(np.int32),
        np.tile(np.repeat(np.arange(passages), frames), people).astype(np.int32),
    )


def test_a_set_is_the_same_in_any_order_and_of_length_1():
    vectors = torch.randn(6, 8)
    one = together(vectors, 3)
    assert one == pytest.approx(together(vectors[[2, 0, 1, 5, 4, 3]], 3), abs=1e-6)
    assert one.norm(dim=1) == pytest.approx(1.0)


def test_in_a_set_the_surer_counts_for_more():
    sure, unsure = torch.tensor([[0.9, 0.0]]), torch.tensor([[0.0, 0.1]])
    made = together(torch.cat([sure, unsure]), 2)[0]
    assert made[0] > 0.9 > made[1]


def test_half_turned_twice_is_as_before():
    maps = torch.randn(2, MAPS * CHANNELS, SIDE, SIDE)
    assert torch.equal(half_turned(half_turned(maps)), maps)
    assert not torch.equal(half_turned(maps), maps)


def test_depth_alone_knows_no_colour():
    maps, numbers = torch.randn(2, MAPS * CHANNELS, SIDE, SIDE), torch.randn(2, NUMBERS)
    bare, said = without_color(maps, numbers)
    other, told = maps.clone(), numbers.clone()
    other[:, 2::CHANNELS], told[:, 3] = 0.5, 9.0
    again = without_color(other, told)
    assert torch.equal(bare, again[0])
    assert torch.equal(said, again[1])
    assert bare[:, ::CHANNELS].any()


def test_what_is_packed_in_8_bits_comes_back_nearly_the_same():
    layers = np.random.default_rng(1).uniform(-0.9, 0.9, (MAPS * CHANNELS + 1, SIDE, SIDE)).astype(np.float32)
    maps, numbers = packed(layers)
    assert unpacked(maps) == pytest.approx(layers[:-1], abs=0.011)
    assert np.array_equal(numbers, layers[-1, 0, :NUMBERS])


def taught(of, people):
    vectors = [torch.nn.functional.normalize(torch.randn(people, 64)) for _ in range(2)]
    return Taught.by([of] if isinstance(of, Lessons) else of, 2, *vectors, seed=1)


@pytest.mark.parametrize("name", ["sets", "pictures"])
def test_every_term_reaches_every_part_that_is_learned(name):
    if name == "sets":
        method, task = Tvrid(epochs=1, people_a_batch=4), LessonTask.of([drawn(3), drawn(3)], 2, seed=1)
    else:
        method, task = TvridPicture(epochs=1, people_a_batch=4), taught([drawn(3), drawn(3)], 6)
    assert task.people_count == 6
    network = method.network(6, 1)
    phase = method.phases(network, task)[name]()
    sum(phase.loss(phase.read(phase.draw(task.generator("x"))[0], task.generator("y"))).values()).backward()
    assert [name for name, one in network.named_parameters() if one.grad is None] == []


def test_layers_in_whole_blocks_say_the_same():
    network = Network(3).eval()
    for one in network.maps.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(one.running_var, 0.5, 2.0)
            torch.nn.init.normal_(one.running_mean)
            torch.nn.init.normal_(one.bias)
    wide, maps = in_blocks(network.maps, MAPS, CHANNELS), torch.randn(2, MAPS * CHANNELS, SIDE, SIDE)
    grouped = [one for one in wide if isinstance(one, torch.nn.Conv2d)]
    assert [one.out_channels // MAPS % 16 for one in grouped] == [0] * 5
    with torch.inference_mode():
        assert wide(maps) == pytest.approx(network.maps(maps), abs=1e-5)


def made(folder):
    """Files of a whole training on few lessons, the pictures' after the maps'."""
    of = drawn(4)
    task, method = LessonTask.of([of], 2, seed=1, is_mixed=True), Tvrid(epochs=1, people_a_batch=3)
    task.seed_all()
    network = method.network(4, 1)
    one = Training(folder / "maps", network, task, {}).fit(method.phases(network, task))
    pupil = TvridPicture(epochs=2, people_a_batch=3)
    task = Taught.by([of], 2, *teachers(network, of), seed=1, is_mixed=True)
    task.seed_all()
    pictures = pupil.network(1, 1)
    two = Training(folder / "pictures", pictures, task, {}).fit(pupil.phases(pictures, task))
    export(network, pictures.eval(), of, folder / "shipped", {"like": 0.5, "like_by_depth": 0.5})
    return [path.read_bytes() for path in (one, two, *sorted((folder / "shipped").iterdir()))]


def test_what_ships_is_the_same_to_the_bit_when_it_is_made_again(tmp_path):
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    assert len(one) == 6
    assert one == other


def test_a_picture_is_taught_by_what_is_said_of_its_person(tmp_path):
    task = taught(drawn(4), 4)
    method = TvridPicture(epochs=1, people_a_batch=4)
    phase = method.phases(method.network(1, 1), task)["pictures"]()
    seen = phase.read(np.array([0, 4, 8, 12]), task.generator("y"))
    right = phase.loss(seen)
    task.shapes, task.looks = task.shapes[[1, 0, 3, 2]], task.looks[[1, 0, 3, 2]]
    wrong = phase.loss(seen)
    assert right["shapes_likeness"] != wrong["shapes_likeness"]
    assert right["looks_likeness"] != wrong["looks_likeness"]


def test_lessons_are_written_and_read_again_the_same_however_many_make_them(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PLACES", 1)
    monkeypatch.setattr(lessons, "EACH", 4)
    written = lessons.write(tmp_path / "one", [2])
    lessons.write(tmp_path / "other", [2], processes=2)
    read, other = lessons.read(tmp_path / "one"), lessons.read(tmp_path / "other")
    assert np.array_equal(written.maps, read.maps)
    assert all(np.array_equal(getattr(read, name), getattr(other, name)) for name in lessons.NAMES)
    assert len(np.unique(read.people)) == 12
    assert (read.numbers[:, 11] == 1).mean() > 0.95


def test_a_folder_without_lessons_is_an_error_of_one_line(tmp_path):
    with pytest.raises(InputError, match="has no lessons"):
        lessons.read(tmp_path)


def test_frames_become_one_vector_no_longer_than_1():
    network = Network(3).eval()
    with torch.inference_mode():
        made = network.by_maps(torch.randn(5, MAPS * CHANNELS, SIDE, SIDE), torch.randn(5, NUMBERS))
    assert made.shape == (5, 128)
    assert (made.norm(dim=1) <= 1).all()
