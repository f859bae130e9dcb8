"""SAGA-ReID: patches of a frozen encoder, pooled around what words say of people: what hides them counts less.

Y. Zheng, X. Sun, B. Alattar, V. Ablavsky and J.-N. Hwang, "From Global to Local: Rethinking CLIP Feature Aggregation
for Person Re-Identification", 2026, and its released code.

Of what that code does by accident, done here on purpose:
- a refinement begins as a block of CLIP with 12 heads and has 8: kept (`heads`);
- stage 2 teaches triplets and identities to f12 alone: kept;
- stage 2 warms up over its first ten steps, which are less than an epoch: left out, rates here are by epoch;
- stage 2 thaws the neck's shift: mended, it is no parameter (see heads.py);
- the third stage's optimizer holds parameters that get no gradient: mended, each stage names what it trains;
- all vectors are made of length 1, whatever is asked for: kept, it changes no order.

unstated: which 12 of the phrases its first version has; here the first. Left out, as it is off in that code: a triplet
for each anchor, texts for what was pooled, and a fourth stage in which all learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import anchors as of_text
from engines.reid import losses
from engines.reid.anchors import Domain, DomainAnchors, FreeAnchors, Pooling, TextAnchors
from engines.reid.clip import Clip
from engines.reid.heads import BNNeck, shiftless
from engines.reid.method import Phase, Phases, Terms
from engines.reid.prompts import Prompts
from engines.reid.samplers import Batch, Generator, People
from engines.reid.schedules import Schedule, warm_up_then_half, warm_up_then_steps
from engines.reid.sides import UNSEEN
from engines.reid.task import Task
from engines.reid.tokens import Cached, Views
from engines.reid.transformer import Block
from engines.reid.worded import Worded, WordedMethod, only


class Network(Worded):
    """CLIP, each person's words, a neck for f12, and what pools patches around anchors."""

    def __init__(self, worded: Worded, neck: BNNeck, head: Head) -> None:
        super().__init__(worded.clip, worded.prompts)
        self.neck, self.head = neck, head
        self._fixed: Tensor | None = None

    def train(self, mode: bool = True) -> Network:
        if mode:  # an exporter says again what is so already, and would write the text encoder into its file
            self._fixed = None
        return super().train(mode)

    def anchors(self) -> Tensor:
        """Of the text. While nothing learns they are made once."""
        if self.training:
            return self.head.anchors(self.clip.text)  # type: ignore[no-any-return]
        if self._fixed is None:
            with torch.inference_mode(False), torch.no_grad():
                self._fixed = self.head.anchors(self.clip.text).clone()
        return self._fixed

    def use_anchors(self, anchors: Tensor) -> None:
        """Instead of asking the text encoder."""
        self._fixed = anchors

    def tokens(self, pictures: Tensor, cameras: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Patches (batch, levels, patches, width) as they are pooled, f12 and fp."""
        made = self.clip.visual(pictures, cameras, taps=self.head.taps)
        patches = torch.stack([made.tapped[tap][:, 1:] for tap in self.head.taps], dim=1)
        return patches, made.last[:, 0], made.projected[:, 0]

    def camera(self, cameras: Tensor) -> Tensor | None:
        """What stands for the side of each."""
        side = self.clip.visual.side
        if side is None:
            return None
        known = torch.cat([side.weight, side.weight.mean(0, keepdim=True)])
        return known[torch.where(cameras == UNSEEN, len(side.weight), cameras)]

    def pooled(self, patches: Tensor, projected: Tensor, anchors: Tensor, camera: Tensor | None) -> Tensor:
        """r, (batch, width): of each level its own anchors, and of the deepest the picture's too."""
        parts = anchors.chunk(len(self.head.taps))
        total = torch.zeros_like(patches[:, 0, 0])
        for level, (pool, part) in enumerate(zip(self.head.pools, parts, strict=True)):
            asked = part.expand(patches.shape[0], -1, -1)
            if level == len(parts) - 1:
                own = self.head.domain(patches[:, level], projected, anchors, camera)
                asked = torch.cat([asked, own], dim=1)
            total = total + pool(patches[:, level], asked)
        return total


class Head(nn.Module):
    """All that the third stage trains."""

    def __init__(self, clip: Clip, made: Saga, people: int, anchors: nn.Module) -> None:
        super().__init__()
        of, self.taps, self.anchors = clip.architecture, made.taps, anchors
        self.domain = DomainAnchors(made.domain, made.domain_anchors, of, made.heads)
        blocks = [cast(Block, clip.visual.transformer.resblocks[tap - 1]) for tap in made.taps]
        how = made.heads, made.pool == "routed", made.queries == "broadcast"
        self.pools = nn.ModuleList(Pooling(block, of.width, *how) for block in blocks)
        self.norm = shiftless(of.width)
        self.classifiers = nn.ModuleList(
            nn.Linear(of.width, people, bias=False) for _ in range(made.classifiers)
        )
        self.begin_again()

    def begin_again(self) -> None:
        """The normalisation and the classifiers know nothing any more."""
        self.norm.reset_running_stats()
        nn.init.ones_(self.norm.weight)
        for one in self.classifiers:
            nn.init.normal_(cast(nn.Linear, one).weight, std=0.001)


@dataclass(frozen=True)
class Saga(WordedMethod):
    """Settings as in the paper; `taps` are the blocks, from 1, whose patches are pooled, the deepest last."""

    stride: tuple[int, int] = (12, 12)
    sie_strength: float = 3.0
    template: str = "X X X X X X X X X X X X X X X X person."
    learned_words: int = 8  # of the template's slots; the others, for kinds of cameras, are zeros
    prompt_epochs: int = 100
    epochs: int = 80
    milestones: tuple[int, ...] = (40, 70)
    id_weight: float = 0.25
    i2t_weight: float = 1.0

    taps: tuple[int, ...] = (9,)
    anchors: int = 24
    anchor_words: tuple[int, int] = (4, 12)  # of an anchor's phrase, those that learn and those that do not
    kind: Literal["text", "free"] = "text"
    domain: Domain = "image"
    domain_anchors: int = 3
    heads: int = 8
    pool: Literal["routed", "uniform"] = "routed"
    queries: Literal["patches", "broadcast"] = "patches"
    classifiers: int = 4
    first_epochs: int = 20
    first_lr: float = 3.5e-4
    refined_epochs: int = 80
    refined_lr: float = 2e-4
    anchor_weight: float = 0.05
    classifier_weight: float = 0.5
    views: int = 4  # of each picture that are kept, in 16 bits; 0: each is encoded whenever it is drawn
    fusion: tuple[float, float, float] = (2.0, 0.2, 0.05)  # weights of r, f12 and fp in what is compared

    least: ClassVar[Mapping[str, float]] = {
        **WordedMethod.least,
        **dict.fromkeys(
            ("taps", "domain_anchors", "heads", "classifiers", "first_epochs", "refined_epochs"), 1
        ),
        **dict.fromkeys(("anchor_words", "views", "fusion", "learned_words"), 0),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if list(self.taps) != sorted(set(self.taps)) or not 0 < len(self.taps) <= self.anchors:
            raise ValueError(f"taps must be blocks, the deepest last, got {list(self.taps)}")
        if self.domain == "camera" and not self.sie:
            raise ValueError("domain must not be camera where sie is false: the network is told none")
        if len(self.fusion) != 3 or not sum(self.fusion):
            raise ValueError(f"fusion must be three weights, not all 0, got {list(self.fusion)}")

    def network(self, people: int, cameras: int) -> Network:
        clip = self.clip(cameras)
        of = clip.architecture
        if max(self.taps) > of.layers or of.width % self.heads:
            raise ValueError(f"taps must be up to {of.layers} and heads divide {of.width}")
        file = of_text.TWINS_PHRASES if self.architecture == "tiny" else of_text.PHRASES
        said = of_text.phrases(self.anchors, file)
        tokenizer = self.tokenizer()
        prompts = Prompts(clip.text, tokenizer, self.template, people, self.learned_words)
        made: nn.Module = FreeAnchors(self.anchors, of.width)
        if self.kind == "text":
            made = TextAnchors(clip.text, tokenizer, said, self.anchor_words, of)
        head = Head(clip, self, people, made)
        return Network(Worded(clip, prompts), BNNeck(of.width, people), head)

    def phases(self, network: Network, task: Task) -> Phases:
        first = warm_up_then_steps(self.first_lr, (), warm_up=5)
        refined = warm_up_then_half(self.refined_lr, self.refined_epochs)
        return {
            "prompts": partial(self.words_phase, network, task),
            "images": partial(self._images, network, task),
            "anchors": partial(self._pooled, network, task, self.first_epochs, first),
            "refined": partial(self._refined, network, task, refined),
        }

    def vectors(self, network: Network, pictures: Tensor) -> Tensor:
        """Those of r, f12 and fp that count, side by side, so that a cosine of two is the weighted mean of theirs."""
        unseen = torch.full((pictures.shape[0],), UNSEEN, device=pictures.device)
        patches, last, projected = network.tokens(pictures, unseen if self.sie else None)
        pooled = network.pooled(patches, projected, network.anchors(), network.camera(unseen))
        return fused((pooled, last, projected), self.fusion)

    def _images(self, network: Network, task: Task) -> Phase:
        """Stage 2: the encoder, as CLIP-ReID's but f12 alone is taught who is who."""
        bank = self.bank(network, task)
        trained = nn.ModuleList([network.clip.visual, network.neck])
        only(network, trained.parameters())
        augment, smoothing = self.augment(), self.label_smoothing

        def read(batch: Batch, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
            return task.pictures(batch, augment, generator), task.people[batch], task.cameras[batch]

        def loss(batch: tuple[Tensor, Tensor, Tensor]) -> Terms:
            pictures, whose, cameras = (part.to(task.device) for part in batch)
            _, f12, fp = network.features(pictures, cameras if self.sie else None)
            return {
                "identity": self.id_weight * losses.identity(network.neck(f12).scores, whose, smoothing),
                "triplet": losses.triplet(f12, whose, self.margin),
                "image to text": self.i2t_weight * losses.picture_to_text(fp, bank, whose, smoothing),
            }

        return Phase(
            self.epochs,
            torch.optim.Adam(trained.parameters(), weight_decay=self.weight_decay),
            warm_up_then_steps(self.lr, self.milestones, warm_up=1),
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            read,
            loss,
        )

    def _refined(self, network: Network, task: Task, rate: Schedule) -> Phase:
        """With one classifier the first stretch only taught anchors: it and the normalisation begin again."""
        if self.classifiers == 1:
            network.head.begin_again()
        return self._pooled(network, task, self.refined_epochs, rate)

    def _pooled(self, network: Network, task: Task, epochs: int, rate: Schedule) -> Phase:
        """Stage 3: all but the encoders, from what the image encoder said once of some views of each picture."""
        network.eval()
        only(network, network.head.parameters())
        views = Views(task, self.augment(), self.views)
        encode = partial(_encoded, network, self.sie)
        kept = views.encoded(encode)

        def loss(batch: Cached) -> Terms:
            rows = torch.from_numpy(batch.rows)
            whose, cameras = task.people[rows].to(task.device), task.cameras[rows].to(task.device)
            patches, projected = views.given(batch, kept, encode)
            anchors = network.anchors()
            pooled = network.pooled(patches, projected, anchors, network.camera(cameras))
            return self._terms(network.head, pooled, anchors, whose)

        return Phase(
            epochs,
            torch.optim.AdamW(network.head.parameters(), weight_decay=self.weight_decay),
            rate,
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            views.read,
            loss,
        )

    def _terms(self, head: Head, pooled: Tensor, anchors: Tensor, whose: Tensor) -> Terms:
        after, weights = head.norm(pooled), [cast(Any, one).weight.flatten() for one in head.classifiers]
        scores = [losses.identity(one(after), whose, self.label_smoothing) for one in head.classifiers]
        terms = {
            "identity": torch.stack(scores).mean(),
            "triplet": losses.triplet(pooled, whose, self.margin),
            "anchors": self.anchor_weight * losses.squared_cosines(anchors),
        }
        if len(weights) > 1:
            terms["classifiers"] = self.classifier_weight * losses.squared_cosines(torch.stack(weights))
        return terms


def fused(parts: tuple[Tensor, ...], weights: tuple[float, ...]) -> Tensor:
    """Parts (batch, width) side by side, of length 1 in all, each as long as the root of its weight."""
    kept = [by**0.5 * F.normalize(part) for part, by in zip(parts, weights, strict=True) if by]
    return F.normalize(torch.cat(kept, dim=1))


def _encoded(network: Network, sie: bool, pictures: Tensor, cameras: Tensor) -> tuple[Tensor, Tensor]:
    patches, _, projected = network.tokens(pictures, cameras if sie else None)
    return patches, projected
