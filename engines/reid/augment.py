"""From a picture, RGB in 8 bits, to what a network takes. Randomness comes from the generator that is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Color = tuple[float, float, float]
HALF: Color = (0.5, 0.5, 0.5)
CLIP_MEAN: Color = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Color = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Look:
    """How every picture is fitted: its size, height and width in px, and what is taken from its 0 to 1.

    The CLIP-ReID family takes 0.5 and 0.5, even with CLIP's weights, which were trained with others; so does this.
    """

    size: tuple[int, int]
    mean: Color = HALF
    std: Color = HALF

    def __call__(self, picture: NDArray[np.uint8]) -> Tensor:
        """(3, height, width), as in testing."""
        return self.normalized(self.resized(picture).float().div_(255))

    def resized(self, picture: NDArray[np.uint8]) -> Tensor:
        """In 8 bits, bicubic with antialiasing, as Pillow does it."""
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
        if pixels.shape[2:] == self.size:
            return pixels[0]
        return F.interpolate(pixels, self.size, mode="bicubic", antialias=True)[0]

    def normalized(self, pixels: Tensor) -> Tensor:
        """Of 0 to 1."""
        mean, std = (torch.tensor(color)[:, None, None] for color in (self.mean, self.std))
        return (pixels - mean) / std


@dataclass(frozen=True)
class Augment:
    """Flips, shifts and erases, as every method of the CLIP-ReID family does in training."""

    look: Look
    flip: float = 0.5  # probability
    pad: int = 10  # px, black, before a random crop
    erase: float = 0.5  # probability
    light: float = 0.0  # by which share it differs, and by half of that what red, green and blue get of it

    def __call__(self, picture: NDArray[np.uint8], generator: np.random.Generator) -> Tensor:
        pixels = self.look.resized(picture)
        if generator.random() < self.flip:
            pixels = pixels.flip(2)
        height, width = self.look.size
        top, left = generator.integers(0, 2 * self.pad + 1, 2)
        pixels = F.pad(pixels, [self.pad] * 4)[:, top : top + height, left : left + width]
        made = self.lit(pixels, generator)
        return erased(made, generator) if generator.random() < self.erase else made

    def lit(self, pixels: Tensor, generator: np.random.Generator) -> Tensor:
        """In another light alone, of pixels in 8 bits."""
        shown = pixels.float().div_(255)
        if self.light:
            shown = shown.mul(_gains(self.light, generator)).clamp_(0, 1)
        return self.look.normalized(shown)


def _gains(light: float, generator: np.random.Generator) -> Tensor:
    """(3, 1, 1), of red, green and blue."""
    every = 1 + light * generator.uniform(-1, 1)
    each = 1 + light / 2 * generator.uniform(-1, 1, 3)
    return torch.from_numpy((every * each).astype(np.float32))[:, None, None]


AREA, ASPECT, TRIES = (0.02, 1 / 3), (0.3, 1 / 0.3), 10  # timm's


def erased(pixels: Tensor, generator: np.random.Generator) -> Tensor:
    """With a rectangle of noise, of a random share of the area and a random aspect; as it was, where none fits."""
    height, width = pixels.shape[1:]
    for _ in range(TRIES):
        area = generator.uniform(*AREA) * height * width
        aspect = exp(generator.uniform(log(ASPECT[0]), log(ASPECT[1])))
        tall, wide = round(sqrt(area * aspect)), round(sqrt(area / aspect))
        if tall < height and wide < width:
            top, left = generator.integers(0, height - tall + 1), generator.integers(0, width - wide + 1)
            noise = torch.from_numpy(generator.standard_normal((3, tall, wide), np.float32))
            made = pixels.clone()
            made[:, top : top + tall, left : left + wide] = noise
            return made
    return pixels
