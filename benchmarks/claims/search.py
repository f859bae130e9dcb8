"""What is claimed of a search by words: whom it finds first is mostly who was asked for, far more often than by chance.

    python benchmarks/claims/search.py [--seeds 9301 9302 9303] [--people 500] [--model unified] [--plot FILE.svg]

Queries and what they should find are those of search_queries.tsv, which was written before the model was taught. A
gallery is of people who do not exist and were in no training, four crops each, ranked as `run.py search` does, by the
crop that is most like. R@1 is how often the first has all that was asked for, R@10 how often one of the first ten has;
in percent, of the queries that somebody in the gallery fits, and how far 95 of 100 galleries lie from their mean that
are drawn from the same identities. Beside it: chance; the share of pixels of the colours that are asked for, where on
the body they are asked for; and the control, each query answered with another's words.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from bars import Bar, write  # noqa: E402
from interval import DRAWS, Interval, table  # noqa: E402

from configs.build import build  # noqa: E402
from engines.reid.lab.laboratory import Key, Laboratory  # noqa: E402
from engines.reid.lab.people import CLOTH, HAIR, Crowd  # noqa: E402

QUERIES = Path(__file__).with_name("search_queries.tsv")
CAMERAS = range(4)
RANKS = (1, 10)
PLACES = {  # of a colour on an upright body, as shares of the height of a crop
    **{"hair": (0.0, 0.2), "hat_color": (0.0, 0.2), "top": (0.15, 0.55), "other": (0.15, 0.55)},
    **{"bottom": (0.5, 0.9), "shoes": (0.85, 1.0), "bag_color": (0.15, 0.7)},
}
Wanted = dict[str, str]


class Site(NamedTuple):
    """Who there is, and crops of them: (people, cameras)."""

    attributes: list[Any]
    crops: list[list[np.ndarray]]


def main() -> None:
    """A table for each seed, and one of all."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--seeds", nargs="+", type=int, default=[9301, 9302, 9303])
    told.add_argument("--people", type=int, default=500)
    told.add_argument("--model", default="unified")
    told.add_argument("--plot", type=Path)
    given = told.parse_args()
    queries = read_queries()
    model = build("engines/embedder", {"model": given.model}, "--model", object)
    model.open()
    unread = [text for text, _ in queries if any(map(str.isalpha, model.unknown(text)))]
    print(f"{len(queries)} queries, {len(unread)} with a word that {model.model_id} does not know\n")
    texts = model.texts([text for text, _ in queries])
    results: dict[str, list[list[np.ndarray]]] = {}
    for seed in given.seeds:
        site = seen(seed, given.people)
        fits = np.array([[fit(wanted, one) for one in site.attributes] for _, wanted in queries])
        asked = fits.any(axis=1)
        for name, scores in answers(site, model, texts, queries).items():
            results.setdefault(name, []).append(rates(scores[asked], fits[asked]))
        results.setdefault("chance", []).append(by_chance(fits[asked]))
        print(f"seed {seed}: {asked.sum()} queries that somebody fits", file=sys.stderr, flush=True)
    rows: dict[str, list[object]] = {
        name: [interval([one[at] for one in some]) for at in range(len(RANKS))]
        for name, some in results.items()
    }
    title = f"{given.people} people, seeds {given.seeds}"
    table(title, ["answered by", *(f"R@{rank}" for rank in RANKS)], rows)
    if given.plot:
        groups = {
            f"R@{rank}": {name: Bar(*interval([one[at] for one in some])) for name, some in results.items()}
            for at, rank in enumerate(RANKS)
        }
        write(given.plot, title, groups, {})
    each: dict[str, list[object]] = {
        f"seed {seed}": [f"{100 * results['words'][n][at][0]:.1f}" for at in range(len(RANKS))]
        for n, seed in enumerate(given.seeds)
    }
    table("words, by seed", ["", *(f"R@{rank}" for rank in RANKS)], each)


def read_queries() -> list[tuple[str, Wanted]]:
    """Each with the attributes that it should find."""
    lines = [line for line in QUERIES.read_text().splitlines() if line and not line.startswith("#")]
    split = [line.split("\t") for line in lines]
    return [(text, dict(pair.split("=") for pair in wanted.split())) for text, wanted in split]


def fit(wanted: Wanted, attributes: Any) -> bool:
    """Whether somebody has all that is wanted."""
    return all(str(getattr(attributes, name)).replace(" ", "_") == value for name, value in wanted.items())


