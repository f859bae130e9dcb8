"""The official baseline of TVRID: a ResNet-50 for colour, a shallow network for depth, and triplets.

R. Delecluse, H. Wannous and M. Guimas, ICPR 2026 competition on top-view re-identification, and its released code.

Of what that does by accident, kept here on purpose:
- the colour encoder ends in a ReLU and the depth encoder does not, so that across modalities half of the space is
  never met from the other side: kept, it is the baseline;
- the frozen part's batch norms still take in what training shows them: kept;
- both encoders are made, though a track may train one of them: kept;
- the triplet's distances are squared: kept.

unstated: how torchvision's weights were chosen ("default"); here they are a file, or random where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines.reid.data._folders import color, depth
from engines.reid.data._records import Record
from engines.reid.data.tvrid import evenly, paired_frames, scaled
from engines.reid.method import Method, Phase, Phases, Terms
from engines.reid.samplers import Batch, Generator, Shuffled
from engines.reid.task import Picture, Task

Track = Literal["rgb", "depth", "cross"]
LENGTH = 128
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEPTH = (0.0,), (0.25,)
BLOCKS, WIDTHS, WIDER = (3, 4, 6, 3), (64, 128, 256, 512), 4
FROZEN = 5  # of the children before the classifier: conv1, its norm, ReLU, pooling, layer1
LARGER = 256 / 224  # a picture's shorter side, before its middle is cut out
Passage = tuple[Tensor, Tensor]  # frames of colour (n, 3, h, w) and of depth (n, 1, h, w)


class Triplets(NamedTuple):
    """Three passages side by side: an anchor, another of theirs, another person's."""

    anchors: Tensor  # (batch, frames, channels, h, w)
    positives: Tensor
    negatives: Tensor


