"""DPM++: each picture says which numbers of its vector are to be trusted, and masks those it is compared with.

L. Tan, S. Luan, Y. Zou, P. Dai and L. Cao, "DPM++: Dynamic Masked Metric Learning for Occluded Person
Re-Identification", 2026, of which the abstract alone was at hand; all else is of the released code of its authors' DPM
(2022) and SPT (2024).
unstated, and a setting each:
- how text is transferred to prototypes: `align_weight` (they must agree once projected), `from_text`, `i2t_weight`;
- how patches are found salient: `saliency`, SPT's learned network or GrabCut;
- what guides the mask: `agree_weight`, `rest_weight`, `share_weight`;
- the backbone's stride, the steps of the optimizer, `neck` (what is compared: before or after it);
and without one: how pictures are paired. Half of each person's are those of the other half, hidden; both are turned
alike, and neither is shifted or erased, for masks are of pictures as they are.

Of what DPM's code does by accident, done here on purpose:
- its loss of heads is a sum over the batch, and grows with it: kept;
- mask and backbone learn in turns, on the same batch: `in_turns`, with new flips; else at once, the mask faster;
- it compares one query after the other: mended (engines/index/masked.py), with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import losses
from engines.reid.masks import MaskGenerator, Prototypes, arcface, heads_overlap
from engines.reid.method import MaskedMethod, Phase, Phases, Terms
from engines.reid.samplers import Batch, Generator, People
from engines.reid.schedules import warm_up_then_steps
from engines.reid.sides import UNSEEN
from engines.reid.task import Task
from engines.reid.transfer import SALIENT, Donors, Saliency, agreement, cut_out, flipped, mixed
from engines.reid.transformer import Block
from engines.reid.worded import Worded, WordedMethod, only

MASKS, REST = 0, 1  # whose turn it is, where they take turns


class Pairs(NamedTuple):
    """Pictures, some of which are then hidden once more behind their donors: those and what is kept of them."""

    pictures: Tensor
    people: Tensor
    cameras: Tensor
    donors: Tensor  # (hidden, 3, height, width), for the last pictures
    kept: Tensor  # (hidden, patches), 1 where a patch stays
    shares: Tensor  # (hidden,), of the person that shows
    turn: int


class Network(Worded):
    """CLIP, each person's words, the mask's generator, prototypes, and a network that says what is salient."""

    def __init__(self, worded: Worded, people: int, made: Dpm, saliency: Saliency | None) -> None:
        super().__init__(worded.clip, worded.prompts)
        width = self.clip.architecture.width
        self.levels = made.levels
        inner = made.mask_width or 2 * width
        self.masker = MaskGenerator(width, len(self.levels), self.clip.visual.grid, inner)
        self.prototypes = Prototypes(width, people)
        self.saliency = saliency

    def looked_at(self, pictures: Tensor, cameras: Tensor | None, patched: Any = None) -> tuple[Any, Tensor]:
        """All tokens, and the mask of each picture."""
        tokens = self.clip.visual(pictures, cameras, taps=self.levels, patched=patched)
        return tokens, self.masker([tokens.tapped[level][:, 1:] for level in self.levels])


@dataclass(frozen=True)
class Dpm(WordedMethod, MaskedMethod):
    """Settings as in DPM and SPT; `levels` are the blocks, from 1, whose patches the mask is made of."""

    stride: tuple[int, int] = (12, 12)
    sie_strength: float = 3.0
    levels: tuple[int, ...] = (2, 4, 10, 12)
    mask_width: int = 0  # of the first maps that the mask is made of; 0: twice the encoder's, as DPM's
    saliency: Literal["learned", "grabcut", "none"] = "learned"
    saliency_epochs: int = 60
    neck: Literal["before", "after"] = "before"
    milestones: tuple[int, ...] = (30, 50)
    bias_lr_factor: float = 2.0
    mask_lr_factor: float = 10.0
    in_turns: bool = False

    id_weight: float = 0.5
    masked_weight: float = 0.5
    arc_margin: float = 0.5
    triplet_weight: float = 1.0
    heads_weight: float = 0.1
    from_text: bool = False
    align_weight: float = 0.5
    i2t_weight: float = 0.0
    agree_weight: float = 1.0
    rest_weight: float = 0.1
    share_weight: float = 0.1

    least: ClassVar[Mapping[str, float]] = {
        **WordedMethod.least,
        "saliency_epochs": 1,
        "levels": 1,
        "mask_width": 0,
    }
    side_on: ClassVar[Literal["class", "all"]] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.saliency != "none" and self.pictures_each % 2:
            raise ValueError(
                f"pictures_each must be even, half of them hidden, or saliency none, got {self.pictures_each}"
            )

    def network(self, people: int, cameras: int) -> Network:
        clip = self.clip(cameras)
        of = clip.architecture
        if not self.levels or max(self.levels) > of.layers:
            raise ValueError(f"levels must be blocks from 1 to {of.layers}, got {list(self.levels)}")
        salient = None
        if self.saliency == "learned":
            salient = Saliency(self.clip(cameras).visual, of.width, people, self.levels)
        return Network(Worded(clip, self.words(clip, people)), people, self, salient)

    def phases(self, network: Network, task: Task) -> Phases:
        learned: Phases = (
            {"saliency": partial(self._saliency, network, task)} if self.saliency == "learned" else {}
        )
        return {
            **learned,
            "prompts": partial(self.words_phase, network, task),
            "images": partial(self._images, network, task),
        }

    def seen(self, network: Network, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The class token of length 1, and a mask of its width."""
        unseen = torch.full((pictures.shape[0],), UNSEEN, device=pictures.device)
        tokens, mask = network.looked_at(pictures, unseen if self.sie else None)
        feature = tokens.last[:, 0]
        if self.neck == "after":
            feature = network.prototypes.norm(feature)
        return F.normalize(feature), mask

    def _saliency(self, network: Network, task: Task) -> Phase:
        assert network.saliency is not None
        salient = network.saliency
        only(network, salient.parameters())
        augment = self.augment()

        def read(batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
            return task.pictures(batch, augment, generator), task.people[batch]

        def loss(batch: tuple[Tensor, Tensor]) -> Terms:
            pictures, people = (part.to(task.device) for part in batch)
            return salient.terms(pictures, people, self.label_smoothing)

        return Phase(
            self.saliency_epochs,
            torch.optim.Adam(salient.parameters(), weight_decay=self.weight_decay),
            warm_up_then_steps(self.lr, (), self.warm_up),
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            read,
            loss,
        )

    def _images(self, network: Network, task: Task) -> Phase:
        bank = self.bank(network, task)
        if self.from_text:
            _begin_at(network, bank)
        donors = self._donors(network, task)
        masker = list(network.masker.parameters())
        rest = [*network.clip.visual.parameters(), *network.prototypes.parameters()]
        only(network, chain(masker, rest))
        each = self.pictures_each // 2 if donors else self.pictures_each
        drawn = People(task.people.tolist(), self.people_a_batch, each)

        def draw(generator: Generator) -> list[Batch]:
            turns = (REST, MASKS) if self.in_turns else (REST,)
            return [np.concatenate([[turn], batch]) for batch in drawn(generator) for turn in turns]

        def loss(batch: Pairs) -> Terms:
            if self.in_turns:
                for parameters, turn in ((masker, MASKS), (rest, REST)):
                    for one in parameters:
                        one.requires_grad_(batch.turn == turn)
            return self._terms(network, _on(batch, task.device), bank)

        return Phase(
            self.epochs,
            torch.optim.Adam(self._groups(network), weight_decay=self.weight_decay),
            warm_up_then_steps(self.lr, self.milestones, self.warm_up),
            draw,
            partial(self._read, task, donors, network.clip.visual.grid),
            loss,
        )

    def _donors(self, network: Network, task: Task) -> Donors | None:
        grid, look = network.clip.visual.grid, self.look
        if self.saliency == "none":
            return None
        if network.saliency is not None:
            shares = task.encoded(network.saliency.shares, lambda picture, _: look(picture))
            return Donors((shares.cpu().numpy() >= SALIENT).reshape(-1, *grid))

        def patches(picture: NDArray[np.uint8], _: Generator) -> Tensor:
            return torch.from_numpy(cut_out(picture, grid).ravel())

        found = task.encoded(lambda some: some, patches).cpu().numpy() > 0
        return Donors(found.reshape(-1, *grid))

    def _read(
        self, task: Task, donors: Donors | None, grid: tuple[int, int], batch: Batch, generator: Generator
    ) -> Pairs:
        turn, whole = int(batch[0]), batch[1:]
        if donors is None:
            pictures = task.pictures(whole, self.augment(), generator)
            nothing = torch.empty(0, 3, *self.look.size), torch.empty(0, grid[0] * grid[1]), torch.empty(0)
            return Pairs(pictures, task.people[whole], task.cameras[whole], *nothing, turn)
        behind = np.array([donors.drawn(int(at), generator) for at in whole])
        kept = [donors.kept(int(at), int(by)) for at, by in zip(whole, behind, strict=True)]
        shown = task.pictures(
            np.concatenate([whole, behind]), lambda picture, _: self.look(picture), generator
        )
        is_turned = torch.from_numpy(generator.random(len(whole)) < 0.5)
        shown = torch.where(is_turned.repeat(2)[:, None, None, None], shown.flip(3), shown)
        stays = [
            flipped(one, grid) if turned else torch.from_numpy(one)
            for (one, _), turned in zip(kept, is_turned.tolist(), strict=True)
        ]
        pictures, others = shown.split(len(whole))
        twice = np.concatenate([whole, whole])
        shares = torch.tensor([share for _, share in kept])
        return Pairs(
            torch.cat([pictures, pictures]),
            task.people[twice],
            task.cameras[twice],
            others,
            torch.stack(stays),
            shares,
            turn,
        )

    def _terms(self, network: Network, batch: Pairs, bank: Tensor) -> Terms:
        visual, people, hidden = network.clip.visual, batch.people, len(batch.donors)

        def patched(patches: Tensor) -> Tensor:
            whole, behind = patches.tensor_split([len(patches) - hidden])
            return torch.cat([whole, mixed(behind, visual.patches(batch.donors), batch.kept)])

        tokens, mask = network.looked_at(
            batch.pictures, batch.cameras if self.sie else None, patched if hidden else None
        )
        feature, prototypes = tokens.last[:, 0], network.prototypes
        after = prototypes.norm(feature)
        cosines = prototypes.masked_cosines(after, mask)
        texts = F.cosine_similarity((prototypes.weight @ visual.proj).float(), bank)
        terms = {
            "identity": self.id_weight * losses.identity(prototypes.scores(after), people, 0.0),
            "masked": self.masked_weight * arcface(cosines, people, self.arc_margin),
            "triplet": self.triplet_weight * losses.triplet(feature, people, self.margin),
            "heads": self.heads_weight
            * heads_overlap(cast(Block, visual.transformer.resblocks[-1]), tokens.penultimate),
            "text": self.align_weight * (1 - texts).mean(),
        }
        if self.i2t_weight:
            found = losses.picture_to_text(tokens.projected[:, 0], bank, people, self.label_smoothing)
            terms["image to text"] = self.i2t_weight * found
        if hidden:
            agreed, others = agreement(feature[-hidden:], feature[:hidden], mask[-hidden:])
            terms["agreed"] = self.agree_weight * agreed + self.rest_weight * others
            terms["share"] = self.share_weight * (mask[-hidden:].mean(1) - batch.shares).square().mean()
        return terms

    def _groups(self, network: Network) -> list[dict[str, object]]:
        """Biases learn faster, and the mask faster still."""
        trained = nn.ModuleList([network.clip.visual, network.prototypes])
        named = [*((name, one, 1.0) for name, one in trained.named_parameters())]
        named += [(name, one, self.mask_lr_factor) for name, one in network.masker.named_parameters()]
        factors = {id(one): by * (self.bias_lr_factor if "bias" in name else 1.0) for name, one, by in named}
        return [
            {"params": [one for _, one, _ in named if factors[id(one)] == by], "times": by}
            for by in sorted(set(factors.values()))
        ]


def _begin_at(network: Network, bank: Tensor) -> None:
    """Prototypes that say, once projected, what the texts say."""
    with torch.no_grad():
        there = F.normalize(bank) @ torch.linalg.pinv(network.clip.visual.proj.float())
        network.prototypes.weight.copy_(F.normalize(there))


def _on(batch: Pairs, device: str) -> Pairs:
    return Pairs(*(part.to(device) if isinstance(part, Tensor) else part for part in batch))  # type: ignore[arg-type]
