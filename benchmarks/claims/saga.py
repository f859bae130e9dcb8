"""SAGA's claim: the more of somebody is hidden, the more pooling around anchors gains over the whole picture's token.

    python benchmarks/claims/saga.py MODEL.safetensors [--heads text broadcast ...] [--seeds 1 2 3] [--epochs 4]
        [--keep DIR]

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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from hidden_people import CONDITIONS, Asked, asked, encoded, hidden, small  # noqa: E402
from interval import over_people, table  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402
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
LR, TAP = 1e-3, 4
CLASS = "class token"  # learns nothing more
SETTINGS: dict[str, dict[str, Any]] = {
    "text": {},
    "free": {"kind": "free"},
    "uniform": {"pool": "uniform"},
    "broadcast": {"queries": "broadcast"},
}
OTHERS = ("mean", "one query")
FUSED = ("text", "broadcast", "mean")  # of which what is pooled is also looked at beside the class token
SEED = 11  # of people whom no model that comes with the program has learned from


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
    told.add_argument("--shares", nargs="+", type=float, default=SHARES)
    told.add_argument("--keep", type=Path)
    given = told.parse_args()
    SHARES[:] = given.shares
    torch.set_num_threads(1)
    network = trained(given.model)[1]
    data = small(given.people, SEED)
    samples = [Picture(one.path, one.person, one.camera) for one in data.train()]
    task = Task(samples, workers=1, open=data.picture)
    look = Look((64, 32))
    views = Views(task, Augment(look, pad=3), 1)
    kept = views.encoded(lambda pictures, _: said(network, pictures)[:2])
    print(f"{len(samples)} pictures are encoded", file=sys.stderr, flush=True)
    shown, trial = _shown(data, network, look)
    print("the test is encoded", file=sys.stderr, flush=True)
    scores: dict[Any, list[np.ndarray]] = {}
    for seed in given.seeds:
        path, made = (given.keep or Path()) / f"seed {seed}.npz", dict[Any, np.ndarray]()
        if given.keep and path.is_file():
            made = {_told(key): hits for key, hits in np.load(path).items()}
        kept_names = {name for name, _, _ in made}
        for name in (one for one in given.heads if one not in kept_names):
            pool = taught(network, name, seed, task, views, kept, given.epochs)
            _tell(made, name, shown, trial, pool)
            if name in FUSED:
                _tell(made, f"{name}, fused", shown, trial, pool)
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)
            if given.keep:
                np.savez(path, **{"|".join(map(str, key)): hits for key, hits in made.items()})
        _tell(made, CLASS, shown, trial, None)
        for key, hits in made.items():
            scores.setdefault(key, []).append(hits)
    report(scores, trial, given.seeds, list(dict.fromkeys((CLASS, *(name for name, _, _ in scores)))))


def said(network: Any, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Patches (batch, 1, patches, width), fp and f12."""
    with torch.no_grad():
        tokens = network.clip.visual(pictures, taps=(TAP,))
    return tokens.tapped[TAP][:, None, 1:], tokens.projected[:, 0], tokens.last[:, 0]


def _shown(data: Any, network: Any, look: Look) -> tuple[dict[Any, list[np.ndarray]], Asked]:
    """What the encoder says of the gallery, and of every query with each share of it hidden."""
    trial = asked(data)

    def encode(some: Sequence[np.ndarray]) -> list[np.ndarray]:
        patches, projected, last = said(network, torch.stack([look(one) for one in some]))
        return [patches.half().numpy(), projected.numpy(), last.numpy()]

    made = {"gallery": encoded([data.picture(one.path) for one in trial.gallery], encode)}
    for condition in CONDITIONS:
        for share in SHARES:
            made[condition, share] = encoded(
                [hidden(data, one, condition, share) for one in trial.query], encode
            )
    return made, trial


def taught(  # noqa: PLR0913
    network: Any, name: str, seed: int, task: Task, views: Views, kept: Any, epochs: int
) -> Any:
    """What pools patches, (patches, fp) to vectors, after so many epochs."""
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
        for number, rows in enumerate(draw(task.generator("claim", seed, epoch))):
            cached: Cached = views.read(rows, task.generator("claim", seed, epoch, number))
            patches, projected = views.given(cached, kept, None)  # type: ignore[arg-type]
            feature, whose = pooled(patches, projected), task.people[rows]
            loss = losses.identity(neck(feature).scores, whose) + losses.triplet(feature, whose)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    head.eval()
    return pooled


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
    """Add who is found first, of each condition and share."""

    @torch.no_grad()
    def vectors(key: Any) -> np.ndarray:
        patches, projected, last = shown[key]
        if pool is None:
            return np.asarray(F.normalize(torch.from_numpy(last)).numpy())
        parts = [
            pool(torch.from_numpy(patches[at : at + 200]).float(), torch.from_numpy(projected[at : at + 200]))
            for at in range(0, len(patches), 200)
        ]
        if name.endswith(", fused"):
            every = torch.cat(parts), torch.from_numpy(last), torch.from_numpy(projected)
            return np.asarray(fused(every, Saga.fusion).numpy())
        return np.asarray(F.normalize(torch.cat(parts)).numpy())

    gallery = vectors("gallery")
    for condition in CONDITIONS:
        for share in SHARES:
            hits = trial.first_ranks(vectors((condition, share)) @ gallery.T)
            scores[name, condition, share] = hits


def report(scores: Any, trial: Asked, seeds: list[int], names: list[str]) -> None:
    """A table for each condition: each way, what it gains over the class token, and how that grows."""
    for condition in CONDITIONS:
        rows: dict[str, list[object]] = {}
        for name in names:
            found = [np.array(scores[name, condition, share]) for share in SHARES]
            rows[name] = [over_people(one, trial.people) for one in found] + ["", ""]
        for name in names[1:]:
            gains = [
                np.array(scores[name, condition, share]) - np.array(scores[CLASS, condition, share])
                for share in SHARES
            ]
            grows = spearmanr(SHARES, [one.mean() for one in gains]).statistic
            more = over_people(gains[-1] - gains[0], trial.people)
            rows[f"{name} less the class token"] = [
                *(f"{100 * one.mean():.1f}" for one in gains),
                f"{grows:.2f}",
                more,
            ]
        columns = [
            "way",
            *(f"{share:g} hidden" for share in SHARES),
            "Spearman",
            "gain at the last less at the first",
        ]
        table(f"Hidden by a {condition}: CMC-1 of {len(trial.query)} queries, seeds {seeds}", columns, rows)


if __name__ == "__main__":
    main()
