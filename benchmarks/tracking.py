"""How well trackers follow people by their boxes, ours beside those that can be installed, on the same detections:

python benchmarks/tracking.py mot17 [PEER ...]     public detections of MOT17 02, 09 and 10, everybody's defaults
python benchmarks/tracking.py thinned              the same, every second and every third frame alone
python benchmarks/tracking.py thresholds           the same, each setting a fifth lower and higher
python benchmarks/tracking.py fit                  settings chosen on two sequences, scored on the third, all three ways
python benchmarks/tracking.py crowds [PEER ...]    20, 50 and 100 people who do not exist
python benchmarks/tracking.py pets                 a square of PETS 2009, from pictures on

Each tracker runs in a process of its own, peers in environments of their own (make peers). A PEER is the beginning of a
name, like `trackers` or `norfair`; all, where none is named. --recordings FOLDER holds mot17 and pets2009.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from _contest import OURS, SORT, Followed, Seen, followed, names_of, thinned, thinned_rows  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from configs.build import build  # noqa: E402
from engines.evaluate.mot import PEDESTRIAN, MotRows, read_mot  # noqa: E402
from engines.evaluate.mot_challenge import mot_sequence  # noqa: E402
from engines.evaluate.scores import Scores, scored  # noqa: E402
from engines.people.box_crowd import box_crowd  # noqa: E402
from stages.track.boxes import BoxTracker  # noqa: E402

NUMBERS = ("02", "09", "10")
FPS, SIZE_PX = 30.0, (1920, 1080)
PUBLISHED = {
    "02": (31.3, 36.4, 32.0, 86),
    "09": (43.7, 50.1, 53.0, 32),
    "10": (39.0, 43.8, 49.6, 203),
}  # of SORT
# laid out on seeds 21 to 28
CROWDS, CROWD_SEEDS, CROWD_S, CROWD_FPS = (20, 50, 100), (41, 42, 43, 44, 45, 46), 40.0, 15.0
IGNORED = 8  # a class of MOT17 that neither counts nor costs
PETS_VIDEO = "pets2009/S2L1_View001_480x360_vtest.mp4"
PETS_TRUTH = "pets2009/derived_S2L1_gt_mot_visible_1_265.txt"
PETS_FRAMES, PETS_SIZE, PETS_SCALE = 265, (480, 360), 480 / 768  # the truth is of a larger picture
DETECTORS = {  # with the score that SORT's known figures are of
    "yolox_nano": ({"engine": "yolox", "model": "yolox_nano", "min_score": 0.1}, 0.4),
    "retail_0013": ({"engine": "ssd", "model": "person_detection_retail_0013", "min_score": 0.1}, 0.3),
}
SHARE = 0.2  # by which each setting is changed
FITTED = {  # what `fit` chooses from, one setting after the other
    "max_missed_s": (1.4, 2.0, 2.8),
    "min_new_score": (0.5, 0.6, 0.7),
    "min_fit": (0.15, 0.2, 0.25),
    "noise": (0.05, 0.07, 0.09),
    "acceleration": (0.25, 0.35, 0.5),
}
Sequences = dict[str, tuple[Seen, MotRows]]


def mot17_sequences(given: argparse.Namespace) -> Sequences:
    """Detections and truth."""
    return {number: _mot17(given.recordings / f"mot17/train/MOT17-{number}-FRCNN") for number in NUMBERS}


def _mot17(folder: Path) -> tuple[Seen, MotRows]:
    found = tuple((boxes, scores) for _, boxes, scores in read_mot(folder / "det/det.txt").by_frame())
    return Seen(found, FPS, SIZE_PX), read_mot(folder / "gt/gt.txt")


def scores_of(
    name: str, sequences: Sequences, **settings: Any
) -> tuple[dict[str, Scores], dict[str, Followed]]:
    """What a tracker makes of sequences, and how well."""
    made = followed(name, {key: seen for key, (seen, _) in sequences.items()}, **settings)
    return {key: scored(mot_sequence(made[key].rows, truth)) for key, (_, truth) in sequences.items()}, made


def hota(scores: Scores) -> float:
    """In per cent."""
    return 100 * scores.hota.score


def mean_hota(scores: Mapping[str, Scores]) -> float:
    """Over sequences."""
    return float(np.mean([hota(one) for one in scores.values()]))


def said(scores: Scores) -> str:
    """HOTA / IDF1 / MOTA / switches."""
    numbers = f"{hota(scores):.1f} / {100 * scores.identity.idf1:.1f} / {100 * scores.clear.mota:.1f}"
    return f"{numbers} / {scores.clear.switches}"


def contest(sequences: Sequences, names: list[str], title: str) -> tuple[Table, dict[str, dict[str, Scores]]]:
    """A row for each tracker."""
    table = Table("tracker", *sequences, "mean HOTA", "ms a frame", "of ours", title=title)
    scores, ms = {}, {}
    for name in names:
        scores[name], made = scores_of(name, sequences)
        ms[name] = [one.ms for one in made.values()]
    for name in names:
        ratios = [theirs / ours for theirs, ours in zip(ms[name], ms[OURS], strict=True)]
        times = " ".join(f"{one:.2f}" for one in ms[name])
        cells = (said(one) for one in scores[name].values())
        table.add_row(name, *cells, f"{mean_hota(scores[name]):.2f}", times, f"{np.median(ratios):.1f}")
    return table, scores


def mot17(out: Console, given: argparse.Namespace) -> None:
    """Everybody on MOT17."""
    sequences = mot17_sequences(given)
    title = "MOT17, public detections: HOTA / IDF1 / MOTA / switches"
    table, scores = contest(sequences, names_of([SORT, *given.peers] if given.peers else []), title)
    out.print(table)
    for number, (h, idf1, mota, switches) in PUBLISHED.items():
        known, got = f"{h} / {idf1} / {mota} / {switches}", said(scores[SORT][number])
        out.print(f"SORT on {number}: known {known}, here {got}{'' if known == got else ': NOT THE SAME'}")
    gains = {number: hota(scores[OURS][number]) - hota(scores[SORT][number]) for number in sequences}
    out.print(f"above SORT: mean {np.mean(list(gains.values())):.2f}, least {min(gains.values()):.2f} HOTA")


def thinned_out(out: Console, given: argparse.Namespace) -> None:
    """Fewer frames."""
    table = Table(
        "kept", *NUMBERS, "least change", title="HOTA where frames are left out, ours, and its change"
    )
    whole, _made = scores_of(OURS, mot17_sequences(given))
    table.add_row("all", *(f"{hota(one):.1f}" for one in whole.values()), "")
    for every in (2, 3):
        kept = {
            key: (thinned(seen, every), thinned_rows(truth, every))
            for key, (seen, truth) in mot17_sequences(given).items()
        }
        scores, _made = scores_of(OURS, kept)
        changes = {key: hota(scores[key]) - hota(whole[key]) for key in scores}
        cells = (f"{hota(scores[key]):.1f} ({changes[key]:+.1f})" for key in scores)
        table.add_row(f"1 of {every}", *cells, f"{min(changes.values()):+.1f}")
    out.print(table)


def thresholds(out: Console, given: argparse.Namespace) -> None:
    """How much hangs on each setting."""
    sequences, tracker = mot17_sequences(given), BoxTracker()
    base = mean_hota(scores_of(OURS, sequences)[0])
    table = Table(
        "setting",
        "is",
        "a fifth lower",
        "a fifth higher",
        title=f"Mean HOTA, {base:.2f} as it ships, and its change",
    )
    for name in settings():
        value = getattr(tracker, name)
        changed = [
            mean_hota(scores_of(OURS, sequences, **{name: value * by})[0]) for by in (1 - SHARE, 1 + SHARE)
        ]
        table.add_row(name, f"{value:g}", *(f"{one:.2f} ({one - base:+.2f})" for one in changed))
    out.print(table)


def settings() -> list[str]:
    """All that somebody may set."""
    fields = BoxTracker.__dataclass_fields__.items()
    return [name for name, one in fields if one.init and isinstance(one.default, float)]


def fit(out: Console, given: argparse.Namespace) -> None:
    """Leave one out."""
    sequences, base = mot17_sequences(given), scores_of(OURS, mot17_sequences(given))[0]
    sort = scores_of(SORT, sequences)[0]
    table = Table(
        "left out",
        "chosen on the others",
        "as it ships",
        "chosen",
        "above SORT",
        title="HOTA of who was left out",
    )
    gains = []
    for left in sequences:
        others = {key: one for key, one in sequences.items() if key != left}
        chosen = chosen_on(others)
        scores = scores_of(OURS, {left: sequences[left]}, **chosen)[0]
        gains.append(hota(scores[left]) - hota(sort[left]))
        said_chosen = ", ".join(f"{name} {value:g}" for name, value in chosen.items())
        table.add_row(
            left, said_chosen, f"{hota(base[left]):.1f}", f"{hota(scores[left]):.1f}", f"{gains[-1]:+.1f}"
        )
    out.print(table)
    out.print(f"above SORT, each as the one left out: mean {np.mean(gains):.2f}, least {min(gains):.2f} HOTA")


def chosen_on(sequences: Sequences) -> dict[str, float]:
    """One setting after the other, the value with the best mean over sequences and their thinned forms."""
    every = {
        f"{key} {kept}": (thinned(seen, kept), thinned_rows(truth, kept))
        for (key, (seen, truth)), kept in product(sequences.items(), (1, 2, 3))
    }
    chosen = {name: float(getattr(BoxTracker(), name)) for name in FITTED}
    for name, values in FITTED.items():
        found = {value: mean_hota(scores_of(OURS, every, **{**chosen, name: value})[0]) for value in values}
        chosen[name] = max(found, key=found.__getitem__)
    return chosen


def crowds(out: Console, given: argparse.Namespace) -> None:
    """People who do not exist, each size a few times over."""
    table = Table(
        "tracker", *(f"{people} people" for people in CROWDS), title="Crowds: IDF1, ms a frame, that of ours"
    )
    sequences = {f"{people} {seed}": crowd(people, seed) for people in CROWDS for seed in CROWD_SEEDS}
    idf1: dict[str, dict[int, float]] = {}
    ms: dict[str, dict[int, float]] = {}
    for name in names_of(given.peers):
        scores, made = scores_of(name, sequences)
        of = {people: [f"{people} {seed}" for seed in CROWD_SEEDS] for people in CROWDS}
        idf1[name] = {
            n: float(np.mean([scores[key].identity.idf1 for key in keys])) for n, keys in of.items()
        }
        ms[name] = {n: float(np.median([made[key].ms for key in keys])) for n, keys in of.items()}
    for name in idf1:
        cells = (f"{idf1[name][n]:.3f}, {ms[name][n]:.2f}, {ms[name][n] / ms[OURS][n]:.1f}" for n in CROWDS)
        table.add_row(name, *cells)
    out.print(table)


def crowd(people: int, seed: int) -> tuple[Seen, MotRows]:
    """What is found of a crowd, and the truth: who is hidden neither counts nor costs."""
    moments = list(box_crowd(people, CROWD_S, CROWD_FPS, seed))
    everybody = ((n, np.arange(people), one.boxes) for n, one in enumerate(moments, 1))
    found = np.concatenate([one.found for one in moments])
    truth = replace(MotRows.of_tracks(everybody), classes=np.where(found, PEDESTRIAN, IGNORED))
    return Seen(tuple((one.measured, one.scores) for one in moments), CROWD_FPS, SIZE_PX), truth


def pets(out: Console, given: argparse.Namespace) -> None:
    """From pictures on: SORT gets what a detector is surer of than the floor its own figures are known for."""
    title = f"PETS S2L1, frames 1 to {PETS_FRAMES}, from pictures: HOTA / IDF1 / MOTA / switches"
    table = Table("detector", "SORT", "ours", "IDF1 above", "MOTA above", title=title)
    truth = read_mot(given.recordings / PETS_TRUTH)
    truth = replace(truth, boxes=truth.boxes * PETS_SCALE)
    os.environ.setdefault("SIGHTLINE_MODELS", str(given.recordings / "models"))
    for name, (engine, floor) in DETECTORS.items():
        found = pets_found(given.recordings / PETS_VIDEO, engine)
        sure = tuple((boxes[scores >= floor], scores[scores >= floor]) for boxes, scores in found.frames)
        sort = scores_of(SORT, {"pets": (replace(found, frames=sure), truth)})[0]["pets"]
        ours = scores_of(OURS, {"pets": (found, truth)})[0]["pets"]
        gains = (ours.identity.idf1 - sort.identity.idf1, ours.clear.mota - sort.clear.mota)
        table.add_row(name, said(sort), said(ours), *(f"{100 * gain:+.1f}" for gain in gains))
    out.print(table)


def pets_found(video: Path, settings: dict[str, Any]) -> Seen:
    """What a detector finds, as weak as configs/oblique_rgb.yaml lets it pass."""
    import av

    detector: Any = value_of(settings)
    detector.open()
    with av.open(str(video)) as container:
        fps = float(container.streams.video[0].average_rate or 0)
        pictures = islice(container.decode(video=0), PETS_FRAMES)
        frames = [detector([picture.to_ndarray(format="rgb24")])[0] for picture in pictures]
    detector.close()
    return Seen(tuple(frames), fps, PETS_SIZE)


def value_of(settings: dict[str, Any]) -> Any:
    """An engine, as a graph file names it."""
    given = {key: value for key, value in settings.items() if key != "engine"}
    return build(f"engines/{settings['engine']}", given, "detector", object)


COMMANDS = {
    "mot17": mot17,
    "thinned": thinned_out,
    "thresholds": thresholds,
    "fit": fit,
    "crowds": crowds,
    "pets": pets,
}


def main() -> None:
    """One of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("peers", nargs="*", metavar="PEER")
    parser.add_argument("--recordings", type=Path, default=ROOT.parent / "shared/data", metavar="FOLDER")
    given = parser.parse_args()
    COMMANDS[given.command](Console(width=150, highlight=False), given)
    print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} (15 minutes)")


if __name__ == "__main__":
    main()
