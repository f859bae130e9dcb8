"""Reads the weights of a CLIP from a local file of OpenAI's, open_clip's or Hugging Face's. Runs no code from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from configs.build import InputError
from engines.reid.clip import Architecture, Clip
from engines.reid.positions import Mode, resized
from engines.reid.weight_files import read_tensors

Weights = dict[str, Tensor]
NOT_WEIGHTS = (
    "input_resolution",
    "context_length",
    "vocab_size",
    "attn_mask",
    "text.attn_mask",
    "position_ids",
)
OPENS = ("visual.", "text.", "logit_scale")
CONFIGS = ("config.json", "open_clip_config.json")  # beside the weights, if anything is
BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
HUGGING_FACE = {
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "text.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
    "text_model.final_layer_norm": "text.ln_final",
    "text_projection.weight": "text.text_projection",
    "logit_scale": "logit_scale",
}
TRANSPOSED = ("visual.proj", "text.text_projection")
LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def load_clip(model: Clip, path: Path, mode: Mode = "bilinear") -> None:
    """Fill a model from a file, with the positions resized to its grid; raises InputError with one line."""
    weights = read_clip(path, model.architecture)
    grid = model.architecture.grid
    name = "visual.positional_embedding"
    weights[name] = resized(weights[name], grid, model.visual.grid, mode)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or [name for name in missing if not name.startswith("visual.side.")]:
        raise AssertionError((missing, unexpected))  # read_clip has compared them


def read_clip(path: Path, of: Architecture) -> Weights:
    """The weights in a file, named as our encoders' are, in float32; raises InputError with one line."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file of weights in it")
    _check_activation(path, of)
    found = {name.removeprefix("module."): tensor for name, tensor in read_tensors(path).items()}
    if "visual_projection.weight" in found:
        found = _from_hugging_face(found)
    named = {
        name if name.startswith(OPENS) else f"text.{name}": tensor.float()
        for name, tensor in found.items()
        if name not in NOT_WEIGHTS
    }
    _check(named, path, of)
    return named


def _from_hugging_face(found: Mapping[str, Tensor]) -> Weights:
    """Hugging Face keeps queries, keys and values apart, and its projections the other way round."""
    made: Weights = {}
    for name, tensor in found.items():
        if name.endswith("position_ids"):
            continue
        if layer := LAYER.fullmatch(name):
            tower, number, part, kind = layer.groups()
            encoder = "visual" if tower == "vision" else "text"
            block = f"{encoder}.transformer.resblocks.{number}"
            if part in BLOCK:
                made[f"{block}.{BLOCK[part]}.{kind}"] = tensor
            elif part == "self_attn.q_proj":
                packed = [found.get(name.replace("q_proj", f"{one}_proj"), tensor[:0]) for one in "qkv"]
                made[f"{block}.attn.in_proj_{kind}"] = torch.cat(packed)
            continue
        stem, _, kind = name.rpartition(".")
        ours = HUGGING_FACE.get(name) or (f"{HUGGING_FACE[stem]}.{kind}" if stem in HUGGING_FACE else name)
        made[ours] = tensor.T if ours in TRANSPOSED else tensor
    return made


def _check(found: Weights, path: Path, of: Architecture) -> None:
    with torch.device("meta"):  # shapes alone
        side = of.patch
        wanted = Clip(of, (of.grid[0] * side, of.grid[1] * side)).state_dict()
    said = f"{path}: is not a CLIP {of.name}"
    for name, tensor in wanted.items():
        if name not in found:
            raise InputError(f"{said}, it has no {name}; name a file with the weights of both encoders")
        if found[name].shape != tensor.shape:
            shapes = ["x".join(map(str, one.shape)) or "one number" for one in (found[name], tensor)]
            raise InputError(f"{said}: {name} is {shapes[0]}, not {shapes[1]}; name one of that architecture")
    if others := sorted(set(found) - set(wanted)):
        raise InputError(f"{said}, it has {others[0]} too; name one of that architecture")


def _check_activation(path: Path, of: Architecture) -> None:
    """LAION's weights of the same shapes need another activation than OpenAI's: a file beside them may say which."""
    for name in CONFIGS:
        file = path.with_name(name)
        if not file.is_file():
            continue
        try:
            said = json.loads(file.read_bytes())
        except ValueError as error:
            raise InputError(f"{file}: is not JSON, {error}; mend it, or take it away") from error
        activation = _activation(said) if isinstance(said, dict) else of.activation
        if activation != of.activation:
            raise InputError(
                f"{path}: was trained with {activation}, as {name} beside it says, not with {of.activation}; "
                f"set activation: {activation}"
            )


def _activation(said: Mapping[str, object]) -> str:
    if isinstance(model := said.get("model_cfg"), dict):  # open_clip's
        return "quick_gelu" if model.get("quick_gelu") else "gelu"
    vision = said.get("vision_config")
    return str(vision.get("hidden_act", "quick_gelu")) if isinstance(vision, dict) else "quick_gelu"


def with_activation(of: Architecture, activation: str) -> Architecture:
    """The same architecture with the activation that its weights were trained with."""
    if activation not in ("quick_gelu", "gelu"):
        raise ValueError(f"activation must be quick_gelu or gelu, got {activation!r}")
    return replace(of, activation=activation)  # type: ignore[arg-type]
