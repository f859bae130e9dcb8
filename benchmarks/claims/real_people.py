"""Models that learned from people who do not exist, on crops of real ones, whole and painted over:

    python benchmarks/claims/real_people.py VIDEO GT [--models NAME ...] [--shares 0 0.15 ...]

VIDEO is PETS S2L1, 480x360, GT its ground truth, for 768x576. Each second of a person gives a crop, as long as half of
them can be seen; what is asked for is the same person, five seconds away or more, among all others' crops. mAP in
percent, with 95 % intervals over people. Beside the models: how often each colour is in four bands of a crop, and
retail-0248, which has seen real people. Of queries a rectangle of noise, or half of somebody else, then hides a share:
before any model sees them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from interval import over_people, table  # noqa: E402

from engines._embedder_file import EmbedderFile  # noqa: E402
from engines.embedder import Embedder  # noqa: E402
from engines.evaluate.mot import RESULT_COLUMNS, read_mot  # noqa: E402
from engines.evaluate.retrieval import found, nearest_first  # noqa: E402
from engines.index.masked import masked_cosines  # noqa: E402
from engines.reid.lab.occluders import behind_rectangle  # noqa: E402

FPS, SCALE = 7, 0.625
LEAST_SEEN, LEAST_PX, APART_S = 0.5, 24, 5
BANDS, LEVELS = 4, 6
RETAIL = "person_reidentification_retail_0248"
CONDITIONS = ("rectangle", "neighbour")
WIDTH = 192  # of the small encoder
LESS = {  # what is claimed of one way over another
    **{f"dpm, {way}": "dpm" for way in ("masked", "masks exchanged")},
    "saga": "saga, class token alone",
}


class Crops(NamedTuple):
    """Pictures, whose each is, and of which second."""

    pictures: list[np.ndarray]
    people: np.ndarray
    seconds: np.ndarray


class Said(NamedTuple):
    """What a model says of crops: vectors, and how far each number is to be trusted."""

    vectors: np.ndarray
    visibility: np.ndarray


def main() -> None:
    """A table of whole crops, and one for each of what hides."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("video", type=Path)
    told.add_argument("truth", type=Path)
    told.add_argument("--models", nargs="+", default=["unified", "dpm", "saga", RETAIL])
    told.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.15, 0.3, 0.45, 0.6])
    given = told.parse_args()
    crops = crops_of(given.video, given.truth)
    models: dict[str, Callable[[list[np.ndarray]], Said]] = {"colours in bands": in_bands}
    for name in given.models:
        engine = EmbedderFile(name) if name.endswith(".onnx") else Embedder(name)
        engine.open()
        models[Path(name).stem] = lambda some, engine=engine: Said(*engine.seen(some))
    galleries = {name: say(crops.pictures) for name, say in models.items()}
    count = len(set(crops.people.tolist()))
    chance = over_people(*precisions(np.random.default_rng(1).random((len(crops.people),) * 2), crops))
    for condition in CONDITIONS:
        rows: dict[str, list[object]] = {}
        for name, say in models.items():
            for share in given.shares:
                shown = [hidden(crops, at, condition, share) for at in range(len(crops.people))]
                found_by = {
                    way: precisions(scores, crops)
                    for way, scores in compared(name, say(shown), galleries[name]).items()
                }
                for way, (some, whose) in found_by.items():
                    rows.setdefault(way, []).append(over_people(some, whose))
                    if way in LESS and LESS[way] in found_by:
                        gain = over_people(some - found_by[LESS[way]][0], whose)
                        rows.setdefault(f"{way}, less {LESS[way]}", []).append(gain)
        columns = ["mAP", *(f"{share:g} hidden" for share in given.shares)]
        table(
            f"PETS, {len(crops.people)} crops of {count} people, queries hidden by a {condition}; chance {chance}",
            columns,
            rows,
        )


