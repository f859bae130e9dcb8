"""CLIP-ReID: two stages, in which first each person gets words and then the image encoder learns to agree with them.

S. Li, L. Sun and Q. Li, "CLIP-ReID: Exploiting Vision-Language Model for Image Re-Identification without Concrete Text
Labels", AAAI 2023, and its released code.

Of what its family of code does by accident, done here on purpose:
- pictures are normalised with 0.5 though CLIP was trained otherwise: kept, the weights fit it after stage 2;
- timm's cosine counts epochs from the beginning of the warm-up: kept;
- both schedules are asked for epochs from 1, so that no epoch has the rate of epoch 0: kept;
- an epoch ends with some people's last pictures unseen (see samplers.py): kept;
- thawing all parameters thaws the neck's shift too: mended, it is no parameter (see heads.py);
- prompts and classifiers lie in optimizers that never move them: mended, each stage names what it trains;
- "AMP" is float16 with a scaler: here it is bfloat16, which needs none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import losses
from engines.reid.augment import Augment, Look
from engines.reid.clip import TINY, VIT_B_16, Clip
from engines.reid.clip_weights import load_clip, with_activation
from engines.reid.heads import BNNeck
from engines.reid.method import Phase, Phases, PictureMethod, Terms
from engines.reid.prompts import Prompts
from engines.reid.samplers import Batch, Generator, People, Shuffled
from engines.reid.schedules import warm_up_then_cosine, warm_up_then_steps
from engines.reid.sides import UNSEEN, SideEmbedding
from engines.reid.task import Task
from engines.reid.tokenizer import ClipTokenizer, WordTokenizer

ARCHITECTURES = {"ViT-B/16": VIT_B_16, "tiny": TINY}
Pictures = tuple[Tensor, Tensor, Tensor]  # with their people and cameras
ONE_OR_MORE = ("size", "stride", "prompt_epochs", "prompt_batch", "epochs", "pictures_each")
LEAST = {**dict.fromkeys(ONE_OR_MORE, 1), "people_a_batch": 2, "pad": 0}


class Network(nn.Module):
    """CLIP, each person's words, and a neck for each of the two features that know people."""

    def __init__(self, clip: Clip, prompts: Prompts, people: int) -> None:
        super().__init__()
        self.clip, self.prompts = clip, prompts
        self.neck = BNNeck(clip.architecture.width, people)
        self.projected_neck = BNNeck(clip.architecture.embedding, people)

    def features(self, pictures: Tensor, cameras: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """f11, f12 and fp: the class token after the last block but one, after the last, and projected."""
        tokens = self.clip.visual(pictures, cameras)
        return tokens.penultimate[:, 0], tokens.last[:, 0], tokens.projected[:, 0]

    def texts(self, people: Tensor) -> Tensor:
        """What the text encoder says of people's sentences."""
        return self.clip.text.embedded(*self.prompts(people))


@dataclass(frozen=True)
class ClipReid(PictureMethod):
    """Settings as in the paper; `weights` is a file of CLIP's, without which the network begins at random."""

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
    milestones: tuple[int, ...] = (30, 50)
    people_a_batch: int = 16
    pictures_each: int = 4
    pad: int = 10  # px around a picture, before a random crop
    lr: float = 5e-6
    bias_lr_factor: float = 2.0
    weight_decay: float = 1e-4

    margin: float = 0.3
    label_smoothing: float = 0.1
    id_weight: float = 0.25
    triplet_weight: float = 1.0
    i2t_weight: float = 1.0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            lowest = min(value) if isinstance(value, tuple) else value
            if lowest < least:
                raise ValueError(f"{name} must be at least {least}, got {lowest}")

    def network(self, people: int, cameras: int) -> Network:
        of = with_activation(ARCHITECTURES[self.architecture], self.activation)
        side = SideEmbedding(of.width, cameras, strength=self.sie_strength) if self.sie else None
        clip = Clip(of, self.size, self.stride, side)
        if self.weights:
            load_clip(clip, Path(self.weights))
        is_tiny = self.architecture == "tiny"
        tokenizer = WordTokenizer([self.template], of.context) if is_tiny else ClipTokenizer()
        return Network(clip, Prompts(clip.text, tokenizer, self.template, people), people)

    def phases(self, network: Network, task: Task) -> Phases:
        return {
            "prompts": partial(self._prompts, network, task),
            "images": partial(self._images, network, task),
        }

    @property
    def look(self) -> Look:
        return Look(self.size)

    @property
    def lacks_weights(self) -> bool:
        return not self.weights and self.architecture != "tiny"

    def vectors(self, network: Network, pictures: Tensor) -> Tensor:
        """f12 and fp side by side, of length 1; the mean of all cameras stands for one that is not known."""
        unseen = torch.full((pictures.shape[0],), UNSEEN, device=pictures.device)
        _, last, projected = network.features(pictures, unseen if self.sie else None)
        return F.normalize(torch.cat([last, projected], dim=1))

    def _prompts(self, network: Network, task: Task) -> Phase:
        """Stage 1: the words of each person, from what the frozen encoder says once of every picture: not kept on disk,
        for to say it again when training goes on costs less than one of the epochs of stage 2.
        """
        network.eval()
        look = self.look
        seen = task.encoded(lambda some: network.features(some)[2], lambda picture, _: look(picture))
        people = task.people.to(task.device)
        _only(network, network.prompts.parameters())

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

    def _images(self, network: Network, task: Task) -> Phase:
        """Stage 2: the image encoder and its necks, towards texts that no longer change."""
        network.eval()
        everyone = torch.arange(task.people_count, device=task.device)
        with torch.no_grad(), task.autocast():
            bank = torch.cat([network.texts(some) for some in everyone.split(self.prompt_batch)]).float()
        trained = nn.ModuleList([network.clip.visual, network.neck, network.projected_neck])
        _only(network, trained.parameters())
        augment, smoothing = Augment(self.look, pad=self.pad), self.label_smoothing

        def read(batch: Batch, generator: Generator) -> Pictures:
            return task.pictures(batch, augment, generator), task.people[batch], task.cameras[batch]

        def loss(batch: Pictures) -> Terms:
            pictures, whose, cameras = (part.to(task.device) for part in batch)
            f11, f12, fp = network.features(pictures, cameras if self.sie else None)
            scores = network.neck(f12).scores, network.projected_neck(fp).scores
            identities = [losses.identity(one, whose, smoothing) for one in scores]
            triplets = [losses.triplet(one, whose, self.margin) for one in (f11, f12, fp)]
            return {
                "identity": self.id_weight * torch.stack(identities).sum(),
                "triplet": self.triplet_weight * torch.stack(triplets).sum(),
                "image to text": self.i2t_weight * losses.picture_to_text(fp, bank, whose, smoothing),
            }

        return Phase(
            self.epochs,
            torch.optim.Adam(self._groups(trained), weight_decay=self.weight_decay),
            warm_up_then_steps(self.lr, self.milestones),
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            read,
            loss,
        )

    def _groups(self, trained: nn.Module) -> list[dict[str, object]]:
        named = list(trained.named_parameters())
        biases = [parameter for name, parameter in named if "bias" in name]
        others = [parameter for name, parameter in named if "bias" not in name]
        return [{"params": others}, {"params": biases, "times": self.bias_lr_factor}]


def _only(network: nn.Module, trained: Iterable[nn.Parameter]) -> None:
    """Gradients for these parameters, and for no others."""
    network.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
