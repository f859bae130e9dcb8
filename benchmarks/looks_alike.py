"""What `midpoint` and `slope` of `match` are for a model: python benchmarks/looks_alike.py MODEL ...

A model is a name, or the path of an ONNX file. Of SynthPed's people, none of whom a model that comes with the program
has learned from, each is seen by four cameras of one of four sites: all pairs across cameras, those of one person
counting as much as those of two. The midpoint is the likeness at which both are as likely, the slope how fast that
changes; and how many pairs would be taken for the wrong ones by likeness alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
from scipy.optimize import minimize  # noqa: E402

from engines._embedder_file import EmbedderFile  # noqa: E402
from engines.embedder import Embedder  # noqa: E402
from engines.reid.data.synthped import SynthPed  # noqa: E402

SEED, PEOPLE, SITES = 12, 160, 4


def main(models: list[str]) -> None:
    """A row for each."""
    data = SynthPed(Path(), seed=SEED, train_people=1, val_people=1, test_people=PEOPLE, sites=SITES)
    records = data.trial("ground").gallery
    people, cameras = (np.array([getattr(one, name) for one in records]) for name in ("person", "camera"))
    apart = np.triu(cameras[:, None] != cameras)
    same = people[:, None] == people
    pictures = [data.picture(one.path) for one in records]
    print("| model | midpoint | slope | wrong | one person, median | two |\n|---|---|---|---|---|---|")
    for name in models:
        engine = EmbedderFile(name) if name.endswith(".onnx") else Embedder(name)
        engine.open()
        vectors = engine(pictures)
        engine.close()
        likeness = vectors @ vectors.T
        one, two = likeness[apart & same], likeness[apart & ~same]
        midpoint, slope = fitted(one, two)
        wrong = 50 * ((one < midpoint).mean() + (two >= midpoint).mean())
        cells = f"{midpoint:.3f} | {slope:.1f} | {wrong:.1f} % | {np.median(one):.2f} | {np.median(two):.2f}"
        print(f"| {Path(name).stem} | {cells} |", flush=True)


def fitted(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Midpoint and slope of the logistic curve that says best which pairs are one person."""

    def loss(guess: np.ndarray) -> float:
        at, by = guess
        return float(np.logaddexp(0, -by * (one - at)).mean() + np.logaddexp(0, by * (two - at)).mean())

    begin = np.array([(np.median(one) + np.median(two)) / 2, 10.0])
    at, by = minimize(loss, begin, method="Nelder-Mead").x
    return float(at), float(by)


if __name__ == "__main__":
    main(sys.argv[1:])
