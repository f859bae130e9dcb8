"""Our CLIP against open_clip's and Hugging Face's, with weights that they have made and written at full size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from judges.detector_judge import asked

from configs.build import InputError
from engines.reid.augment import Look
from engines.reid.clip import VIT_B_16, Clip
from engines.reid.clip_weights import load_clip, with_activation
from engines.reid.positions import resized
from engines.reid.tokenizer import ClipTokenizer

CLIP = ".venv-judges-clip"
SQUARE, SIZES = (224, 224), [(64, 32), (256, 128)]
FILES = {"open_clip": "open_clip_model.safetensors", "hugging_face": "hugging_face/model.safetensors"}
TEXTS = [
    "A photo of a X X X X person.",
    "",
    "The woman's wearing   a RED coat &amp; she’s carrying 2 bags; she'll don't...",
    "穿红色外套的女人 with Ünïcødé 👩🏽‍🦰 ½ ²",
    "antidisestablishmentarianism <b>#hash_tag</b> 12,345 @home\t\n",
    "long " * 100,
    " ".join(f"w{number}x{number * 7919}" for number in range(20)),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    asked("clip_models.py", CLIP, folder, seed=1, texts=TEXTS, sizes=SIZES)
    return folder


@pytest.fixture(scope="module")
def answers(made):
    return np.load(made / "answers.npz")


@pytest.fixture(scope="module")
def model():
    with torch.device("meta"):
        made = Clip(VIT_B_16, SQUARE)
    return made.to_empty(device="cpu").eval()


def said(model, answers):
    with torch.inference_mode():
        images = model.visual(torch.tensor(answers["pictures"])).projected[:, 0]
        return images.numpy(), model.text(torch.tensor(answers["numbers"])).numpy()


@pytest.mark.parametrize("maker", FILES)
def test_says_what_the_makers_of_the_weights_say(maker, made, answers, model):
    load_clip(model, made / FILES[maker])
    for ours, kind in zip(said(model, answers), ("images", "texts"), strict=True):
        theirs = answers[f"{maker}_{kind}"]
        assert np.abs(theirs).max() > 0.1
        assert np.abs(ours - theirs).max() <= 1e-4


def test_openais_archive_says_the_same_as_open_clips_file(made, answers, model):
    load_clip(model, made / "openai.pt")
    assert model.visual.proj.dtype == torch.float32
    for ours, kind in zip(said(model, answers), ("images", "texts"), strict=True):
        theirs = answers[f"open_clip_{kind}"]
        assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max()


def test_the_exact_gelu_is_taken_where_weights_were_trained_with_it(made, answers):
    with torch.device("meta"):
        model = Clip(with_activation(VIT_B_16, "gelu"), SQUARE)
    model = model.to_empty(device="cpu").eval()
    load_clip(model, made / FILES["open_clip"])
    with torch.inference_mode():
        ours = model.visual(torch.tensor(answers["pictures"])).projected[:, 0].numpy()
    assert np.abs(ours - answers["gelu_images"]).max() <= 1e-4
    assert np.abs(ours - answers["open_clip_images"]).max() > 1e-3


def test_an_activation_other_than_the_one_beside_the_weights_is_refused(made):
    with torch.device("meta"):
        model = Clip(replace(VIT_B_16, activation="gelu"), SQUARE)
    with pytest.raises(
        InputError, match="trained with quick_gelu, as config.json beside it says, not with gelu"
    ):
        load_clip(model, made / FILES["hugging_face"])


def test_texts_are_numbered_as_open_clip_numbers_them(answers):
    assert ClipTokenizer()(TEXTS).tolist() == answers["numbers"].tolist()


def test_positions_are_resized_as_open_clip_resizes_them(made, answers, model):
    load_clip(model, made / FILES["open_clip"])
    ours = resized(model.visual.positional_embedding.detach(), (14, 14), (16, 8), "bicubic")
    assert np.abs(ours.numpy() - answers["positions"]).max() <= 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_pictures_are_resized_as_pillow_resizes_them(size, answers):
    ours, theirs = (
        Look(size).resized(answers["painted"]).permute(1, 2, 0).numpy(),
        answers[f"resized_{size[0]}"],
    )
    assert theirs.std() > 20
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.max() <= 2 and apart.mean() < 0.2
