"""The encoders: what comes out, where, and what a camera, a tap or another token changes."""

from hashlib import sha256

import pytest
import torch

from engines.reid.clip import TINY, VIT_B_16, Clip, ImageEncoder
from engines.reid.lab.captions import vocabulary
from engines.reid.positions import grid_of, resized
from engines.reid.sides import UNSEEN, SideEmbedding
from engines.reid.transformer import Block
from engines.reid.words import WordTokenizer

SIZE = (64, 32)


@pytest.fixture
def clip():
    torch.manual_seed(0)
    return Clip(TINY, SIZE).eval()


@pytest.fixture
def pictures():
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def test_the_tokens_of_a_picture_come_after_the_last_blocks_normalised_and_projected(clip, pictures):
    tokens = clip.visual(pictures, taps=(5, 6))
    assert tokens.penultimate.shape == tokens.last.shape == (3, 33, 192)
    assert tokens.projected.shape == (3, 33, 128)
    assert torch.equal(tokens.penultimate, tokens.tapped[5])
    assert torch.equal(tokens.last, clip.visual.ln_post(tokens.tapped[6]))
    assert torch.equal(tokens.projected, tokens.last @ clip.visual.proj)


def test_the_twin_has_some_three_million_parameters():
    assert 2.5e6 < sum(one.numel() for one in ImageEncoder(TINY, SIZE).parameters()) < 3e6


def test_tokens_can_be_put_in_before_a_block_and_taken_out_before_another(clip, pictures):
    lengths = []

    def inject(number, tokens):
        if number == 2:
            tokens = torch.cat([tokens, torch.ones(len(tokens), 4, tokens.shape[2])], dim=1)
        if number == 4:
            tokens = tokens[:, :33]
        lengths.append(tokens.shape[1])
        return tokens

    changed = clip.visual(pictures, inject=inject)
    assert lengths == [33, 37, 37, 33, 33, 33]
    assert changed.last.shape == (3, 33, 192)
    assert not torch.allclose(changed.last, clip.visual(pictures).last)


@pytest.mark.parametrize(
    ("size", "patch", "stride", "grid"),
    [
        ((256, 128), 16, (16, 16), (16, 8)),
        ((256, 128), 16, (12, 12), (21, 10)),
        ((256, 128), 16, (11, 11), (22, 11)),
        ((256, 128), 16, (12, 10), (21, 12)),
        ((384, 128), 16, (16, 16), (24, 8)),
    ],
)
def test_patches_that_overlap_are_more(size, patch, stride, grid):
    assert grid_of(size, patch, stride) == grid
    with torch.device("meta"):
        encoder = ImageEncoder(VIT_B_16, size, stride)
        tokens = encoder(torch.zeros(1, 3, *size))
    assert tokens.last.shape == (1, 1 + grid[0] * grid[1], 768)


def test_the_twin_of_a_picture_twice_as_large_has_as_many_patches_as_the_original():
    encoder = ImageEncoder(TINY, (128, 64))
    tokens = encoder(torch.zeros(2, 3, 128, 64), taps=(3,))
    assert encoder.grid == (16, 8) == grid_of((256, 128), 16, (16, 16))
    shapes = [
        tuple(part.shape) for part in (tokens.penultimate, tokens.last, tokens.projected, tokens.tapped[3])
    ]
    assert shapes == [(2, 129, 192), (2, 129, 192), (2, 129, 128), (2, 129, 192)]


def test_the_twin_reads_captions_in_at_most_400_words(clip):
    tokenizer = WordTokenizer(vocabulary(), TINY.context)
    assert tokenizer.count <= TINY.vocabulary
    texts = [
        "someone with a red top and blue below the waist",
        "someone with a blue top and red below the waist",
    ]
    said = clip.text(torch.from_numpy(tokenizer(texts)))
    assert said.shape == (2, 128) and (said[0] - said[1]).abs().max() > 1e-3


@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_in_16_bits_is_that_in_32(is_causal):
    block = Block(192, "quick_gelu", is_causal)
    tokens = torch.randn(3, 33, 192, requires_grad=True)
    plain = block(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        short = block(tokens)
    assert (plain - short).abs().max() < 0.05 * plain.std()
    (wanted,), (got,) = (torch.autograd.grad(made.square().sum(), tokens) for made in (plain, short))
    assert (wanted - got).norm() < 0.05 * wanted.norm()


def test_a_picture_below_one_patch_is_refused():
    with pytest.raises(ValueError, match="at least one patch of 16 px, got 8x128"):
        grid_of((8, 128), 16, (16, 16))


def test_positions_of_the_same_grid_stay_as_they_are():
    positions = torch.randn(197, 8)
    assert resized(positions, (14, 14), (14, 14)) is positions


def test_positions_of_a_tall_grid_are_these():
    positions = (
        torch.arange(197 * 8).remainder(97).float().reshape(197, 8)
    )  # so small that every step is exact
    made = resized(positions, (14, 14), (16, 8))
    assert torch.equal(made[0], positions[0])
    assert (made.shape, sha256(made.numpy().tobytes()).hexdigest()[:12]) == ((129, 8), "56bebd898d43")


def test_bilinear_positions_halfway_are_means():
    made = resized(torch.tensor([[9.0], [0.0], [2.0], [4.0], [6.0]]), (2, 2), (1, 1))
    assert made.flatten().tolist() == [9, 3]


def test_the_words_behind_the_end_of_a_text_change_nothing(clip):
    numbers = torch.randint(1, 300, (2, TINY.context), generator=torch.Generator().manual_seed(2))
    numbers[0, 5], numbers[1, 9] = 399, 399
    others = numbers.clone()
    others[0, 6:], others[1, 10:] = 7, 8
    assert torch.allclose(clip.text(numbers), clip.text(others), atol=1e-6)
    others[0, 3] += 1
    assert not torch.allclose(clip.text(numbers)[0], clip.text(others)[0], atol=1e-3)


def test_embedded_words_say_what_their_numbers_say(clip):
    numbers = torch.randint(1, 300, (2, TINY.context))
    numbers[:, 8] = 399
    embedded = clip.text.embedded(clip.text.token_embedding(numbers), torch.tensor([8, 8]))
    assert torch.equal(embedded, clip.text(numbers))


def test_a_camera_moves_the_class_token_or_all_tokens():
    tokens, camera = torch.zeros(2, 3, 4), torch.tensor([1, UNSEEN])
    for on, strength, moved in (("class", 1.0, [True, False, False]), ("all", 3.0, [True, True, True])):
        side = SideEmbedding(4, 2, strength=strength, on=on)
        told = side(tokens, camera)
        assert (told[0] != 0).all(1).tolist() == moved
        assert torch.allclose(told[0, 0], strength * side.weight[1])
        assert torch.allclose(told[1, 0], strength * side.weight.mean(0))


def test_a_view_of_a_camera_has_an_embedding_of_its_own():
    side = SideEmbedding(4, cameras=3, views=2)
    told = side(torch.zeros(1, 1, 4), torch.tensor([2]), torch.tensor([1]))
    assert torch.equal(told[0, 0], side.weight[5])


def test_a_network_that_could_be_told_the_camera_is_as_another_if_it_is_not(pictures):
    side = SideEmbedding(192, 2)
    torch.manual_seed(0)
    encoder = ImageEncoder(TINY, SIZE, side=side).eval()
    torch.manual_seed(0)
    without = ImageEncoder(TINY, SIZE).eval()
    assert torch.equal(encoder(pictures).last, without(pictures).last)
    assert not torch.equal(encoder(pictures, torch.tensor([0, 1, 0])).last, without(pictures).last)
