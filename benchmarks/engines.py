"""What engines find, and how fast, beside those that a user would take instead.

    python benchmarks/engines.py FOLDER [ROUNDS [precision | likeness | detectors | embedders]]

FOLDER is one of real recordings and models: mot17/, pets2009/, models/. Everybody has the same weights and pictures,
takes turns in a process of their own, and is asked for their answers first. Of YOLO and OSNet there are no weights to
share: theirs are random, and say how fast, not how well. `make judges` makes the environments; what is missing is said.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from os import getloadavg
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from judges.detector_judge import asked, average_precision, found_by_judge  # noqa: E402
from races import Contestant, Course, race  # noqa: E402

from configs.build import build  # noqa: E402
from engines._weights import trust  # noqa: E402
from engines.evaluate.mot import MotRows, read_mot  # noqa: E402
from engines.evaluate.similarity import box_similarity  # noqa: E402

ROUNDS = 15
OURS, DETECTORS, YOLO, REID = ".venv", ".venv-judges-detectors", ".venv-judges-yolo", ".venv-judges-reid"
RETAIL = "person_reidentification_retail_0248"
NANO, SSD = "yolox_nano_416x416.onnx", "person-detection-retail-0013_fp16.xml"
ENDS = {"yolov8n": False, "yolo11n": False, "yolo26n": True}  # whether each is end to end
OSNETS = ("osnet_x0_25", "osnet_x1_0")
LEAST, MIN_SCORE, MIN_VISIBILITY = 0.01, 0.3, 0.3
RANDOM, SEED = 0.5, 6  # a score that these random weights give to some
NEAR, CLOSE = 0.9, 0.02  # IoU and scores of those who round to pixels, or resize otherwise
STREET = (1920, 1080)  # pixels of the pictures of MOT17
GROWN = 768 / 480  # the truth of PETS is in pixels of a larger picture
EVERY = 10  # frames: one crop a second of PETS, which plays at 10 frames/s
CROPS = 32
Pictures = list[str]


def main(folder: Path, rounds: int, part: str) -> None:
    """The tables, or one part of them, as Markdown."""
    os.environ["SIGHTLINE_MODELS"] = str(folder / "models")
    streets = sorted(map(str, (folder / "mot17/mini_img").glob("*/*.jpg")))
    with TemporaryDirectory() as made:
        work = Path(made)
        if part in ("", "precision", "likeness"):
            pets = written(folder, work)
        if part in ("", "precision"):
            precision(folder, streets, pets, work)
        if part in ("", "likeness"):
            likeness(folder, pets)
        if part in ("", "detectors"):
            detectors(folder, streets, work, rounds)
        if part in ("", "embedders"):
            embedders(folder, streets, work, rounds)
    print(f"{rounds} rounds; load at the end: {getloadavg()[0]:.1f}")


def written(folder: Path, work: Path) -> Pictures:
    """The frames 1 to 265 of PETS as files."""
    video = cv2.VideoCapture(str(folder / "pets2009/S2L1_View001_480x360_vtest.mp4"))
    paths = [str(work / f"{number:06}.png") for number in range(1, 266)]
    for path in paths:
        cv2.imwrite(path, video.read()[1])
    return paths


def precision(folder: Path, streets: Pictures, pets: Pictures, work: Path) -> None:
    """AP50 of what ours and the judge's decoder make of the same network's answer."""
    print("### AP50\n\n| | pictures | ours | judge |\n|---|---|---|---|")
    for name, pictures, people in (
        ("MOT17, 13 pictures", streets, [people_of(folder, Path(path)) for path in streets]),
        ("PETS, frames 1 to 265", pets, people_of_pets(folder)),
    ):
        job = {"pictures": pictures, "min_score": LEAST}
        yolox = {
            "kind": "yolox",
            "size": [416, 416],
            "max_overlap": 0.45,
            "model": str(folder / "models" / NANO),
        }
        ssd = {"kind": "ssd", "is_whole": False, "model": str(folder / "models" / SSD)}
        for engine, model, judge, asking in (
            ("yolox", "yolox_nano", "rtmlib", yolox),
            ("ssd", "person_detection_retail_0013", "OpenVINO Model API", ssd),
        ):
            ours = found_by(engine, model, pictures)
            answers = asked("detector_boxes.py", DETECTORS, work, **job, **asking)
            sizes = [cv2.imread(path).shape[1::-1] for path in pictures]
            theirs = [found_by_judge(one, size) for one, size in zip(answers, sizes, strict=True)]
            if engine == "ssd":  # the judge gives whole pixels
                ours = [(boxes.round(), scores) for boxes, scores in ours]
            both = [100 * average_precision(one, people) for one in (ours, theirs)]
            print(f"| {model} | {name} | {both[0]:.2f} | {both[1]:.2f}, {judge} |")
    print()


def found_by(engine: str, model: str, pictures: Pictures) -> list[Any]:
    """What our detector finds in each picture."""
    detector: Any = build(f"engines/{engine}", {"model": model, "min_score": LEAST}, "detector", object)
    detector.open()
    found = [detector([cv2.imread(path)[:, :, ::-1]])[0] for path in pictures]
    detector.close()
    return found


def people_of(folder: Path, path: Path) -> Any:
    """Boxes of those in a picture of MOT17 of whom enough can be seen."""
    rows = read_mot(folder / "mot17/train" / path.parent.name / "gt/gt.txt")
    there = (rows.frames == int(path.stem)) & (rows.classes == 1) & (rows.confidences > 0)
    return rows.corners[there & (rows.visibilities >= MIN_VISIBILITY)]


def people_of_pets(folder: Path) -> list[Any]:
    """Boxes of everybody in each frame of PETS."""
    rows = truth(folder)
    return [rows.corners[rows.frames == frame] / GROWN for frame in range(1, 266)]


def truth(folder: Path) -> MotRows:
    """What PETS shows."""
    return read_mot(folder / "pets2009/derived_S2L1_gt_mot_visible_1_265.txt")


def likeness(folder: Path, pets: Pictures) -> None:
    """How often, of two pairs of crops of PETS, that of one person is more alike than that of two: one crop a second of
    everybody, begun at each of ten frames, cut as the pipeline cuts.
    """
    crops, ids, frames, shares = crops_of_pets(folder, pets)
    embedder: Any = build("engines/embedder", {"model": RETAIL}, "embedder", object)
    embedder.open()
    vectors = embedder(crops)
    embedder.close()
    print(f"### Likeness, {RETAIL}\n\n| crops of people | a run | pairs of one person | AUC | of ten runs |")
    print("|---|---|---|---|---|")
    for least in (0.0, MIN_VISIBILITY, 0.5):
        runs = [(frames % EVERY == start) & (shares >= least) for start in range(EVERY)]
        scored = [area(vectors[run], ids[run]) for run in runs]
        of = "all" if not least else f"of whom at least {least} can be seen"
        counts = f"{np.mean([run.sum() for run in runs]):.0f} | {np.mean([pairs for _, pairs in scored]):.0f}"
        areas = [auc for auc, _ in scored]
        print(f"| {of} | {counts} | {np.mean(areas):.3f} | {min(areas):.3f} to {max(areas):.3f} |")
    print()


def area(vectors: Any, ids: Any) -> tuple[float, int]:
    """The area under the curve over all pairs, ties half, and how many pairs are of one person."""
    alike, same = vectors @ vectors.T, ids[:, None] == ids
    pairs = np.triu(np.ones_like(same), 1)
    yes, no = alike[pairs & same], np.sort(alike[pairs & ~same])
    below = np.searchsorted(no, yes) + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2 / len(no)), len(yes)


def crops_of_pets(folder: Path, pets: Pictures) -> tuple[list[Any], Any, Any, Any]:
    """Of everybody in each frame: the crop, who it is, the frame, and how much of the box nobody nearer covers."""
    rows, crops, shares = truth(folder), [], []
    order = np.argsort(rows.frames, kind="stable")
    for frame, path in enumerate(pets, 1):
        boxes, picture = rows.corners[rows.frames == frame] / GROWN, cv2.imread(path)[:, :, ::-1]
        for box in boxes:
            left, top = np.floor(box[:2]).astype(int).clip(0)
            right, bottom = np.ceil(box[2:]).astype(int)
            crops.append(picture[top:bottom, left:right])
            shares.append(seen_of(box, boxes[boxes[:, 3] > box[3]]))
    return crops, rows.ids[order], rows.frames[order], np.array(shares)


def seen_of(box: Any, nearer: Any) -> float:
    """The share of a box that no box of somebody nearer covers, who stands lower in the picture."""
    across, down = np.meshgrid(np.linspace(*box[[0, 2]], 40), np.linspace(*box[[1, 3]], 80))
    inside = [(across > l) & (across < r) & (down > t) & (down < b) for l, t, r, b in nearer]  # noqa: E741
    return 1 - float(np.any(inside, axis=0).mean()) if len(inside) else 1.0


def detectors(folder: Path, streets: Pictures, work: Path, rounds: int) -> None:
    """Races of detectors on the pictures of MOT17, 1920x1080."""
    course = Course(rounds, (1, 8), same_boxes)
    job: dict[str, Any] = {"pictures": streets, "is_dynamic": False, "min_score": MIN_SCORE}
    job["settings"] = {"min_score": MIN_SCORE}
    nano, ssd = ({**job, "model": str(folder / "models" / name)} for name in (NANO, SSD))
    rows = run_engines("yolox_nano", "yolox", nano, ["openvino", "onnxruntime", "torch"])
    for backend in ("onnxruntime", "openvino"):
        rows.append(
            Contestant(f"rtmlib, {backend}", "rtmlib", DETECTORS, {**nano, "side": 416, "backend": backend})
        )
    race("yolox_nano, 416x416", rows, course)
    rows = run_engines("person_detection_retail_0013", "ssd", ssd, ["openvino"])
    rows.append(Contestant("OpenVINO Model API", "model_api", DETECTORS, ssd))
    race("person_detection_retail_0013, 320x544", rows, course)
    made = {"descriptions": list(ENDS), "pictures": streets[::6], "seed": SEED, "side": 640, "classes": 80}
    asked("yolo_boxes.py", YOLO, work, min_score=RANDOM, max_overlap=0.7, **made)
    for name, is_end_to_end in ENDS.items():
        for model in (name, f"{name}_pt"):
            vouched(model, work)
        given = {**job, "pictures": streets[::3], "side": 640, "is_end_to_end": is_end_to_end}
        given |= {"min_score": RANDOM, "settings": {"min_score": RANDOM}}
        rows = run_engines(name, "yolo", given, ["openvino", "onnxruntime", "torch"])
        checkpoint = {
            **given,
            "engine": "ultralytics",
            "settings": {**given["settings"], "model": f"{name}_pt"},
        }
        rows.append(Contestant("ours, checkpoint", "ours", YOLO, checkpoint))
        for kind in ("onnx", "pt"):
            theirs = {**given, "model": str(work / f"{name}.{kind}")}
            rows.append(Contestant(f"ultralytics, {kind}", "ultralytics", YOLO, theirs))
        race(f"{name}, 640x640, random weights", rows, course)


def embedders(folder: Path, streets: Pictures, work: Path, rounds: int) -> None:
    """Races of embedders on people of MOT17, each in its own size."""
    crops = cut(folder, streets, work)
    job: dict[str, Any] = {"pictures": crops, "is_dynamic": False}
    course = Course(rounds, (1, 8, 32), same_vectors)
    race(RETAIL, run_engines(RETAIL, "embedder", job, ["openvino", "onnxruntime", "torch"]), course)
    fitted = [str(work / f"fitted{number}.png") for number in range(len(crops))]
    for path, crop in zip(fitted, crops, strict=True):
        cv2.imwrite(path, cv2.resize(cv2.imread(crop), (128, 256)))
    script = work / "export_osnet.py"
    script.write_text(
        (ROOT / "docs/models.md").read_text().partition("# export_osnet.py")[2].partition("```")[0]
    )
    given = {
        "seed": 1,
        "exporter": str(script),
        "crops": fitted,
        "picture": streets[0],
        "boxes": [[0, 0, 64, 128]],
    }
    asked("osnet_vectors.py", REID, work, models=OSNETS, **given)
    for name in OSNETS:
        vouched(name, work)
        rows = run_engines(
            name, "embedder", {**job, "is_dynamic": True}, ["openvino", "onnxruntime", "torch"]
        )
        as_ir(work / f"{name}.onnx")
        for kind, model in (
            ("onnx", f"{name}.onnx"),
            ("openvino", f"{name}_openvino_model"),
            ("pt", f"{name}.pt"),
        ):
            rows.append(Contestant(f"BoxMOT, {kind}", "boxmot", REID, {**job, "model": str(work / model)}))
        theirs = {**job, "model": str(work / f"{name}.pt"), "network": name}
        rows.append(Contestant("Torchreid", "torchreid", REID, theirs))
        race(f"{name}, random weights", rows, course)


def cut(folder: Path, streets: Pictures, work: Path) -> Pictures:
    """Crops of people, of different sizes, as files."""
    made: Pictures = []
    for path in streets[::4]:
        picture = cv2.imread(path)
        for left, top, right, bottom in people_of(folder, Path(path)).clip(0).astype(int):
            made.append(str(work / f"crop{len(made)}.png"))
            cv2.imwrite(made[-1], picture[top:bottom, left:right])
    return made[:CROPS]


def as_ir(model: Path) -> None:
    """The same network as an OpenVINO IR, where BoxMOT looks for it."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    folder = model.with_name(f"{model.stem}_openvino_model")
    openvino.save_model(openvino.convert_model(model), folder / f"{model.stem}.xml", compress_to_fp16=False)


