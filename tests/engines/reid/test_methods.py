"""What holds of every method of single pictures: it trains, goes on where it was left, and embeds as ONNX alike."""

import numpy as np
import pytest
import torch
import yaml
from method_twins import FILES, TWINS, training, twin
from painted_people import painted_people

from configs.build import InputError
from engines._embedder_file import EmbedderFile
from engines.reid import checkpoint
from engines.reid.export import export
from engines.reid.fit import Place
from engines.reid.method import MaskedMethod


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", TWINS)
def test_it_trains_phase_by_phase_and_in_each_something_learns(name, tmp_path):
    made, phases = training(name, tmp_path)
    assert list(phases)[-1] != "prompts"
    for phase in phases:
        made.task.seed_all(phase)
        before = {key: one.detach().clone() for key, one in made.network.named_parameters()}
        place, ready = Place(phase), phases[phase]()
        ready.draw = lambda generator, draw=ready.draw: draw(generator)[:2]
        made.train_epoch(ready, place)
        asked = {key for key, one in made.network.named_parameters() if one.requires_grad}
        moved = {key for key, one in made.network.named_parameters() if not torch.equal(one, before[key])}
        assert moved and (moved <= asked or "in turns" in name)
        assert all(np.isfinite(value) for value in place.sums.values())


@pytest.mark.parametrize("name", FILES)
def test_left_in_each_phase_it_ends_with_the_same_bits(name, tmp_path):
    made, phases = training(name, tmp_path / "whole")
    steps = []
    made.shown = lambda place, *_: steps.append((place.phase, place.epoch, place.step))
    first = {key: one.clone() for key, one in made.network.state_dict().items()}
    wanted = checkpoint.load(made.fit(phases))[0]
    assert list(dict.fromkeys(phase for phase, _, _ in steps)) == list(phases)
    assert any(not torch.equal(first[key], wanted[key]) for key in first)
    assert all(torch.isfinite(one).all() for one in wanted.values() if one.is_floating_point())

    for phase in phases:
        left, others = training(name, tmp_path / "left")
        left.save_s = 0.0

        def shown(place, epochs, count, phase=phase):
            if place.phase == phase and place.step == max(1, count - 1):
                raise Stop

        left.shown = shown
        with pytest.raises(Stop):
            left.fit(others)
    again, others = training(name, tmp_path / "left")
    found = checkpoint.load(again.fit(others))[0]
    assert [key for key in wanted if not torch.equal(found[key], wanted[key])] == []


@pytest.mark.parametrize("name", TWINS)
def test_as_onnx_it_embeds_as_it_does_here(name, tmp_path):
    method = twin(name)
    torch.manual_seed(3)
    network = method.network(6, 2).eval()
    for one in network.parameters():  # what begins at zero or at one would hide what is left out
        one.data += 0.05 * torch.randn_like(one)
    path = tmp_path / "twin.onnx"
    described = yaml.safe_load(export(method, network, path).read_text())
    pictures = [one.image for one in painted_people()[:5]]
    batch = torch.stack([method.look(picture) for picture in pictures])
    with torch.inference_mode():
        vectors = method.vectors(network, batch).numpy()
        shown = method.seen(network, batch)[1].numpy() if isinstance(method, MaskedMethod) else None
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    engine = EmbedderFile(str(path), runtime="onnxruntime")
    engine.open()
    found, visibility = engine.seen([*pictures, np.empty((0, 0, 3), np.uint8)])
    engine.close()
    assert (found[:5] * vectors).sum(1).min() >= 0.9999
    assert not found[5].any() and not visibility[5].any()
    wanted = {"length": vectors.shape[1]} | ({"texts": "twin_texts"} if name.startswith("unified") else {})
    if shown is None:
        assert described["output"] == wanted and visibility[:5].tolist() == [[1.0]] * 5
    else:
        assert described["output"] == {**wanted, "parts": shown.shape[1]}
        assert visibility[:5] == pytest.approx(shown, abs=1e-2) and shown.std() > 0.1  # weights have 16 bits


@pytest.mark.parametrize(
    ("name", "parts", "said"),
    [
        ("dpm without transfer", 6, r"must say of 6 parts how far they show, says \[192\]"),
        ("clip_reid", 4, "must say of 4 parts how far they show, says nothing"),
    ],
)
def test_a_manifest_that_says_other_parts_than_there_are_is_refused(name, parts, said, tmp_path):
    path = tmp_path / "twin.onnx"
    described = export(twin(name), twin(name).network(2, 1), path)
    told = yaml.safe_load(described.read_text())
    told["output"]["parts"] = parts
    described.write_text(yaml.safe_dump(told))
    engine = EmbedderFile(str(path), runtime="onnxruntime")
    engine.open()
    with pytest.raises(InputError, match=said):
        engine.seen([painted_people()[0].image])
    engine.close()
