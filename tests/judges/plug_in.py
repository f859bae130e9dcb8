"""What our own plug-in for Ultralytics finds, or the sentence with which it refuses, in the environment of their package: jobs as
JSON on standard input, for each its boxes and scores by picture or its error as JSON on standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from configs.build import ConfigError, InputError, build  # noqa: E402
from engines import _manifest  # noqa: E402
from engines._weights import trust  # noqa: E402


def answered(pictures, is_vouched_for=True, is_swapped=False, **settings):
    try:
        if is_vouched_for:
            trust(settings["model"])
        detector = build("engines/ultralytics", settings, "graph.detect.detector", object)
        detector.open()
        colors = [cv2.imread(path) if is_swapped else cv2.imread(path)[:, :, ::-1] for path in pictures]
        together, alone = detector(colors), [detector([color])[0] for color in colors]
        detector.close()
    except (ConfigError, InputError) as error:
        return {"error": str(error)}
    same = all(
        (boxes == one).all() and (scores == sure).all()
        for (boxes, scores), (one, sure) in zip(together, alone, strict=True)
    )
    found = [{"boxes": boxes.tolist(), "scores": scores.tolist()} for boxes, scores in together]
    return {"found": found, "same_alone": same}


job = json.load(sys.stdin)
_manifest.MODELS = Path(job["manifests"])
json.dump([answered(**one) for one in job["jobs"]], sys.stdout)
