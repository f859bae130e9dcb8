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

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import losses
from engines.reid.heads import BNNeck
from engines.reid.method import Phase, Phases, Terms
from engines.reid.samplers import Batch, Generator, People
from engines.reid.schedules import warm_up_then_steps
from engines.reid.sides import UNSEEN
from engines.reid.task import Task
from engines.reid.worded import Worded, WordedMethod, only

Pictures = tuple[Tensor, Tensor, Tensor]  # with their people and cameras


class Network(Worded):
    """CLIP, each person's words, and a neck for each of the two features that know people."""

    def __init__(self, worded: Worded, people: int) -> None:
        super().__init__(worded.clip, worded.prompts)
        self.neck = BNNeck(self.clip.architecture.width, people)
        self.projected_neck = BNNeck(self.clip.architecture.embedding, people)


@dataclass(frozen=True)
class ClipReid(WordedMethod):
    """Settings as in the paper."""

    milestones: tuple[int, ...] = (30, 50)
    bias_lr_factor: float = 2.0
    id_weight: float = 0.25
    triplet_weight: float = 1.0
    i2t_weight: float = 1.0

    def network(self, people: int, cameras: int) -> Network:
        clip = self.clip(cameras)
        return Network(Worded(clip, self.words(clip, people)), people)

    def phases(self, network: Network, task: Task) -> Phases:
        return {
            "prompts": partial(self.words_phase, network, task),
            "images": partial(self._images, network, task),
        }

    def vectors(self, network: Network, pictures: Tensor) -> Tensor:
        """f12 and fp side by side, of length 1; the mean of all cameras stands for one that is not known."""
        unseen = torch.full((pictures.shape[0],), UNSEEN, device=pictures.device)
        _, last, projected = network.features(pictures, unseen if self.sie else None)
        return F.normalize(torch.cat([last, projected], dim=1))

    def _images(self, network: Network, task: Task) -> Phase:
        """Stage 2: the image encoder and its necks, towards texts that no longer change."""
        bank = self.bank(network, task)
        trained = nn.ModuleList([network.clip.visual, network.neck, network.projected_neck])
        only(network, trained.parameters())
        augment, smoothing = self.augment(), self.label_smoothing

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
            warm_up_then_steps(self.lr, self.milestones, self.warm_up),
            People(task.people.tolist(), self.people_a_batch, self.pictures_each),
            read,
            loss,
        )

    def _groups(self, trained: nn.Module) -> list[dict[str, object]]:
        named = list(trained.named_parameters())
        biases = [parameter for name, parameter in named if "bias" in name]
        others = [parameter for name, parameter in named if "bias" not in name]
        return [{"params": others}, {"params": biases, "times": self.bias_lr_factor}]
