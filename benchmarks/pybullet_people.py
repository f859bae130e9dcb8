"""People drawn by another program, PyBullet's TinyRenderer, to test on what nothing here was made for or trained on:

    python benchmarks/pybullet_people.py site DIR [--people N] [--seconds N] [--fps N] [--seed N]
    python benchmarks/pybullet_people.py tvrid DIR [--people N] [--train N] [--frames N] [--seed N]

`site` writes recordings of the four cameras of topview_demo, with their manifest and truth, as `run.py simulate` does;
`tvrid` single passages in the layout of TVRID. Bodies, gait, light and picture are PyBullet's; the noise of depth and
colour is that of the simulator's D455.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import atan2
from pathlib import Path
from random import Random

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from pybullet_bodies import SHIN, THIGH, Person, crowd_of  # noqa: E402
from pybullet_views import Light, Place, Sensor, World, camera_of  # noqa: E402

from calibration.camera import Mount, View  # noqa: E402
from calibration.manifest import Manifest, recorded, write  # noqa: E402
from calibration.site import Site  # noqa: E402
from engines.evaluate.truth import FOLDER, write_truth  # noqa: E402
from engines.people.truth_files import truth_of, write_people  # noqa: E402
from engines.people.zones import Zone, zones_of  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Frame  # noqa: E402
from stages.record import Record  # noqa: E402
from stages.source.simulated import EPOCH_NS, LENS  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
MADE_BY = "benchmarks/pybullet_people.py"
TVRID_NAME = {"flat": "flat", "ascent": "upward", "descent": "downward", "oblique": "upsideDown"}
LANE_M, STRAYS_M = 0.55, 0.25  # those who come keep left of those who go, but for so much
BEHIND_S = 1.5  # who goes the same way comes so much later
AWAY_S = (4.0, 8.0)  # from one camera to the next
CROP_PX = 300
TALL_M = 0.7  # above the floor, whatever is there is a person
Visit = tuple[float, int, int, float]  # begins (s), camera, which way, to the left (m)


def main() -> None:
    """Write what is asked for into a folder that is not there yet."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["site", "tvrid"])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--people", type=int, help="12 of a site, else 88")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--seconds", type=float, default=120.0, help="of a site")
    asked.add_argument("--fps", type=float, default=10.0)
    asked.add_argument("--train", type=int, default=62, help="people to train on, the others are the test")
    asked.add_argument("--frames", type=int, default=12, help="of a passage, at most")
    given = asked.parse_args()
    given.folder.mkdir(parents=True)
    if given.what == "site":
        write_site(given.folder, given.people or 12, (given.seconds, given.fps), given.seed)
    else:
        write_tvrid(given.folder, (given.people or 88, given.train), (given.frames, given.fps), given.seed)


