"""A run over WILDTRACK's seven cameras: its truth, and rows that are off, missing, in pieces or somebody else's."""

import json

import numpy as np

from engines.evaluate.run_folder import CameraRun, Run
from engines.evaluate.truth import CameraTruth

VIEWS, FRAMES, INTERVAL_NS = 7, 60, 500_000_000
SWAPPED = 3  # the view that takes people for each other, two by two
PIECE = 17  # frames of a tracklet


def crossing(recordings, kind):
    """Truth, run, and the same as the judge takes it: `floor` or `boxes` by camera and frame."""
    random = np.random.default_rng(5)
    files = sorted((recordings / "wildtrack_gt/annotations_positions").glob("*.json"))[:FRAMES]
    everyone = [json.loads(file.read_text()) for file in files]
    truth = [camera(everyone, view) for view in range(VIEWS)]
    runs = [seen(one, view, random) for view, one in enumerate(truth)]
    identity_of = {t: identity(t) for run in runs for t in run.tracklet_ids}
    names = sorted(set(identity_of.values()))
    job = {}
    for there, run in zip(truth, runs, strict=True):
        said = np.array([names.index(identity_of[tracklet]) for tracklet in run.tracklet_ids])
        job[there.camera_id] = list(frames_of(there, run, said, kind))
    return tuple(truth), Run({run.camera_id: run for run in runs}, identity_of), job


def frames_of(truth, run, said, kind):
    places, found = (truth.floor_m, run.floor_m) if kind == "floor" else (truth.boxes, sized(run.boxes))
    for frame in range(FRAMES):
        now, then = truth.frame_indices == frame, run.row_frames == frame
        yield [column.tolist() for column in (truth.people[now], places[now], said[then], found[then])]


def at_once(truth, run):
    """What a judge takes of all cameras at one moment: people once, identities in the middle of where they are."""
    names = sorted(set(run.identity_of.values()))
    for frame in range(FRAMES):
        people, places = {}, {}
        for there, one in zip(truth, run.cameras.values(), strict=True):
            now = there.frame_indices == frame
            people |= dict(zip(there.people[now].tolist(), there.floor_m[now].tolist(), strict=True))
            for row in np.flatnonzero(one.row_frames == frame):
                identity = names.index(run.identity_of[one.tracklet_ids[row]])
                places.setdefault(identity, []).append(one.floor_m[row])
        middles = [np.mean(places[identity], axis=0).tolist() for identity in sorted(places)]
        yield [list(people), list(people.values()), sorted(places), middles]


def camera(everyone, view):
    rows = [
        (frame, person["personID"], ground(person["positionID"]), box(person["views"][view]))
        for frame, people in enumerate(everyone)
        for person in people
        if person["views"][view]["xmax"] > 0
    ]
    frames, people, places_m, boxes = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones(len(rows))
    return CameraTruth(
        f"view{view}", frames, frames * INTERVAL_NS, people, boxes, places_m, ones, ones, ("",) * len(rows)
    )


def ground(position):
    """The grid of the data set's paper: 480 steps of 2.5 cm in x from -3 m, then the next in y from -9 m."""
    return [-3.0 + 0.025 * (position % 480), -9.0 + 0.025 * (position // 480)]


def box(view):
    return [view["xmin"], view["ymin"], view["xmax"] - view["xmin"], view["ymax"] - view["ymin"]]


def sized(corners):
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def seen(truth, view, random):
    rows = np.flatnonzero(random.random(len(truth)) > 0.1)
    people, frames = truth.people[rows], truth.frame_indices[rows]
    said = people ^ 1 if view == SWAPPED else people
    tracklets = [f"{who} {view} {frame // PIECE}" for who, frame in zip(said, frames, strict=True)]
    corners = truth.mot.corners[rows] + random.normal(0, 6, (len(rows), 4))
    floor_m = truth.floor_m[rows] + random.normal(0, 0.25, (len(rows), 2))
    indices = np.arange(FRAMES)
    return CameraRun(
        truth.camera_id, indices, indices * INTERVAL_NS, frames, tuple(tracklets), corners, floor_m
    )


def identity(tracklet):
    """Who a tracklet is said to be: now and then somebody new."""
    who, view, piece = tracklet.split()
    return f"P-{tracklet}" if (int(who) + int(view) + int(piece)) % 7 == 0 else f"P-{who}"
