"""How long scoring takes, and in how much memory: python benchmarks/retrieval.py [QUERIES GALLERY LENGTH]

Random vectors, as many as Market-1501's test has unless it is said, each way in a process of its own: ours, and
Torchreid's distance matrix and evaluation as its wheel has it (make judges), without what it could compile. That is not
asked for more than 20,000 in the gallery: it holds every distance and every rank at once.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
MARKET = 3368, 15913, 512
PEOPLE, CAMERAS, MOST = 750, 6, 20_000
WAYS = {"ours": ".venv", "torchreid": ".venv-judges-reid"}
RANKS = 10


def drawn(queries: int, others: int, length: int) -> tuple[Any, ...]:
    """Vectors near one of each person's, and who they are, by which camera."""
    random = np.random.default_rng(1)
    middles = random.normal(size=(PEOPLE, length)).astype(np.float32)
    people = [random.integers(0, PEOPLE, count) for count in (queries, others)]
    cameras = [random.integers(0, CAMERAS, count) for count in (queries, others)]
    shifts = [random.standard_normal((count, length), np.float32) * 4 for count in (queries, others)]
    return *(middles[who] + shift for who, shift in zip(people, shifts, strict=True)), *people, *cameras


def ours() -> Callable[..., tuple[float, float]]:
    """mAP and CMC-1, as eval-reid has them."""
    sys.path.insert(0, str(ROOT))
    from engines.evaluate.retrieval import distances, found, nearest_first, other_cameras

    def score(query: Any, gallery: Any, people: Any, others: Any, *cameras: Any) -> tuple[float, float]:
        counts = other_cameras(people, cameras[0], others, cameras[1])
        made = found(nearest_first(distances(query, gallery, "cosine")), people, others, {"": counts})[""]
        return made.mean_average_precision, made.cmc(1)

    return score


def torchreid() -> Callable[..., tuple[float, float]]:
    """mAP and CMC-1, as Torchreid's documentation has them."""
    import torch
    from torchreid.reid import metrics

    def score(query: Any, gallery: Any, people: Any, others: Any, *cameras: Any) -> tuple[float, float]:
        table = metrics.compute_distance_matrix(torch.from_numpy(query), torch.from_numpy(gallery), "cosine")
        cmc, mean = metrics.evaluate_rank(table.numpy(), people, others, *cameras, max_rank=RANKS)
        return float(mean), float(cmc[0])

    return score


def timed(way: str, sizes: list[int]) -> dict[str, float]:
    """One way, in this process."""
    score = {"ours": ours, "torchreid": torchreid}[way]()
    given = drawn(*sizes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, processor = time.perf_counter(), time.process_time()
    mean, first = score(*given)
    return {
        "clock_s": time.perf_counter() - clock,
        "processor_s": time.process_time() - processor,
        "more_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "mean": mean,
        "first": first,
    }


def main(sizes: list[int]) -> None:
    """Every way, one after the other."""
    print(f"{sizes[0]} queries in a gallery of {sizes[1]}, vectors of {sizes[2]}\n")
    print(
        "| way | processor s | of ours | clock s | more memory, MiB | mAP | CMC-1 |\n|---|---|---|---|---|---|---|"
    )
    mine = None
    for way, environment in WAYS.items():
        if way != "ours" and sizes[1] > MOST:
            continue
        command = [ROOT / environment / "bin" / "python", __file__, way, json.dumps(sizes)]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        one = json.loads(said.splitlines()[-1])
        mine = mine or one["processor_s"]
        times = f"{one['processor_s']:.1f} | {one['processor_s'] / mine:.2f} | {one['clock_s']:.1f}"
        print(
            f"| {way} | {times} | {one['more_mib']:.0f} | {one['mean']:.6f} | {one['first']:.6f} |",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        print(json.dumps(timed(sys.argv[1], json.loads(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or list(MARKET))
