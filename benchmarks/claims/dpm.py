"""DPM++'s claim: a mask of each query's own finds better whoever is hidden, and only then.

    python benchmarks/claims/dpm.py features [--seeds 1 2 3]
    python benchmarks/claims/dpm.py pictures MODEL ... [--shares 0 0.2 0.4 0.6] [--plot FILE.svg]

`features` learns masks of made-up vectors, eight parts of 16 numbers, some of which are noise's or somebody else's.
`pictures` asks a gallery of SynthPed, three sets of people whom no model has learned from, with models that `run.py
train configs/reid/dpm_tiny_synthped.yaml` or `dpm_bands_tiny_synthped.yaml` has made, or their ONNX: one model, or one
for each set, each of another training. CMC-1 in percent, with 95 % intervals over people; the control exchanges masks
among queries.
"""

from __future__ import annotations

import argparse
import os
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from bars import Bar  # noqa: E402
from curves import write  # noqa: E402
from hidden_people import CONDITIONS, Asked, Condition, Hides, asked, encoded, small  # noqa: E402
from interval import over_people, table  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from engines._embedder_file import EmbedderFile  # noqa: E402
from engines.index.masked import masked_cosines  # noqa: E402
from engines.reid.data._records import people  # noqa: E402
from engines.reid.masks import Prototypes, arcface  # noqa: E402
from engines.reid.trained import Trained  # noqa: E402

PEOPLE, PARTS, WIDTH, NOISE = 300, 8, 16, 0.35
SHARES = (0.0, 0.25, 0.5, 0.625, 0.75)
HIDERS = (
    "noise",
    "other person",
    "thing",
)  # a thing is one of THINGS, much the same in every part that it hides
THINGS = 12
STEPS, BATCH = 1500, 128
PLAIN, MASKED = "hidden asks, plain", "hidden asks, masked"
EXCHANGED, MEAN = "control: masks exchanged", "the mean mask"
PLAIN_FOR, MASKED_FOR = "hidden is looked for, plain", "hidden is looked for, masked"
ASKS = {PLAIN, MASKED, EXCHANGED, MEAN, *(f"{way}, less plain" for way in (MASKED, EXCHANGED, MEAN))}
LESS = {**dict.fromkeys((MASKED, EXCHANGED, MEAN), PLAIN), MASKED_FOR: PLAIN_FOR}
APART = 10_000  # between the numbers of people of one set and of the next


def main() -> None:
    """One of the two."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("part", choices=["features", "pictures"])
    told.add_argument("models", nargs="*")
    told.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    told.add_argument("--by", nargs="+", default=list(HIDERS), choices=HIDERS)
    told.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.2, 0.4, 0.6])
    told.add_argument("--people", nargs="+", type=int, default=[6043, 6044, 6045], help="seeds of SynthPed")
    told.add_argument("--plot", type=Path)
    given = told.parse_args()
    torch.set_num_threads(1)
    if given.part == "features":
        features(given.seeds, given.by)
    else:
        pictures(given.models, given.shares, given.people, given.plot)


def features(seeds: list[int], by_what: list[str]) -> None:
    """A table for each kind of what hides."""
    for by in by_what:
        scores: dict[tuple[str, float], list[np.ndarray]] = {}
        for seed in seeds:
            masker = taught(by, seed)
            for share in SHARES:
                for way, hits in _by_features(masker, by, share, seed).items():
                    scores.setdefault((way, share), []).append(hits)
        ways = list(dict.fromkeys(way for way, _ in scores))
        rows: dict[str, list[object]] = {
            way: [over_people(np.array(scores[way, share]), np.arange(PEOPLE)) for share in SHARES]
            for way in ways
        }
        title = f"Hidden by {by}: CMC-1 of {PEOPLE} people, chance {100 / PEOPLE:.1f}, seeds {seeds}"
        table(title, ["way", *(f"{share:g} hidden" for share in SHARES)], rows)


def taught(by: str, seed: int) -> nn.Module:
    """What makes a mask of a vector, taught with masked ArcFace on other people than are asked for."""
    torch.manual_seed(seed)
    random = np.random.default_rng([seed, 1])
    whole = random.standard_normal((PEOPLE, PARTS * WIDTH))
    width = PARTS * WIDTH
    masker = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, width), nn.Sigmoid())
    prototypes = Prototypes(width, PEOPLE)
    optimizer = torch.optim.Adam([*masker.parameters(), *prototypes.parameters()], lr=1e-3)
    for _ in range(STEPS):
        who = random.integers(0, PEOPLE, BATCH)
        seen, _ = shown(whole, who, by, random.choice(SHARES, BATCH), random)
        given = torch.from_numpy(seen).float()
        cosines = prototypes.masked_cosines(given, masker(given))
        loss = arcface(cosines, torch.from_numpy(who), margin=0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return masker


def _by_features(masker: nn.Module, by: str, share: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng([seed, 2, int(1000 * share)])
    whole = random.standard_normal((PEOPLE, PARTS * WIDTH))
    gallery = _unit(whole + NOISE * random.standard_normal(whole.shape))
    seen, shows = shown(whole, np.arange(PEOPLE), by, np.full(PEOPLE, share), random)
    with torch.no_grad():
        mask = masker(torch.from_numpy(seen).float()).numpy()
    query = _unit(seen)
    oracle = np.where(shows, 0.9, 0.1)
    masks = {
        "cosine": np.ones_like(oracle[:, :1]),
        "what shows is known": oracle,
        "DPM's mask": mask,
        "control: masks exchanged": mask[random.permutation(PEOPLE)],
        "the mean mask": np.repeat(mask.mean(axis=0, keepdims=True), PEOPLE, axis=0),
    }
    own = np.arange(PEOPLE)
    return {
        way: (masked_cosines(query, one, gallery).argmax(axis=1) == own).astype(float)
        for way, one in masks.items()
    }


def shown(
    whole: np.ndarray, who: np.ndarray, by: str, shares: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of these people some of whose parts are not theirs, and which of them are, (n, PARTS)."""
    shows = np.ones((len(who), PARTS), bool)
    for row, share in zip(shows, shares, strict=True):
        row[random.permutation(PARTS)[: round(share * PARTS)]] = False
    over = random.standard_normal((len(who), PARTS * WIDTH))
    if by == "other person":
        over = whole[(who + random.integers(1, len(whole), len(who))) % len(whole)]
    if by == "thing":
        things = np.random.default_rng(0).standard_normal((THINGS, WIDTH))
        over = np.tile(things[random.integers(0, THINGS, len(who))], PARTS)
        over = over + NOISE * random.standard_normal(over.shape)
    is_own = np.repeat(shows, WIDTH, axis=1)
    noisy = whole[who] + NOISE * random.standard_normal(over.shape)
    return np.where(is_own, noisy, over), shows


