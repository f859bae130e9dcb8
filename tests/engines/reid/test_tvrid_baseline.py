"""The official baseline of TVRID as its code has it: shapes, what is frozen, what is shared, what it learns from."""

import numpy as np
import pytest
import torch

from configs.build import InputError
from engines.reid import checkpoint
from engines.reid.data.tvrid import Tvrid
from engines.reid.methods.tvrid_baseline import (
    ColorEncoder,
    DepthEncoder,
    Network,
    TvridBaseline,
    prepared,
    sides,
)
from engines.reid.overhead_people import crowd
from engines.reid.task import Task
from engines.reid.tvrid_baseline_run import frames_of, train, vectors_of
from engines.reid.tvrid_set import _write_part, passages


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    """Three people in the layout of TVRID, with two frames a passage."""
    folder = tmp_path_factory.mktemp("tvrid")
    people = crowd(3, 72)
    _write_part(folder / "train_labels.csv", folder / "train", passages(people, 72, 2), (1, 72))
    _write_part(
        folder / "public_test_labels.csv", folder / "test_public", passages(people[:2], 73, 2), (4, 73)
    )
    return folder


def test_the_depth_encoder_halves_224_to_3():
    assert sides(224) == [111, 55, 27, 13, 6, 3]
    assert DepthEncoder().last.in_features == 512 * 3 * 3


def test_the_depth_encoder_has_one_block_that_it_uses_four_times():
    encoder = DepthEncoder(96)
    convolutions = [one for one in encoder.modules() if isinstance(one, torch.nn.Conv2d)]
    assert [tuple(one.weight.shape[:2]) for one in convolutions] == [(64, 1), (512, 64), (512, 512)]
    counts = []
    encoder.again.register_forward_hook(lambda *_: counts.append(1))
    assert encoder(torch.zeros(2, 1, 96, 96)).shape == (2, 128)
    assert len(counts) == 4


def test_the_colour_encoder_is_a_resnet_50_whose_vector_is_never_below_0():
    encoder = ColorEncoder()
    backbone = sum(one.numel() for one in encoder.backbone.parameters())
    assert backbone == 25_557_032 - 2048 * 1000 - 1000  # torchvision's, without its classifier
    vectors = encoder(torch.randn(2, 3, 64, 64))
    assert vectors.shape == (2, 128)
    assert (vectors >= 0).all()


def test_the_first_five_children_are_frozen_but_for_their_norms_statistics():
    backbone = ColorEncoder().train().backbone
    frozen = [name for name, one in backbone.named_parameters() if not one.requires_grad]
    assert {name.split(".")[0] for name in frozen} == {"conv1", "bn1", "layer1"}
    before = backbone.bn1.running_mean.clone()
    backbone(torch.randn(2, 3, 64, 64))
    assert not torch.equal(before, backbone.bn1.running_mean)


def test_a_passage_is_the_mean_of_its_frames():
    network = Network(96).eval()
    frames = torch.randn(1, 3, 1, 96, 96)
    with torch.inference_mode():
        whole, each = network.passages(frames), network.depth(frames[0])
    assert whole[0] == pytest.approx(each.mean(0), abs=1e-6)


def test_frames_are_fitted_as_its_transforms_do():
    colors = prepared([np.full((300, 300, 3), 255, np.uint8)] * 2, 224)
    assert colors.shape == (2, 3, 224, 224)
    assert colors[0, :, 0, 0] == pytest.approx((1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225])
    depth = prepared([np.full((300, 400), 0.25, np.float32)], 224)
    assert depth.shape == (1, 1, 224, 224)
    assert depth.numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("track", "channels"), [("rgb", (3, 3, 3)), ("depth", (1, 1, 1)), ("cross", (3, 1, 1))]
)
def test_a_triplet_is_of_the_tracks_modalities_and_of_two_people(small_set, track, channels):
    method = TvridBaseline(track=track, size=66, frames=2, batch=4)
    task = method.task(Tvrid(small_set).train(), seed=1)
    phase = method.phases(method.network(3, 4), task)["triplets"]()
    (batch, *_) = phase.draw(task.generator("x"))
    seen = phase.read(batch, task.generator("y"))
    assert tuple(one.shape[2] for one in seen) == channels
    assert seen.anchors.shape[:2] == (4, 2)
    assert not torch.equal(seen.positives, seen.negatives)


