"""What the methods that grew out of CLIP-ReID share: CLIP, words of each person, and the stage that learns them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from engines.reid import losses
from engines.reid.anchors import PHRASES
from engines.reid.augment import Augment, Look
from engines.reid.clip import TINY, VIT_B_16, Clip
from engines.reid.clip_weights import load_clip, with_activation
from engines.reid.lab.captions import vocabulary
from engines.reid.method import Phase, PictureMethod, Terms
from engines.reid.prompts import Prompts
from engines.reid.samplers import Batch, Shuffled
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.sides import SideEmbedding
from engines.reid.task import Task
from engines.reid.tokenizer import ClipTokenizer
from engines.reid.words import Tokenizer, WordTokenizer

ARCHITECTURES = {"ViT-B/16": VIT_B_16, "tiny": TINY}
TWINS_WORDS = ("A photo of a X person.",)  # of templates
ONE_OR_MORE = ("size", "stride", "prompt_epochs", "prompt_batch", "epochs", "pictures_each")


class Worded(nn.Module):
    """CLIP, and each person's words."""

    def __init__(self, clip: Clip, prompts: Prompts) -> None:
        super().__init__()
        self.clip, self.prompts = clip, prompts

    def features(self, pictures: Tensor, cameras: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """f11, f12 and fp: the class token after the last block but one, after the last, and projected."""
        tokens = self.clip.visual(pictures, cameras)
        return tokens.penultimate[:, 0], tokens.last[:, 0], tokens.projected[:, 0]

    def texts(self, people: Tensor) -> Tensor:
        """What the text encoder says of people's sentences."""
        return self.clip.text.embedded(*self.prompts(people))


@dataclass(frozen=True)
class WordedMethod(PictureMethod):
    """Settings as in CLIP-ReID; `weights` is a file of CLIP's, without which the network begins at random."""

    weights: str = ""
    architecture: Literal["ViT-B/16", "tiny"] = "ViT-B/16"
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"
    size: tuple[int, int] = (256, 128)  # height, width in px
    stride: tuple[int, int] = (16, 16)  # below the patch's it is the paper's OLP, overlapping patches
    sie: bool = False  # whether the network is told the camera
    sie_strength: float = 1.0
    template: str = "A photo of a X X X X person."

    prompt_epochs: int = 120
    prompt_batch: int = 64
    prompt_lr: float = 3.5e-4

    epochs: int = 60
    people_a_batch: int = 16
    pictures_each: int = 4
    pad: int = 10  # px around a picture, before a random crop
    lr: float = 5e-6
    weight_decay: float = 1e-4
    margin: float = 0.3
    label_smoothing: float = 0.1
    warm_up: int = 10  # epochs
    light: float = 0.0  # how much light and its colour differ in training, as a share

    least: ClassVar[Mapping[str, float]] = {
        **dict.fromkeys(ONE_OR_MORE, 1),
        "people_a_batch": 2,
        **dict.fromkeys(("pad", "warm_up", "light"), 0),
    }
    side_on: ClassVar[Literal["class", "all"]] = "class"

    def __post_init__(self) -> None:
        for name, least in self.least.items():
            value = getattr(self, name)
            lowest = min(value, default=least) if isinstance(value, tuple) else value
            if lowest < least:
                raise ValueError(f"{name} must be at least {least}, got {lowest}")

    @property
    def look(self) -> Look:
        return Look(self.size)

    def augment(self, erase: float = 0.5) -> Augment:
        """How every picture of training is changed."""
        return Augment(self.look, pad=self.pad, erase=erase, light=self.light)

    @property
    def lacks_weights(self) -> bool:
        return not self.weights and self.architecture != "tiny"

    def clip(self, cameras: int) -> Clip:
        """CLIP as the settings have it, filled if there are weights."""
        of = with_activation(ARCHITECTURES[self.architecture], self.activation)
        side = SideEmbedding(of.width, cameras, strength=self.sie_strength, on=self.side_on)
        made = Clip(of, self.size, self.stride, side if self.sie else None)
        if self.weights:
            load_clip(made, Path(self.weights))
        return made

    def tokenizer(self) -> Tokenizer:
        """CLIP's; or for the small twin one of always the same words, so that its encoders can be handed on."""
        if self.architecture != "tiny":
            return ClipTokenizer()
        return WordTokenizer([*TWINS_WORDS, PHRASES.read_text("utf-8"), *vocabulary()], TINY.context)

    def words(self, clip: Clip, people: int, learned: int | None = None) -> Prompts:
        """A sentence for each person, of whose slots so many are learned, or all."""
        return Prompts(clip.text, self.tokenizer(), self.template, people, learned)

    def words_phase(self, network: Any, task: Task) -> Phase:
        """Stage 1: the words of each person, from what the frozen encoder says once of every picture: not kept on disk,
        for to say it again when training goes on costs less than one of the epochs of stage 2.
        """
        network.eval()
        look = self.look
        seen = task.encoded(lambda some: network.features(some)[2], lambda picture, _: look(picture))
        people = task.people.to(task.device)
        only(network, network.prompts.parameters())

        def loss(batch: Batch) -> Terms:
            rows = torch.from_numpy(batch).to(task.device)
            pictures, whose = seen[rows], people[rows]
            texts = network.texts(whose)
            return {
                "image to text": losses.supervised_contrast(pictures, texts, whose, whose),
                "text to image": losses.supervised_contrast(texts, pictures, whose, whose),
            }

        return Phase(
            self.prompt_epochs,
            torch.optim.Adam(network.prompts.parameters(), weight_decay=self.weight_decay),
            warm_up_then_cosine(self.prompt_lr, self.prompt_epochs),
            Shuffled(len(task.samples), self.prompt_batch),
            read=lambda batch, _: batch,
            loss=loss,
        )

    def bank(self, network: Any, task: Task) -> Tensor:
        """The text of each person, (people, width), which no longer changes."""
        network.eval()
        everyone = torch.arange(task.people_count, device=task.device)
        with torch.no_grad(), task.autocast():
            return torch.cat([network.texts(some) for some in everyone.split(self.prompt_batch)]).float()


def only(network: nn.Module, trained: Iterable[nn.Parameter]) -> None:
    """Gradients for these parameters, and for no others."""
    network.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