def pictures(models: list[str], shares: list[float], seeds: list[int], plot: Path | None) -> None:
    """A table for each kind of what hides, and each way: who is hidden asks, or is asked for."""
    found: dict[Condition, dict[str, list[np.ndarray]]] = {}
    whose: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for number, (model, seed) in enumerate(zip(cycle(models), seeds)):  # noqa: B905, models go round
        trial = _asked_of(model, seed, shares, found)
        for asks, some in ((True, trial.query), (False, trial.gallery)):
            whose[asks].append(people(some) + number * APART)
        print(f"seed {seed} is asked", file=sys.stderr, flush=True)
    who = {asks: np.concatenate(some) for asks, some in whose.items()}
    drawn: dict[str, dict[str, list[Bar]]] = {}
    for condition, ways in found.items():
        hits = {way: np.concatenate(some, axis=1) for way, some in ways.items()}
        for way, plain in LESS.items():
            hits[f"{way}, less plain"] = hits[way] - hits[plain]
        intervals = {way: [over_people(one, who[way in ASKS]) for one in some] for way, some in hits.items()}
        rows: dict[str, list[object]] = {way: [*some] for way, some in intervals.items()}
        rows["chance"] = [f"{100 * trial.chance:.1f}"] * len(shares)
        title = f"CMC-1 of {len(who[True])} queries, {len(models)} models, people of seeds {seeds}"
        table(f"Hidden by a {condition}: {title}", ["way", *(f"{share:g} hidden" for share in shares)], rows)
        drawn[f"hidden by a {condition}"] = {
            f"{way}, less plain": [Bar(*one) for one in intervals[f"{way}, less plain"]] for way in LESS
        }
    if plot:
        write(plot, "DPM++: points gained over plain cosines, by the share that is hidden", shares, drawn)


def _asked_of(
    model: str, seed: int, shares: list[float], found: dict[Condition, dict[str, list[np.ndarray]]]
) -> Asked:
    """Whom a model was asked for; and adds who was found first, (shares, queries) of each way."""
    data = small(200, seed)
    trial, hides = asked(data), Hides(data)
    engine: Any = EmbedderFile(model) if model.endswith(".onnx") else Trained(model)
    engine.open()
    gallery = encoded([data.picture(one.path) for one in trial.gallery], engine.seen)
    for condition in CONDITIONS:
        made: dict[str, list[np.ndarray]] = {}
        for share in shares:
            query = encoded([hides(one, condition, share) for one in trial.query], engine.seen)
            for way, hits in _by_pictures(trial, query, gallery).items():
                made.setdefault(way, []).append(hits)
        for way, some in made.items():
            found.setdefault(condition, {}).setdefault(way, []).append(np.array(some))
    return trial


def _by_pictures(trial: Asked, query: list[np.ndarray], gallery: list[np.ndarray]) -> dict[str, np.ndarray]:
    (asks, mask), (there, own) = query, gallery
    mask, own = (np.repeat(one, asks.shape[1] // one.shape[1], axis=1) for one in (mask, own))
    exchanged = np.random.default_rng(0).permutation(len(mask))
    every = {
        PLAIN: np.ones_like(mask),
        MASKED: mask,
        EXCHANGED: mask[exchanged],
        MEAN: np.repeat(mask.mean(axis=0, keepdims=True), len(mask), axis=0),
    }
    made = {way: trial.first_ranks(masked_cosines(asks, one, there)) for way, one in every.items()}
    for way, one in {PLAIN_FOR: np.ones_like(own), MASKED_FOR: own}.items():
        made[way] = trial.first_ranks(masked_cosines(there, one, asks), turned=True)
    return made


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(F.normalize(torch.from_numpy(rows).float()).numpy())


if __name__ == "__main__":
    main()
