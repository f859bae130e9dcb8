"""Boxes and scores of people by others' decoders, in an environment of their own: a job as JSON on standard input, for each
picture its boxes and scores as JSON on standard output. Nothing of the project is used here.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from unittest.mock import patch

import cv2
import numpy as np


def yolox(model, size, min_score, max_overlap):
    """rtmlib's own call; it gives boxes without scores, so they are taken where its suppression gives them."""
    from rtmlib.tools.object_detection import yolox as module

    judge = module.YOLOX(
        model, tuple(size), "multiclass", nms_thr=max_overlap, score_thr=min_score, backend="onnxruntime"
    )

    def found(picture):
        taken, suppress = [], module.multiclass_nms

        def spied(*given, **named):
            taken.append(suppress(*given, **named))
            return taken[-1]

        with patch.object(module, "multiclass_nms", spied):
            judge(picture)
        rows = np.empty((0, 6)) if taken[0][0] is None else taken[0][0]
        people = rows[rows[:, 5] == 0]
        return people[:, :4], people[:, 4]

    return found


def ssd(model, min_score, is_whole):
    """OpenVINO Model API, which rounds boxes to whole pixels. `is_whole`: its own resizing too, which is OpenVINO's and
    not OpenCV's; else only what it makes of the network's rows.
    """
    import openvino
    from model_api.adapters import OpenvinoAdapter
    from model_api.models import SSD

    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # on a CPU that has bfloat16 it would take that
    settings = {"confidence_threshold": min_score}
    adapter = OpenvinoAdapter(openvino.Core(), model, device="CPU", plugin_config=exact)
    judge = SSD.create_model(adapter, model_type="SSD", configuration=settings)

    def found(picture):
        if is_whole:
            given = judge(picture)
        else:
            inputs, _ = judge.base_preprocess(cv2.resize(picture, (judge.w, judge.h)))
            given = judge.postprocess(judge.infer_sync(inputs), {"original_shape": picture.shape})
        people = given.labels == 1
        return given.bboxes[people], given.scores[people]

    return found


def run(kind, pictures, **settings):
    find = {"yolox": yolox, "ssd": ssd}[kind](**settings)
    for path in pictures:
        boxes, scores = find(cv2.imread(path))
        yield {"boxes": np.asarray(boxes, float).tolist(), "scores": np.asarray(scores, float).tolist()}


with redirect_stdout(sys.stderr):
    answer = list(run(**json.load(sys.stdin)))
json.dump(answer, sys.stdout)
