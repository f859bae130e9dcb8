"""What the baseline of TVRID begins with where no weights of ImageNet are at hand."""

import numpy as np
import pytest
import torch

from configs.build import InputError
from engines.reid import tvrid_trunk
from engines.reid.methods.tvrid_baseline import TvridBaseline
from engines.reid.overhead_people import GROUP, crowd
from engines.reid.task import Picture
from engines.reid.tvrid_trunk import COLORS, KEPT_PX, KINDS, SHOWN_PX, Dress, Wardrobe, kept_crops, train

PEOPLE = crowd(3, 72)


def wardrobe(images):
    samples = [Picture(image, at % 3) for at, image in enumerate(images)]
    return Wardrobe.of(samples, PEOPLE, workers=1)


def test_what_was_taught_is_what_the_baseline_begins_with(tmp_path):
    random = np.random.default_rng(1)
    task = wardrobe(random.integers(0, 255, (6, KEPT_PX, KEPT_PX, 3), np.uint8))
    path = train(task, Dress(epochs=1, px=24, batch=3), tmp_path, lambda place, epochs, steps: None)
    backbone = TvridBaseline(weights=str(path), size=66).network(3, 1).color.backbone
    taught = torch.load(path, weights_only=True)
    assert sorted(taught) == sorted(backbone.state_dict())
    assert torch.equal(backbone.layer4[2].conv3.weight, taught["layer4.2.conv3.weight"])
    assert taught["bn1.running_mean"].abs().sum() > 0


def test_it_is_taught_what_the_person_of_a_crop_wears():
    task = wardrobe(np.zeros((3, KEPT_PX, KEPT_PX, 3), np.uint8))
    phase = Dress(batch=3).phases(Dress().network(3, 1), task)["worn"]()
    seen = phase.read(np.array([2, 0]), task.generator("x"))
    for row, person in zip(seen.kinds, (PEOPLE[2], PEOPLE[0]), strict=True):
        worn = [some[at] for some, at in zip(KINDS.values(), row.tolist(), strict=True)]
        assert worn == [getattr(person.outfit, name) for name in KINDS]
    top = np.array(PEOPLE[2].materials[2].color) ** (1 / 2.2)
    assert seen.colors[0, 3:6].numpy() == pytest.approx(top, abs=1e-6)
    assert seen.colors.shape == (2, COLORS)


def test_every_kind_and_the_colours_reach_the_trunk():
    task = wardrobe(np.full((3, KEPT_PX, KEPT_PX, 3), 90, np.uint8))
    network = Dress().network(3, 1)
    phase = Dress(px=24, batch=3).phases(network, task)["worn"]()
    terms = phase.loss(phase.read(np.arange(3), task.generator("x")))
    assert list(terms) == [*KINDS, "colors"]
    for term in terms.values():
        network.zero_grad()
        term.backward(retain_graph=True)
        assert network.trunk.conv1.weight.grad.abs().sum() > 0


def test_a_crop_is_turned_by_quarters_and_shifted_by_chance():
    picture = np.zeros((KEPT_PX, KEPT_PX, 3), np.uint8)
    picture[:SHOWN_PX, :30] = 255
    task = wardrobe(np.stack([picture] * 3))
    phase = Dress(px=SHOWN_PX, batch=3).phases(Dress().network(3, 1), task)["worn"]()
    seen = [phase.read(np.array([0]), task.generator(n)).pictures[0, 0] > 0 for n in range(40)]
    whole = [(one.all(0).any().item(), one.all(1).any().item()) for one in seen]
    assert {(True, False), (False, True)} <= set(whole)  # upright and lying
    assert len({int(one.sum()) for one in seen}) > 5


def test_crops_are_made_once_and_read_again(tmp_path, monkeypatch):
    for name in ("PLACES", "PASSAGES", "FRAMES"):
        monkeypatch.setattr(tvrid_trunk, name, 1)
    made = kept_crops(tmp_path, [2_000_001, 2_000_000])
    assert [one.person for one in made] == list(range(2 * GROUP))
    assert {one.image.shape for one in made} == {(KEPT_PX, KEPT_PX, 3)}
    monkeypatch.setattr(tvrid_trunk, "crops", None)
    again = kept_crops(tmp_path, [2_000_001, 2_000_000])
    assert np.array_equal(np.stack([one.image for one in made]), np.stack([one.image for one in again]))


def test_crops_that_cannot_be_read_are_an_error_of_one_line(tmp_path):
    (tmp_path / "crops.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"crops.npz: is not to be had"):
        kept_crops(tmp_path, [1])
