"""The small models that come with the program: whole, small, and of use on people whom they have never seen."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from configs.build import InputError
from engines import _manifest
from engines._compile import Asked, compile_for
from engines.embedder import Embedder
from engines.evaluate.retrieval import distances, found, nearest_first
from engines.reid.data._records import ALL, people
from engines.reid.data.synthped import SynthPed
from engines.reid.lab.chance import drawn
from engines.reid.lab.occluders import behind_rectangle

NAMES = [
    name
    for name in _manifest.models()
    if (_manifest.MODELS / _manifest.as_shipped(name).files[0].name).is_file()
]
EMBEDDERS = [name for name in NAMES if _manifest.as_shipped(name).engine == "embedder"]
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module", autouse=True)
def no_others(tmp_path_factory):
    """None of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SIGHTLINE_MODELS", raising=False)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("none")))
        yield


@pytest.fixture(scope="module")
def asked():
    """24 people of an unseen seed at two unseen sites, by four cameras, and captions of them."""
    data = SynthPed(Path(), seed=31, train_people=1, val_people=1, test_people=24, sites=2, size=(128, 64))
    trial, by_words = data.trial("ground"), data.trial("text_to_image")
    shown = {one.name: data.picture(one.path) for one in trial.gallery}
    return trial, by_words, shown


@pytest.fixture(scope="module", params=EMBEDDERS)
def engine(request):
    made = Embedder(request.param, "onnxruntime")
    made.open()
    yield made
    made.close()


def mean_precision(trial, query, gallery):
    orders = nearest_first(distances(query, gallery, "cosine"))
    return found(orders, people(trial.query), people(trial.gallery), trial.cases)[ALL].mean_average_precision


def test_there_are_these():
    assert set(NAMES) == {"dpm", "saga", "unified", "unified_texts"}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_what_its_manifest_says(name):
    made = _manifest.as_shipped(name)
    (file,) = made.files
    written = (_manifest.MODELS / file.name).read_bytes()
    assert len(written) <= MOST_BYTES and sha256(written).hexdigest() == file.sha256
    assert made.licence == "Apache-2.0" and "benchmarks/small_models.py" in made.download


def test_people_are_found_among_strangers_far_more_often_than_by_chance(engine, asked):
    trial, _, shown = asked
    gallery = engine([shown[one.name] for one in trial.gallery])
    query = engine([shown[one.name] for one in trial.query])
    chance = mean_precision(
        trial, *(drawn(1, n).standard_normal(one.shape) for n, one in enumerate((query, gallery)))
    )
    assert mean_precision(trial, query, gallery) > 4 * chance


@pytest.mark.parametrize("asked", [Asked(precision="int8"), Asked(calibrate=Path("crops"))])
def test_what_reads_texts_is_compared_on_no_pictures(asked):
    with pytest.raises(
        InputError, match="unified_texts: reads texts, so that it cannot be compared on pictures"
    ):
        compile_for(_manifest.manifest("unified_texts"), asked, lambda *_: None)


def test_what_it_reads_finds_people_too(asked):
    engine = Embedder("unified", "onnxruntime")
    engine.open()
    trial, by_words, shown = asked
    gallery = engine([shown[one.name] for one in trial.gallery])
    texts = engine.texts([one.caption for one in by_words.query])
    chance = mean_precision(by_words, drawn(1).standard_normal(texts.shape), gallery)
    assert mean_precision(by_words, texts, gallery) > 2 * chance
    assert engine.unknown("a person in a red jacket with a backpack and a tuba") == ["tuba"]
    engine.close()


def test_a_picture_half_of_which_is_hidden_is_trusted_less(asked):
    engine = Embedder("dpm", "onnxruntime")
    engine.open()
    _, _, shown = asked
    whole = list(shown.values())[:60]
    hidden = [behind_rectangle(one, 0.5, drawn(2, n)).picture for n, one in enumerate(whole)]
    (_, before), (_, after) = engine.seen(whole), engine.seen(hidden)
    assert before.shape == (60, 4) and before.min() >= 0 and before.max() <= 1
    assert np.mean(after.mean(axis=1) < before.mean(axis=1)) > 0.7
    engine.close()