def seen(seed: int, people: int) -> Site:
    """A gallery of a seed."""
    laboratory = Laboratory(Crowd(seed))
    attributes = [laboratory.attributes(person, 0) for person in range(people)]
    crops = [
        [laboratory.seen(Key(person, camera, 0, 0)).picture for camera in CAMERAS] for person in range(people)
    ]
    return Site(attributes, crops)


def answers(site: Site, model: Any, texts: np.ndarray, queries: list[Any]) -> dict[str, np.ndarray]:
    """How well everybody fits every query, (queries, people), by each way to answer."""
    flat = [crop for crops in site.crops for crop in crops]
    looks = np.concatenate([model(flat[at : at + 256]) for at in range(0, len(flat), 256)])
    shape = (len(queries), len(site.crops), len(CAMERAS))
    cosines = (texts @ looks.T).reshape(shape).max(axis=2)
    other = np.random.default_rng(0).permutation(len(queries))
    named = [names_of(crop) for crop in flat]
    colors = np.array([[share(wanted, one) for one in named] for _, wanted in queries]).reshape(shape)
    tie = 1e-9 * np.random.default_rng(1).random(colors.shape)
    return {
        "words": cosines,
        "shares of colours": (colors + tie).max(axis=2),
        "another's words": cosines[other],
    }


def names_of(crop: np.ndarray) -> np.ndarray:
    """Which of the named colours each pixel is nearest to, (height, width), as places in NAMES."""
    small = cv2.resize(crop, (32, 64), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.asarray(np.linalg.norm(lab[:, :, None] - PROTOTYPES, axis=3).argmin(axis=2))


def share(wanted: Wanted, names: np.ndarray) -> float:
    """Of the pixels where colours are asked for, how many have them; 0 where none is asked for."""
    total = 0.0
    for name, (top, bottom) in PLACES.items():
        if (color := wanted.get(name)) in NAMES:
            rows = names[round(top * len(names)) : round(bottom * len(names))]
            total += float((rows == NAMES.index(color)).mean())
    return total


NAMES = list({**CLOTH, **HAIR})
PROTOTYPES = cv2.cvtColor(
    np.array([[tuple(bytes.fromhex(one)) for one in {**CLOTH, **HAIR}.values()]], np.uint8),
    cv2.COLOR_RGB2LAB,
)[0].astype(np.float32)


def rates(scores: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """R at each rank, (ranks, 1 + DRAWS): of everybody, then of galleries drawn from them with replacement."""
    order = np.argsort(-scores, axis=1, kind="stable")
    right = np.take_along_axis(fits, order, axis=1)
    made = np.empty((len(RANKS), 1 + DRAWS))
    random = np.random.default_rng(2)
    for draw in range(1 + DRAWS):
        there = np.ones(fits.shape[1], bool)
        if draw:
            there = np.bincount(random.integers(0, len(there), len(there)), minlength=len(there)) > 0
        present = there[order]
        place = present.cumsum(axis=1)
        could = (right & present).any(axis=1)
        for at, rank in enumerate(RANKS):
            made[at, draw] = (right & present & (place <= rank)).any(axis=1)[could].mean()
    return made


def by_chance(fits: np.ndarray) -> np.ndarray:
    """The same of an order that is drawn, which needs no drawing: how likely none of the first fits."""
    made = np.empty((len(RANKS), 1 + DRAWS))
    people, random = fits.shape[1], np.random.default_rng(2)
    for draw in range(1 + DRAWS):
        drawn = random.integers(0, people, people) if draw else np.arange(people)
        some = fits[:, np.unique(drawn)]
        fitting = some.sum(axis=1)[some.any(axis=1)]
        for at, rank in enumerate(RANKS):
            left = np.array([(some.shape[1] - fitting - n) / (some.shape[1] - n) for n in range(rank)])
            made[at, draw] = (1 - left.clip(0).prod(axis=0)).mean()
    return made


def interval(rates_of_seeds: list[np.ndarray]) -> Interval:
    """Of the mean over seeds."""
    mean = np.mean(rates_of_seeds, axis=0)
    # a gallery that is drawn has fewer people, among whom all is easier: what counts is how far they are apart
    low, high = mean[0] + np.percentile(mean[1:] - mean[1:].mean(), [2.5, 97.5])
    return Interval(100 * float(mean[0]), 100 * float(low), 100 * float(high))


if __name__ == "__main__":
    main()
