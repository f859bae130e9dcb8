"""Which crop of a track says most about who it is, on real pictures: python benchmarks/which_crop.py VIDEO GT SIZE

VIDEO shows what GT, a MOT ground truth for pictures of SIZE (as 768x576), names; SIGHTLINE_MODELS is where the weights
are of `person_reidentification_retail_0248`. Of every second of a person one crop is taken, by several rules, and the
mean average precision says how well the crops of one person find each other among all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from engines.embedder import Embedder  # noqa: E402
from stages._crops import CUT, EDGE_PX, covered  # noqa: E402

SECOND = 7  # frames of PETS
LEAST_PX = 8
SHARP_PX = (48, 96)


@dataclass
class Seen:
    """A crop, whose it is and when, and what may be said for it, each 0 to 1."""

    person: int
    second: int
    vector: NDArray[np.float32]
    alone: float
    whole: float
    middle: float
    sharp: float


RULES = {
    "the first": lambda one: 0.0,
    "alone": lambda one: one.alone,
    "alone, whole": lambda one: one.alone * one.whole,
    "alone, whole, near the middle: what `tracklet` takes": lambda one: one.alone * one.whole * one.middle,
    "these, and sharp": lambda one: one.alone * one.whole * one.middle * one.sharp,
    "sharp": lambda one: one.sharp,
}


def seen_of(video: Path, gt: Path, size_px: NDArray[np.float64]) -> Iterator[Seen]:
    """Every box of the truth that is large enough."""
    rows = np.loadtxt(gt, delimiter=",")
    embedder = Embedder("person_reidentification_retail_0248")
    embedder.open()
    film = cv2.VideoCapture(str(video))
    for number in range(1, int(rows[:, 0].max()) + 1):
        _, picture = film.read()
        shape = np.array(picture.shape[1::-1], np.float64)
        now = rows[rows[:, 0] == number]
        boxes = np.hstack([now[:, 2:4], now[:, 2:4] + now[:, 4:6]]) * np.tile(shape / size_px, 2)
        alone = 1.0 - covered(boxes.astype(np.float32))
        middle = 1.0 - np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 / shape - 0.5, axis=1)
        cut = (boxes[:, :2] < EDGE_PX).any(axis=1) | (boxes[:, 2:] > shape - EDGE_PX).any(axis=1)
        for row, box in enumerate(np.clip(boxes, 0, np.tile(shape, 2)).astype(int)):
            left, top, right, bottom = box
            if min(right - left, bottom - top) < LEAST_PX:
                continue
            crop = picture[top:bottom, left:right, ::-1]
            yield Seen(
                int(now[row, 1]),
                number // SECOND,
                embedder([crop])[0],
                float(alone[row]),
                CUT if cut[row] else 1.0,
                float(middle[row]),
                sharpness(crop),
            )


def sharpness(crop: NDArray[np.uint8]) -> float:
    """How much of what changes in a crop changes from pixel to pixel, at one size."""
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), SHARP_PX, interpolation=cv2.INTER_AREA)
    edges = cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F).var()
    return float(edges / (edges + 4 * grey.var() + 1e-3))


def main(video: Path, gt: Path, size: str) -> None:
    """Print the table."""
    every = list(seen_of(video, gt, np.array(size.split("x"), float)))
    table = Table("which crop", "mAP", title=f"one crop of {SECOND} frames, {len(every)} crops in all")
    for name, rule in RULES.items():
        taken: dict[tuple[int, int], Seen] = {}
        for one in every:
            best = taken.get((one.person, one.second))
            if best is None or rule(one) > rule(best):
                taken[one.person, one.second] = one
        table.add_row(name, f"{_map_of(list(taken.values())):.3f}")
    Console(width=100).print(table)


def _map_of(crops: list[Seen]) -> float:
    vectors = np.stack([one.vector for one in crops])
    people = np.array([one.person for one in crops])
    likeness = vectors @ vectors.T
    precisions = []
    for row, person in enumerate(people):
        order = np.argsort(-likeness[row], kind="stable")
        hits = people[order[order != row]] == person
        if hits.any():
            precisions.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return float(np.mean(precisions))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
