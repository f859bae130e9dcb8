"""One contestant of engines.py, in whatever environment has it: python benchmarks/contestants.py KIND JOB

It makes ready, runs the job's input once, and says as JSON what came out; then, for each line on standard input, runs
it again in batches of so many, and says how many ms of the clock and of the processor each took. Everybody is given
pixels in the order of colours which their documented call asks for, and as many threads as there are cores.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))
LEAST_BATCHES = 3  # in a round: one alone says more of the machine's other work than of itself
Answers = list[dict[str, Any]]
Call = Callable[[Sequence[Any]], Any]  # of a batch
Read = Callable[[Any], dict[str, Any]]  # what it gave for one picture, as JSON


def as_boxes(found: Any) -> dict[str, Any]:
    """Boxes and scores of people, as others can compare them."""
    boxes, scores = found
    return {"boxes": np.asarray(boxes, float).tolist(), "scores": np.asarray(scores, float).tolist()}


def as_vector(vector: Any) -> dict[str, Any]:
    """A vector, of length 1."""
    vector = np.asarray(vector, float)
    return {"vector": (vector / np.linalg.norm(vector)).tolist()}


def as_nothing(_: Any) -> dict[str, Any]:
    """Of a bare network, whose numbers nobody has read."""
    return {}


def ours(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """An engine by name, on pictures or crops in RGB."""
    sys.path.insert(0, str(ROOT))
    from configs.build import build

    engine = build(f"engines/{job['engine']}", job["settings"], "engine", object)
    engine.open()
    read = as_vector if job["engine"] == "embedder" else as_boxes
    return rgb(job), engine, read


def bare(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """The runtime alone, on what our engine would give it, made before."""
    sys.path.insert(0, str(ROOT))
    from configs.build import build
    from engines._resized import ordered, resized
    from engines._weights import weights

    engine: Any = build(f"engines/{job['engine']}", job["settings"], "engine", object)
    wanted, shown = engine.manifest.input, rgb(job)
    batch = resized(shown, wanted.size)[0] if job["engine"] == "embedder" else engine._fitted(shown)[0]
    runtime, is_default = job["settings"]["runtime"], job["is_default"]
    run = {"openvino": _openvino, "onnxruntime": _onnxruntime, "torch": _torch}[runtime]
    run_parts = run(str(weights(engine.manifest)), is_default)
    one_by_one = not job["is_dynamic"] or runtime == "torch" and not is_default  # as ours

    def call(batch: Sequence[Any]) -> Any:
        if one_by_one:
            return run_parts([picture[None] for picture in batch])
        return run_parts(np.array_split(np.stack(batch), 1 if is_default else min(CORES, len(batch))))

    return list(ordered(batch, wanted)), call, as_nothing


def _openvino(model: str, is_default: bool) -> Call:
    """By its queue of requests, one thread each, or with all of them for a part alone, as ours; or as it comes, one
    batch after the other.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    settings: dict[str, str] = {"INFERENCE_PRECISION_HINT": "f32"}
    if not is_default:
        settings |= {"NUM_STREAMS": str(CORES), "INFERENCE_NUM_THREADS": str(CORES)}
    network = openvino.Core().compile_model(model, "CPU", settings)
    alone = (
        network
        if is_default
        else openvino.Core().compile_model(model, "CPU", {**settings, "NUM_STREAMS": "1"})
    )
    queue = openvino.AsyncInferQueue(network, CORES)

    def run(parts: Sequence[Any]) -> Any:
        for part in parts if is_default or len(parts) == 1 else ():
            alone([part])
        if len(parts) > 1 and not is_default:
            for part in parts:
                queue.start_async([part])
            queue.wait_all()

    return run


