"""Everybody who follows boxes in benchmarks/tracking.py, each in a process of its own, on the same detections."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.mot import MotRows

ROOT = Path(__file__).parents[1]
FOLLOW = ROOT / "benchmarks/peers/follow.py"
OURS, SORT = "ours", "SORT"
PEERS = (
    SORT,
    "trackers SORT",
    "trackers ByteTrack",
    "trackers OC-SORT",
    "trackers C-BIoU",
    "norfair",
    "norfair, plain",
    "boxmot ByteTrack",
    "boxmot OC-SORT",
    "boxmot BoT-SORT",
    "boxmot DeepOC-SORT",
    "boxmot BoostTrack",
    "boxmot OccluBoost",
)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a detector found in each frame of a sequence."""

    frames: tuple[tuple[NDArray[Any], NDArray[Any]], ...]  # boxes (n, 4), scores (n,)
    fps: float
    size_px: tuple[int, int]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a job has them."""
        return {
            "boxes": np.concatenate([boxes for boxes, _ in self.frames]).astype(np.float32),
            "scores": np.concatenate([scores for _, scores in self.frames]).astype(np.float32),
            "ends": np.cumsum([len(scores) for _, scores in self.frames]),
        }


@dataclass(frozen=True, eq=False)
class Followed:
    """What one tracker made of a sequence."""

    rows: MotRows
    ms: float  # a frame, median


def followed(name: str, sequences: Mapping[str, Seen], **settings: Any) -> dict[str, Followed]:
    """What the tracker of this name makes of each sequence, with `settings` if it is ours."""
    about = {
        key: {"fps": seen.fps, "size_px": seen.size_px, "settings": settings}
        for key, seen in sequences.items()
    }
    arrays = {f"{key}/{kind}": a for key, seen in sequences.items() for kind, a in seen.arrays.items()}
    with TemporaryDirectory() as made:
        job, answer = Path(made) / "job.npz", Path(made) / "answer.npz"
        np.savez(job, about=np.array(json.dumps(about)), **arrays)
        command = [_python(name), FOLLOW, name, job, answer]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        said = dict(np.load(answer))
    return {key: _followed({kind: said[f"{key}/{kind}"] for kind in KINDS}) for key in sequences}


KINDS = ("ids", "boxes", "ends", "seconds")


def _followed(said: Mapping[str, NDArray[Any]]) -> Followed:
    ends = said["ends"].tolist()
    parts = zip([0, *ends[:-1]], ends, strict=True)
    tracks = ((n, said["ids"][a:b], said["boxes"][a:b]) for n, (a, b) in enumerate(parts, 1))
    return Followed(MotRows.of_tracks(tracks), 1000 * float(np.median(said["seconds"])))


def _python(name: str) -> Path:
    if name == OURS:
        return Path(sys.executable)
    place = "norfair" if name == SORT else name.split(" ")[0].rstrip(",")  # SORT needs what norfair needs
    python = ROOT / f".venv-peers-{place}" / "bin/python"
    if not python.exists():
        raise SystemExit(f"{python} is not there; make it with: make peers")
    return python


def thinned(seen: Seen, every: int) -> Seen:
    """Every second or third frame alone."""
    return Seen(seen.frames[::every], seen.fps / every, seen.size_px)


def thinned_rows(rows: MotRows, every: int) -> MotRows:
    """Truth of the frames that are kept, numbered anew."""
    kept = (rows.frames - 1) % every == 0
    columns = (rows.ids, rows.boxes, rows.confidences, rows.classes, rows.visibilities)
    return MotRows((rows.frames[kept] - 1) // every + 1, *(column[kept] for column in columns))


def names_of(chosen: Iterable[str]) -> list[str]:
    """All of them, or those whose names begin as asked."""
    wanted = tuple(chosen)
    return [name for name in (OURS, *PEERS) if not wanted or name.startswith((OURS, *wanted))]
