"""DPM++ of bands: what covers one spoils no other, what is covered is known, and masks are learned from pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from method_twins import training, twin

from engines.reid.covered import Covers, moved, rectangle


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@torch.no_grad()
def test_what_covers_a_band_changes_the_vector_of_no_other():
    network = twin("dpm_bands").network(2, 1).eval()
    whole = torch.randn(1, 3, 64, 32)
    covered = whole.clone()
    covered[:, :, :16] = torch.randn(1, 3, 16, 32)
    looked = torch.zeros(1, 32)  # as much of each patch shows, whatever covers it
    network.seen.eye.forward = lambda _: (torch.zeros(1, 4), looked)
    before, after = (network.seen(one).vectors.reshape(4, -1) for one in (whole, covered))
    assert torch.allclose(before[1:], after[1:], atol=1e-6) and not torch.allclose(before[0], after[0])
    assert before.norm(dim=1).tolist() == pytest.approx([0.5] * 4)


@torch.no_grad()
def test_a_patch_that_shows_nobody_hardly_counts():
    network = twin("dpm_bands").network(2, 1).eval()
    whole = torch.randn(1, 3, 64, 32)
    covered = whole.clone()
    covered[:, :, :16, :8] = torch.randn(1, 3, 16, 8)  # two patches of the first band

    def likeness(shows):
        looked = torch.full((1, 32), 6.0)
        looked[0, [0, 4]] = shows
        network.seen.eye.forward = lambda _: (torch.zeros(1, 4), looked)
        before, after = (network.seen(one).vectors[0, :64] for one in (whole, covered))
        return float(before @ after / before.norm() / after.norm())

    assert likeness(shows=-6.0) > 0.99 > likeness(shows=6.0)


def test_covers_are_where_they_are_said_to_be():
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)
    people = np.zeros((5, 64, 32), bool)
    people[:, 8:60, 8:24] = True
    covers = Covers(pictures, people)
    for at in range(40):
        one = covers.drawn(at % 5, 1.0, random)
        same = [
            (one.picture == some).all(axis=2) | (some == 0).all(axis=2)
            for some in (pictures[at % 5], pictures[at % 5][:, ::-1])
        ]
        assert any((alike | ~one.shows).all() for alike in same)  # whatever shows is as it was
        assert not (one.shows & ~one.person).any()
    bare = covers.drawn(0, 0.0, random)
    assert (bare.shows == bare.person).all()


def test_rectangles_are_of_the_shares_they_are_drawn_from():
    random = np.random.default_rng(1)
    shares = [rectangle((64, 32), random).mean() for _ in range(300)]
    assert min(shares) > 0.03 and max(shares) < 0.63 and np.std(shares) > 0.1


def test_what_is_moved_leaves_nothing_where_it_was():
    picture = np.arange(6).reshape(2, 3)
    assert moved(picture, 0, 1).tolist() == [[0, 0, 1], [0, 3, 4]]
    assert moved(picture, -1, -2).tolist() == [[5, 0, 0], [0, 0, 0]]


def test_what_shows_is_told_of_patches_and_of_bands(tmp_path):
    method = twin("dpm_bands")
    person = np.zeros((64, 32), bool)
    person[:48, 8:24] = True
    shows = person.copy()
    shows[:12] = False  # three quarters of the first band
    patches, trust, is_there = method._known(type("One", (), {"person": person, "shows": shows}))
    assert (
        patches.reshape(8, 4)[:, 1].tolist() == [0, 0.5, 1, 1, 1, 1, 0, 0]
        and not patches.reshape(8, 4)[:, 0].any()
    )
    assert trust.tolist() == [0.5, 1, 1, 0] and is_there.tolist() == [True, True, True, False]


def test_masks_are_taught_by_what_is_covered_and_by_nothing_else(tmp_path):
    made, phases = training("dpm_bands", tmp_path)
    phase, network = phases["images"](), made.network
    batch = phase.read(phase.draw(np.random.default_rng(0))[0], np.random.default_rng(1))
    eye = list(network.seen.eye.parameters())
    for name, term in phase.loss(batch).items():
        network.zero_grad()
        if term.requires_grad:
            term.backward(retain_graph=True)
        moves = any(one.grad is not None and one.grad.abs().sum() > 0 for one in eye)
        assert not moves or name in ("shows", "trust")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bands": 3}, "bands divide the 8 rows of patches, got 3"),
        ({"stride": (4, 4)}, "stride must be the patch's 8 px"),
        ({"blocks": 7}, "blocks must be from 1 to 6, got 7"),
        ({"length": 0}, "length must be at least 1, got 0"),
    ],
)
def test_a_wrong_setting_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        replace(twin("dpm_bands"), **settings).network(2, 1)
