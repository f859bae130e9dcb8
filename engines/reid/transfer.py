"""Hides people of training behind what hid others: patches of another picture around where its person was.

Saliency-guided patch transfer (SPT, Tan et al. 2024): whoever is in a picture stays where the donor's person was, and
all else of the donor, its background and what stands before it, comes over the rest.

unstated: what SPT's OIoU is; here the intersection over union of two masks, the one turned to the right as far as makes
it largest. Of the tenth that is most alike, SPT tries up to 100 at random until one is alike as it stands too; here one
is drawn among all of that tenth that are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import losses
from engines.reid.clip import ImageEncoder
from engines.reid.heads import BNNeck
from engines.reid.method import Terms
from engines.reid.positions import Grid
from engines.reid.samplers import Generator

MOST_ALIKE, ALIKE = 0.1, 0.7  # the share that may be drawn, and the least IoU of two masks as they stand
CUT_PX, EDGE_PX, ROUNDS = (
    (128, 64),
    (3, 4),
    4,
)  # GrabCut's picture, what of it is nobody at each edge, how often it looks
SALIENT = 0.5
Mask = NDArray[np.bool_]


def cut_out(picture: NDArray[np.uint8], grid: Grid) -> Mask:
    """The patches (rows, columns) of which half and more are whom GrabCut finds, who stands away from the edges."""
    (height, width), (top, left) = CUT_PX, EDGE_PX
    fitted = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA)
    found, models = np.zeros(CUT_PX, np.uint8), np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    box = left, top, width - 2 * left, height - 2 * top
    cv2.grabCut(fitted, found, box, models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_RECT)
    person = ((found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD)).astype(np.float32)
    return np.asarray(cv2.resize(person, grid[::-1], interpolation=cv2.INTER_AREA) >= SALIENT)


class Saliency(nn.Module):
    """SPT's first step: an encoder of its own that learns which patches its verdict hangs on."""

    def __init__(self, encoder: ImageEncoder, width: int, people: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.levels = encoder, levels
        self.neck = BNNeck(width, people)
        self.head = nn.Linear(len(levels) * width, 1)  # SPT's 1x1 convolution

    def shares(self, pictures: Tensor) -> Tensor:
        """How much each patch says of whoever is there, (batch, patches) of 0 to 1."""
        return self._looked_at(pictures)[1]

    def terms(self, pictures: Tensor, people: Tensor, smoothing: float) -> Terms:
        """SPT's losses; the maps pass no gradient on from what is made of them."""
        feature, shares = self._looked_at(pictures)
        kept, hidden = (
            self.encoder(pictures, patched=lambda patches, by=by: patches * by[:, :, None]).last[:, 0]
            for by in (shares, 1 - shares)
        )
        scores, of_kept, of_hidden = (self.neck(one).scores for one in (feature, kept, hidden))
        alike = of_kept.float().softmax(1) * of_hidden.float().softmax(1)
        return {
            "identity": losses.identity(scores, people, smoothing),
            "salient identity": losses.identity(of_kept, people, smoothing),
            "triplet": losses.triplet(feature, people, margin=None),
            "share": 50 * (shares.float().mean() - 0.3).square(),
            "overlap": 0.1 * alike.sum(1).mean(),
        }

    def _looked_at(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.encoder(pictures, taps=self.levels)
        maps = torch.cat([tokens.tapped[level][:, 1:] for level in self.levels], dim=2).detach()
        return tokens.last[:, 0], torch.sigmoid(self.head(maps).squeeze(2))


@dataclass(frozen=True)
class Donors:
    """Where people are in all pictures of training, (pictures, rows, columns) of patches."""

    masks: Mask

    def drawn(self, at: int, generator: Generator) -> int:
        """A picture whose person stands much as that of this one; this one itself, where none does."""
        own, count = self.masks[at], len(self.masks)
        turned = np.stack([np.roll(own, by, axis=1).ravel() for by in range(own.shape[1])]).astype(np.float32)
        others = self.masks.reshape(count, -1).astype(np.float32)
        both = turned @ others.T
        alike = both / np.maximum(own.sum() + others.sum(axis=1) - both, 1)
        ranked = np.argsort(-alike.max(axis=0), kind="stable")
        likely = [
            n for n in ranked[: max(1, round(MOST_ALIKE * count)) + 1] if n != at and alike[0, n] > ALIKE
        ]
        return int(generator.choice(likely)) if likely else at

    def kept(self, at: int, donor: int) -> tuple[NDArray[np.float32], float]:
        """Of a picture's patches 1 for those that stay with that donor, and how much of its person they are."""
        if donor == at:
            return np.ones(self.masks[at].size, np.float32), 1.0
        stays, person = self.masks[donor].ravel(), self.masks[at].ravel()
        return stays.astype(np.float32), float((stays & person).sum() / max(1, person.sum()))


def mixed(patches: Tensor, donors: Tensor, kept: Tensor) -> Tensor:
    """Patches (batch, patches, width) where they are kept (batch, patches), and those of the donors elsewhere."""
    return torch.lerp(donors, patches, kept[:, :, None].to(patches.dtype))


def flipped(kept: NDArray[np.float32], grid: Grid) -> Tensor:
    """The same of pictures turned left to right."""
    return torch.from_numpy(kept.reshape(grid)[:, ::-1].copy().ravel())


def agreement(shown: Tensor, whole: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """How far somebody hidden is from the same person whole, whom it does not change: where they say they can be
    trusted, and elsewhere. Features (batch, width), each as if of length 1.
    """
    apart = (F.normalize(shown.float()) - F.normalize(whole.float()).detach()).square()
    trusted = mask.float() ** 2
    return (trusted * apart).sum(1).mean(), ((1 - mask.float()) ** 2 * apart).sum(1).mean()
