"""Pools a picture's patches around what words say of people (SAGA-ReID, Zheng et al., 2026)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines.reid import checkpoint
from engines.reid.clip import Architecture, Clip, TextEncoder
from engines.reid.prompts import Prompts
from engines.reid.transformer import Block
from engines.reid.words import Tokenizer

PHRASES = Path(__file__).with_name("anchors.txt")
TWINS_PHRASES = PHRASES.with_name("anchors_tiny.txt")  # in words that its text encoder learns from captions
NOISE, FREE, DROPOUT = 0.01, 0.02, 0.1
Domain = Literal["image", "camera", "grounded", "none"]


def phrases(count: int, file: Path = PHRASES) -> list[str]:
    """The first so many of what is looked for in people; raises ValueError where there are not so many."""
    there = file.read_text("utf-8").splitlines()
    if not 1 <= count <= len(there):
        raise ValueError(f"anchors must be from 1 to {len(there)}, got {count}")
    return there[:count]


class TextAnchors(nn.Module):
    """Phrases some of whose words learn, as a text encoder says them, in the width of patches."""

    def __init__(
        self,
        text: TextEncoder,
        tokenizer: Tokenizer,
        said: list[str],
        slots: tuple[int, int],
        of: Architecture,
    ) -> None:
        super().__init__()
        learned, held = slots
        with torch.no_grad():
            words = [text.token_embedding(torch.tensor(tokenizer.words(one))) for one in said]
        still = torch.stack([_fitted(one, held) for one in words])
        template = f"{'X ' * (learned + held)}person."
        self.prompts = Prompts(text, tokenizer, template, len(said), learned, still)
        begin = torch.stack([_fitted(one, learned) for one in words])
        self.prompts.words.data.copy_(begin + NOISE * torch.randn_like(begin))
        self.project = nn.Linear(of.embedding, of.width, bias=False)
        nn.init.xavier_uniform_(self.project.weight)

    def forward(self, text: TextEncoder) -> Tensor:
        """(anchors, width)."""
        every = torch.arange(len(self.prompts.words), device=self.project.weight.device)
        return self.project(text.embedded(*self.prompts(every)))  # type: ignore[no-any-return]


class FreeAnchors(nn.Module):
    """Without words: what SAGA's text is compared with."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(FREE * torch.randn(count, width))

    def forward(self, text: TextEncoder) -> Tensor:
        """(anchors, width)."""
        return self.vectors


class DomainAnchors(nn.Module):
    """Anchors of each picture's own: of its mean patch, that and its camera, or what it makes of the text's."""

    def __init__(self, kind: Domain, count: int, of: Architecture, heads: int) -> None:
        super().__init__()
        self.kind, self.count = kind, count
        if kind == "grounded":
            self.queries = nn.Parameter(FREE * torch.randn(count, of.width))
            self.project = nn.Linear(of.embedding, of.width)
            self.attention = CrossAttention(of.width, heads)
        elif kind != "none":
            into = 2 * of.width if kind == "camera" else of.width
            self.layers = nn.Sequential(
                nn.Linear(into, of.width), nn.GELU(), nn.Linear(of.width, count * of.width)
            )

    def forward(self, patches: Tensor, projected: Tensor, anchors: Tensor, camera: Tensor | None) -> Tensor:
        """(batch, count, width); none where the kind is none."""
        batch, width = patches.shape[0], patches.shape[2]
        if self.kind == "none":
            return patches[:, :0]
        if self.kind == "grounded":
            asked = self.queries + self.project(projected)[:, None]
            made: Tensor = self.attention(asked, anchors.expand(batch, -1, -1))[0]
            return made
        seen = patches.mean(dim=1)
        if self.kind == "camera":
            assert camera is not None
            seen = torch.cat([seen, camera], dim=1)
        return self.layers(seen).view(-1, self.count, width)  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Its parameters are named as those of a block of CLIP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * width, width)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, asked: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, asked, width), and how much each looked at each of what is told, the mean of all heads."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        query, key, value = (
            F.linear(one, weight, bias).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for one, weight, bias in zip((asked, told, told), weights, biases, strict=True)
        )
        looks = (query @ key.transpose(2, 3) / query.shape[3] ** 0.5).softmax(dim=3)
        found = (self.dropout(looks) @ value).transpose(1, 2).flatten(2)
        return self.out_proj(found), looks.mean(dim=1)


