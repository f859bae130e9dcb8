"""CLIP models of ViT-B/16 with random weights, written into the working folder by open_clip and transformers, and what those
say of pictures and texts; and how Pillow resizes. In an environment of its own: a job as JSON on standard input, arrays as
answers.npz in the working folder. Nothing of the project is used here.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.model import resize_pos_embed
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

warnings.simplefilter("ignore")  # of TorchScript, about itself


def by_open_clip(pictures, numbers):
    """One model's weights as open_clip saves them, and as OpenAI did: scripted, in 16 bits, with three numbers more."""
    model = open_clip.create_model("ViT-B-16-quickgelu").eval()
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, torch.nn.LayerNorm | torch.nn.Linear):
                part.bias.normal_(std=0.1)  # as if trained
        model.logit_scale.fill_(3)
    save_file(model.state_dict(), "open_clip_model.safetensors")
    given = {
        "open_clip_images": model.encode_image(pictures),
        "open_clip_texts": model.encode_text(numbers),
    }
    other = open_clip.create_model("ViT-B-16").eval()
    other.load_state_dict(model.state_dict())
    given["gelu_images"] = other.encode_image(pictures)
    state = {"visual.positional_embedding": model.visual.positional_embedding.detach().clone()}
    model.visual.grid_size = (16, 8)
    resize_pos_embed(state, model)
    given["positions"] = state["visual.positional_embedding"]
    model.visual.grid_size = (14, 14)
    for name, value in {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}.items():
        delattr(model, name) if hasattr(model, name) else None
        model.register_buffer(name, torch.tensor(value))
    torch.jit.script(model.half()).save("openai.pt")
    return given


def by_transformers(pictures, numbers):
    config = CLIPConfig(
        vision_config={"patch_size": 16}, text_config={"eos_token_id": 49407}, initializer_factor=5.0
    )
    model = CLIPModel(config).eval()
    model.save_pretrained("hugging_face")
    images, texts = model.get_image_features(pictures), model.get_text_features(numbers)
    pooled = [one if isinstance(one, torch.Tensor) else one.pooler_output for one in (images, texts)]
    return {"hugging_face_images": pooled[0], "hugging_face_texts": pooled[1]}


def run(seed, texts, sizes):
    torch.manual_seed(seed)
    pictures = torch.randn(2, 3, 224, 224)
    numbers = open_clip.get_tokenizer("ViT-B-16")(texts)
    patches = np.random.default_rng(seed).integers(0, 256, (12, 6, 3)).astype(np.uint8)
    painted = Image.fromarray(patches).resize((41, 90), Image.Resampling.BICUBIC)
    resized = {
        f"resized_{height}": np.asarray(painted.resize((width, height), Image.Resampling.BICUBIC))
        for height, width in sizes
    }
    with torch.no_grad():
        given = by_open_clip(pictures, numbers) | by_transformers(pictures, numbers)
    given |= {"pictures": pictures, "numbers": numbers}
    np.savez(Path.cwd() / "answers.npz", painted=np.asarray(painted), **resized, **given)
    return sorted(given)


with redirect_stdout(sys.stderr):
    answer = run(**json.load(sys.stdin))
json.dump(answer, sys.stdout)
