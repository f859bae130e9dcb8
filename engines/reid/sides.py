"""What a network is told of the camera or view that a picture is from (SIE, side information embedding)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

UNSEEN = -1  # a camera that nobody has trained on


class SideEmbedding(nn.Module):
    """A learned vector for each camera and view, added to tokens before their positions are.

    CLIP-ReID adds it to the class token with strength 1, TransReID to all tokens with strength 3.
    """

    def __init__(
        self,
        width: int,
        cameras: int,
        views: int = 1,
        strength: float = 1.0,
        on: Literal["class", "all"] = "class",
    ) -> None:
        super().__init__()
        self.views, self.strength, self.on = views, strength, on
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(cameras * views, width), std=0.02))

    def forward(self, tokens: Tensor, camera: Tensor, view: Tensor | None = None) -> Tensor:
        """Tokens (batch, 1 + patches, width) of pictures from these cameras; of one UNSEEN the mean says something."""
        place = camera * self.views + (0 if view is None else view)
        known = torch.cat([self.weight, self.weight.mean(0, keepdim=True)])
        side = self.strength * known[torch.where(camera == UNSEEN, len(self.weight), place)]
        if self.on == "all":
            return tokens + side[:, None]
        return torch.cat([tokens[:, :1] + side[:, None], tokens[:, 1:]], dim=1)
