"""How well the main graph does on simulated people, beside a naive answer and oracles, all in one run:

python benchmarks/simulated_site.py SEED [SEED ...]

The naive answer is what a page of code gives: local maxima of height above the true floor, each track to the nearest
detection, each tracklet to the nearest mean colour. One oracle knows where everybody is, the other who everybody is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import maximum_filter, uniform_filter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from calibration.camera import pose_of  # noqa: E402
from calibration.site import Site  # noqa: E402
from engines.evaluate.evaluate_run import score_run  # noqa: E402
from engines.evaluate.run_folder import Run as RunRead  # noqa: E402
from engines.evaluate.run_folder import read_run  # noqa: E402
from engines.evaluate.run_scores import Rules, RunScores  # noqa: E402
from engines.evaluate.truth import CameraTruth, read_truth  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph, Node  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Detections, Embedding, Frame, Identity, IdentityEvent, Sighting, Tracks  # noqa: E402
from pipeline.session import Session  # noqa: E402
from pipeline.stage import Memory, Stage  # noqa: E402
from stages._identity_events import identity_event, seen_again  # noqa: E402
from stages.embed import Embed  # noqa: E402
from stages.source.simulated import write_truth  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
CROWD = {"people": 12, "seconds": 120.0, "fps": 10.0}

Change = Callable[[list[Node]], list[Node]]


@dataclass
class NaiveHeads(Stage[Frame, Detections]):
    """Local maxima of the height above a floor that is known, at half resolution, that nothing higher is near."""

    site: Site = field(default_factory=lambda: Site(""))

    def process(self, frame: Frame) -> Iterator[Detections]:
        pose = pose_of(self.site.cameras[frame.camera_id].mount)
        rows, columns = np.mgrid[0:480:2, 0:640:2]
        rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ frame.view.intrinsics.inverse_matrix.T
        metres = np.asarray(frame.depth)[::2, ::2] * frame.depth_scale_m
        points = pose.translation_m + metres[..., None] * (rays @ pose.rotation.T)
        height = uniform_filter(np.where(metres > 0, points[..., 2], 0.0), 5)
        tops = np.argwhere((height == maximum_filter(height, 61)) & (height > 1.0) & (height < 2.2))
        floor_m = points[tops[:, 0], tops[:, 1], :2].astype(np.float32).reshape(-1, 2)
        middle = 2.0 * tops[:, ::-1].astype(np.float32).reshape(-1, 2)
        boxes = np.concatenate([middle - 60, middle + 60], axis=1)
        n, heights_m = len(tops), height[tops[:, 0], tops[:, 1]].astype(np.float32)
        yield Detections(frame, boxes, np.ones(n, np.float32), floor_m, heights_m)


@dataclass
class NaiveTracks(Stage[Detections, Tracks]):
    """Each detection continues the nearest track of the frame before, within half a metre."""

    memory: ClassVar[Memory] = Memory.CAMERA
    _places: dict[int, Any] = field(default_factory=dict, init=False)
    _next_id: int = field(default=0, init=False)

    def process(self, found: Detections) -> Iterator[Tracks]:
        before, ids = dict(self._places), []
        for place in found.floor_m:
            near = min(before, key=lambda id: np.linalg.norm(before[id] - place), default=None)
            if near is None or np.linalg.norm(before[near] - place) > 0.5:
                near, self._next_id = self._next_id, self._next_id + 1
            before.pop(near, None)
            ids.append(near)
        self._places = dict(zip(ids, found.floor_m, strict=True))
        n = len(found)
        still, unit = np.zeros((n, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (n, 1, 1))
        numbers = np.array(ids, np.int64)
        given = (found.frame, found.boxes, found.scores, found.scores, numbers, found.floor_m, still, unit)
        yield Tracks(*given, found.heights_m, np.full(len(found), np.nan, np.float32))


@dataclass
class MeanColor:
    """The mean colour of a crop."""

    model_id: ClassVar[str] = "mean_color"

    def __call__(self, colors: Sequence[Any], points: Sequence[Any], heights_m: Any) -> Any:
        means = np.array([color.reshape(-1, 3).mean(axis=0) for color in colors], np.float32)
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)


@dataclass
class NaiveMatch(Stage[Embedding, IdentityEvent]):
    """The nearest mean colour of those who are not in view, if it is near enough; else somebody new."""

    memory: ClassVar[Memory] = Memory.SITE
    similarity: float = 0.995
    _known: dict[str, Any] = field(default_factory=dict, init=False)
    _whose: dict[str, str] = field(default_factory=dict, init=False)

    def process(self, embedding: Embedding) -> Iterator[IdentityEvent]:
        id = embedding.tracklet.tracklet_id
        if id not in self._whose and embedding.vector.size:
            free = {who: vector for who, vector in self._known.items() if who not in self._whose.values()}
            best = max(free, key=lambda who: float(free[who] @ embedding.vector), default=None)
            if best is None or float(free[best] @ embedding.vector) < self.similarity:
                best = f"P-{len(self._known)}"
                self._known[best] = embedding.vector
            self._whose[id] = best
            one = Sighting(embedding.tracklet, embedding.vector, 1, "mean_color")
            yield identity_event(
                "observed", Identity(best, 0, (one,)), one, seen_again(one, len(self._known))
            )
        if embedding.tracklet.phase == "closed":
            self._whose.pop(id, None)


@dataclass
class TrueHeads(Stage[Frame, Detections]):
    """Everybody whose head is in the picture, exactly where they are."""

    truth: tuple[CameraTruth, ...] = ()

    def process(self, frame: Frame) -> Iterator[Detections]:
        (there,) = (camera for camera in self.truth if camera.camera_id == frame.camera_id)
        rows = np.flatnonzero((there.frame_indices == frame.index) & there.counts)
        boxes = there.boxes[rows].astype(np.float32)
        boxes[:, 2:] += boxes[:, :2]
        floor_m, heights_m = there.floor_m[rows].astype(np.float32), there.heights_m[rows].astype(np.float32)
        yield Detections(frame, boxes, np.ones(len(rows), np.float32), floor_m, heights_m)


def exchanged(**stages: Any) -> Change:
    """Other stages in the place of those of the main graph."""
    return lambda nodes: [replace(node, stage=stages.get(node.id, node.stage)) for node in nodes]


def ran(folder: Path, crowd: dict[str, Any], change: Change = list) -> RunRead:
    """What a changed main graph made of simulated people."""
    session = Session(GraphFile.read(MAIN), Choices(simulate=crowd, positions=True), folder)
    session.graph = Graph(change(session.graph.nodes))
    status = session.conduct(say=print)
    if status:
        raise SystemExit(status)
    return read_run(folder)


def told_who_is_who(run: RunRead, truth: Sequence[CameraTruth]) -> RunRead:
    """The same tracklets, each with the identity of the person it followed most."""
    followed: dict[str, Counter[int]] = defaultdict(Counter)
    for there in truth:
        seen = run.cameras[there.camera_id]
        for frame, tracklet, floor_m in zip(seen.row_frames, seen.tracklet_ids, seen.floor_m, strict=True):
            rows = np.flatnonzero(there.frame_indices == frame)
            off_m = np.linalg.norm(there.floor_m[rows] - floor_m, axis=1)
            if len(rows) and off_m.min() < 0.5:
                followed[tracklet][int(there.people[rows[off_m.argmin()]])] += 1
    return replace(run, identity_of={id: f"P-{who.most_common(1)[0][0]}" for id, who in followed.items()})


def main(seeds: Sequence[int]) -> None:
    """Print a table for each seed, and one of the medians."""
    out, results = Console(width=140), defaultdict(list)
    for seed in seeds:
        crowd = {**CROWD, "seed": seed}
        work = Path(tempfile.mkdtemp(prefix="simulated-site-"))
        file = GraphFile.read(MAIN)
        hard = write_truth(work, crowd, file.site, list(file.cameras))
        truth = read_truth(work)
        runs = {
            "this graph": ran(work / "ours", crowd),
            "this graph, depth alone": ran(work / "depth", crowd, _without_color),
            "naive": ran(work / "naive", crowd, _naive(file.site)),
            "oracle: perfect boxes": ran(work / "boxes", crowd, exchanged(detect=TrueHeads(truth))),
        }
        runs["oracle: perfect identities"] = told_who_is_who(runs["this graph"], truth)
        for name, run in runs.items():
            results[name].append(score_run(run, truth, Rules()))
        out.print(f"seed {seed}: {hard}")
        out.print(_table(f"Seed {seed}", {name: some[-1:] for name, some in results.items()}))
        shutil.rmtree(work)
    if len(seeds) > 1:
        out.print(_table(f"Medians of seeds {', '.join(map(str, seeds))}", results))


def _without_color(nodes: list[Node]) -> list[Node]:
    return [replace(n, stage=replace(n.stage, color=False)) if n.id == "tracklets" else n for n in nodes]


def _naive(site: Site) -> Change:
    return exchanged(
        detect=NaiveHeads(site), track=NaiveTracks(), embed=Embed(MeanColor()), match=NaiveMatch()
    )


ROWS: dict[str, Callable[[RunScores], float]] = {
    "detection recall": lambda s: s.together.detection.recall,
    "detection precision": lambda s: s.together.detection.precision,
    "floor error, median (m)": lambda s: s.together.detection.median_error_m,
    "HOTA of the worst camera": lambda s: min(camera.tracks.hota.score for camera in s.cameras.values()),
    "HOTA of the cameras": lambda s: s.together.tracks.hota.score,
    "cross-camera IDF1": lambda s: s.identities.scores.identity.idf1,
    "cross-camera HOTA": lambda s: s.identities.scores.hota.score,
    "identities per person": lambda s: s.identities.per_person,
    "hand-overs": lambda s: s.identities.hand_overs.share,
    "returns after 60 s": lambda s: s.identities.returns.share,
}


def _table(title: str, results: dict[str, list[RunScores]]) -> Table:
    table = Table("", *results, title=title)
    for name, of in ROWS.items():
        table.add_row(name, *(f"{np.median([of(one) for one in some]):.3f}" for some in results.values()))
    return table


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1])