def _onnxruntime(model: str, is_default: bool) -> Call:
    """In threads with a session of one thread, or with all of them for a part alone, as ours; or as it comes, one batch
    after the other.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    def session(threads: int) -> Any:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads  # 0: as it comes
        if threads:
            settings.add_session_config_entry("session.force_spinning_stop", "1")
        return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])

    alone, one_by_one = session(0 if is_default else CORES), session(1)
    threads, name = ThreadPoolExecutor(CORES), alone.get_inputs()[0].name

    def run(parts: Sequence[Any]) -> Any:
        if is_default or len(parts) == 1:
            return [alone.run(None, {name: part}) for part in parts]
        return list(threads.map(lambda part: one_by_one.run(None, {name: part}), parts))

    return run


def _torch(model: str, _: bool) -> Call:
    """Our module of the network, as no other reads these files: it spreads each part over all cores by itself."""
    import torch

    from engines.runtimes.torch import module

    network, *_ = module(Path(model))

    def run(parts: Sequence[Any]) -> Any:
        with torch.inference_mode():
            return [[one.numpy() for one in network(torch.tensor(part))] for part in parts]

    return run


def rtmlib(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """Its detector, one picture at a time."""
    from rtmlib import YOLOX

    detector = YOLOX(
        job["model"], (job["side"],) * 2, nms_thr=0.45, score_thr=job["min_score"], backend=job["backend"]
    )
    return bgr(job), lambda batch: [(detector(picture), ()) for picture in batch], as_boxes


def model_api(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """OpenVINO Model API's SSD, one picture at a time, or its own batch for many."""
    import openvino
    from model_api.adapters import OpenvinoAdapter
    from model_api.models import SSD

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    adapter = OpenvinoAdapter(openvino.Core(), job["model"], device="CPU", plugin_config=exact)
    settings = {"confidence_threshold": job["min_score"]}
    detector = SSD.create_model(adapter, model_type="SSD", configuration=settings)
    read = lambda given: as_boxes((given.bboxes[given.labels == 1], given.scores[given.labels == 1]))  # noqa: E731
    return bgr(job), lambda batch: [detector(picture) for picture in batch], read


def ultralytics(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """`predict` of Ultralytics, which takes a list."""
    import torch
    from ultralytics import YOLO

    torch.set_num_threads(CORES)
    model = YOLO(job["model"], task="detect")
    settings = {"conf": job["min_score"], "iou": 0.7, "classes": [0], "imgsz": job["side"], "rect": False}
    settings |= {"verbose": False, "device": "cpu"} | ({"nms": False} if job["is_end_to_end"] else {})
    read = lambda given: as_boxes((given.boxes.xyxy, given.boxes.conf))  # noqa: E731
    return bgr(job), lambda batch: model.predict(list(batch), **settings), read


def boxmot(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """BoxMOT's ReID on crops, by the backend of the file's kind."""
    import torch
    from boxmot.reid.core import ReID

    torch.set_num_threads(CORES)
    model = ReID(job["model"])
    return bgr(job), lambda batch: model(list(batch)), as_vector


def torchreid(job: dict[str, Any]) -> tuple[list[Any], Call, Read]:
    """Torchreid's feature extractor, which is PyTorch with its own resizing."""
    import torch
    from torchreid.reid.utils import FeatureExtractor

    torch.set_num_threads(CORES)
    extract = FeatureExtractor(job["network"], job["model"], device="cpu", verbose=False)
    return rgb(job), lambda batch: extract(list(batch)).numpy(), as_vector


def rgb(job: dict[str, Any]) -> list[Any]:
    """The job's pictures or crops, each in one piece."""
    return [np.ascontiguousarray(picture[..., ::-1]) for picture in bgr(job)]


def bgr(job: dict[str, Any]) -> list[Any]:
    """The same, as OpenCV has them."""
    return [cv2.imread(path) for path in job["pictures"]]


def batches(shown: list[Any], most: int) -> Iterator[list[Any]]:
    """Everything in batches of `most`, the last filled up from the beginning; and at least so many of them."""
    again = cycle(shown)
    for _ in range(max(LEAST_BATCHES, -(-len(shown) // most))):
        yield list(islice(again, most))


def main(kind: str, job: dict[str, Any]) -> None:
    """Answer, then race; what runs `beside` takes turns with it, batch by batch."""
    with redirect_stdout(sys.stderr):
        shown, call, read = globals()[kind](job)
        answers = [read(call([one])) if read is as_nothing else read(call([one])[0]) for one in shown]
        racers = [(shown, call), *([bare(job)[:2]] if job.get("has_bare_beside") else [])]
    print(json.dumps(answers), flush=True)
    for line in sys.stdin:
        most = int(line)
        with redirect_stdout(sys.stderr):
            spent_ms = raced([batches(of, most) for of, _ in racers], [one for _, one in racers], most)
        print(json.dumps(spent_ms), flush=True)


def raced(parts: Sequence[Iterator[list[Any]]], calls: Sequence[Call], most: int) -> list[list[float]]:
    """For each, how many ms of the clock and of the processor one picture takes."""
    spent_s, count = np.zeros((len(calls), 2)), 0
    for turn in zip(*parts, strict=True):
        for number, (call, part) in enumerate(zip(calls, turn, strict=True)):
            began_s = time.perf_counter(), time.process_time()
            call(part)
            spent_s[number] += np.subtract((time.perf_counter(), time.process_time()), began_s)
        count += most
    return (1e3 * spent_s / count).tolist()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
