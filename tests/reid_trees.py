"""Small data sets of person re-identification, painted in the layouts of the real ones."""

import csv
import json
from itertools import product

import cv2
import numpy as np

MARKET = {
    "bounding_box_train": ["0002_c1s1_000451_03", "0002_c2s1_000301_01", "0007_c3s2_000001_00", "1500_c6s4_009999_12", "0007_c1s1_000002_00"],
    "query": ["0003_c1s1_000001_00", "0005_c2s1_000001_00", "0009_c6s6_000001_00"],
    "bounding_box_test": [
        "-1_c1s1_000401_03", "-1_c6s1_000401_03",  # junk
        "0000_c1s1_000151_01", "0000_c5s3_000151_01",  # distractors
        "0003_c1s1_000002_00", "0003_c3s1_000001_00", "0005_c4s2_000001_00", "0005_c2s9_000001_00", "0011_c1s1_000001_00",
    ],
}  # fmt: skip
DUKE = {
    "bounding_box_train": ["0001_c2_f0046182", "0005_c8_f0046302", "0005_c1_f0046422"],
    "query": ["0019_c1_f0051230", "0020_c8_f0051230"],
    "bounding_box_test": ["0019_c2_f0051230", "0019_c1_f0051231", "7139_c8_f0000001", "0020_c3_f0051230"],
}
MSMT = {
    "list_train.txt": [
        "0000/0000_000_01_0303morning_0008_0.jpg 0",
        "0002/0002_001_15_0303morning_0008_1.jpg 2",
    ],
    "list_val.txt": ["0000/0000_010_03_0303noon_0008_0.jpg 0", "0005/0005_010_04_0303noon_0008_0.jpg 5"],
    "list_query.txt": [
        "0001/0001_000_02_0303morning_0001_0.jpg 1",
        "0003/0003_000_15_0303morning_0001_0.jpg 3",
    ],
    "list_gallery.txt": [
        "0001/0001_003_02_0303morning_0002_0.jpg 1",
        "0001/0001_004_09_0303afternoon_0002_0.jpg 1",
        "0003/0003_004_10_0303afternoon_0002_0.jpg 3",
        "0004/0004_004_10_0303afternoon_0002_0.jpg 4",
    ],
}
CAPTIONS = [
    {"split": "train", "captions": ["A man in a red coat.", "Ein Mann in einem roten Mantel."], "file_path": "CUHK01/a.png", "id": 1},
    {"split": "train", "captions": ["穿红色外套的女人"], "file_path": "CUHK03/b.png", "id": 4, "processed_tokens": [["x"]]},
    {"split": "val", "captions": ["Someone."], "file_path": "CUHK03/c.png", "id": 5},
    {"split": "test", "captions": ["A woman.", "Grey trousers."], "file_path": "Market/d.jpg", "id": 7},
    {"split": "test", "captions": ["A boy."], "file_path": "Market/e.jpg", "id": 9},
]  # fmt: skip
HALVES = {
    "occluded_body_images": {"001": ["001_01", "001_02"], "002": ["002_01"], "007": ["007_01"]},
    "whole_body_images": {"001": ["001_06", "001_07"], "002": ["002_06"], "008": ["008_06"]},
}
TVRID_CAMERAS = ("flat", "upward", "downward", "upsideDown")
COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]


def painted(path, color=(90, 120, 150), size=(64, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), color[::-1], np.uint8))


def deep(path, millimetres, size=(8, 8)):
    """A slope that begins there, or nothing valid at 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    slope = np.arange(size[0])[:, None] * 100 * (millimetres > 0)
    assert cv2.imwrite(str(path), np.full(size, millimetres + slope, np.uint16))


def named_tree(folder, names):
    """A set of three folders, like MARKET or DUKE; one that shows each person in colours of their own."""
    for part, those in names.items():
        for name in those:
            person = int(name.partition("_c")[0])
            painted(folder / part / f"{name}.jpg", (person * 37 % 256, person * 91 % 256, person * 53 % 256))
    (folder / "bounding_box_test" / "Thumbs.db").write_bytes(b"as in the real one")
    return folder


def msmt_tree(folder, parts=("train", "test")):
    for name, lines in MSMT.items():
        part = folder / parts[name in ("list_query.txt", "list_gallery.txt")]
        for line in lines:
            painted(part / line.split()[0])
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def cuhk_tree(folder, entries=CAPTIONS):
    for entry in entries:
        painted(folder / "imgs" / entry["file_path"])
    (folder / "reid_raw.json").write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return folder


def icfg_tree(folder, entries=CAPTIONS):
    entries = [entry for entry in entries if entry["split"] != "val"]
    cuhk_tree(folder, entries)
    (folder / "reid_raw.json").rename(folder / "ICFG-PEDES.json")
    return folder


def rstp_tree(folder, entries=CAPTIONS):
    cuhk_tree(folder, entries)
    told = json.loads((folder / "reid_raw.json").read_text("utf-8"))
    for entry in told:
        entry["img_path"] = entry.pop("file_path")
    (folder / "data_captions.json").write_text(json.dumps(told), "utf-8")
    (folder / "reid_raw.json").unlink()
    return folder


def occluded_tree(folder, kind=".tif"):
    for half, people in HALVES.items():
        for person, names in people.items():
            for name in names:
                painted(folder / half / person / f"{name}{kind}")
            (folder / half / person / "Thumbs.db").write_bytes(b"as in the real one")
    return folder


def p_duke_tree(folder):
    for part in ("train", "test"):
        occluded_tree(folder / part, ".jpg")
    return folder


def tvrid_tree(folder, people=3, frames=3, is_labelled=True):
    """Each person in a colour and a depth of their own, a little other under each camera."""
    for table, part, first, slash in (
        ("train_labels.csv", "train", 40, "\\"),
        ("public_test_labels.csv", "test_public", 60, "/"),
    ):
        rows = []
        for number, (person, camera, passage) in enumerate(
            product(range(people), TVRID_CAMERAS, ("IN", "OUT"))
        ):
            name = f"{part[:2]}{number:04d}"
            path = name if part == "test_public" else f"{person}{slash}{camera}_{passage}"
            place = folder / part / path.replace("\\", "/")
            shade = number % 8
            for frame in range(frames):
                color = tuple(min(255, value + 3 * shade + frame) for value in COLORS[person % len(COLORS)])
                painted(
                    place / (f"{frame:03d}_RGB.png" if frame % 2 else f"{frame:03d}_RGB_person.png"), color
                )
                ending = ("depth", "depth_depth", "D")[frame % 3]
                deep(place / f"{frame:03d}_{ending}.png", 1200 + 300 * person + 10 * shade + frame)
            rows.append(
                [
                    name,
                    first + person,
                    camera,
                    TVRID_CAMERAS.index(camera),
                    passage,
                    ("IN", "OUT").index(passage),
                    path,
                ]
            )
        columns = ["gallery_id", "person_id", "cam_name", "cam_id", "passage_name", "passage_id", "path"]
        if not is_labelled and part == "test_public":
            columns, rows = ["gallery_id", "path"], [[row[0], row[-1]] for row in rows]
        with (folder / table).open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    return folder
