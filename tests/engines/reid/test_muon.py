"""Muon: every direction of a matrix alike, and what is left of it in a file is all that it needs to go on."""

import pytest
import torch
from torch import nn

from engines.reid.muon import AS_LARGE, Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_all_directions_of_what_is_turned_are_as_long(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1.5, shape[1]))
    made = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    sizes = torch.linalg.svdvals(made)
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3
    assert ((left.T @ made @ right.T).diagonal() > 0.6).all()


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))


def at_rate(made, rate, weight_decay):
    optimizer = Muon(made, weight_decay)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return optimizer


def stepped(made, optimizer, steps, seed):
    torch.manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        made(torch.randn(16, 3, 3, 3)).square().sum().backward()
        optimizer.step()


def test_a_step_is_as_large_as_those_of_adamw_whatever_the_gradient():
    made = network()
    before = made[0].weight.detach().clone()
    stepped(made, at_rate(made, 0.01, 0.0), 1, 1)
    moved = (made[0].weight - before).square().mean().sqrt()
    assert moved.item() == pytest.approx(0.01 * AS_LARGE, rel=0.25)


def test_only_matrices_decay():
    made = network()
    biases = made[3].bias.detach().clone()
    optimizer = at_rate(made, 0.1, 0.5)
    for one in made.parameters():
        one.grad = torch.zeros_like(one)
    before = made[3].weight.detach().clone()
    optimizer.step()
    assert torch.equal(made[3].bias, biases)
    assert made[3].weight.detach() == pytest.approx(before * 0.95)


def test_it_goes_on_from_its_state_to_the_bit():
    whole, cut = network(), network()
    through, first = Muon(whole, 0.01), Muon(cut, 0.01)
    stepped(whole, through, 2, 1)
    stepped(cut, first, 2, 1)
    second = Muon(cut, 0.01)
    second.load_state_dict(first.state_dict())
    stepped(whole, through, 2, 2)
    stepped(cut, second, 2, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), cut.parameters(), strict=True))