def write_site(folder: Path, count: int, clock: tuple[float, float], seed: int) -> None:
    """Recordings of everybody who walks through, a third of them dressed like another."""
    crowd, site = crowd_of(count, seed, twins=count // 3), GraphFile.read(MAIN).site
    world, names = World(crowd), list(site.cameras)
    cameras = [camera_of(site.cameras[name].mount) for name in names]
    zones = zones_of(cameras)
    visits = {
        one.number: list(_visits(one, zones, clock[0], Random(f"{seed}/{one.number}"))) for one in crowd
    }
    _keep_apart(visits)
    recorder = Record(out=str(folder))
    recorder.open()
    entries, truths = {}, []
    frames = max(1, round(clock[0] * clock[1]))
    for number, name in enumerate(names):
        light = Light.of(number, f"{seed}/{number}")
        sensor, seen = Sensor(cameras[number], number, seed, light), []
        view = View(LENS, _told(site, name), calibration_id=f"pybullet-{seed}-{name}")
        for index in range(frames):
            there = _there(crowd, visits, zones[number], number, index / clock[1])
            world.stand(there)
            drawn = world.draw(cameras[number], light)
            color, depth = sensor.frame(drawn, index)
            stamp = EPOCH_NS + round(index * 1e9 / clock[1])
            lost = list(recorder.process(Frame(name, index, stamp, view, color=color, depth=depth)))
            seen += [(index, stamp, one) for one in world.presences(there, cameras[number], drawn, light)]
            if lost:
                raise SystemExit(f"{folder}: {lost[0].detail}")
        truths.append(truth_of(name, seen))
        print(f"{name}: {frames} frames, {len(seen)} rows of truth", flush=True)
    ends = list(recorder.finish())
    recorder.close()
    if ends:
        raise SystemExit(f"{folder}: {ends[0].detail}")
    for name in names:
        entries |= recorded(folder, name, _told(site, name), frames)
    write(folder, Manifest(MADE_BY, "simulated", site.name, entries))
    (folder / FOLDER).mkdir()
    write_truth(folder / FOLDER, truths)
    _write_people(folder / FOLDER, crowd)


def write_tvrid(folder: Path, counts: tuple[int, int], film: tuple[int, float], seed: int) -> None:
    """Passages of one person each, IN and OUT under four cameras, as 300x300 cuts around what depth finds."""
    crowd, site = crowd_of(counts[0], seed, twins=counts[0] // 3), GraphFile.read(MAIN).site
    order = list(crowd)
    Random(f"{seed}/split").shuffle(order)
    parts = {"train": order[: counts[1]], "test_public": order[counts[1] :]}
    cameras = [camera_of(camera.mount) for camera in site.cameras.values()]
    zones, told = zones_of(cameras), {name: TVRID_NAME[name] for name in site.cameras}
    rows: dict[str, list[tuple[str, ...]]] = {part: [] for part in parts}
    cuts: list[tuple[str, int, int, int]] = []
    for part, people in parts.items():
        for person in sorted(people, key=lambda one: one.number):
            alone, world = replace(person, number=1), World([replace(person, number=1)])
            for number, name in enumerate(told.values()):
                for way, passage in enumerate(("IN", "OUT")):
                    key = f"{person.number:03d}_{name}_{passage}"
                    place = (cameras[number], zones[number], number, 1 - 2 * way)
                    cuts += _film(world, alone, place, (folder / part / key, seed, *film))
                    id = f"{Random(f'{seed}/{key}').randrange(16**6):06x}"
                    rows[part].append((id, str(person.number), name, str(number), passage, str(way), key))
            world.close()
    tables = {"train": "train_labels.csv", "test_public": "public_test_labels.csv"}
    header = ("gallery_id", "person_id", "cam_name", "cam_id", "passage_name", "passage_id", "path")
    for part, name in tables.items():
        _write_table(folder / name, header, rows[part])
    _write_table(folder / "cuts.csv", ("path", "frame", "left_px", "top_px"), cuts)
    _write_cameras(folder / "cameras.json", site, told)
    _write_people(folder, crowd)


def _film(
    world: World, person: Person, place: tuple, film: tuple[Path, int, int, float]
) -> Iterator[tuple[str, int, int, int]]:
    """Write the frames of a passage in which the head is in the picture; where each was cut out."""
    (camera, zone, number, way), (folder, seed, most, fps) = place, film
    chance = Random(f"{seed}/{folder.name}")
    light = Light.of(number, f"{seed}/{folder.name}")
    sensor = Sensor(camera, number, chance.randrange(1 << 40), light)
    visit = (0.0, number, way, chance.uniform(-0.6, 0.6))
    length_s = _length_m(zone) / person.speed_m_s
    folder.mkdir(parents=True)
    times = np.arange(chance.uniform(0, 1 / fps), length_s, 1 / fps)
    seen = [time for time in times if _is_head_seen(person, visit, zone, float(time))]
    chosen = [seen[int(at)] for at in np.linspace(0, len(seen) - 1, min(most, len(seen)))]
    for index, time in enumerate(chosen):
        there = _there([person], {1: [visit]}, zone, number, float(time))
        world.stand(there)
        color, depth = sensor.frame(world.draw(camera, light), index)
        left, top = _window(depth, camera, sensor)
        cv2.imwrite(str(folder / f"{index:03d}_RGB.png"), _cut(color, left, top)[..., ::-1])
        cv2.imwrite(str(folder / f"{index:03d}_depth.png"), _cut(depth, left, top))
        yield f"{folder.parent.name}/{folder.name}", index, left, top


def _is_head_seen(person: Person, visit: Visit, zone: Zone, time_s: float) -> bool:
    place = _place(person, visit, zone, time_s)
    return place is not None and zone.sees(np.array(place[:2]))


def _window(depth: np.ndarray, camera, sensor: Sensor) -> tuple[int, int]:
    """Left and top of a cut whose middle is that of what depth shows well above the floor."""
    heights = sensor.heights_m(depth)
    rows, columns = np.nonzero((heights > TALL_M) & (depth > 0))
    if not len(rows):
        return (camera.width - CROP_PX) // 2, (camera.height - CROP_PX) // 2
    return int(np.median(columns)) - CROP_PX // 2, int(np.median(rows)) - CROP_PX // 2


def _cut(picture: np.ndarray, left: int, top: int) -> np.ndarray:
    """A square, black where there is no picture."""
    around = [(CROP_PX, CROP_PX), (CROP_PX, CROP_PX), (0, 0)][: picture.ndim]
    wide = np.pad(picture, around)
    return np.ascontiguousarray(wide[top + CROP_PX : top + 2 * CROP_PX, left + CROP_PX : left + 2 * CROP_PX])


def _visits(person: Person, zones: Sequence[Zone], seconds: float, chance: Random) -> Iterator[Visit]:
    """Camera after camera, each in turn in an order of one's own, until the time is over."""
    time_s, order = chance.uniform(-3.0, 6.0), list[int]()
    while time_s < seconds:
        if not order:
            order = chance.sample(range(len(zones)), len(zones))
        camera, way = order.pop(), chance.choice((-1, 1))
        yield time_s, camera, way, way * LANE_M + chance.uniform(-STRAYS_M, STRAYS_M)
        time_s += _length_m(zones[camera]) / person.speed_m_s + chance.uniform(*AWAY_S)


def _keep_apart(visits: dict[int, list[Visit]]) -> None:
    """Nobody begins a way close behind somebody else: all that they do comes later."""
    begun: list[Visit] = []
    for number, one in sorted(
        ((number, row) for number, rows in visits.items() for row in range(len(rows))),
        key=lambda at: visits[at[0]][at[1]][0],
    ):
        start_s, camera, way, left_m = visits[number][one]
        same = [other[0] for other in begun if other[1:3] == (camera, way)]
        late_s = 0.0
        while any(abs(start_s + late_s - other) < BEHIND_S for other in same):
            late_s += 0.5
        visits[number][one:] = [(visit[0] + late_s, *visit[1:]) for visit in visits[number][one:]]
        begun.append((start_s + late_s, camera, way, left_m))


def _there(
    crowd: Sequence[Person], visits: dict[int, list[Visit]], zone: Zone, camera: int, time_s: float
) -> dict[int, Place]:
    """Where those are who walk past a camera at this time."""
    there = {}
    for person in crowd:
        for visit in visits[person.number]:
            place = _place(person, visit, zone, time_s) if visit[1] == camera else None
            if place is not None:
                there[person.number] = place
    return there


def _place(person: Person, visit: Visit, zone: Zone, time_s: float) -> Place | None:
    gone_m = (time_s - visit[0]) * person.speed_m_s
    if not 0.0 <= gone_m <= _length_m(zone):
        return None
    along = visit[2] * (gone_m - _length_m(zone) / 2)
    sway = 0.03 * np.sin(2 * gone_m + person.number)
    x, y = zone.at(along, visit[3] + sway)
    ahead = visit[2] * zone.ahead
    stride_m = 4.0 * (THIGH + SHIN) * person.legs * np.sin(person.stride_rad)
    return Place(float(x), float(y), atan2(ahead[1], ahead[0]), gone_m / stride_m)


def _length_m(zone: Zone) -> float:
    """From one end of a way to the other, both out of sight."""
    ends = zone.gates[: zone.along] if zone.along == 2 else zone.gates[:2]
    return 2.0 * float(np.linalg.norm(ends - zone.middle, axis=1).max())


def _told(site: Site, name: str) -> Mount:
    """What is known of a real camera: not height and tilt."""
    return replace(site.cameras[name].mount, height_m=None, pitch_deg=None, roll_deg=None)


def _write_people(folder: Path, crowd: Sequence[Person]) -> None:
    write_people(folder, [(p.number, round(p.height_m, 3), p.bag, p.look_alike_of or 0) for p in crowd])


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _write_cameras(path: Path, site: Site, told: dict[str, str]) -> None:
    """How the cameras of `cuts.csv` hang, which TVRID does not say."""
    lens = {"fx_px": LENS.fx_px, "fy_px": LENS.fy_px, "cx_px": LENS.cx_px, "cy_px": LENS.cy_px}
    mounts = {
        told[name]: {
            "height_m": camera.mount.height_m,
            "pitch_deg": camera.mount.pitch_deg,
            "roll_deg": camera.mount.roll_deg,
        }
        for name, camera in site.cameras.items()
    }
    path.write_text(json.dumps({"lens": lens, "cameras": mounts}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
