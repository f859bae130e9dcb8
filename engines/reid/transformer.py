"""The transformer that CLIP's two encoders are made of; its parameters are named as in OpenAI's release."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["quick_gelu", "gelu"]
HEAD_WIDTH = 64


class Transformer(nn.Module):
    """Blocks of attention and a perceptron, normalised before each."""

    def __init__(self, width: int, layers: int, activation: Activation, is_causal: bool = False) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, activation, is_causal) for _ in range(layers))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.resblocks:
            tokens = block(tokens)
        return tokens


class Block(nn.Module):
    """One layer; `tokens` are (batch, tokens, width)."""

    def __init__(self, width: int, activation: Activation, is_causal: bool = False) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, is_causal)
        self.mlp = _Perceptron(width, activation)

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias` (batch, tokens, tokens) is added to how much each looks at each."""
        tokens = tokens + self.attn(self.ln_1(tokens), bias)
        made: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return made


class _Attention(nn.Module):
    def __init__(self, width: int, is_causal: bool) -> None:
        super().__init__()
        self.heads, self.is_causal = width // HEAD_WIDTH, is_causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width).normal_(std=width**-0.5))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        batch, count, width = tokens.shape
        packed = F.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        query, key, value = (
            packed.view(batch, count, 3, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4).unbind()
        )
        mixed = self._mixed(query, key, value, None if bias is None else bias[:, None])
        made: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return made

    def _mixed(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        if not (query.is_cpu and query.dtype == torch.bfloat16):
            whole: Tensor = F.scaled_dot_product_attention(
                query, key, value, attn_mask=bias, is_causal=self.is_causal
            )
            return whole
        # PyTorch's own takes four times as long on a processor in 16 bits, most of it on the way back
        looks = query @ key.transpose(2, 3) / HEAD_WIDTH**0.5
        if bias is not None:
            looks = looks + bias.to(looks.dtype)
        if self.is_causal:
            later = torch.ones(looks.shape[2:], dtype=torch.bool).triu(1)
            looks = looks.masked_fill(later, -torch.inf)
        made: Tensor = looks.softmax(dim=3) @ value
        return made


class _Perceptron(nn.Module):
    def __init__(self, width: int, activation: Activation) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.activation = quick_gelu if activation == "quick_gelu" else F.gelu

    def forward(self, tokens: Tensor) -> Tensor:
        made: Tensor = self.c_proj(self.activation(self.c_fc(tokens)))
        return made


def quick_gelu(values: Tensor) -> Tensor:
    """The GELU that OpenAI trained with."""
    return values * torch.sigmoid(1.702 * values)
