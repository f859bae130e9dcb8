"""The plug-in for checkpoints of Ultralytics, where their package is: it finds what they find, and runs no code of a file."""

import cv2
import pytest
from judges.detector_judge import MADE, RANDOM, YOLO, are_same, asked, described, found_by_judge

OTHERS = ("code", "bare", "masks", "cut", "text", "missing")


@pytest.fixture(scope="module")
def pictures(recordings):
    return [str(path) for path in sorted((recordings / "mot17/mini_img").glob("*/*.jpg"))[::4]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    (folder / "manifests").mkdir()  # beside a checkpoint Ultralytics would take one for its own description
    described_as = {name: (f"{name}.pt", 3, MADE.get(name, True)) for name in (*MADE, *OTHERS)}
    described_as["yolov8n_80"] = ("yolov8n.pt", 80, False)
    for name, (file, classes, is_end_to_end) in described_as.items():
        text = described(name, "ultralytics", file, classes=classes, is_end_to_end=is_end_to_end)
        (folder / "manifests" / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def theirs(folder, pictures):
    job = {"descriptions": MADE, "pictures": pictures, "seed": 1, **RANDOM}
    return asked("checkpoints.py", YOLO, folder, **job)


@pytest.fixture(scope="module")
def plugged_in(folder, theirs, pictures):
    """What the plug-in answers to each of some jobs."""

    def plugged_in(*jobs):
        jobs = [{"pictures": pictures, **RANDOM, **job} for job in jobs]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIGHTLINE_MODELS", str(folder))
            return asked("plug_in.py", YOLO, folder, manifests=str(folder / "manifests"), jobs=jobs)

    return plugged_in


def boxes_of(answers, pictures):
    sizes = [cv2.imread(path).shape[1::-1] for path in pictures]
    return [found_by_judge(one, size) for one, size in zip(answers, sizes, strict=True)]


def test_finds_what_ultralytics_does_with_the_same_checkpoint(plugged_in, theirs, pictures):
    swapped = [{"model": name, "is_swapped": True} for name in MADE]
    answers = plugged_in(*({"model": name} for name in MADE), *swapped)
    for name, right, wrong in zip(MADE, answers[:3], answers[3:], strict=True):
        judged = boxes_of(theirs[name], pictures)
        assert min(len(scores) for _, scores in judged) >= 3
        assert all(map(are_same, boxes_of(right["found"], pictures), judged)), name
        assert not any(map(are_same, boxes_of(wrong["found"], pictures), judged)), name
        assert right["same_alone"]


def test_runs_no_code_of_a_checkpoint_unless_its_user_trusts_it(plugged_in, folder, theirs, pictures):
    (refused,) = plugged_in({"model": "code"})
    said = "holds posix.system, which is code and no part of a network of Ultralytics"
    assert refused["error"] == f"{folder}/code.pt: {said}; if you trust it, write trust: true"
    assert not (folder / "ran").exists()
    (trusted,) = plugged_in({"model": "code", "trust": True})
    assert (folder / "ran").exists()
    assert all(map(are_same, boxes_of(trusted["found"], pictures), boxes_of(theirs["yolo26n"], pictures)))


def test_what_it_cannot_use_is_one_line(plugged_in):
    said = {
        "missing": "missing: missing.pt not found in",
        "bare": "/bare.pt: holds no network that detects; name another file",
        "masks": "/masks.pt: holds no network that detects; name another file",
        "cut": "/cut.pt: is no checkpoint that Ultralytics can read; fetch it again",
        "text": "/text.pt: is no checkpoint that Ultralytics can read; fetch it again",
        "yolov8n_80": "/yolov8n.pt: knows 3 classes, but yolov8n_80 says 80; mend its manifest",
    }
    for answer, line in zip(plugged_in(*({"model": name} for name in said)), said.values(), strict=True):
        assert line in answer["error"]
        assert "\n" not in answer["error"]


def test_a_checkpoint_for_which_nobody_vouches_is_not_opened(plugged_in, folder):
    (folder / "code.pt").write_bytes((folder / "code.pt").read_bytes() + b"\0")
    (answer,) = plugged_in({"model": "code", "trust": True, "is_vouched_for": False})
    assert "code.pt: has sha256" in answer["error"]