class Bottleneck(nn.Module):
    """A block of three convolutions beside what goes in."""

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        outer = WIDER * width
        self.conv1, self.bn1 = nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = (
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.conv3, self.bn3 = nn.Conv2d(width, outer, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
            if inner != outer
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + self.downsample(x))


def resnet50() -> nn.Sequential:
    """The nine children of torchvision's ResNet-50 before its classifier, under its names."""
    children: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 64, 7, 2, 3, bias=False)),
        ("bn1", nn.BatchNorm2d(64)),
        ("relu", nn.ReLU()),
        ("maxpool", nn.MaxPool2d(3, 2, 1)),
    ]
    inner = 64
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
        layers = []
        for block in range(blocks):
            layers.append(Bottleneck(inner, width, 2 if stage > 1 and block == 0 else 1))
            inner = WIDER * width
        children.append((f"layer{stage}", nn.Sequential(*layers)))
    children.append(("avgpool", nn.AdaptiveAvgPool2d(1)))
    network = nn.Sequential()
    for name, child in children:
        network.add_module(name, child)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class ColorEncoder(nn.Module):
    """Of frames (n, 3, h, w): (n, 128), none of it below 0."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet50()
        for child in list(self.backbone.children())[:FROZEN]:
            child.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, LENGTH), nn.ReLU())

    def forward(self, frames: Tensor) -> Tensor:
        vectors: Tensor = self.head(self.backbone(frames).flatten(1))
        return vectors


class DepthEncoder(nn.Module):
    """Of frames (n, 1, side, side): (n, 128). One block, with its norm, is used four times."""

    def __init__(self, side: int = 224) -> None:
        super().__init__()
        self.first, self.second, self.again = _block(1, 64, 0), _block(64, 512, 1), _block(512, 512, 1)
        self.last = nn.Linear(512 * sides(side)[-1] ** 2, LENGTH)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.second(self.first(frames))
        for _ in range(4):
            x = self.again(x)
        vectors: Tensor = self.last(x.flatten(1))
        return vectors


def sides(side: int) -> list[int]:
    """Of what each pooling leaves of a picture: of 224 they are 111, 55, 27, 13, 6, 3."""
    left = [(side - 2) // 2]
    for _ in range(5):
        left.append(left[-1] // 2)
    return left


class Network(nn.Module):
    """Both encoders; a passage is the mean over its frames."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.color, self.depth = ColorEncoder(), DepthEncoder(side)

    def passages(self, frames: Tensor) -> Tensor:
        """Of passages (batch, frames, channels, h, w), of colour if there are three channels: (batch, 128)."""
        encoder = self.color if frames.shape[2] == 3 else self.depth
        each: Tensor = encoder(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return each.mean(dim=1)


@dataclass
class PassageTask(Task):
    """Samples are passages; `shown` gives the frames of one, prepared."""

    shown: Callable[[int], Passage] = lambda at: (torch.empty(0), torch.empty(0))


@dataclass(frozen=True)
class TvridBaseline(Method):
    """Settings as in the released code; `weights` is a file of torchvision's ResNet-50, else it begins at random."""

    weights: str = ""
    track: Track = "rgb"
    size: int = 224  # of the middle that is cut out of a picture
    frames: int = 5  # of a passage, evenly spread
    epochs: int = 20
    batch: int = 8
    lr: float = 1e-3
    margin: float = 0.25
    warm_up: int = 0  # epochs in which the rate grows; ours, for a trunk that begins at random
    at_once: int = 0  # so many of a passage's frames, drawn anew each time; ours, to save time; 0 for all

    def __post_init__(self) -> None:
        for name in ("frames", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.at_once <= self.frames:
            raise ValueError(f"at_once must be from 0 to {self.frames}, the frames, got {self.at_once}")
        if sides(self.size)[-1] < 1:
            raise ValueError(f"size must be at least 66, or nothing is left of depth, got {self.size}")

    def network(self, people: int, cameras: int) -> Network:
        network = Network(self.size)
        if self.weights:
            _load(network.color.backbone, Path(self.weights))
        return network

    def task(self, records: Sequence[Record], **settings: Any) -> PassageTask:
        samples = [Picture(one.path, one.person, one.camera) for one in records]
        return PassageTask(samples, shown=partial(self._shown, [one.path for one in records]), **settings)

    def _shown(self, folders: Sequence[Path], at: int) -> Passage:
        """Frames of colour and depth of the same moments, where a track asks for both."""
        paired = paired_frames(folders[at])
        chosen = evenly(paired, self.frames)
        colors = [color(one) for one, _ in chosen]
        return prepared(colors, self.size), prepared([scaled(depth(two)) for _, two in chosen], self.size)

    def phases(self, network: Network, task: Task) -> Phases:
        return {"triplets": partial(self._triplets, network, task)}

    def _triplets(self, network: Network, task: Any) -> Phase:
        people = task.people.numpy()
        trained = [one for one in network.parameters() if one.requires_grad]

        def loss(seen: Triplets) -> Terms:
            anchors, positives, negatives = (network.passages(one.to(task.device)) for one in seen)
            near, far = (anchors - positives).square().sum(1), (anchors - negatives).square().sum(1)
            return {"triplet": F.relu(near - far + self.margin).mean()}

        return Phase(
            self.epochs,
            torch.optim.Adam(trained, self.lr),
            lambda epoch: self.lr * min(epoch / (self.warm_up + 1), 1.0),
            Shuffled(len(people), self.batch),
            partial(self._read, task, people),
            loss,
        )

    def _read(
        self, task: PassageTask, people: NDArray[np.int64], batch: Batch, generator: Generator
    ) -> Triplets:
        """For each anchor a random other passage of the same person, and a random one of another."""
        asked = 1 if self.track == "depth" else 0
        given = 0 if self.track == "rgb" else 1
        chosen: list[list[Tensor]] = [[], [], []]
        for anchor in batch.tolist():
            same = np.flatnonzero(people == people[anchor])
            same = same[same != anchor] if len(same) > 1 else same
            other = np.flatnonzero(people != people[anchor])
            positive, negative = int(generator.choice(same)), int(generator.choice(other))
            chosen[0].append(self._some(task.shown(anchor)[asked], generator))
            chosen[1].append(self._some(task.shown(positive)[given], generator))
            chosen[2].append(self._some(task.shown(negative)[given], generator))
        return Triplets(*(torch.stack(one) for one in chosen))

    def _some(self, frames: Tensor, generator: Generator) -> Tensor:
        if not self.at_once:
            return frames
        return frames[np.sort(generator.choice(len(frames), self.at_once, replace=False))]


def prepared(frames: Sequence[NDArray[Any]], size: int) -> Tensor:
    """Frames of colour (h, w, 3) or of scaled depth (h, w): the shorter side 8/7 of the size, the middle cut out."""
    stacked = torch.from_numpy(np.stack(frames).astype(np.float32))
    is_color = stacked.ndim == 4
    stacked = stacked.permute(0, 3, 1, 2) / 255 if is_color else stacked[:, None]
    height, width = stacked.shape[2:]
    scale = round(size * LARGER) / min(height, width)
    resized = F.interpolate(
        stacked, (round(height * scale), round(width * scale)), mode="bilinear", antialias=True
    )
    top, left = (resized.shape[2] - size) // 2, (resized.shape[3] - size) // 2
    middle = resized[:, :, top : top + size, left : left + size]
    mean, std = (torch.tensor(one)[:, None, None] for one in (IMAGENET if is_color else DEPTH))
    return (middle - mean) / std


def _block(inner: int, outer: int, pad: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=pad), nn.ReLU(), nn.BatchNorm2d(outer), nn.MaxPool2d(2)
    )


def _load(backbone: nn.Module, path: Path) -> None:
    """torchvision's weights of a ResNet-50, a file of tensors alone."""
    try:
        state = torch.load(path, weights_only=True)
        backbone.load_state_dict({name: one for name, one in state.items() if not name.startswith("fc.")})
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name a file of weights") from error
    except Exception as error:  # what a file that is none may raise has no end
        said = str(error).splitlines()[0]
        raise InputError(f"{path}: is no ResNet-50 of torchvision's, {said}; name another file") from error
