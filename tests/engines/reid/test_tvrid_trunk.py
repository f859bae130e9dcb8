"""What the baseline of TVRID begins with where no weights of ImageNet are at hand."""

import numpy as np
import torch

from engines.reid import tvrid_trunk
from engines.reid.methods.tvrid_baseline import TvridBaseline
from engines.reid.overhead_people import GROUP
from engines.reid.task import Picture
from engines.reid.tvrid_trunk import KEPT_PX, SHOWN_PX, TellingApart, Trunk, crops, train


def test_what_was_taught_is_what_the_baseline_begins_with(tmp_path):
    random = np.random.default_rng(1)
    samples = [
        Picture(random.integers(0, 255, (KEPT_PX, KEPT_PX, 3), np.uint8), person)
        for person in (0, 0, 1, 1, 2, 2)
    ]
    method = TellingApart(epochs=1, batch=3)
    path = train(samples, method, tmp_path, lambda place, epochs, steps: None)
    backbone = TvridBaseline(weights=str(path), size=66).network(3, 1).color.backbone
    taught = torch.load(path, weights_only=True)
    assert sorted(taught) == sorted(backbone.state_dict())
    assert torch.equal(backbone.layer4[2].conv3.weight, taught["layer4.2.conv3.weight"])
    assert taught["bn1.running_mean"].abs().sum() > 0


def test_every_part_of_the_trunk_learns():
    network, method = Trunk(2), TellingApart(batch=2)
    pictures = [Picture(np.full((KEPT_PX, KEPT_PX, 3), 90 * who, np.uint8), who) for who in (0, 1)]
    task = tvrid_trunk.Task(pictures)
    phase = method.phases(network, task)["coarse"]()
    phase.loss(phase.read(np.array([0, 1]), task.generator("x")))["people"].backward()
    assert [name for name, one in network.named_parameters() if one.grad is None] == []


def test_a_crop_is_turned_by_quarters_and_shifted_by_chance():
    picture = np.zeros((KEPT_PX, KEPT_PX, 3), np.uint8)
    picture[:SHOWN_PX, :30] = 255
    method = TellingApart(px=SHOWN_PX, batch=2)
    task = tvrid_trunk.Task([Picture(picture, 0), Picture(picture, 1)])
    phase = method.phases(Trunk(2), task)["coarse"]()
    seen = [phase.read(np.array([0]), task.generator(n)).pictures[0, 0] > 0 for n in range(40)]
    whole = [(one.all(0).any().item(), one.all(1).any().item()) for one in seen]
    assert {(True, False), (False, True)} <= set(whole)  # upright and lying
    assert len({int(one.sum()) for one in seen}) > 5


def test_crops_are_of_other_people_than_a_set_has(monkeypatch):
    for name in ("PLACES", "PASSAGES", "FRAMES"):
        monkeypatch.setattr(tvrid_trunk, name, 1)
    made = list(crops([2_000_001, 2_000_000]))
    assert [one.person for one in made] == list(range(2 * GROUP))
    assert {one.image.shape for one in made} == {(KEPT_PX, KEPT_PX, 3)}
    again = next(iter(crops([2_000_001])))
    assert np.array_equal(again.image, made[0].image)
