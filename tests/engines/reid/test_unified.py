"""Pictures and words in one space: what the second stage may not change, and what is said of texts."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from method_twins import UNIFIED, training, twin
from painted_people import painted_people

from configs.build import InputError
from engines.reid import checkpoint
from engines.reid.captioned import CaptionedTask, Mixed
from engines.reid.data._records import Record
from engines.reid.data.synthped import SynthPed
from engines.reid.export import export_texts
from engines.reid.fit import Place
from engines.reid.trained import Trained


def pictures(method):
    return torch.stack([method.look(one.image) for one in painted_people()[:6]])


@torch.no_grad()
def vectors(method, network):
    network.eval()
    return method.vectors(network, pictures(method))


@pytest.mark.parametrize("name", ["unified", "unified in turn", "unified of the same people"])
def test_the_second_stage_leaves_vectors_of_pictures_as_they_are_bit_for_bit(name, tmp_path):
    method = twin(name)
    made, phases = training(name, tmp_path)
    network = made.network
    for phase in phases:
        before, texts = vectors(method, network), network.clip.text.text_projection.clone()
        state = {key: one.clone() for key, one in network.clip.visual.state_dict().items()}
        made.task.seed_all(phase)
        made.train_epoch(phases[phase](), Place(phase))
        after = network.clip.visual.state_dict()
        is_same = torch.equal(before, vectors(method, network))
        assert is_same is (phase in ("prompts", "texts"))
        assert all(torch.equal(state[key], after[key]) for key in state) is is_same
    assert not torch.equal(texts, network.clip.text.text_projection)


def test_where_all_learns_in_the_second_stage_vectors_of_pictures_change(tmp_path):
    name = "unified one after the other"
    made, phases = training(name, tmp_path)
    before = vectors(twin(name), made.network)
    made.train_epoch(phases["texts"](), Place("texts"))
    assert not torch.equal(before, vectors(twin(name), made.network))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, ["vision", "texts"]),
        ({"supervision": "none"}, ["vision", "texts"]),
        ({"supervision": "both"}, ["prompts", "vision", "texts"]),
        ({"mixing": "sequential"}, ["vision", "vision by words", "texts"]),
        ({"pictures": False}, ["vision by words", "texts"]),
    ],
)
def test_stages_are_those_that_are_asked_for(settings, wanted, tmp_path):
    _, phases = training("unified", tmp_path, replace(twin("unified"), **settings))
    assert list(phases) == wanted


def test_words_help_the_first_stage_only_where_they_are_asked_for(tmp_path):
    for supervision, terms in (
        ("none", {"identity", "triplet"}),
        ("captions", {"identity", "triplet", "text"}),
        ("prompts", {"identity", "triplet", "image to text"}),
    ):
        method = replace(twin("unified"), supervision=supervision)
        made, phases = training("unified", tmp_path, method)
        phase = phases["vision"]()
        batch = phase.read(phase.draw(np.random.default_rng(0))[0], np.random.default_rng(0))
        assert set(phase.loss(batch)) == terms
        learns = any(one.requires_grad for one in made.network.clip.text.parameters())
        assert learns is (supervision == "captions")


def test_pictures_and_captions_come_together_or_in_turn():
    shown, told = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], [np.array([0]), np.array([1])]
    captioned = np.array([7, 9])
    made = [
        [one.tolist() for one in Mixed(lambda _: shown, lambda _: told, captioned, kind, turn)(None)]
        for kind, turn in (("both", False), ("both", True), ("pictures", False), ("captions", False))
    ]
    assert made[0] == [[2, 0, 1, 7], [2, 2, 3, 9], [2, 4, 5, 7]]
    assert made[1][:3] == [[2, 0, 1], [0, 7], [2, 2, 3]]
    assert made[2] == [[2, 0, 1], [2, 2, 3], [2, 4, 5]] and made[3] == [[0, 7], [0, 9]]


def test_words_are_left_out_but_never_all():
    said = ("one two three", "alone", "")
    task = CaptionedTask(painted_people(3, 1), captions=said)
    assert task.captioned.tolist() == [0, 1]
    random = np.random.default_rng(0)
    assert task.said(np.array([0, 1]), random, 0.0) == ["one two three", "alone"]
    assert task.said(np.array([0, 1]), random, 1.0) == ["one two three", "alone"]
    made = {task.said(np.array([0]), random, 0.5)[0] for _ in range(40)}
    assert len(made) > 3 and all(one for one in made)
    other = CaptionedTask(painted_people(3, 1), captions=("one", "alone", ""))
    assert other.fingerprint != task.fingerprint


def test_without_captions_it_is_said_what_has_them():
    records = [Record("a", Path("a"), 0, 0, caption="x"), Record("b", Path("b"), 1, 0)]
    with pytest.raises(InputError, match="no pictures have captions; train on cuhk_pedes, or on synthped"):
        twin("unified").task(records)
    data = SynthPed(Path(), train_people=2, captioned=True)
    made = twin("unified").task(data.train(), open=data.picture)
    assert len(made.captioned) == len(made.samples) == 16 and len(set(made.captions)) > 8
    assert not any(one.caption for one in SynthPed(Path(), train_people=2).train())


def test_nothing_to_learn_the_encoder_by_is_refused():
    with pytest.raises(ValueError, match="pictures must be true, or supervision captions"):
        replace(twin("unified"), pictures=False, supervision="prompts")


@pytest.fixture
def model(tmp_path):
    """A file of an untrained one."""
    torch.manual_seed(1)
    method = twin("unified")
    told = {"method": "unified", "settings": UNIFIED, "people": 6, "cameras": 2}
    checkpoint.save(tmp_path / "model.safetensors", method.network(6, 2).state_dict(), told)
    return Trained(str(tmp_path / "model.safetensors"))


ODD = ["", "...!?", "a person " * 1000, "穿红色外套的女人", "\x00\ud83d", "a red top"]


def test_any_text_gets_a_vector_and_unknown_words_are_named(model, caplog):
    with caplog.at_level(logging.WARNING):
        made = model.texts(ODD)
    assert made.shape == (6, 128) and np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert "1 of 6 texts are longer than 32 tokens" in caplog.text and "1 of 6 texts are empty" in caplog.text
    assert model.texts([]).shape[0] == 0
    assert model.unknown("a person with a Zebra and a red top") == ["zebra"]
    assert model.unknown("穿红色") == ["穿红色"]


def test_a_text_does_not_depend_on_its_company(model):
    alone = model.texts(["a red top"])
    assert model.texts(ODD)[-1] == pytest.approx(alone[0], abs=1e-5)


def test_pictures_and_texts_are_of_one_space(model):
    assert model([one.image for one in painted_people()[:2]]).shape[1] == model.texts(["x"]).shape[1]


def test_a_model_that_reads_no_text_says_so(tmp_path):
    method = twin("clip_reid")
    told = {"method": "clip_reid", "settings": {}, "people": 6, "cameras": 2}
    told["settings"] = {name: UNIFIED[name] for name in ("architecture", "size", "stride")}
    checkpoint.save(tmp_path / "model.safetensors", method.network(6, 2).state_dict(), told)
    with pytest.raises(InputError, match="ClipReid reads no text; name one of unified's"):
        Trained(str(tmp_path / "model.safetensors")).texts(["a person"])


def test_as_onnx_texts_of_any_length_are_what_they_are_here(model, tmp_path):
    import onnxruntime

    model.open()
    method, network = model._made
    path = export_texts(method, network, tmp_path / "texts.onnx").with_suffix(".onnx")
    numbers = method.reader()(ODD).astype(np.float32)[:, None, None]
    (made,) = onnxruntime.InferenceSession(path).run(None, {"tokens": numbers})
    assert (made * model.texts(ODD)).sum(1).min() > 0.9999
    with pytest.raises(InputError, match="cannot be written"):
        export_texts(method, network, tmp_path / "none" / "texts.onnx")
