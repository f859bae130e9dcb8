"""DPM's parts: what makes a mask, what a mask is learned against, and hiding people behind what hid others."""

from dataclasses import replace
from math import acos, cos
from pathlib import Path

import numpy as np
import pytest
import torch
from method_twins import training, twin
from torch.nn import functional as F

from engines.index.masked import masked_cosines
from engines.reid.data.synthped import NAME, SynthPed
from engines.reid.lab.laboratory import Key
from engines.reid.masks import MaskGenerator, Prototypes, arcface, heads_overlap
from engines.reid.transfer import Donors, agreement, cut_out, flipped, mixed
from engines.reid.transformer import Block


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_mask_begins_as_good_as_none():
    made = MaskGenerator(8, 2, (8, 4), 16)
    assert torch.equal(made([torch.randn(3, 32, 8)] * 2), torch.full((3, 8), 0.5))


@pytest.mark.parametrize("grid", [(21, 10), (8, 4), (2, 1), (1, 1)])
def test_a_mask_is_of_its_picture_and_its_depths(grid):
    made = MaskGenerator(8, 2, grid, 16).eval()
    torch.nn.init.normal_(made.last.weight)
    shallow, deep = torch.randn(3, grid[0] * grid[1], 8), torch.randn(3, grid[0] * grid[1], 8)
    mask = made([shallow, deep])
    assert mask.shape == (3, 8) and (mask > 0).all() and (mask < 1).all()
    assert torch.allclose(made([shallow[1:2], deep[1:2]]), mask[1:2], atol=1e-5)
    assert not torch.allclose(made([deep, shallow]), mask)


def test_masked_cosines_of_prototypes_are_those_of_a_loop_and_of_the_gallery():
    prototypes, features, mask = Prototypes(12, 5), torch.randn(4, 12), torch.rand(4, 12)
    made = prototypes.masked_cosines(features, mask).detach()
    for i in range(4):
        for j in range(5):
            seen = mask[i] * F.normalize(prototypes.weight[j], dim=0)
            assert float(made[i, j]) == pytest.approx(
                float(F.cosine_similarity(features[i], seen.detach(), dim=0)), abs=1e-5
            )
    unit = F.normalize(prototypes.weight).detach().numpy()
    again = masked_cosines(F.normalize(features).numpy(), mask.numpy(), unit)
    assert made.numpy() == pytest.approx(again, abs=1e-5)


def test_a_mask_that_is_the_same_everywhere_gives_plain_cosines():
    prototypes, features = Prototypes(12, 5), torch.randn(4, 12)
    made = prototypes.masked_cosines(features, torch.full((4, 12), 0.3))
    assert torch.allclose(made, F.normalize(features) @ F.normalize(prototypes.weight).T, atol=1e-5)


@pytest.mark.parametrize("own", [0.9, 0.1, -0.5, -0.95])
def test_arcface_widens_the_angle_of_ones_own(own):
    cosines, margin, scale = torch.tensor([[own, 0.2, -0.3]]), 0.5, 30.0
    wider = (
        cos(acos(own) + margin) if own > cos(3.141592653589793 - margin) else own - margin * np.sin(margin)
    )
    wanted = F.cross_entropy(scale * torch.tensor([[wider, 0.2, -0.3]]), torch.tensor([0]))
    assert float(arcface(cosines, torch.tensor([0]), margin)) == pytest.approx(float(wanted), rel=1e-4)
    plain = F.cross_entropy(scale * cosines, torch.tensor([0]))
    assert float(arcface(cosines, torch.tensor([0]), 0.0)) == pytest.approx(float(plain), rel=1e-4)


@torch.no_grad()
def test_heads_that_look_at_the_same_overlap():
    block, tokens = Block(128, "quick_gelu"), torch.randn(3, 6, 128)
    given = block.ln_1(tokens)
    query, key, _ = (given @ block.attn.in_proj_weight.T + block.attn.in_proj_bias).split(128, dim=2)
    total = 0.0
    for n in range(3):
        looks = torch.stack([key[n, 1:, h : h + 64] @ query[n, 0, h : h + 64] for h in (0, 64)])
        looks = F.normalize(looks)
        total += float((looks @ looks.T - torch.eye(2)).square().sum())
    assert float(heads_overlap(block, tokens)) == pytest.approx(total / 4, rel=1e-4)
    with torch.no_grad():
        for part in block.attn.in_proj_weight[:128], block.attn.in_proj_weight[128:256]:
            part[64:] = part[:64]
    assert float(heads_overlap(block, tokens)) == pytest.approx(3 * 2 / 4, rel=1e-3)


def test_patches_that_are_not_kept_are_the_donors():
    patches, donors = torch.zeros(2, 4, 3), torch.ones(2, 4, 3)
    made = mixed(patches, donors, torch.tensor([[1.0, 0, 1, 0], [1, 1, 1, 1]]))
    assert made[0, :, 0].tolist() == [0, 1, 0, 1] and made[1].sum() == 0


def standing(*columns, tall=6, wide=4):
    """A mask of somebody in these columns."""
    mask = np.zeros((tall, wide), bool)
    mask[1:, list(columns)] = True
    return mask


