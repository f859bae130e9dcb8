"""SAGA's claim: the more of somebody is hidden, the more pooling around anchors gains over the whole picture's token.

    python benchmarks/claims/saga.py MODEL.safetensors [--heads text broadcast ...] [--seeds 1 2 3] [--epochs 4]
        [--keep DIR] [--plot FILE.svg]

MODEL is what `run.py train configs/reid/unified_tiny_synthped.yaml` has made: its encoders hold still, and the one of
texts, which says the anchors, has learned to read. Every head learns from the same views of the same people, with one
loss and as many steps, and sees nobody hidden but by random erasing.
CMC-1 in percent, by what is pooled alone and fused with the class token as SAGA does, with 95 % intervals over people
who are in no training. What is kept in DIR is not made again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import cache
from math import cos, pi
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from bars import Bar  # noqa: E402
from curves import write  # noqa: E402
from hidden_people import CONDITIONS, Asked, Hides, asked, encoded, small  # noqa: E402
from interval import grows, over_people, table  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from engines.reid import checkpoint, losses  # noqa: E402
from engines.reid.augment import Augment, Look  # noqa: E402
from engines.reid.heads import BNNeck  # noqa: E402
from engines.reid.methods.saga import Saga, fused  # noqa: E402
from engines.reid.samplers import People  # noqa: E402
from engines.reid.task import Picture, Task  # noqa: E402
from engines.reid.tokens import Cached, Views  # noqa: E402
from engines.reid.trained import trained  # noqa: E402
from engines.reid.worded import only  # noqa: E402

SHARES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
LR, TAP = 5e-4, 4
CLASS = "class token"  # learns nothing more
SETTINGS: dict[str, dict[str, Any]] = {
    "text": {},
    "free": {"kind": "free"},
    "uniform": {"pool": "uniform"},
    "broadcast": {"queries": "broadcast"},
}
OTHERS = ("mean", "one query")
DRAWN = ("text", "text, fused", "broadcast, fused", "mean", "mean, fused")
CLAIMED = 0.5  # the share at which the claim is asked whether more is gained than of whole people
SEED = 6046  # of people whom no model that comes with the program has learned from


class Simple(nn.Module):
    """The mean of patches, or what one learned query finds among them, and as many layers as a refinement has."""

    def __init__(self, width: int, is_mean: bool) -> None:
        super().__init__()
        self.is_mean, self.query = is_mean, nn.Parameter(0.02 * torch.randn(width))
        wide = 5 * width  # two refinements have 12 width x width each, and some
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, wide // 2), nn.GELU(),
            nn.Linear(wide // 2, width),
        )  # fmt: skip

    def forward(self, patches: Tensor) -> Tensor:
        looks = (patches @ self.query / patches.shape[2] ** 0.5).softmax(dim=1)
        mean = patches.mean(dim=1) if self.is_mean else (looks[:, :, None] * patches).sum(dim=1)
        return mean + self.layers(mean)


def main() -> None:
    """The tables."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("model", type=Path)
    told.add_argument("--heads", nargs="+", default=[*SETTINGS, *OTHERS], choices=[*SETTINGS, *OTHERS])
    told.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    told.add_argument("--epochs", type=int, default=4)
    told.add_argument("--people", type=int, default=200)
    told.add_argument("--views", type=int, default=4, help="of each picture, that heads learn from")
    told.add_argument("--shares", nargs="+", type=float, default=SHARES)
    told.add_argument("--keep", type=Path)
    told.add_argument("--plot", type=Path)
    given = told.parse_args()
    SHARES[:] = given.shares
    torch.set_num_threads(1)
    data = small(given.people, SEED)
    trial, scores = asked(data), dict[Any, list[np.ndarray]]()
    ready = cache(lambda: begun(given.model, data, given.views))
    for seed in given.seeds:
        path, made = (given.keep or Path()) / f"seed {seed}.npz", dict[Any, np.ndarray]()
        if given.keep and path.is_file():
            made = {_told(key): hits for key, hits in np.load(path).items()}
        kept_names = {name for name, _, _ in made}
        for name in (one for one in (CLASS, *given.heads) if one not in kept_names):
            pool = None if name == CLASS else taught(ready(), name, seed, given.epochs)
            _tell(made, name, ready().shown, trial, pool)
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)
            if given.keep:
                np.savez(path, **{"|".join(map(str, key)): hits for key, hits in made.items()})
        for key, hits in made.items():
            scores.setdefault(key, []).append(hits)
    names = list(dict.fromkeys((CLASS, *(name for name, _, _ in scores))))
    title = f"CMC-1 of {len(trial.query)} queries, seeds {given.seeds}"
    report(scores, trial, names, title, given.plot)


