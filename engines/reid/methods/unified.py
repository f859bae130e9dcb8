"""Vectors of pictures that both pictures and words are compared with, learned in two stages that are decoupled.

K. Kvanchiani and T. Mamedov, "Towards Resolving Optimization Conflicts Between Image- and Text-Based Person
Re-Identification", 2026, of which the abstract alone was at hand: first the vision encoder learns, words helping,
then only the text encoder, so that no picture's vector changes any more. unstated, and a setting each:
- how the two kinds of data are mixed: `mixing`;
- whether and how words help the vision encoder: `supervision`, `text_loss`, `text_in_vision`;
- what the second stage learns by: `text_loss`, `text_id_weight`, `word_drop`, `projection`; and, to compare with,
  whether the vision encoder learns in it too: `stage_t`;
and without one: losses of pictures, which are CLIP-ReID's; erasing, which could take away what a caption says, and is
done to pictures that are learned without theirs; of the second data set's people, which is the same as the first here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines.reid import losses
from engines.reid.captioned import CaptionedTask, Kind, Mixed
from engines.reid.data._records import Record
from engines.reid.heads import BNNeck
from engines.reid.method import Phase, Phases, Terms, TextMethod
from engines.reid.samplers import Batch, Generator, People, Shuffled
from engines.reid.schedules import warm_up_then_cosine, warm_up_then_steps
from engines.reid.task import Picture, Task
from engines.reid.worded import Worded, WordedMethod, only
from engines.reid.words import Tokenizer


class Both(NamedTuple):
    """Pictures to tell people apart by, and pictures with the numbers of their captions; one of them may be none."""

    pictures: Tensor
    people: Tensor
    told: Tensor
    told_people: Tensor
    numbers: Tensor


class Network(Worded):
    """CLIP, each person's words, necks for pictures, and what texts pass through."""

    def __init__(self, worded: Worded, people: int, has_projection: bool) -> None:
        super().__init__(worded.clip, worded.prompts)
        of = self.clip.architecture
        self.neck, self.projected_neck = BNNeck(of.width, people), BNNeck(of.embedding, people)
        self.project: nn.Module = nn.Linear(of.embedding, of.embedding) if has_projection else nn.Identity()
        if isinstance(self.project, nn.Linear):
            nn.init.eye_(self.project.weight)
            nn.init.zeros_(self.project.bias)
        self.people = nn.Linear(of.embedding, people, bias=False)

    def said(self, numbers: Tensor) -> Tensor:
        """The text encoder's, of the numbers of tokens."""
        return self.project(self.clip.text(numbers))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Unified(WordedMethod, TextMethod):
    """Settings as in CLIP-ReID and IRRA."""

    milestones: tuple[int, ...] = (30, 50)
    id_weight: float = 0.25
    triplet_weight: float = 1.0
    i2t_weight: float = 1.0
    pictures: bool = True  # whether telling people apart is learned
    mixing: Literal["joint", "alternate", "sequential", "concat_ids"] = "joint"
    supervision: Literal["captions", "prompts", "both", "none"] = "captions"
    text_loss: Literal["sdm", "itc"] = "sdm"
    text_weight: float = 1.0
    temperature: float = 0.02
    text_in_vision: Literal["trained", "frozen"] = "trained"
    captions_a_batch: int = 64
    stage_t: Literal["frozen", "joint"] = "frozen"
    text_epochs: int = 30
    text_lr: float = 1e-5
    text_id_weight: float = 0.0
    word_drop: float = 0.1
    projection: bool = False

    least: ClassVar[Mapping[str, float]] = {
        **WordedMethod.least,
        **dict.fromkeys(("text_epochs",), 1),
        "captions_a_batch": 2,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.pictures and self.supervision in ("none", "prompts"):
            raise ValueError(
                "pictures must be true, or supervision captions: else nothing teaches the encoder"
            )

    def task(self, records: Sequence[Record], **settings: Any) -> CaptionedTask:
        """With the caption of each record that has one; raises InputError where none has."""
        told = tuple(one.caption for one in records)
        if sum(map(bool, told)) < 2:
            raise InputError(
                "no pictures have captions; train on cuhk_pedes, or on synthped with data_settings {captioned: true}"
            )
        made = [Picture(one.path, one.person, one.camera) for one in records]
        return CaptionedTask(made, **settings, captions=told)

    def network(self, people: int, cameras: int) -> Network:
        clip = self.clip(cameras)
        return Network(Worded(clip, self.words(clip, people)), people, self.projection)

    def reader(self) -> Tokenizer:
        return self.tokenizer()

    def phases(self, network: Network, task: Task) -> Phases:
        assert isinstance(task, CaptionedTask)
        has_prompts = self.supervision in ("prompts", "both")
        has_captions = self.supervision in ("captions", "both")
        made: dict[str, Any] = {"prompts": partial(self.words_phase, network, task)} if has_prompts else {}
        together = has_captions and self.pictures and self.mixing != "sequential"
        if together:
            made["vision"] = partial(self._vision, network, task, "both")
        else:
            made |= {"vision": partial(self._vision, network, task, "pictures")} if self.pictures else {}
            made |= (
                {"vision by words": partial(self._vision, network, task, "captions")} if has_captions else {}
            )
        return {**made, "texts": partial(self._texts, network, task)}

    def vectors(self, network: Network, pictures: Tensor) -> Tensor:
        """fp alone, of length 1: texts are compared with it too."""
        return F.normalize(network.features(pictures)[2])

    def texts(self, network: Network, numbers: Tensor) -> Tensor:
        return F.normalize(network.said(numbers))

    def _vision(self, network: Network, task: CaptionedTask, kind: Kind) -> Phase:
        """Stage V. Of one kind of batch every step, or of both in it, or of each in turn."""
        has_prompts = kind != "captions" and self.supervision in ("prompts", "both")
        bank = self.bank(network, task) if has_prompts else None
        trained = nn.ModuleList([network.clip.visual, network.neck, network.projected_neck])
        if kind != "pictures" and self.text_in_vision == "trained":
            trained.append(network.clip.text)
            trained.append(network.project)
        only(network, trained.parameters())
        reader = self.reader()
        people = People(task.people.tolist(), self.people_a_batch, self.pictures_each)
        captions = Shuffled(len(task.captioned), min(self.captions_a_batch, len(task.captioned)), False)

        def read(batch: Batch, generator: Generator) -> Both:
            shown, told = batch[1 : 1 + batch[0]], batch[1 + batch[0] :]
            nothing = torch.empty(0, 3, *self.size)
            plain, erasing = self.augment(erase=0.0), self.augment()
            return Both(
                task.pictures(shown, erasing, generator) if len(shown) else nothing,
                task.people[shown],
                task.pictures(told, plain, generator) if len(told) else nothing,
                task.people[told],
                torch.from_numpy(reader(task.said(told, generator, 0.0))),
            )

        return Phase(
            self.epochs,
            torch.optim.Adam(trained.parameters(), weight_decay=self.weight_decay),
            warm_up_then_steps(self.lr, self.milestones, self.warm_up),
            Mixed(people, captions, task.captioned, kind, self.mixing == "alternate"),
            read,
            lambda batch: self._terms(network, Both(*(one.to(task.device) for one in batch)), bank),
        )

    def _terms(self, network: Network, batch: Both, bank: Tensor | None) -> Terms:
        terms: Terms = {}
        features: list[Tensor] = list(network.features(batch.pictures)) if len(batch.pictures) else []
        people, shown = batch.people, features
        if len(batch.told):
            told = network.features(batch.told)
            terms["text"] = self.text_weight * self._matched(
                told[2], network.said(batch.numbers), batch.told_people
            )
            if self.mixing == "concat_ids" and features:
                shown = [torch.cat(pair) for pair in zip(features, told, strict=True)]
                people = torch.cat([people, batch.told_people])
        if shown:
            scores = network.neck(shown[1]).scores, network.projected_neck(shown[2]).scores
            identities = [losses.identity(one, people, self.label_smoothing) for one in scores]
            terms["identity"] = self.id_weight * torch.stack(identities).sum()
            triplets = [losses.triplet(one, people, self.margin) for one in shown]
            terms["triplet"] = self.triplet_weight * torch.stack(triplets).sum()
        if shown and bank is not None:
            found = losses.picture_to_text(shown[2], bank, people, self.label_smoothing)
            terms["image to text"] = self.i2t_weight * found
        return terms

    def _texts(self, network: Network, task: CaptionedTask) -> Phase:
        """Stage T: the text encoder alone, towards what the image encoder said once of every picture."""
        network.eval()
        look, reader = self.look, self.reader()
        seen = task.encoded(lambda some: network.features(some)[2], lambda picture, _: look(picture))
        trained = nn.ModuleList([network.clip.text, network.project, network.people])
        if self.stage_t == "joint":
            trained.append(network.clip.visual)
        only(network, trained.parameters())
        draw = Shuffled(len(task.captioned), self.captions_a_batch)

        def read(batch: Batch, generator: Generator) -> tuple[Batch, Tensor, Tensor]:
            rows = task.captioned[batch]
            numbers = torch.from_numpy(reader(task.said(rows, generator, self.word_drop)))
            if self.stage_t == "frozen":
                return rows, numbers, torch.empty(0)
            shown = task.pictures(rows, self.augment(erase=0.0), generator)
            return rows, numbers, shown

        def loss(batch: tuple[Batch, Tensor, Tensor]) -> Terms:
            rows, whose = torch.from_numpy(batch[0]), task.people[batch[0]].to(task.device)
            pictures = (
                network.features(batch[2].to(task.device))[2] if len(batch[2]) else seen[rows.to(task.device)]
            )
            texts = network.said(batch[1].to(task.device))
            terms = {"text": self._matched(pictures, texts, whose)}
            if self.text_id_weight:
                scores = [network.people(one) for one in (pictures, texts)]
                found = [losses.identity(one, whose, self.label_smoothing) for one in scores]
                terms["identity"] = self.text_id_weight * torch.stack(found).sum()
            return terms

        return Phase(
            self.text_epochs,
            torch.optim.Adam(trained.parameters(), weight_decay=self.weight_decay),
            warm_up_then_cosine(self.text_lr, self.text_epochs, first=0.1 * self.text_lr, last=0.0),
            draw,
            read,
            loss,
        )

    def _matched(self, pictures: Tensor, texts: Tensor, people: Tensor) -> Tensor:
        if self.text_loss == "sdm":
            return losses.similarity_distribution(pictures, texts, people, self.temperature)
        return losses.instance_contrast(pictures, texts, 1 / self.temperature)
