"""Networks by Ultralytics from its own descriptions with random weights, as ONNX in the working folder, and the boxes and scores of
people that its own decoder finds with each in each picture. In an environment of its own: a job as JSON on standard
input, the answer as JSON on standard output. Nothing of the project is used here.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

CLASSES, SIDE = 3, 320


def made(description, folder, pictures, seed, classes=CLASSES, side=SIDE):
    """A model whose answer depends on the picture: random weights, normalized on these pictures as if trained."""
    torch.manual_seed(seed)
    network = DetectionModel(description, nc=classes, verbose=False)
    batch = np.stack([cv2.resize(cv2.imread(path), (side, side))[..., ::-1] for path in pictures])
    seen = torch.from_numpy(batch.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # the mean of all that it has seen
    network.train()
    with torch.no_grad():
        network(seen)
        for name, weight in network.named_parameters():
            if ".cv3." in name or ".one2one_cv3." in name:
                _spread(name, weight)
    network.eval()
    model = YOLO(description)
    network.args, network.task = model.model.args, model.task
    network.pt_path = model.ckpt_path = str(folder / f"{Path(description).stem}.pt")
    model.model = network
    return model


def exported(model, side):
    return str(model.export(format="onnx", imgsz=side, simplify=False, opset=17, nms=False, device="cpu"))


def _spread(name, weight):
    """Scores between 0 and 1, and not all about what a class is worth before training."""
    if name.endswith(".2.bias"):
        weight.zero_()
    elif name.endswith(".2.weight"):
        weight.mul_(4.0)


def found(model, pictures, min_score, max_overlap, side=SIDE, **more):
    judge = YOLO(model, task="detect")
    settings = {"conf": min_score, "iou": max_overlap, "classes": [0], "imgsz": side, "verbose": False}
    settings |= {"rect": False, **more}  # its checkpoints would cut off what fills the square
    for path in pictures:
        (given,) = judge.predict(cv2.imread(path), device="cpu", **settings)
        yield {"boxes": given.boxes.xyxy.tolist(), "scores": given.boxes.conf.tolist()}


def run(descriptions, pictures, seed, classes=CLASSES, side=SIDE, **settings):
    for name in descriptions:
        model = made(f"{name}.yaml", Path.cwd(), pictures, seed, classes, side)
        model.save(f"{name}.pt")
        onnx = exported(YOLO(f"{name}.pt"), side)  # which are halves of what was made
        yield name, list(found(onnx, pictures, side=side, **settings))


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):
        answer = dict(run(**json.load(sys.stdin)))
    json.dump(answer, sys.stdout)