def vouched(model: str, work: Path) -> None:
    """Trust a model that was made just now."""
    os.environ["SIGHTLINE_MODELS"] = os.pathsep.join([str(work), os.environ["SIGHTLINE_MODELS"]])
    os.environ["XDG_CONFIG_HOME"] = str(work)
    trust(model)


def same_boxes(ours: Any, theirs: Any) -> str:
    """How many of the boxes have a partner among the others', with nearly the same score where there is one."""
    same = found = 0
    for mine, other in zip(ours, theirs, strict=True):
        boxes, scores = found_by_judge(mine, STREET)
        others, given = found_by_judge(
            other if other["scores"] else {**other, "scores": [1] * len(other["boxes"])}, STREET
        )
        alike = box_similarity(boxes, others) >= NEAR
        if other["scores"]:
            alike &= np.abs(np.subtract.outer(scores, given)) <= CLOSE
        same += int(alike.any(axis=1).sum() + alike.any(axis=0).sum())
        found += len(boxes) + len(others)
    return (
        f"{found / 2 / len(ours):.0f} boxes a picture"
        if theirs is ours
        else f"{100 * same / max(found, 1):.1f} %"
    )


def same_vectors(ours: Any, theirs: Any) -> str:
    """The least cosine."""
    if theirs is ours:
        return f"{len(ours)} vectors"
    pairs = zip(ours, theirs, strict=True)
    return f"cosine {min(np.dot(mine['vector'], other['vector']) for mine, other in pairs):.5f}"


def run_engines(name: str, engine: str, job: Mapping[str, Any], runtimes: Sequence[str]) -> list[Contestant]:
    """Ours on each runtime, beside it the runtime alone with the same threads; and the runtime as it comes."""
    made = []
    for runtime in runtimes:
        settings = {"model": name, "runtime": runtime, **job.get("settings", {})}
        given = {**job, "engine": engine, "settings": settings, "is_default": False, "has_bare_beside": True}
        made.append(Contestant(f"ours, {runtime}", "ours", OURS, given, f"{runtime} alone"))
        alone = {**given, "is_default": True, "has_bare_beside": False}
        made.append(Contestant(f"{runtime} alone, as it comes", "bare", OURS, alone))
    return made


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("name a folder of recordings and models: python benchmarks/engines.py FOLDER")
    _, named, *more = sys.argv
    main(Path(named).resolve(), int(more[0]) if more else ROUNDS, more[1] if len(more) > 1 else "")
