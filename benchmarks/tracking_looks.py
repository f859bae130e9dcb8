"""What the tracker of boxes gains by looking at people, and what that costs: the square of PETS 2009, from pictures on.

python benchmarks/tracking_looks.py [--recordings FOLDER]

The same detections with and without an embedder of another's making, in turns, as the tracker ships.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import av  # noqa: E402
import numpy as np  # noqa: E402
from _contest import Seen  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from tracking import (  # noqa: E402
    DETECTORS,
    PETS_FRAMES,
    PETS_SCALE,
    PETS_TRUTH,
    PETS_VIDEO,
    pets_found,
    said,
    value_of,
)

from engines.evaluate.mot import MotRows, read_mot  # noqa: E402
from engines.evaluate.mot_challenge import mot_sequence  # noqa: E402
from engines.evaluate.scores import Scores, scored  # noqa: E402
from pipeline.messages import Detections  # noqa: E402
from stages.track.boxes import BoxTracker  # noqa: E402

EMBEDDER = {"engine": "embedder", "model": "person_reidentification_retail_0248"}


def pictures(video: Path) -> list[NDArray[np.uint8]]:
    """Of the frames that there is truth for."""
    with av.open(str(video)) as container:
        frames = islice(container.decode(video=0), PETS_FRAMES)
        return [frame.to_ndarray(format="rgb24") for frame in frames]


def tracked(
    tracker: BoxTracker, found: Seen, shown: Sequence[NDArray[np.uint8]], truth: MotRows
) -> tuple[Scores, float]:
    """How well, and milliseconds a frame."""
    made, ms = [], []
    for n, ((boxes, scores), picture) in enumerate(zip(found.frames, shown, strict=True), 1):
        alone = Detections.alone(boxes, scores, n / found.fps, found.size_px)
        begun = perf_counter()
        tracks = tracker.update(replace(alone, frame=replace(alone.frame, color=picture)))
        ms.append(1000 * (perf_counter() - begun))
        made.append((n, tracks.track_ids, tracks.boxes))
    return scored(mot_sequence(MotRows.of_tracks(made), truth)), float(np.median(ms))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=Path, default=ROOT.parent / "shared/data", metavar="FOLDER")
    given = parser.parse_args()
    os.environ.setdefault("SIGHTLINE_MODELS", str(given.recordings / "models"))
    shown = pictures(given.recordings / PETS_VIDEO)
    truth = read_mot(given.recordings / PETS_TRUTH)
    truth = replace(truth, boxes=truth.boxes * PETS_SCALE)
    embedder: Any = value_of(EMBEDDER)
    embedder.open()
    title = f"PETS S2L1, frames 1 to {PETS_FRAMES}: HOTA / IDF1 / MOTA / switches, ms a frame"
    table = Table("detector", "boxes alone", "and looks", title=title)
    for name, (engine, _) in DETECTORS.items():
        found = pets_found(given.recordings / PETS_VIDEO, engine)
        ways = [tracked(BoxTracker(embedder=one), found, shown, truth) for one in (None, embedder)]
        table.add_row(name, *(f"{said(scores)}, {ms:.1f}" for scores, ms in ways))
    Console(width=150, highlight=False).print(table)
    print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} (15 minutes)")


if __name__ == "__main__":
    main()
