"""DPM++ of bands: each band of a picture says how far it is to be trusted, and masks those it is compared with.

What DPM++ learns its masks for, done where a mask can know: a class token mixes all that a picture shows, so that no
number of it is spoilt more than another by what hides somebody. Here each part of a vector is of a band alone, a
network sees from pixels what of it shows, and is taught that by covering people, of whom GrabCut says where they are,
with pieces of other pictures and the like of furniture (`engines/reid/covered.py`). The masked metric, and that it is
learned through its masks, are DPM's (`dpm`); of DPM++'s texts nothing is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid.bands import Bands, Seen
from engines.reid.covered import Covered, Covers
from engines.reid.masks import LEAST, Prototypes, arcface
from engines.reid.method import MaskedMethod, Phase, Phases, Terms
from engines.reid.samplers import Batch, Generator, People
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.task import Task
from engines.reid.transfer import cut_out
from engines.reid.worded import WordedMethod

TOGETHER = 64
LIKE_ITSELF = 10.0  # how steep the loss of pairs is


class Taught(NamedTuple):
    """Pictures with what is known of them."""

    pictures: Tensor
    people: Tensor
    shows: Tensor  # (batch, patches), how much of each
    trust: Tensor  # (batch, bands)
    is_there: Tensor  # (batch, bands), whether somebody is in it at all


class Network(nn.Module):
    """Bands, and a direction for each person: of the whole vector and of each of its parts."""

    def __init__(self, seen: Bands, people: int) -> None:
        super().__init__()
        self.seen = seen
        self.prototypes = Prototypes(seen.bands * seen.length, people)
        del self.prototypes.norm  # parts come of one length each
        made = [
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(people, seen.length))) for _ in range(seen.bands)
        ]
        self.parts = nn.ParameterList(made)


@dataclass(frozen=True)
class DpmBands(WordedMethod, MaskedMethod):
    """Of the settings of CLIP's family those of texts change nothing."""

    bands: int = 4
    blocks: int = 4  # of the encoder
    length: int = 64  # of a band's vector
    covered: float = 0.5  # the share of pictures of which something is
    enough: float = 0.5  # the share of a band's person that has to show for it to be trusted in full
    own_lr_factor: float = 5.0  # how much faster all learns that is not the encoder's
    arc_margin: float = 0.1
    scale: float = 20.0
    triplet_weight: float = 1.0
    parts_weight: float = 1.0
    shows_weight: float = 2.0

    least: ClassVar[Mapping[str, float]] = {
        **WordedMethod.least,
        **dict.fromkeys(("bands", "blocks", "length"), 1),
        **dict.fromkeys(("covered", "enough"), 0),
    }

    def network(self, people: int, cameras: int) -> Network:
        visual = self.clip(cameras).visual
        if self.blocks > len(visual.transformer.resblocks):
            most = len(visual.transformer.resblocks)
            raise ValueError(f"blocks must be from 1 to {most}, got {self.blocks}")
        return Network(Bands(visual, self.blocks, self.bands, self.length), people)

    def phases(self, network: Network, task: Task) -> Phases:
        return {"images": partial(self._images, network, task)}

    def seen(self, network: Network, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors, and how far each band of them is to be trusted."""
        seen = network.seen(pictures)
        return seen.vectors, torch.sigmoid(seen.trust)

    def _images(self, network: Network, task: Task) -> Phase:
        network.requires_grad_(True)
        encoder = list(network.seen.encoder.parameters())
        known = set(map(id, encoder))
        own = [one for one in network.parameters() if id(one) not in known]
        groups: list[dict[str, Any]] = [{"params": encoder}, {"params": own, "times": self.own_lr_factor}]
        return Phase(
            self.epochs,
            torch.optim.AdamW(groups, weight_decay=self.weight_decay),
            warm_up_then_cosine(self.lr, self.epochs, self.warm_up),
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            partial(self._read, task, self._covers(task)),
            lambda batch: self._terms(network, Taught(*(one.to(task.device) for one in batch))),
        )

    def _covers(self, task: Task) -> Covers:
        """All of the pictures, and where GrabCut finds whom they show."""

        def fitted(picture: NDArray[np.uint8], _: Generator) -> Tensor:
            pixels = self.look.resized(picture).permute(1, 2, 0).numpy()
            return torch.from_numpy(np.dstack([pixels, cut_out(pixels, self.size)]))

        rows = np.array_split(np.arange(len(task.samples)), -(-len(task.samples) // TOGETHER))
        unused = task.generator("covers")
        made = torch.cat(list(task.ahead(lambda some: task.pictures(some, fitted, unused), rows))).numpy()
        return Covers(made[..., :3], made[..., 3] > 0)

    def _read(self, task: Task, covers: Covers, batch: Batch, generator: Generator) -> Taught:
        drawn = [covers.drawn(int(at), self.covered, generator) for at in batch]
        shown = [
            self.augment().lit(torch.from_numpy(one.picture.transpose(2, 0, 1).copy()), generator)
            for one in drawn
        ]
        shows, trust, is_there = (
            torch.from_numpy(np.stack(some)) for some in zip(*map(self._known, drawn), strict=True)
        )
        return Taught(torch.stack(shown), task.people[batch], shows, trust, is_there)

    def _known(self, one: Covered) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """How much of each patch shows somebody; how far each band is to be trusted; and whether anybody is there."""
        patch = self.stride[0]
        rows, columns = (side // patch for side in self.size)
        patches = one.shows.reshape(rows, patch, columns, patch).mean(axis=(1, 3)).ravel()
        there, left = (some.reshape(self.bands, -1).sum(axis=1) for some in (one.person, one.shows))
        trust = np.minimum(1, left / np.maximum(1, there) / max(self.enough, LEAST))
        return (
            patches.astype(np.float32),
            trust.astype(np.float32),
            there > 0.04 * one.person.size / self.bands,
        )

    def _terms(self, network: Network, batch: Taught) -> Terms:
        seen, people = network.seen(batch.pictures), batch.people
        mask = torch.sigmoid(seen.trust).detach().repeat_interleave(self.length, dim=1)
        cosines = network.prototypes.masked_cosines(seen.vectors, mask)
        told = F.binary_cross_entropy_with_logits
        there = batch.is_there.float()
        trust = told(seen.trust, batch.trust, there, reduction="sum") / there.sum().clamp(min=1)
        return {
            "masked": arcface(cosines, people, self.arc_margin, self.scale),
            "pairs": self.triplet_weight * _pairs(seen.vectors, mask, people),
            "parts": self.parts_weight * self._parts(network, seen, batch),
            "shows": self.shows_weight * told(seen.shows, batch.shows),
            "trust": self.shows_weight * trust,
        }

    def _parts(self, network: Network, seen: Seen, batch: Taught) -> Tensor:
        """Who it is by each band alone, of those to be trusted."""
        weights, vectors = batch.trust * batch.is_there, seen.vectors.unflatten(1, (self.bands, self.length))
        of = []
        for band, directions in enumerate(network.parts):
            cosines = F.normalize(vectors[:, band]) @ F.normalize(directions.float()).T
            lost = F.cross_entropy(
                0.75 * self.scale * cosines,
                batch.people,
                reduction="none",
                label_smoothing=self.label_smoothing,
            )
            of.append(weights[:, band] * lost)
        return torch.stack(of).sum() / weights.sum().clamp(min=1)


def _pairs(vectors: Tensor, mask: Tensor, people: Tensor) -> Tensor:
    """Through each one's mask, whoever is least like them of their own is to be more like them than anybody else."""
    lengths = (mask**2 @ (vectors**2).T).clamp(min=LEAST).sqrt()
    cosines = (vectors * mask) @ vectors.T / lengths
    is_own = people[:, None] == people[None]
    own = cosines.masked_fill(~is_own, torch.inf).amin(dim=1)
    others = cosines.masked_fill(is_own, -torch.inf).amax(dim=1)
    return F.softplus(LIKE_ITSELF * (others - own)).mean()