class Begun(NamedTuple):
    """An encoder that holds still, and what it says: of views to learn from, and of a test."""

    network: Any
    task: Task
    views: Views
    kept: Any
    shown: dict[Any, list[np.ndarray]]


def begun(model: Path, data: Any, count: int) -> Begun:
    """All that every head begins with."""
    network, look = trained(model)[1], Look((64, 32))
    samples = [Picture(one.path, one.person, one.camera) for one in data.train()]
    task = Task(samples, is_mixed=True, workers=1, open=data.picture)
    views = Views(task, Augment(look, pad=3), count)
    kept = views.encoded(lambda pictures, _: said(network, pictures)[:2])
    shown = _shown(data, network, look)
    print("training and test are encoded", file=sys.stderr, flush=True)
    return Begun(network, task, views, kept, shown)


def said(network: Any, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Patches (batch, 1, patches, width), fp and f12."""
    with torch.no_grad():
        tokens = network.clip.visual(pictures, taps=(TAP,))
    return tokens.tapped[TAP][:, None, 1:], tokens.projected[:, 0], tokens.last[:, 0]


def _shown(data: Any, network: Any, look: Look) -> dict[Any, list[np.ndarray]]:
    """What the encoder says of the gallery, and of every query with each share of it hidden."""
    trial, hides = asked(data), Hides(data)

    def encode(some: Sequence[np.ndarray]) -> list[np.ndarray]:
        patches, projected, last = said(network, torch.stack([look(one) for one in some]))
        return [patches.half().numpy(), projected.numpy(), last.numpy()]

    made = {"gallery": encoded([data.picture(one.path) for one in trial.gallery], encode)}
    for condition in CONDITIONS:
        for share in SHARES:
            made[condition, share] = encoded([hides(one, condition, share) for one in trial.query], encode)
    return made


def taught(ready: Begun, name: str, seed: int, epochs: int) -> Any:
    """What pools patches, (patches, fp) to vectors, after so many epochs."""
    network, task, views, kept, _ = ready
    torch.manual_seed(seed)
    width = network.clip.architecture.width
    if name in OTHERS:
        simple, neck = Simple(width, name == "mean"), BNNeck(width, task.people_count)
        head: nn.Module = nn.ModuleList([simple, neck])

        def pooled(patches: Tensor, _: Tensor) -> Tensor:
            return simple(patches[:, 0])
    else:
        made = _begun(network, name, task)
        only(made, made.head.parameters())
        neck = BNNeck(width, task.people_count)
        head = nn.ModuleList([made, neck])

        def pooled(patches: Tensor, projected: Tensor) -> Tensor:
            return made.pooled(patches, projected, made.anchors(), None)

    optimizer = torch.optim.AdamW(
        [one for one in head.parameters() if one.requires_grad], lr=LR, weight_decay=1e-4
    )
    draw = People(task.people.tolist(), 16, 4)
    head.train()
    for epoch in range(epochs):
        batches = draw(task.generator("claim", seed, epoch))
        for number, rows in enumerate(batches):
            optimizer.param_groups[0]["lr"] = LR * _rate(epoch + number / len(batches), epochs)
            cached: Cached = views.read(rows, task.generator("claim", seed, epoch, number))
            patches, projected = views.given(cached, kept, None)  # type: ignore[arg-type]
            with task.autocast():
                feature, whose = pooled(patches, projected), task.people[rows]
                loss = losses.identity(neck(feature).scores, whose) + losses.triplet(feature, whose)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    head.eval()
    return pooled


def _rate(done: float, epochs: int) -> float:
    """A share: up in the first epoch, then down along a cosine; without, what is pooled may become all alike."""
    return min(1.0, done) * (1 + cos(pi * done / epochs)) / 2


def _begun(network: Any, name: str, task: Task) -> Any:
    """SAGA's network around these encoders, of whose words its anchors are made."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.safetensors"
        checkpoint.save(path, network.clip.state_dict(), {})
        method = Saga(
            weights=str(path),
            architecture="tiny",
            size=(64, 32),
            stride=(8, 8),
            taps=(TAP,),
            classifiers=1,
            **SETTINGS[name],
        )
        return method.network(task.people_count, task.camera_count)


def _told(key: str) -> tuple[str, str, float]:
    name, condition, share = key.split("|")
    return name, condition, float(share)


def _tell(scores: Any, name: str, shown: dict[Any, list[np.ndarray]], trial: Asked, pool: Any) -> None:
    """Add who is found first, of each condition and share: by what is pooled alone, and beside the class token."""
    ways = (name,) if pool is None else (name, f"{name}, fused")

    @torch.no_grad()
    def vectors(key: Any) -> list[np.ndarray]:
        patches, *others = shown[key]
        projected, last = map(torch.from_numpy, others)
        if pool is None:
            return [F.normalize(last).numpy()]
        parts = [
            pool(torch.from_numpy(patches[at : at + 200]).float(), projected[at : at + 200])
            for at in range(0, len(patches), 200)
        ]
        pooled = torch.cat(parts)
        return [F.normalize(pooled).numpy(), fused((pooled, last, projected), Saga.fusion).numpy()]

    gallery, whole = vectors("gallery"), CONDITIONS[0]
    for condition in CONDITIONS:
        for share in SHARES:
            asks = None if not share and condition != whole else vectors((condition, share))
            for at, way in enumerate(ways):  # where nothing hides anybody, it is all the same what does
                scores[way, condition, share] = (
                    scores[way, whole, share] if asks is None else trial.first_ranks(asks[at] @ gallery[at].T)
                )


def report(scores: Any, trial: Asked, names: list[str], title: str, plot: Path | None) -> None:
    """A table for each condition: each way, what it gains over the class token, and how that grows."""
    drawn: dict[str, dict[str, list[Bar]]] = {}
    most = min(range(len(SHARES)), key=lambda at: abs(SHARES[at] - CLAIMED))
    for condition in CONDITIONS:
        rows: dict[str, list[object]] = {}
        found = {
            name: [np.array(scores[name, condition, share]).mean(axis=0) for share in SHARES]
            for name in names
        }
        gains = {name: np.array(found[name]) - np.array(found[CLASS]) for name in names[1:]}
        for name in names:
            rows[name] = [over_people(one, trial.people) for one in found[name]] + ["", ""]
        for name, gain in gains.items():
            rows[f"{name} less the class token"] = [
                *(f"{100 * one.mean():.1f}" for one in gain),
                grows(SHARES, gain, trial.people),
                over_people(gain[most] - gain[0], trial.people),
            ]
        rows["chance"] = [f"{100 * trial.chance:.1f}"] * len(SHARES) + ["", ""]
        shares = (f"{share:g} hidden" for share in SHARES)
        columns = ["way", *shares, "Spearman", f"gain at {SHARES[most]:g} less at 0"]
        table(f"Hidden by a {condition}: {title}", columns, rows)
        drawn[f"hidden by a {condition}"] = {
            f"{name} less the class token": [Bar(*over_people(one, trial.people)) for one in gains[name]]
            for name in DRAWN
            if name in gains
        }
    if plot:
        write(
            plot,
            f"SAGA: points gained over the class token, by the share that is hidden; {title}",
            SHARES,
            drawn,
        )


if __name__ == "__main__":
    main()
