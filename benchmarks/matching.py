"""What it costs to say who a tracklet is while a day goes by in which nobody is forgotten:

python benchmarks/matching.py [HOURS [MINUTES]]

A large site is played to the matcher alone: people come at random, one every 0.9 s, so that after 24 hours some 92,000
are known. Each is seen by two of 16 cameras, for 5 s by each, 20 s apart, and looked at three times by each. One in
twenty has been there before. Looks are 512 numbers, at cosines of 0.88 to 0.98 within a person and of about 0.5 between
two, so that the main graph's own settings fit. Time is that of the processor, of all that the matcher does. With
MINUTES only the last so many of each hour are played, and who came before is put into the gallery as if they had been.
"""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.messages import (  # noqa: E402
    CorrectionEvent,
    Embedding,
    Identity,
    IdentityEvent,
    Sighting,
    Tracklet,
    derived_id,
)
from stages.match import Match  # noqa: E402

S = 1_000_000_000
EVERY_S, VISIT_S, BETWEEN_S, BACK = 0.9, 8.0, 12.0, 0.05
CAMERAS, DIMENSION = 16, 512
LOOKS_S = 1.0, 3.0, 5.0
ABOUT = (1920, 1080)
MANY = 2000  # looks between two of the clock

Look = tuple[float, Embedding, int]