def test_some_of_a_passages_frames_are_drawn_anew_each_time(small_set):
    method = TvridBaseline(track="depth", size=66, frames=2, batch=2, at_once=1)
    task = method.task(Tvrid(small_set).train(), seed=1)
    phase = method.phases(method.network(3, 4), task)["triplets"]()
    seen = [phase.read(np.array([0]), task.generator(number)).anchors[0] for number in range(12)]
    assert {tuple(one.shape) for one in seen} == {(1, 1, 66, 66)}
    both = task.shown(0)[1]
    assert {torch.equal(one[0], both[0]) for one in seen} == {True, False}
    assert all(torch.equal(one[0], both[0]) or torch.equal(one[0], both[1]) for one in seen)


def test_refuses_more_frames_at_once_than_there_are():
    with pytest.raises(ValueError, match="at_once must be from 0 to 5"):
        TvridBaseline(at_once=6)


def test_its_loss_is_of_squared_distances(small_set):
    method = TvridBaseline(track="depth", size=66, frames=1, batch=2)
    task = method.task(Tvrid(small_set).train(), seed=1)
    network = method.network(3, 4).eval()
    phase = method.phases(network, task)["triplets"]()
    seen = phase.read(np.array([0, 1]), task.generator("y"))
    a, b, c = (network.passages(one) for one in seen)
    wanted = ((a - b).square().sum(1) - (a - c).square().sum(1) + 0.25).clamp(min=0).mean()
    assert phase.loss(seen)["triplet"].item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(("warm_up", "rates"), [(0, [1e-3, 1e-3, 1e-3]), (3, [2.5e-4, 5e-4, 1e-3])])
def test_its_rate_stays_what_it_is_after_the_warm_up(small_set, warm_up, rates):
    method = TvridBaseline(track="depth", size=66, frames=1, batch=2, warm_up=warm_up)
    task = method.task(Tvrid(small_set).train(), seed=1)
    phase = method.phases(method.network(3, 4), task)["triplets"]()
    assert [phase.rate(epoch) for epoch in (1, 2, 9)] == pytest.approx(rates)


def test_refuses_a_size_of_which_nothing_is_left():
    with pytest.raises(ValueError, match="size must be at least 66"):
        TvridBaseline(size=64)


def test_refuses_weights_of_another_network(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other.pth: is no ResNet-50 of torchvision's"):
        TvridBaseline(weights=str(tmp_path / "other.pth"), size=66).network(2, 1)


def test_a_set_that_was_written_is_read_as_tvrid(small_set):
    of = Tvrid(small_set)
    assert len(of.train()) == 24
    for track in ("rgb", "depth", "cross"):
        trial = of.trial(track)
        assert len(trial.query) == len(trial.gallery) == 16
        assert {one.view for one in trial.query} == {"flat", "upward", "downward", "upsideDown"}


def test_trained_on_passages_in_memory_it_says_what_its_track_knows(tmp_path):
    some = list(passages(crowd(2, 72), 72, 2))
    method = TvridBaseline(track="depth", size=66, frames=2, at_once=1, epochs=1)
    path = train(iter(some), method, tmp_path / "depth", lambda place, epochs, steps: None)
    (tmp_path / "cross").mkdir()
    state, told = checkpoint.load(path)
    checkpoint.save(tmp_path / "cross" / path.name, state, {**told, "track": "cross"})
    said = vectors_of([(one, [0, 1]) for one in some[:3]], tmp_path)
    assert {track: sorted(kinds) for track, kinds in said.items()} == {
        "cross": ["depth", "rgb"],
        "depth": ["depth"],
    }
    network = Network(66).eval()
    network.load_state_dict(state)
    with torch.inference_mode():
        wanted = network.passages(frames_of(some[2], [0, 1], 66)[1][None])[0]
    assert said["depth"]["depth"][2] == pytest.approx(wanted.numpy(), abs=1e-6)


def test_one_person_alone_cannot_be_told_apart():
    with pytest.raises(InputError, match="are of one person"):
        Task([])
