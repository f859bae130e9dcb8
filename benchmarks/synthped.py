"""What SynthPed costs, and how well somebody is found in it, beside chance and an oracle:

python benchmarks/synthped.py crops | sheet FILE.png | test MODEL.safetensors [PROTOCOL]

`crops` times pictures on one core. `sheet` draws an album. `test` tests a network that `run.py train` has made, on
people whom it has not seen; the oracle knows what everybody wears, in words, and how tall they are, and no more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from engines.reid.data._records import people  # noqa: E402
from engines.reid.data._trials import by_vectors  # noqa: E402
from engines.reid.data._vectors import Features, embedded  # noqa: E402
from engines.reid.data.synthped import NAME, SynthPed  # noqa: E402
from engines.reid.lab.chance import drawn  # noqa: E402
from engines.reid.lab.laboratory import Key, Laboratory  # noqa: E402
from engines.reid.lab.occluders import (  # noqa: E402
    THINGS,
    behind_neighbour,
    behind_person,
    behind_rectangle,
    behind_thing,
)
from engines.reid.lab.people import Attributes  # noqa: E402
from engines.reid.lab.tracklets import tracklet_of  # noqa: E402
from engines.reid.trained import Trained  # noqa: E402

ROUNDS, PEOPLE, SESSIONS = 5, 40, 4
BOOTSTRAPS = 1000


def crops() -> None:
    """Processor time a picture: somebody's first of each kind, which dresses them, and those after it."""
    cv2.setNumThreads(1)
    laboratory = Laboratory()
    kinds = {"ground": range(4), "aerial": range(4, 6), "infrared": range(6, 8)}
    for cameras in kinds.values():
        laboratory.seen(Key(9999, cameras[0], 0, 0))  # compiles
    print("| kind | ms a picture | with an occluder | the first of a person |\n| --- | --- | --- | --- |")
    for kind, cameras in kinds.items():
        keys = [Key(n, camera, s, 0) for n in range(PEOPLE) for camera in cameras for s in range(SESSIONS)]
        for key in keys:
            laboratory.seen(key)
        times = []
        for _ in range(ROUNDS):
            began = time.process_time()
            seen = [laboratory.seen(key) for key in keys]
            times.append(1000 * (time.process_time() - began) / len(keys))
        began, chance = time.process_time(), drawn(1, "benchmark")
        for one in seen:
            behind_thing(one.picture, "plant", "train", chance)
        more = 1000 * (time.process_time() - began) / len(seen)
        began = time.process_time()
        for n in range(PEOPLE):
            laboratory.seen(Key(1000 + 100 * cameras[0] + n, cameras[0], 0, 0))
        first = 1000 * (time.process_time() - began) / PEOPLE
        print(f"| {kind} | {np.median(times):.2f} | {np.median(times) + more:.2f} | {first:.2f} |")


def sheet(path: Path) -> None:
    """A row of every camera, one of each thing that hides people, and one of a tracklet."""
    laboratory, chance = Laboratory(), drawn(1, "sheet")
    rows = [
        [laboratory.seen(Key(n, camera, 0, 0)).picture for n in range(16)] for camera in laboratory.cameras
    ]
    plain = [laboratory.seen(Key(n, 0, 1, 0)) for n in range(16)]
    other = [laboratory.person(Key(n + 100, 0, 0, 0)) for n in range(16)]
    hidden = [
        behind_thing(one.picture, THINGS[n % 5], "train" if n < 10 else "test", chance)
        for n, one in enumerate(plain)
    ]
    rows.append([one.picture for one in hidden])
    before = [behind_person(one.picture, who, chance) for one, who in zip(plain, other, strict=True)]
    beside = [
        behind_neighbour(one.picture, one.mask, who, 0.3) for one, who in zip(plain, other, strict=True)
    ]
    boxes = [behind_rectangle(one.picture, 0.05 * n, chance) for n, one in enumerate(plain)]
    rows.append([one.picture for one in (*before[:6], *beside[6:11], *boxes[11:])])
    track = next(
        made
        for n in range(99)
        if (made := tracklet_of(laboratory, (n, 1, 0), range(99))).is_truncated and len(made.boxes) > 16
    )
    rows.append([one.picture for one in track.seen(laboratory)[:16]])
    cv2.imwrite(str(path), np.vstack([np.hstack(row) for row in rows])[..., ::-1])


def test(model: Path, protocol: str) -> None:
    """mAP and CMC-1 of a network, of chance, and of the oracle; with 95 % of a bootstrap over people."""
    data = SynthPed(Path())
    trial = data.trial(protocol)
    every = list(dict.fromkeys((*trial.query, *trial.gallery)))
    engine = Trained(str(model))
    engine.open()
    made = {
        "trained": embedded(every, engine, str(model), data.shown, lambda done: None),
        "chance": _features(every, drawn(0, "chance").standard_normal((len(every), 64))),
        "oracle: clothes and height": _features(every, [_worn(data, one.name) for one in every]),
    }
    print(f"{protocol}: {len(trial.query)} queries, {len(trial.gallery)} in the gallery\n")
    print("| vectors | mAP | 95 % over people | CMC-1 |\n| --- | --- | --- | --- |")
    for name, features in made.items():
        (found,) = by_vectors(trial, features, lambda done: None).cases.values()
        low, high = _interval(found.average_precisions, people(trial.query)[found.queries])
        mean, first = 100 * found.mean_average_precision, 100 * found.cmc(1)
        print(f"| {name} | {mean:.1f} | {low:.1f} to {high:.1f} | {first:.1f} |")


def _features(records, vectors) -> Features:
    return Features({one: row for row, one in enumerate(records)}, np.asarray(vectors, np.float32))


def _worn(data: SynthPed, name: str) -> np.ndarray:
    """Words as vectors, and height in tens of centimetres. Of that day: without a bag that stayed at home."""
    key = Key(*map(int, NAME.fullmatch(name).groups()))
    told: Attributes = data.laboratory.attributes(key.person, key.session)
    words = [f"{field}={value}" for field, value in told._asdict().items() if isinstance(value, str)]
    hashed = [drawn(0, word).standard_normal(64) / 8 for word in words]
    return np.concatenate([np.sum(hashed, axis=0), [5.0 * told.height_m]])


def _interval(scores: np.ndarray, whose: np.ndarray) -> tuple[float, float]:
    names = np.unique(whose)
    by_person = np.array([scores[whose == name].mean() for name in names])
    chance = drawn(0, "bootstrap")
    means = [by_person[chance.integers(0, len(names), len(names))].mean() for _ in range(BOOTSTRAPS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return 100 * float(low), 100 * float(high)


if __name__ == "__main__":
    if sys.argv[1:2] == ["sheet"]:
        sheet(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["test"]:
        test(Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "ground")
    else:
        crops()
