"""SAGA's parts: what anchors say, which patches count, and what must be the same made early or late."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import embedding, tracklet
from method_twins import training, twin
from torch.nn import functional as F

from configs.build import InputError
from engines.reid import checkpoint
from engines.reid.anchors import (
    TWINS_PHRASES,
    CrossAttention,
    Pooling,
    _fitted,
    fingerprint,
    phrases,
    read_anchors,
    routed,
    write_anchors,
)
from engines.reid.clip import TINY
from engines.reid.lab.captions import vocabulary
from engines.reid.methods.saga import fused
from engines.reid.transformer import Block
from engines.reid.words import WordTokenizer
from stages._looks import likeness
from stages._remembered import looked


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def network():
    return twin("saga").network(6, 2).eval()


def test_there_are_the_papers_phrases_and_no_more():
    assert len(phrases(24)) == len(set(phrases(24))) == 24
    assert all(said.endswith("of a person") or "carried by a person" in said for said in phrases(24))
    for count in (0, 25):
        with pytest.raises(ValueError, match=f"anchors must be from 1 to 24, got {count}"):
            phrases(count)


def test_the_twins_phrases_are_as_many_and_of_words_that_captions_taught_it():
    said = phrases(24, TWINS_PHRASES)
    assert len(said) == len(set(said)) == len(phrases(24))
    known = WordTokenizer(vocabulary(), TINY.context)
    assert [word for one in said for word in known.unknown(one)] == []


def test_a_phrase_is_fitted_evenly_or_filled_with_its_mean():
    words = torch.arange(5.0)[:, None]
    assert _fitted(words, 3).flatten().tolist() == [0, 2, 4]
    assert _fitted(words, 7).flatten().tolist() == [0, 1, 2, 3, 4, 2, 2]


def test_an_anchor_begins_near_what_its_phrase_says_and_only_some_words_learn(network):
    made = network.head.anchors
    assert made.prompts.words.shape[:2] == (6, 4) and made.prompts.held.shape[:2] == (6, 12)
    tokenizer = twin("saga").tokenizer()
    said = network.clip.text.token_embedding(torch.tensor(tokenizer.words(phrases(6, TWINS_PHRASES)[2])))
    assert torch.allclose(made.prompts.words[2], _fitted(said, 4), atol=0.06)
    assert torch.equal(made.prompts.held[2], _fitted(said, 12))


def test_shares_of_patches_are_one_in_all_and_go_to_who_looked_at_one_anchor_alone():
    looks = torch.rand(3, 7, 5).softmax(dim=2)
    assert torch.allclose(routed(looks).sum(1), torch.ones(3))
    assert torch.allclose(routed(looks, is_routed=False), torch.full((3, 7), 1 / 7))
    sure = torch.tensor([[[1.0, 0], [0.5, 0.5]]])
    assert routed(sure).tolist()[0] == pytest.approx([2 / 3, 1 / 3])


def test_attention_is_that_of_pytorch():
    made, theirs = CrossAttention(16, 4).eval(), torch.nn.MultiheadAttention(16, 4, batch_first=True).eval()
    theirs.load_state_dict(made.state_dict())
    asked, told = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    for ours, other in zip(made(asked, told), theirs(asked, told, told), strict=True):
        assert torch.allclose(ours, other, atol=1e-5)


def test_a_refinement_begins_as_a_block_of_clip(network):
    block, made = network.clip.visual.transformer.resblocks[3], network.head.pools[0].blocks[1]
    assert torch.equal(made.attention.in_proj_weight, block.attn.in_proj_weight)
    assert torch.equal(made.asked.weight, block.ln_1.weight) and torch.equal(made.inner.bias, block.ln_2.bias)
    assert torch.equal(made.first.weight, block.mlp.c_fc.weight)
    assert made.attention.heads == 8 != block.attn.heads


def test_told_to_all_alike_no_patch_is_routed():
    block = Block(64, "quick_gelu")
    patches, anchors = torch.randn(2, 6, 64), torch.randn(2, 3, 64)
    turned = patches[:, torch.randperm(6)]
    for is_routed, is_broadcast in ((True, False), (False, False), (True, True)):
        torch.manual_seed(1)
        pool = Pooling(block, 64, 8, is_routed, is_broadcast).eval()
        assert torch.allclose(pool(patches, anchors), pool(turned, anchors), atol=1e-4)  # in whatever order
    other = patches.clone()
    other[:, 0] += 1.0
    other[:, 1] -= 1.0
    assert torch.allclose(pool(patches, anchors), pool(other, anchors), atol=1e-4)  # the mean alone counts


def test_anchors_made_once_are_those_made_every_time(network):
    batch = torch.randn(3, 3, 64, 32)
    method = twin("saga")
    with torch.no_grad():
        once = method.vectors(network, batch)
        live = network.head.anchors(network.clip.text)
        assert torch.equal(network.anchors(), live) and network.anchors() is network.anchors()
        network.head.anchors.prompts.words += 1.0
        assert torch.equal(method.vectors(network, batch), once)  # made already
        network.train().eval()
        assert not torch.allclose(method.vectors(network, batch), once)


def test_anchors_in_a_file_stand_for_the_text_encoder(network, tmp_path):
    batch, method, path = torch.randn(3, 3, 64, 32), twin("saga"), tmp_path / "anchors.safetensors"
    with torch.no_grad():
        wanted = method.vectors(network, batch)
        write_anchors(path, network.anchors(), network.clip)
        network.train().eval()
        network.use_anchors(read_anchors(path, network.clip))
        network.head.anchors = None
        assert torch.equal(method.vectors(network, batch), wanted)


def test_anchors_of_another_text_encoder_are_refused(network, tmp_path):
    path = tmp_path / "anchors.safetensors"
    write_anchors(path, network.anchors(), network.clip)
    with torch.no_grad():
        network.clip.text.ln_final.bias[0] += 1e-3
    with pytest.raises(InputError, match="holds the anchors of another text encoder; write them again"):
        read_anchors(path, network.clip)
    checkpoint.save(path, {"anchors": torch.zeros(6, 5)}, {"text_encoder": fingerprint(network.clip.text)})
    with pytest.raises(InputError, match="holds anchors of another width"):
        read_anchors(path, network.clip)
    checkpoint.save(path, {"other": torch.zeros(6, 5)}, {})
    with pytest.raises(InputError, match="holds no anchors; name a file that SAGA has written"):
        read_anchors(path, network.clip)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        read_anchors(path, network.clip)


def test_a_cosine_of_what_is_fused_is_the_weighted_cosine_of_its_parts():
    weights = (2.0, 0.2, 0.05)
    some, others = ([torch.randn(5, width) for width in (8, 8, 4)] for _ in range(2))
    made = fused(some, weights) @ fused(others, weights).T
    wanted = sum(
        by * F.normalize(a) @ F.normalize(b).T for by, a, b in zip(weights, some, others, strict=True)
    )
    assert torch.allclose(made, wanted / sum(weights), atol=1e-5)
    apart = torch.cdist(fused(some, weights), fused(others, weights))
    assert torch.equal(apart.argsort(1), made.argsort(1, descending=True))
    assert fused(some, (1.0, 0, 0)).shape == (5, 8)
    one, other = (
        [looked(None, embedding(tracklet(), row.numpy())) for row in fused(of, weights)]
        for of in (some, others)
    )
    assert likeness(one, other, 1.0) == pytest.approx(made.numpy(), abs=1e-5)  # and so it is for the matcher


def test_the_third_stage_trains_neither_encoder(tmp_path):
    made, phases = training("saga", tmp_path)
    phases["anchors"]()
    asked = {name.split(".")[0] for name, one in made.network.named_parameters() if one.requires_grad}
    assert asked == {"head"}


def test_with_one_classifier_it_and_the_normalisation_begin_again(tmp_path):
    for name, is_new in (("saga", False), ("saga of two depths", True)):
        made, phases = training(name, tmp_path)
        head = made.network.head
        with torch.no_grad():
            head.norm.running_mean += 1.0
        before = head.classifiers[0].weight.clone()
        phases["refined"]()
        assert torch.equal(head.norm.running_mean, torch.zeros(192)) is is_new
        assert torch.equal(head.classifiers[0].weight, before) is not is_new


def test_views_that_are_kept_are_what_the_encoder_says_of_some_pictures(tmp_path):
    made, phases = training("saga", tmp_path)
    phase = phases["anchors"]()
    batch = phase.draw(np.random.default_rng(0))[0]
    cached = phase.read(batch, np.random.default_rng(0))
    assert set(cached.views) <= {0, 1} and (cached.rows == batch).all() and not len(cached.pictures)
    again, others = training("saga", tmp_path, replace(twin("saga"), views=0))
    drawn = others["anchors"]().read(batch, np.random.default_rng(0))
    assert drawn.pictures.shape == (len(batch), 3, 64, 32)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"taps": ()}, "taps must be blocks, the deepest last"),
        ({"taps": (5, 2)}, "taps must be blocks, the deepest last, got \\[5, 2\\]"),
        ({"taps": (7,)}, "taps must be up to 6 and heads divide 192"),
        ({"heads": 7}, "taps must be up to 6 and heads divide 192"),
        ({"anchors": 25}, "anchors must be from 1 to 24, got 25"),
        ({"domain": "camera"}, "domain must not be camera where sie is false"),
        ({"fusion": (0.0, 0.0, 0.0)}, "fusion must be three weights, not all 0"),
        ({"fusion": (1.0, 1.0)}, "fusion must be three weights"),
        ({"fusion": (1.0, 1.0, -1.0)}, "fusion must be at least 0, got -1.0"),
        ({"views": -1}, "views must be at least 0, got -1"),
    ],
)
def test_a_wrong_setting_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        replace(twin("saga"), **settings).network(2, 1)
