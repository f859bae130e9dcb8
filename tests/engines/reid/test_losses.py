"""Each loss against a loop that says what it is, or a number worked out by hand."""

from itertools import product
from math import exp, log

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engines.reid import losses

PEOPLE = torch.tensor([0, 0, 1, 1, 2, 2, 2, 0])


@pytest.fixture
def features():
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def others():
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(4))


def softmax(row):
    return np.exp(row - row.max()) / np.exp(row - row.max()).sum()


def test_identity_is_smoothed_cross_entropy():
    scores, target = np.array([2.0, 0.0, -1.0]), np.array([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    loss = losses.identity(torch.tensor(scores)[None], torch.tensor([0]))
    assert loss.item() == pytest.approx(-(target * np.log(softmax(scores))).sum(), abs=1e-6)


def test_triplet_mines_what_brute_force_finds(features):
    apart = np.linalg.norm(features[:, None].numpy() - features[None].numpy(), axis=2)
    hard = []
    for anchor, row in enumerate(apart):
        same = PEOPLE.numpy() == PEOPLE[anchor].item()
        hard.append(row[same].max() - row[~same].min())
    assert losses.triplet(features, PEOPLE, 0.3).item() == pytest.approx(
        np.maximum(np.array(hard) + 0.3, 0).mean(), abs=1e-5
    )
    assert losses.triplet(features, PEOPLE, None).item() == pytest.approx(
        np.log1p(np.exp(hard)).mean(), abs=1e-5
    )


def test_a_soft_triplet_at_equal_distances_is_the_logarithm_of_two():
    corners = torch.eye(4)
    assert losses.triplet(corners, torch.tensor([0, 0, 1, 1]), None).item() == pytest.approx(log(2))


def test_a_triplet_of_one_picture_twice_has_a_gradient_that_is_a_number():
    same = torch.ones(4, 3, requires_grad=True)
    losses.triplet(same, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(same.grad).all()


def test_supervised_contrast_is_what_the_loop_says(features, others):
    total = 0.0
    for anchor in range(8):
        logs = np.log(softmax((others @ features[anchor]).numpy()))
        positives = [logs[other] for other in range(8) if PEOPLE[other] == PEOPLE[anchor]]
        total -= sum(positives) / len(positives)
    loss = losses.supervised_contrast(features, others, PEOPLE, PEOPLE)
    assert loss.item() == pytest.approx(total / 8, abs=1e-5)


def test_supervised_contrast_of_unlike_people_is_cross_entropy(features, others):
    people = torch.arange(8)
    loss = losses.supervised_contrast(features, others, people, people, temperature=1.0)
    assert loss.item() == pytest.approx(F.cross_entropy(features @ others.T, people).item(), abs=1e-6)


def test_picture_to_text_is_cross_entropy_over_the_texts_of_all(features, others):
    loss = losses.picture_to_text(features, others[:3], PEOPLE)
    scores = (features @ others[:3].T).numpy()
    target = 0.9 * np.eye(3)[PEOPLE] + 0.1 / 3
    expected = -(target * np.log([softmax(row) for row in scores])).sum(1).mean()
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_similarity_distribution_is_what_the_loop_says(features, others):
    unit = [(one / one.norm(dim=1, keepdim=True)).numpy().astype(np.float64) for one in (features, others)]
    total = 0.0
    for a, b in (unit, unit[::-1]):
        for row in range(8):
            found = softmax(a[row] @ b.T / 0.02)
            same = (PEOPLE[row] == PEOPLE).numpy()
            total += (found * (np.log(found) - np.log(same / same.sum() + 1e-8))).sum() / 8
    assert losses.similarity_distribution(features, others, PEOPLE).item() == pytest.approx(total, rel=1e-4)


def test_instance_contrast_is_symmetric_and_small_for_pairs_that_match(features, others):
    there = losses.instance_contrast(features, others, 10.0)
    back = losses.instance_contrast(others, features, 10.0)
    assert there.item() == pytest.approx(back.item(), abs=1e-6)
    matched = losses.instance_contrast(torch.eye(4), 3 * torch.eye(4), 5.0)
    assert matched.item() == pytest.approx(log(1 + 3 * exp(-5)), abs=1e-6)


def test_distillation_is_scaled_divergence_and_leaves_the_teacher_alone():
    student, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]], requires_grad=True)
    found, wanted = softmax(np.array([0.5, 0.0])), softmax(np.array([1.5, 0.0]))
    loss = losses.distillation(student.requires_grad_(), teacher, 2.0)
    assert loss.item() == pytest.approx(4 * (wanted * np.log(wanted / found)).sum(), abs=1e-6)
    loss.backward()
    assert teacher.grad is None and student.grad is not None


def test_squared_cosines_and_load_balance_by_hand(features):
    assert losses.squared_cosines(torch.eye(3)).item() == pytest.approx(0)
    assert losses.squared_cosines(torch.ones(3, 2)).item() == pytest.approx(1)
    pairs = [
        F.cosine_similarity(features[a], features[b], dim=0) ** 2
        for a, b in product(range(8), repeat=2)
        if a != b
    ]
    assert losses.squared_cosines(features).item() == pytest.approx(float(sum(pairs)) / 56, abs=1e-6)
    assert losses.load_balance(torch.full((6, 4), 0.25)).item() == pytest.approx(1)
    assert losses.load_balance(torch.eye(4)[[0, 0]]).item() == pytest.approx(4)


@pytest.mark.parametrize("name", ["identity", "triplet", "supervised_contrast", "similarity_distribution"])
def test_losses_are_computed_in_32_bits_whatever_they_are_given(name, features, others):
    def loss(a, b):
        if name in ("identity", "triplet"):
            return getattr(losses, name)(a, PEOPLE)
        people = (PEOPLE, PEOPLE) if name == "supervised_contrast" else (PEOPLE,)
        return getattr(losses, name)(a, b, *people)

    a, b = features.bfloat16(), others.bfloat16()
    assert loss(a, b).dtype == torch.float32
    assert loss(a, b).item() == pytest.approx(loss(a.float(), b.float()).item(), rel=1e-6)
