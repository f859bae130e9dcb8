"""The smaller parts: prompts, necks, and how pictures are prepared."""

import numpy as np
import pytest
import torch

from engines.reid.augment import AREA, CLIP_MEAN, CLIP_STD, Augment, Look, erased
from engines.reid.clip import TINY, TextEncoder
from engines.reid.heads import BNNeck
from engines.reid.prompts import Prompts
from engines.reid.words import WordTokenizer

TEMPLATE = "A photo of a X X X X person."


@pytest.fixture
def text():
    torch.manual_seed(0)
    return TextEncoder(TINY).eval()


def prompts(text, template=TEMPLATE, **settings):
    return Prompts(text, WordTokenizer([template], TINY.context), template, 3, **settings)


def test_a_prompt_is_the_template_with_a_persons_words_in_its_slots(text):
    made = prompts(text)
    words, ends = made(torch.tensor([2, 0]))
    numbers = WordTokenizer([TEMPLATE], TINY.context)([TEMPLATE])
    plain = text.token_embedding(torch.from_numpy(numbers))[0]
    assert words.shape == (2, TINY.context, 192)
    assert torch.equal(words[0, 5:9], made.words[2]) and torch.equal(words[1, 5:9], made.words[0])
    assert torch.equal(words[0, :5], plain[:5]) and torch.equal(words[0, 9:], plain[9:])
    assert ends.tolist() == [11, 11] == 2 * [int(numbers.argmax())]


def test_only_a_persons_words_are_learned(text):
    made = prompts(text)
    assert [name for name, _ in made.named_parameters()] == ["words"]
    text.embedded(*made(torch.tensor([1]))).sum().backward()
    assert made.words.grad[1].abs().sum() > 0
    assert made.words.grad[[0, 2]].abs().sum() == 0


def test_some_slots_may_hold_still_at_zero_or_at_what_is_given(text):
    zeros = prompts(text, "X X X X X person.", learned=2)
    words, _ = zeros(torch.tensor([1]))
    assert zeros.words.shape == (3, 2, 192)
    assert words[0, 3:6].abs().sum() == 0
    held = torch.randn(3, 3, 192)
    given, _ = prompts(text, "X X X X X person.", learned=2, held=held)(torch.tensor([2, 1]))
    assert torch.equal(given[:, 3:6], held[[2, 1]])
    with pytest.raises(ValueError, match="held must fill 3 slots, got 1"):
        prompts(text, "X X X X X person.", learned=2, held=held[:, :1])


@pytest.mark.parametrize("template", ["A person.", "X person X."])
def test_slots_that_are_not_side_by_side_are_refused(template, text):
    with pytest.raises(ValueError, match="slots 'X' side by side"):
        prompts(text, template)


def test_a_neck_has_no_shift_that_could_be_thawed():
    neck = BNNeck(5, 4)
    neck.requires_grad_(True)
    optimizer = torch.optim.SGD(neck.parameters(), lr=1.0)
    features = torch.randn(6, 5, requires_grad=True)
    necked = neck(features)
    necked.scores.square().sum().backward()
    optimizer.step()
    assert torch.equal(neck.norm.bias, torch.zeros(5))
    assert {name for name, _ in neck.named_parameters()} == {"norm.weight", "classifier.weight"}
    assert "norm.bias" in neck.state_dict()


def test_a_neck_normalises_and_scores():
    torch.manual_seed(0)
    neck, features = BNNeck(5, 4), torch.randn(6, 5)
    necked = neck(features)
    expected = (features - features.mean(0)) / (features.var(0, unbiased=False) + 1e-5).sqrt()
    assert necked.before is features
    assert torch.allclose(necked.after, expected, atol=1e-5)
    assert torch.allclose(necked.scores, expected @ neck.classifier.weight.T, atol=1e-6)
    assert neck.classifier.weight.std() < 0.002


def test_a_picture_is_fitted_and_normalised_by_channel():
    grey = np.full((4, 2, 3), 255, np.uint8)
    assert torch.equal(Look((4, 2))(grey), torch.ones(3, 4, 2))
    fitted = Look((8, 4), CLIP_MEAN, CLIP_STD)(grey)
    assert torch.allclose(fitted[:, 0, 0], (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD))
    red = np.zeros((4, 2, 3), np.uint8)
    red[..., 0] = 255
    assert Look((2, 2))(red)[:, 0, 0].tolist() == [1, -1, -1]


def test_augmenting_flips_shifts_and_erases_about_as_often_as_it_should():
    picture = np.zeros((40, 20, 3), np.uint8)
    picture[:, :10] = 255  # the left half is white
    augment = Augment(Look((40, 20)), pad=4, erase=0.0)
    made = torch.stack([augment(picture, np.random.default_rng(seed)) for seed in range(200)])
    middle = made[:, 0, 20]
    flipped = (middle[:, 15] > 0).float().mean().item()
    edges = (middle[:, :10] > 0).sum(1) + (middle[:, 10:] > 0).sum(1)
    assert 0.4 < flipped < 0.6
    assert set(edges.tolist()) == {6, 7, 8, 9, 10}  # a shift takes away white, and pads with black
    still = Augment(Look((40, 20)), flip=0, pad=0, erase=0)
    assert torch.equal(still(picture, np.random.default_rng(0)), Look((40, 20))(picture))


def test_light_is_changed_by_its_share_and_no_more():
    plain = np.full((64, 32, 3), 100, np.uint8)
    augment = Augment(Look((64, 32)), flip=0.0, pad=0, erase=0.0, light=0.2)
    made = torch.stack([augment(plain, np.random.default_rng(n)) for n in range(200)])
    levels = (made.amax(dim=(2, 3)) + 1) / 2 * 255  # of red, green and blue
    assert torch.allclose(made.amin(dim=(2, 3)), made.amax(dim=(2, 3)))
    assert 72 - 1e-3 <= levels.min() < 80 and 120 < levels.max() <= 132 + 1e-3
    assert (levels.std(dim=1) > 1).float().mean() > 0.9
    white = augment(np.full((64, 32, 3), 255, np.uint8), np.random.default_rng(1))
    assert white.max() <= 1


def test_augmenting_again_from_the_same_seed_gives_the_same():
    picture = np.random.default_rng(0).integers(0, 256, (50, 30, 3)).astype(np.uint8)
    first, again, other = (
        Augment(Look((40, 20)), erase=1)(picture, np.random.default_rng(n)) for n in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_is_erased_is_noise_on_a_share_of_the_picture():
    pixels, shares = torch.full((3, 64, 32), 9.0), []
    for seed in range(100):
        changed = (erased(pixels, np.random.default_rng(seed)) != 9).all(0)
        rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
        assert changed.sum() == len(rows) * len(columns)  # one rectangle
        shares.append(changed.float().mean().item())
    assert min(shares) > 0.8 * AREA[0] and 0.3 < max(shares) < 1.1 * AREA[1]
    assert torch.equal(pixels, torch.full((3, 64, 32), 9.0))
