"""Our recipe for TVRID: sets of frames, depth alone, and lessons that are the same every time."""

import numpy as np
import pytest
import torch

from configs.build import InputError
from engines._overhead_maps import CHANNELS, MAPS, NUMBERS, SIDE
from engines.reid import lessons
from engines.reid.fit import Training
from engines.reid.lessons import PICTURE_PX, Lessons
from engines.reid.methods.tvrid import (
    LessonTask,
    Network,
    Tvrid,
    half_turned,
    together,
    without_color,
)
from engines.reid.overhead_people import packed, unpacked


def drawn(people=6, passages=4, frames=2):
    random, n = np.random.default_rng(1), people * passages * frames
    return Lessons(
        random.integers(0, 255, (n, MAPS * CHANNELS, SIDE, SIDE), np.uint8),
        random.normal(size=(n, NUMBERS)).astype(np.float32),
        random.integers(0, 255, (n, PICTURE_PX, PICTURE_PX, 3), np.uint8),
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


def test_every_term_reaches_every_part_that_is_learned(tmp_path):
    task = LessonTask.of([drawn(3), drawn(3)], 2, seed=1)
    assert task.people_count == 6
    method = Tvrid(epochs=1, people_a_batch=4)
    network = method.network(6, 1)
    phase = method.phases(network, task)["sets"]()
    sum(phase.loss(phase.read(phase.draw(task.generator("x"))[0], task.generator("y"))).values()).backward()
    assert [name for name, one in network.named_parameters() if one.grad is None] == []


def test_trains_to_the_same_bits_twice(tmp_path):
    made = []
    for name in ("one", "other"):
        task = LessonTask.of([drawn()], 2, seed=1)
        method = Tvrid(epochs=1, people_a_batch=3)
        task.seed_all()
        path = Training(tmp_path / name, network := method.network(6, 1), task, {}).fit(
            method.phases(network, task)
        )
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_lessons_are_written_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PLACES", 1)
    monkeypatch.setattr(lessons, "EACH", 4)
    written = lessons.write(tmp_path / "l", [2])
    read = lessons.read(tmp_path / "l")
    assert np.array_equal(written.maps, read.maps)
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
