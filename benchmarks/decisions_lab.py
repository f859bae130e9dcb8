"""How sure decisions are in a laboratory with four calibrated cameras, in which two people walk among desks for 27 s:

python benchmarks/decisions_lab.py RECORDINGS

Nobody has written down who is where there. Known is that there are two people, and that they stay: the two longest
tracks of the zone are taken for them. Everybody else who is followed is nobody: a chair, or a person seen twice.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

from decisions import EDGES, Decision, Told, identities, reliability, told  # noqa: E402
from lab import write_lab  # noqa: E402
from simulated_site import exchanged  # noqa: E402

from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Embedding, Tracklet  # noqa: E402
from pipeline.session import Session  # noqa: E402
from stages.match import Given  # noqa: E402

GRAPH = """
version: 1
site: lab
cameras:
  cam0: {stage: source/video, path: cam0.mp4}
  cam1: {stage: source/video, path: cam1.mp4}
  cam2: {stage: source/video, path: cam2.mp4}
  cam3: {stage: source/video, path: cam3.mp4}
graph:
  detect:    {stage: detect, from: cameras, detector: {engine: yolox, model: yolox_nano, min_score: 0.1}}
  track:     {stage: track/zone, from: detect, zones: {lab: [cam0, cam1, cam2, cam3]}}
  tracklets: {stage: tracklet, from: track}
  embed:
    stage: embed
    from: tracklets
    embedder: {engine: embedder, model: person_reidentification_retail_0248}
  match:     {stage: match, from: embed, midpoint: 0.55, slope: 20}
retention: {purpose: a benchmark}
"""
SITE = "cameras: {cam0: {}, cam1: {}, cam2: {}, cam3: {}}\n"
PEOPLE = 2


def replayed(recordings: Path, work: Path) -> list[Given]:
    """What the matcher said; `Told.steps` is what it was told."""
    replay = write_lab(work / "replay", recordings)
    (work / "sites").mkdir()
    (work / "sites" / "lab.yaml").write_text(SITE)
    (work / "lab.yaml").write_text(GRAPH)
    session = Session(
        GraphFile.read(work / "lab.yaml"), Choices(replay=replay, executor="inline"), work / "out"
    )
    matcher = next(node.stage for node in session.graph.nodes if node.id == "match")
    settings = {"midpoint": matcher.midpoint, "slope": matcher.slope}  # type: ignore[attr-defined]
    session.graph = Graph(exchanged(match=Told(**settings))(session.graph.nodes))
    if status := session.conduct(say=print):
        raise SystemExit(status)
    steps = tuple(Told.steps)
    return told(steps, type(matcher)(**settings))


def seconds_of_tracks(tracklets: Mapping[str, Tracklet]) -> Counter[str]:
    """For how long the cameras together followed each track of the zone, from its first moment to its last."""
    first, last = dict[str, int](), dict[str, int]()
    for one in tracklets.values():
        first[one.zone_track] = min(one.opened_ns, first.get(one.zone_track, one.opened_ns))
        last[one.zone_track] = max(one.seen_ns, last.get(one.zone_track, one.seen_ns))
    return Counter({track: round((last[track] - first[track]) / 1e8) for track in first})  # tenths


def decided(events: list[Given], person: Mapping[str, str]) -> Iterator[Decision]:
    """Of each tracklet of a person: right if it was given to the identity that most of theirs have in the end, or is
    the first of it. Of each of nobody: right if it was given to neither.
    """
    whose, of = identities(events), defaultdict[str, Counter[str]](Counter)
    for tracklet, identity in whose.items():
        of[person.get(tracklet, "")].update([identity])
    home = {who: of[who].most_common(1)[0][0] for who in set(person.values())}
    for event in events:
        match = getattr(event, "match", None)
        if match is not None and match.decision != "none" and match.probability is not None:
            who = person.get(event.tracklet_id)
            right = event.identity_id == home[who] if who else event.identity_id not in home.values()
            yield Decision(match.probability, right, match.decision == "new")


def main(recordings: Path) -> None:
    """Print who was followed, where, and how sure decisions were."""
    os.environ.setdefault("SIGHTLINE_MODELS", str(recordings / "models"))
    with tempfile.TemporaryDirectory(prefix="decisions-lab-") as folder:
        events = replayed(recordings, Path(folder))
    tracklets = {one.tracklet.tracklet_id: one.tracklet for one in Told.steps if isinstance(one, Embedding)}
    long = [track for track, _ in seconds_of_tracks(tracklets).most_common(PEOPLE)]
    person = {id: one.zone_track for id, one in tracklets.items() if one.zone_track in long}
    whose = identities(events)
    table = Table("identity", "tracklets of the two people", "of nobody", "cameras", title="who was followed")
    for identity in dict.fromkeys(whose.values()):
        theirs = [tracklets[id] for id, who in whose.items() if who == identity]
        count = Counter(person.get(one.tracklet_id, "") for one in theirs)
        of_people = ", ".join(f"{count[track]} of {track}" for track in long if count[track])
        cameras = sorted({one.camera_id for one in theirs})
        table.add_row(identity, of_people, str(count[""]), ", ".join(cameras))
    made = list(decided(events, person))
    sure = Table("said", "decisions", "right", title="how sure")
    for low, high in pairwise(EDGES):
        some = [one.right for one in made if low <= one.said < high or one.said == high == 1.0]
        if some:
            sure.add_row(f"{low:.1f} to {high:.1f}", str(len(some)), str(sum(some)))
    console = Console(width=140)
    console.print(table)
    console.print(sure)
    print(reliability(made))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