class Refinement(nn.Module):
    """Patches ask anchors, in a block that begins as one of CLIP's, though with other heads, as in SAGA's code.

    unstated: what is added to; here the patches as they are normalised, in both places.
    """

    def __init__(self, block: Block, width: int, heads: int) -> None:
        super().__init__()
        self.asked, self.anchored, self.inner = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CrossAttention(width, heads)
        self.first, self.second = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(DROPOUT)
        for own, given in (
            (self.asked, block.ln_1),
            (self.anchored, block.ln_1),
            (self.inner, block.ln_2),
            (self.attention.out_proj, block.attn.out_proj),
            (self.first, block.mlp.c_fc),
            (self.second, block.mlp.c_proj),
        ):
            own.load_state_dict(given.state_dict())
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(block.attn.in_proj_weight)
            self.attention.in_proj_bias.copy_(block.attn.in_proj_bias)

    def forward(self, patches: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Patches that have asked, and how much each looked at each anchor, (batch, patches, anchors)."""
        asked, told = self.asked(patches), self.anchored(anchors)
        found, looks = self.attention(asked, told)
        patches = asked + self.dropout(found)
        inner = self.second(self.dropout(F.gelu(self.first(self.inner(patches)))))
        return patches + self.dropout(inner), looks


class Pooling(nn.Module):
    """Two refinements, and the sum of what comes out, each patch as much as it looked at one anchor alone."""

    def __init__(self, block: Block, width: int, heads: int, is_routed: bool, is_broadcast: bool) -> None:
        super().__init__()
        self.is_routed, self.is_broadcast = is_routed, is_broadcast
        self.blocks = nn.ModuleList(Refinement(block, width, heads) for _ in range(2))

    def forward(self, patches: Tensor, anchors: Tensor) -> Tensor:
        """(batch, width)."""
        if self.is_broadcast:
            patches = patches.mean(dim=1, keepdim=True).expand_as(patches)
        looks = patches
        for block in self.blocks:
            patches, looks = block(patches, anchors)
        return (routed(looks, self.is_routed)[:, :, None] * patches).sum(dim=1)


def routed(looks: Tensor, is_routed: bool = True) -> Tensor:
    """How much each patch counts, (batch, patches), 1 in all; the same everywhere, where nothing is routed."""
    if not is_routed:
        return torch.full_like(looks[:, :, 0], 1 / looks.shape[1])
    most = looks.amax(dim=2)
    return most / most.sum(dim=1, keepdim=True)


def fingerprint(text: TextEncoder) -> str:
    """Of the weights of a text encoder."""
    digest = sha256()
    for name, tensor in sorted(text.state_dict().items()):
        digest.update(name.encode() + tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def write_anchors(path: Path, anchors: Tensor, clip: Clip) -> None:
    """What the text encoder says, so that it need not be there any more."""
    checkpoint.save(path, {"anchors": anchors.detach()}, {"text_encoder": fingerprint(clip.text)})


def read_anchors(path: Path, clip: Clip) -> Tensor:
    """Anchors as they were written; raises InputError where they are another text encoder's, or of another width."""
    state, told = checkpoint.load(path)
    if "anchors" not in state or "text_encoder" not in told:
        raise InputError(f"{path}: holds no anchors; name a file that SAGA has written")
    if told["text_encoder"] != fingerprint(clip.text):
        raise InputError(
            f"{path}: holds the anchors of another text encoder; write them again with this model's"
        )
    if state["anchors"].shape[1:] != (clip.architecture.width,):
        raise InputError(f"{path}: holds anchors of another width; write them again with this model's")
    return state["anchors"]


def _fitted(words: Tensor, count: int) -> Tensor:
    """So many of a phrase's words, evenly, or all and then their mean."""
    if len(words) >= count:
        return words[torch.linspace(0, len(words) - 1, count).long()]
    return torch.cat([words, words.mean(0, keepdim=True).expand(count - len(words), -1)])