def crops_of(video: Path, truth: Path) -> Crops:
    """One a second of whoever is large enough."""
    rows = read_mot(
        truth, RESULT_COLUMNS
    )  # it says neither what is a person nor how much can be seen of them
    film, made = cv2.VideoCapture(str(video)), Crops([], np.empty(0), np.empty(0))
    people, seconds = [], []
    for number in range(1, int(rows.frames.max()) + 1):
        _, picture = film.read()
        if number % FPS:
            continue
        now = rows.frames == number
        corners = np.rint(SCALE * rows.corners[now]).astype(int).clip(0)
        for box, person in zip(corners, rows.ids[now], strict=True):
            left, top, right, bottom = box
            cut = picture[top:bottom, left:right, ::-1]
            if cut.shape[0] >= LEAST_PX and _shown(box, corners) >= LEAST_SEEN:
                made.pictures.append(np.ascontiguousarray(cut))
                people.append(person)
                seconds.append(number // FPS)
    return Crops(made.pictures, np.array(people), np.array(seconds))


def _shown(box: np.ndarray, others: np.ndarray) -> float:
    """The share of a box that no single one before it covers: one that reaches lower down."""
    nearer = others[others[:, 3] > box[3]]
    wide, tall = (
        np.minimum(nearer[:, side + 2], box[side + 2]) - np.maximum(nearer[:, side], box[side])
        for side in (0, 1)
    )
    both = wide.clip(0) * tall.clip(0)
    return float(1 - both.max(initial=0) / max(1, np.prod(box[2:] - box[:2])))


def in_bands(pictures: list[np.ndarray]) -> Said:
    """How often each colour is in each band, as square roots."""
    rows = []
    for picture in pictures:
        levels = (picture.astype(int) * LEVELS) // 256
        numbers = (levels * (LEVELS**2, LEVELS, 1)).sum(axis=2)
        bands = np.array_split(numbers, BANDS)
        shares = [np.bincount(band.ravel(), minlength=LEVELS**3) / band.size for band in bands]
        rows.append(np.sqrt(np.concatenate(shares) / BANDS))
    return Said(np.array(rows, np.float32), np.ones((len(rows), 1), np.float32))


def hidden(crops: Crops, at: int, condition: str, share: float) -> np.ndarray:
    """A crop this share of which a rectangle of noise hides, or the half of somebody else that is nearer."""
    picture, chance = crops.pictures[at], np.random.default_rng([at, 7])
    if not share:
        return picture
    if condition == "rectangle":
        return behind_rectangle(picture, share, chance).picture
    others = np.flatnonzero(crops.people != crops.people[at])
    tall, wide = picture.shape[:2]
    other = cv2.resize(crops.pictures[int(chance.choice(others))], (wide, tall))
    made, across = picture.copy(), round(share * wide)
    if chance.random() < 0.5:
        made[:, :across] = other[:, wide - across :]
    else:
        made[:, wide - across :] = other[:, :across]
    return made


def compared(name: str, asks: Said, there: Said) -> dict[str, np.ndarray]:
    """Scores (queries, gallery), plain; of one that gives masks through those too, and through others' masks."""
    made = {name: asks.vectors @ there.vectors.T}
    if asks.visibility.shape[1] > 1:
        exchanged = asks.visibility[np.random.default_rng(0).permutation(len(asks.visibility))]
        for way, masks in (("masked", asks.visibility), ("masks exchanged", exchanged)):
            made[f"{name}, {way}"] = masked_cosines(asks.vectors, masks, there.vectors)
    if name == "saga":  # what is pooled, the class token and that projected, side by side
        sides = slice(WIDTH), slice(WIDTH, 2 * WIDTH), slice(2 * WIDTH, None)
        for way, side in zip(("pooled", "class token", "projected"), sides, strict=True):
            made[f"saga, {way} alone"] = _unit(asks.vectors[:, side]) @ _unit(there.vectors[:, side]).T
    return made


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def precisions(scores: np.ndarray, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Average precisions of queries who are there again, among crops far enough away, or others'; and whose."""

    def counts(row: int) -> np.ndarray:
        own = crops.people == crops.people[row]
        return ~own | (np.abs(crops.seconds - crops.seconds[row]) >= APART_S)

    made = found(nearest_first([-scores]), crops.people, crops.people, {"": counts})[""]
    return made.average_precisions, crops.people[made.queries]


if __name__ == "__main__":
    main()
