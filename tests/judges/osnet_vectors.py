"""OSNet networks with random weights, as ONNX in the working folder, and the vectors that published implementations give with
the same weights: Torchreid's of crops in the network's size, BoxMOT's of boxes in a picture. In an environment of its own: a
job as JSON on standard input, the answer as JSON on standard output. Nothing of the project is used here but the script
that its manual gives.
"""

from __future__ import annotations

import json
import runpy
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch

warnings.simplefilter("ignore")  # of exporters and evaluators about themselves


def made(name, crops, seed, exporter):
    """Random weights, normalized on these crops as if trained; as ONNX by the manual's script."""
    from torchreid.reid.models import build_model

    torch.manual_seed(seed)
    network = build_model(name, num_classes=1, pretrained=False)
    seen = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            part.momentum = None  # the mean of all that it has seen
    network.train()
    with torch.no_grad():
        network((seen - seen.mean()) / seen.std())
    weights = Path.cwd() / f"{name}.pt"
    torch.save(network.state_dict(), weights)
    with patch.object(sys, "argv", [exporter, name, str(weights)]):
        runpy.run_path(exporter)
    return str(weights)


def by_torchreid(name, weights, crops):
    from torchreid.reid.utils import FeatureExtractor

    judge = FeatureExtractor(name, weights, device="cpu", verbose=False)
    return judge(crops).numpy()


def by_boxmot(weights, picture, boxes):
    from boxmot.reid.core import ReID

    return ReID(weights)(cv2.imread(picture), np.array(boxes, np.float32))


def run(models, seed, exporter, crops, picture, boxes):
    pixels = [cv2.imread(path)[..., ::-1].copy() for path in crops]
    for name in models:
        weights = made(name, pixels, seed, exporter)
        vectors = {
            "torchreid": by_torchreid(name, weights, pixels),
            "boxmot": by_boxmot(weights, picture, boxes),
        }
        yield name, {judge: array.tolist() for judge, array in vectors.items()}


with redirect_stdout(sys.stderr):
    answer = dict(run(**json.load(sys.stdin)))
json.dump(answer, sys.stdout)
