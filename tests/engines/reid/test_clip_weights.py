"""Files of weights that others have written: what is read of them, and what is refused in one line."""

import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from configs.build import InputError
from engines.reid.clip import TINY, Clip
from engines.reid.clip_weights import load_clip, read_clip, with_activation

SQUARE = (64, 32)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(1)
    return Clip(TINY, SQUARE).eval()


@pytest.fixture(scope="module")
def published(clip):
    """The weights as OpenAI and open_clip name them."""
    return {name.removeprefix("text."): tensor.clone() for name, tensor in clip.state_dict().items()}


@pytest.fixture
def write(tmp_path, published):
    def write(name, **changes):
        path = tmp_path / name
        state = {**published, **changes}
        state = {name: tensor for name, tensor in state.items() if tensor is not None}
        save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
        return path

    return write


def assert_same(path, clip):
    for name, tensor in read_clip(path, TINY).items():
        assert torch.equal(tensor, clip.state_dict()[name]), name


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin", "weights.pt"])
def test_reads_weights_by_name(name, write, clip):
    assert_same(write(name), clip)


def test_reads_what_a_training_of_open_clip_has_left(tmp_path, published, clip):
    state = {f"module.{name}": tensor for name, tensor in published.items()}
    torch.save({"epoch": 3, "name": "run", "state_dict": state}, tmp_path / "epoch_3.pt")
    assert_same(tmp_path / "epoch_3.pt", clip)


def test_half_precision_becomes_single_and_three_numbers_are_dropped(tmp_path, published, clip):
    state = {name: tensor.half() for name, tensor in published.items()}
    numbers = {name: torch.tensor(7) for name in ("input_resolution", "context_length", "vocab_size")}
    save_file({**state, **numbers}, tmp_path / "half.safetensors")
    read = read_clip(tmp_path / "half.safetensors", TINY)
    assert {tensor.dtype for tensor in read.values()} == {torch.float32}
    assert torch.equal(read["visual.proj"], clip.visual.proj.half().float())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_of_a_torchscript_archive_the_tensors_are_read_and_no_code_is_run(tmp_path, clip):
    class Published(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.visual, self.transformer = clip.visual, clip.text.transformer
            self.token_embedding, self.ln_final = clip.text.token_embedding, clip.text.ln_final
            self.positional_embedding = clip.text.positional_embedding
            self.text_projection, self.logit_scale = clip.text.text_projection, clip.logit_scale

        def forward(self, pictures):
            return self.visual(pictures).projected

        def __setstate__(self, state):
            raise AssertionError("this would be run")

    torch.jit.trace_module(Published(), {"forward": torch.zeros(1, 3, *SQUARE)}).save(
        str(tmp_path / "ViT.pt")
    )
    assert_same(tmp_path / "ViT.pt", clip)


def test_positions_are_resized_to_the_pictures_of_the_model(write, clip):
    wide = Clip(TINY, (64, 64))
    load_clip(wide, write("a.safetensors"))
    assert wide.visual.positional_embedding.shape == (65, 192)
    assert torch.equal(wide.visual.positional_embedding[0], clip.visual.positional_embedding[0])


class Code:
    def __reduce__(self):
        return os.system, ("touch /tmp/it-has-run",)


def test_code_is_refused(tmp_path, published):
    torch.save({**published, "extra": Code()}, tmp_path / "code.pt")
    with pytest.raises(
        InputError, match=r"code.pt: holds more than weights, code that would run; have it saved"
    ):
        read_clip(tmp_path / "code.pt", TINY)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"visual.conv1.weight": torch.zeros(192, 3, 4, 4)},
            "visual.conv1.weight is 192x3x4x4, not 192x3x8x8",
        ),
        ({"ln_final.weight": None}, "it has no text.ln_final.weight; name a file with the weights of both"),
        ({"visual.attnpool.q": torch.zeros(1)}, "it has visual.attnpool.q too"),
        ({"logit_scale": torch.zeros(2)}, "logit_scale is 2, not one number"),
    ],
)
def test_weights_of_another_architecture_are_refused(changes, said, write):
    with pytest.raises(InputError, match="a.safetensors: is not a CLIP tiny") as refused:
        read_clip(write("a.safetensors", **changes), TINY)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused_in_one_line(name, share, write):
    path = write(name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=rf"{name}: is damaged .*; fetch it again") as refused:
        read_clip(path, TINY)
    assert "\n" not in str(refused.value)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.pt").write_text("not weights")
    with pytest.raises(
        InputError, match="notes.pt: is damaged or no file of weights, what is in it are no tensors"
    ):
        read_clip(tmp_path / "notes.pt", TINY)


def test_what_is_no_file_or_holds_no_weights_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    for path, said in (
        (tmp_path / "none.pt", "cannot be read, No such file or directory"),
        (tmp_path / "none.safetensors", "cannot be read, No such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "list.pt", "does not hold weights by name"),
    ):
        with pytest.raises(InputError, match=said):
            read_clip(path, TINY)


@pytest.mark.parametrize(
    ("name", "told", "activation"),
    [
        ("config.json", {"vision_config": {"hidden_act": "gelu"}}, "gelu"),
        ("config.json", {"vision_config": {}}, "quick_gelu"),
        ("open_clip_config.json", {"model_cfg": {"embed_dim": 128}}, "gelu"),
        ("open_clip_config.json", {"model_cfg": {"quick_gelu": True}}, "quick_gelu"),
    ],
)
def test_the_activation_must_be_the_one_that_the_weights_are_said_to_need(
    name, told, activation, write, tmp_path
):
    path = write("a.safetensors")
    (tmp_path / name).write_text(json.dumps(told))
    other = "gelu" if activation == "quick_gelu" else "quick_gelu"
    assert read_clip(path, with_activation(TINY, activation))
    with pytest.raises(
        InputError, match=f"trained with {activation}, as {name} beside it says, not with {other}"
    ):
        read_clip(path, replace(TINY, activation=other))


def test_a_description_beside_the_weights_that_is_no_json_is_named(write, tmp_path):
    path = write("a.safetensors")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="config.json: is not JSON"):
        read_clip(path, TINY)