def test_a_donor_stands_much_as_whoever_is_to_be_hidden():
    masks = np.stack([standing(1, 2), standing(1, 2), standing(0), standing(2, 3), np.zeros((6, 4), bool)])
    donors = Donors(masks)
    random = np.random.default_rng(0)
    assert {donors.drawn(0, random) for _ in range(20)} == {1}
    assert donors.drawn(2, random) == 2  # nobody stands there
    assert donors.drawn(3, random) == 3  # turned they are alike, but not as they stand
    assert donors.drawn(4, random) == 4  # nobody is in it


def test_what_is_kept_is_where_the_donors_person_was():
    donors = Donors(np.stack([standing(1, 2), standing(1)]))
    kept, share = donors.kept(0, 1)
    assert kept.reshape(6, 4)[1:, 1].all() and kept.sum() == 5 and share == 0.5
    assert donors.kept(0, 0)[0].all() and donors.kept(0, 0)[1] == 1.0
    assert torch.equal(flipped(kept, (6, 4)).reshape(6, 4), torch.from_numpy(kept).reshape(6, 4).flip(1))


def test_grabcut_finds_where_people_are():
    data = SynthPed(Path(), train_people=9, size=(128, 64))
    shares = []
    for record in data.train()[::6]:
        seen = data.laboratory.seen(Key(*map(int, NAME.fullmatch(record.path.name).groups())))
        person = seen.mask.reshape(8, 16, 4, 16).mean(axis=(1, 3)) >= 0.5
        found = cut_out(seen.picture, (8, 4))
        assert found.shape == (8, 4)
        shares.append((person & found).sum() / max(1, (person | found).sum()))
        assert (cut_out(seen.picture, (8, 4)) == found).all()  # the same every time
    assert np.mean(shares) > 0.7


def test_whoever_is_hidden_is_to_agree_where_they_can_be_trusted_and_does_not_pull():
    whole, shown = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    agreed, rest = agreement(shown, whole, torch.tensor([[1.0, 1, 0, 0]]).expand(3, 4))
    apart = (F.normalize(shown) - F.normalize(whole)).square().detach()
    assert float(agreed.detach()) == pytest.approx(float(apart[:, :2].sum(1).mean()), rel=1e-5)
    assert float(rest.detach()) == pytest.approx(float(apart[:, 2:].sum(1).mean()), rel=1e-5)
    agreed.backward()
    assert whole.grad is None and shown.grad.abs().sum() > 0


def test_half_of_the_pictures_are_the_others_hidden(tmp_path):
    made, phases = training("dpm grabcut in turns", tmp_path)
    phase, network = phases["images"](), made.network
    batches = phase.draw(np.random.default_rng(0))
    assert [int(one[0]) for one in batches[:4]] == [1, 0, 1, 0]
    assert (batches[0][1:] == batches[1][1:]).all()
    pairs = phase.read(batches[0], np.random.default_rng(1))
    count = len(pairs.donors)
    assert len(pairs.pictures) == 2 * count == 6
    assert torch.equal(pairs.pictures[:count], pairs.pictures[count:])
    assert torch.equal(pairs.people[:count], pairs.people[count:])
    assert pairs.kept.shape == (count, network.clip.visual.grid[0] * network.clip.visual.grid[1])


def test_in_turns_the_mask_learns_on_every_second_step_and_the_rest_on_the_others(tmp_path):
    made, phases = training("dpm grabcut in turns", tmp_path)
    phase, network = phases["images"](), made.network
    for number, batch in enumerate(phase.draw(np.random.default_rng(0))[:2]):
        terms = phase.loss(phase.read(batch, np.random.default_rng(1)))
        network.zero_grad()
        sum(terms.values()).backward()
        moved = {name.split(".")[0] for name, one in network.named_parameters() if one.grad is not None}
        assert moved == ({"clip", "prototypes"}, {"masker"})[number]


def test_prototypes_may_begin_at_what_the_texts_say(tmp_path):
    made, phases = training("dpm without transfer", tmp_path)
    network = made.network
    bank = twin("dpm without transfer").bank(network, made.task)
    phases["images"]()
    said = F.normalize(network.prototypes.weight @ network.clip.visual.proj)
    assert (said * F.normalize(bank)).sum(1).min() > 0.999


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pictures_each": 3}, "pictures_each must be even, half of them hidden, or saliency none, got 3"),
        ({"levels": ()}, "levels must be blocks from 1 to 6, got \\[\\]"),
        ({"levels": (1, 7)}, "levels must be blocks from 1 to 6, got \\[1, 7\\]"),
        ({"levels": (0,)}, "levels must be at least 1, got 0"),
    ],
)
def test_a_wrong_setting_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        replace(twin("dpm"), **settings).network(2, 1)


@torch.no_grad()
def test_patches_may_be_changed_before_they_are_told_where_they_are():
    visual = twin("dpm").network(2, 1).eval().clip.visual
    one, other = torch.randn(2, 1, 3, 64, 32)
    assert not torch.allclose(visual(one).last, visual(other).last)
    hidden = [visual(some, patched=torch.zeros_like).last for some in (one, other)]
    assert torch.equal(*hidden)
    behind = visual(one, patched=lambda own: mixed(own, visual.patches(other), torch.zeros(1, 32))).last
    assert torch.allclose(behind, visual(other).last, atol=1e-5)