class Crowd:
    """Who comes when, and what they look like."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._common = self._unit(self._chance.standard_normal(DIMENSION))
        self._middles: list[Any] = []
        self._heights: list[float] = []

    def visits(self, hours: float) -> Iterator[tuple[float, int, int]]:
        """Second, camera, and person, in order of time."""
        second, due = 0.0, list[tuple[float, int, int]]()
        while second < 3600 * hours + 60:
            second += float(self._chance.exponential(EVERY_S))
            while due and due[0][0] < second:
                yield heappop(due)
            who = self._comes()
            camera = int(self._chance.integers(CAMERAS - 1))
            heappush(due, (second + VISIT_S + BETWEEN_S, camera + 1, who))
            yield second, camera, who

    def look(self, who: int) -> Any:
        """What a crop of them looks like."""
        cosine = self._chance.uniform(0.94, 0.99)
        aside = self._unit(self._chance.standard_normal(DIMENSION))
        vector = cosine * self._middles[who].astype(float) + np.sqrt(1 - cosine**2) * aside
        return self._unit(vector).astype(np.float32)

    def height_m(self, who: int) -> float:
        return self._heights[who] + float(self._chance.normal(0, 0.02))

    def _comes(self) -> int:
        if len(self._middles) > 5000 and self._chance.random() < BACK:
            return int(self._chance.integers(len(self._middles) - 2000))
        own = self._unit(self._chance.standard_normal(DIMENSION))
        middle = np.sqrt(0.5) * self._common + np.sqrt(0.5) * own
        self._middles.append(self._unit(middle).astype(np.float16))
        self._heights.append(float(self._chance.normal(1.7, 0.1)))
        return len(self._middles) - 1

    @staticmethod
    def _unit(vector: Any) -> Any:
        return vector / np.linalg.norm(vector)


def messages(crowd: Crowd, hours: float) -> Iterator[Look]:
    """Embeddings and of whom they are, in order of time."""
    due: list[tuple[float, int, str, int, int, float, float]] = []
    number = 0
    for second, camera, who in crowd.visits(hours):
        while due and due[0][0] < second:
            at_s, _, phase, of, at, began_s, height_m = heappop(due)
            yield at_s, _embedding(at, began_s, at_s, phase, height_m, crowd.look(of)), of
        height_m = crowd.height_m(who)
        for look_s, phase in zip(LOOKS_S, ("opened", "updated", "closed"), strict=True):
            number += 1
            heappush(due, (second + look_s, number, phase, who, camera, second, height_m))


def _embedding(  # noqa: PLR0913
    camera: int, began_s: float, at_s: float, phase: Any, height_m: float, look: Any
) -> Embedding:
    along_m = 1.2 * (at_s - began_s)
    tracklet = Tracklet(
        camera_id=f"camera-{camera}",
        tracklet_id=f"T-{camera}-{began_s:.3f}",
        phase=phase,
        opened_ns=round(began_s * S),
        seen_ns=round(at_s * S),
        entered_floor_m=np.array([20.0 * camera, 0.0], np.float32),
        floor_m=np.array([20.0 * camera + along_m, 0.0], np.float32),
        velocity_m_s=np.array([1.2, 0.0], np.float32),
        covariance_m2=np.eye(2, dtype=np.float32) * 0.01,
        floor_frame="site",
        height_m=height_m,
        visibility=1.0,
        detection_score=1.0,
        track_score=1.0,
        frame_index=round(at_s * 10),
        clock="site",
        box=np.array([0, 0, 9, 9], np.float32),
        image_size_px=ABOUT,
        modality="rgbd",
        calibration_id="made up",
        crops=(),
    )
    return Embedding(tracklet, look, "rgbd", "made_up")


class Played:
    """A matcher, and what it has made of those whom it was shown."""

    def __init__(self) -> None:
        self.match, self.cost_s = Match(), 0.0
        self.counts: Counter[str] = Counter()
        self._second, self._of, self._owner, self._known = 0.0, dict[str, int](), dict[str, int](), set[int]()

    def show_all(self, looks: Sequence[Look]) -> None:
        """All of these, by the clock of the processor."""
        begun = process_time()
        for look in looks:
            self._show(*look)
        self.cost_s += process_time() - begun

    def _show(self, at_s: float, embedding: Embedding, who: int) -> None:
        """A look at somebody; the matcher is told of the time twice a second."""
        events: list[Any] = []
        self._of[embedding.tracklet.tracklet_id] = who
        self._second = max(self._second, at_s - 10)
        while self._second + 0.5 < at_s:
            self._second += 0.5
            events += self.match.advance(round(self._second * S))
        events += self.match.process(embedding)
        self.match.snapshot()
        for event in events:
            self.counts["corrections"] += isinstance(event, CorrectionEvent)
            if isinstance(event, IdentityEvent) and event.match.decision != "none":
                self._decided(event, self._of.pop(event.tracklet_id))

    def remember(self, embedding: Embedding, who: int) -> None:
        """As if they had been shown, and taken for somebody new."""
        if who not in self._known:
            self._known.add(who)
            one = Sighting(embedding.tracklet, embedding.vector, 1, "made_up/rgbd", is_open=False)
            id = derived_id("P-", one.tracklet.opened_ns, one.tracklet.tracklet_id)
            self._owner[id] = who
            seen_ns = one.tracklet.seen_ns
            self.match._identities.put(
                id, Identity(id, seen_ns, (one,), True, seen_ns, seen_ns, is_lost=True)
            )

    def _decided(self, event: IdentityEvent, who: int) -> None:
        right = self._owner.setdefault(event.identity_id, who) == who
        right &= (event.match.decision == "new") == (who not in self._known)
        self.counts.update(["tracklets", *["right"] * right])
        if event.kind == "reappeared" or (who in self._known and event.match.decision == "new"):
            self.counts.update(["back", *["back right"] * right])
        self._known.add(who)


def main(hours: float, minutes: float) -> None:
    """Print a line for each hour."""
    played, crowd, hour, some = Played(), Crowd(1), 1, list[Look]()
    print("hour, known, tracklets, ms a tracklet, right, of those who were lost, corrections, MiB")
    for at_s, embedding, who in messages(crowd, hours):
        if len(some) == MANY or some and at_s >= 3600 * hour + VISIT_S:
            played.show_all(some)
            some = []
        if at_s >= 3600 * hour + VISIT_S:
            counts, held = played.counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{hour}, {len(played.match._identities):,}, {counts['tracklets']:,}, "
                f"{1000 * played.cost_s / counts['tracklets']:.2f}, {counts['right'] / counts['tracklets']:.4f}, "
                f"{counts['back right'] / max(counts['back'], 1):.4f}, {counts['corrections']}, {held:.0f}",
                flush=True,
            )
            hour, played.cost_s = hour + 1, 0.0
            counts.clear()
        if embedding.tracklet.opened_ns % (3600 * S) >= (3600 - 60 * minutes) * S:
            some.append((at_s, embedding, who))
        elif embedding.tracklet.phase == "closed":
            played.remember(embedding, who)


if __name__ == "__main__":
    main(*map(float, (sys.argv[1:] + ["24", "60"][len(sys.argv) - 1 :])[:2]))
