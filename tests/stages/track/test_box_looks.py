"""Boxes are told apart by what is in them, where the tracker has an embedder: who stopped behind another is not who goes on."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import toys

from configs.build import build
from pipeline.graph import Graph, Node
from pipeline.instances import Instances
from pipeline.messages import Detections
from pipeline.placement import Shard
from pipeline.stage import InputError
from pipeline.wire import decode, encode
from stages.track.boxes import BoxTracker

SIZE, HIGH, WIDE = (640, 360), 120, 48
RED, BLUE, GREY = (200, 40, 40), (40, 40, 200), (90, 90, 90)
FPS = 10


@dataclass
class ByColor:
    """The mean colour of a picture."""

    reads = "color"
    is_open: bool = False

    def open(self):
        self.is_open = True

    def __call__(self, pictures):
        means = [picture.reshape(-1, 3).mean(axis=0) - 80 for picture in pictures]
        vectors = np.array(means, np.float32).reshape(-1, 3)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def shown(index, *people):
    """A frame of people, each a place and a colour; the last is in front."""
    picture = np.full((*SIZE[::-1], 3), GREY, np.uint8)
    boxes = [(x, 100, x + WIDE, 100 + HIGH) for x, _ in people]
    for (left, top, right, bottom), (_, color) in zip(boxes, people, strict=True):
        picture[top:bottom, left:right] = color
    found = Detections.alone(boxes, [0.9] * len(boxes), index / FPS, SIZE)
    return replace(found, frame=replace(found.frame, color=picture))


def ids_of(tracks):
    seen = tracks[tracks.scores > 0]
    return dict(zip((int(box[0]) for box in seen.boxes), seen.track_ids.tolist(), strict=True))


def met(tracker):
    """Two who stand side by side are both hidden for a while, and stand the other way round when they are seen again."""
    for i in range(10):
        before = ids_of(tracker.update(shown(i, (200, RED), (260, BLUE))))
    for i in range(10, 18):
        tracker.update(shown(i))
    after = ids_of(tracker.update(shown(18, (200, BLUE), (260, RED))))
    return before, after


def test_who_has_changed_places_unseen_is_known_by_looks():
    before, after = met(BoxTracker(embedder=ByColor(), look_weight=1.0))
    assert (after[260], after[200]) == (before[200], before[260])


def test_without_an_embedder_who_stands_where_somebody_stood_is_them():
    before, after = met(BoxTracker())
    assert after == before


def test_of_a_box_that_another_covers_nothing_is_learnt():
    tracker = BoxTracker(embedder=ByColor())
    for i in range(10):
        tracker.update(shown(i, (200, RED)))
    for i in range(10, 14):  # as much of the first is covered as may not be
        tracker.update(shown(i, (200, RED), (220, BLUE)))
    red = ByColor()([np.full((1, 1, 3), RED)])[0]
    assert np.allclose(tracker._people.looks[0], red, atol=1e-6)


def test_goes_on_from_a_snapshot_which_holds_nothing_of_what_anybody_looks_like():
    tracker, again = (BoxTracker(embedder=ByColor()) for _ in range(2))
    for i in range(5):
        tracker.update(shown(i, (200 + i, RED), (300, BLUE)))
    snapshot = tracker.snapshot()
    assert "looks" not in snapshot["columns"]
    assert not any(look.tobytes() in encode(snapshot) for look in tracker._people.looks)
    again.restore(decode(encode(snapshot)))
    frame = shown(5, (206, RED), (300, BLUE))
    assert encode(again.update(frame)) == encode(tracker.update(frame))
    assert np.allclose(again._people.looks, tracker._people.looks, atol=1e-6)


def test_in_a_graph_each_camera_has_a_copy_of_the_embedder():
    node = Node("track", BoxTracker(embedder=ByColor()), ("detect",))
    Graph([toys.camera("east"), Node("detect", toys.Detect(), ("east",)), node])
    with Instances(Shard(node, 0)) as instances:
        east, west = (instances.of(camera).embedder for camera in ("east", "west"))
    assert east is not west
    assert east.is_open and west.is_open and not node.stage.embedder.is_open


def test_a_frame_without_its_picture_is_one_line():
    tracker = BoxTracker(embedder=ByColor())
    with pytest.raises(InputError, match="frame 0 has no color; give this camera a color stream"):
        tracker.update(Detections.alone([(1, 1, 9, 9)], [0.9], 0.0))


def test_the_setting_takes_an_engine(recordings, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
    embedder = {"engine": "embedder", "model": "person_reidentification_retail_0248"}
    tracker = build("stages/track/boxes", {"embedder": embedder}, "graph.track", object)
    tracker.open()
    vector = tracker.update(shown(0, (200, RED))) and tracker._people.looks
    tracker.close()
    assert vector.shape == (1, 256) and np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("setting", "value"), [("look_weight", -0.1), ("look_midpoint", 1.2)])
def test_refuses_a_setting_that_makes_no_sense(setting, value):
    with pytest.raises(ValueError, match=f"{setting} must be"):
        BoxTracker(**{setting: value})
