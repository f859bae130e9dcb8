"""Position embeddings for pictures of another shape than a model was trained on."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int]  # rows and columns of patches
Mode = Literal["bilinear", "bicubic"]


def grid_of(size: tuple[int, int], patch: int, stride: tuple[int, int]) -> Grid:
    """The patches of a picture of that height and width in px; they overlap where the stride is below the patch."""
    rows, columns = ((side - patch) // step + 1 for side, step in zip(size, stride, strict=True))
    if min(rows, columns) < 1:
        raise ValueError(f"size must be at least one patch of {patch} px, got {size[0]}x{size[1]}")
    return rows, columns


def resized(positions: Tensor, trained: Grid, wanted: Grid, mode: Mode = "bilinear") -> Tensor:
    """Positions (1 + patches, width), that of the class token first and unchanged, for another grid.

    The CLIP-ReID family resizes bilinearly, open_clip bicubically with antialiasing. A square map for a tall picture
    is squeezed, as in all of them.
    """
    if trained == wanted:
        return positions
    first, patches = positions[:1], positions[1:].T.reshape(1, -1, *trained)
    antialias = mode == "bicubic"
    fitted = F.interpolate(patches, wanted, mode=mode, align_corners=False, antialias=antialias)
    return torch.cat([first, fitted[0].flatten(1).T])
