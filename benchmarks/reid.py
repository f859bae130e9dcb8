"""What training costs: two steps of every recipe at full size, ours beside a plain loop, and the network as ONNX.

    python benchmarks/reid.py [steps [RECIPE] | loop | onnx [RECIPE] | epoch] [--batch N]

`epoch` is not part of all: a whole one of stage 2 at full size, batches of 64, on SynthPed, which draws as it goes.
Weights are random and people painted: it says how long and how much memory, not how well. On the GPU if there is one.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from painted_people import painted_people  # noqa: E402

from engines.reid.captioned import CaptionedTask  # noqa: E402
from engines.reid.data.synthped import SynthPed  # noqa: E402
from engines.reid.export import export  # noqa: E402
from engines.reid.fit import Place, Training  # noqa: E402
from engines.reid.method import Phase, TextMethod  # noqa: E402
from engines.reid.methods.tvrid_baseline import PassageTask  # noqa: E402
from engines.reid.recipe import method_of, read_recipe  # noqa: E402
from engines.reid.task import Picture, Task  # noqa: E402

RECIPES = ROOT / "configs/reid"
SMALLEST = "clip_reid_market1501"
STEPS, ROUNDS, LOOPS = 2, 3, 7
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    """The tables, or one of them, as Markdown."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("part", nargs="?", choices=["steps", "loop", "onnx", "epoch"])
    asked.add_argument("recipe", nargs="?", default="")
    asked.add_argument("--batch", type=int, default=8)
    given = asked.parse_args()
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"PyTorch {torch.__version__}, {name}\n")
    if given.part in (None, "steps"):
        recipes = [given.recipe] if given.recipe else sorted(path.stem for path in RECIPES.glob("*.yaml"))
        steps(recipes, given.batch)
    if given.part in (None, "loop"):
        loop(given.batch)
    if given.part in (None, "onnx"):
        onnx(given.recipe or SMALLEST, given.batch)
    if given.part == "epoch":
        epoch()


def steps(recipes: list[str], batch: int) -> None:
    """Two steps of every phase of every recipe, with the batch cut down."""
    print(f"### {STEPS} steps, batches of {batch}\n\n| recipe | phase | s a step | peak GB | losses |")
    print("|---|---|---|---|---|")
    for recipe in recipes:
        method, task = prepared(recipe, batch)
        network = method.network(task.people_count, task.camera_count).to(DEVICE)
        for name, make in method.phases(network, task).items():
            phase = make()
            if DEVICE == "cuda":
                torch.cuda.reset_peak_memory_stats()
            training, place = Training(Path(), network, task, {}), Place(name)
            phase.draw = first_batches(phase.draw)
            began = time.perf_counter()
            training.train_epoch(phase, place)
            step_s = (time.perf_counter() - began) / place.step
            means = ", ".join(f"{term} {total / place.step:.3g}" for term, total in place.sums.items())
            print(f"| {recipe} | {name} | {step_s:.2f} | {peak_gb():.2f} | {means} |", flush=True)
    print()


def prepared(recipe: str, batch: int) -> tuple[Any, Task]:
    """The recipe's method without weights and with small batches, and as many people as it needs."""
    asked = read_recipe(RECIPES / f"{recipe}.yaml")
    if asked.method == "tvrid_baseline":
        return passages(method_of(asked.method, {**asked.settings, "batch": batch}, recipe))
    each = min(4, batch // 2)
    people = batch // each
    small = {"prompt_batch": batch, "people_a_batch": people, "pictures_each": each}
    small |= {"captions_a_batch": batch} if asked.method == "unified" else {}
    method = method_of(asked.method, {**asked.settings, **small}, recipe)
    shown = painted_people(people, each * STEPS, size=(128, 64))
    said = tuple(f"a person, the {number}th of all" for number in range(len(shown)))
    captioned = isinstance(method, TextMethod)
    task = CaptionedTask(shown, device=DEVICE, captions=said) if captioned else Task(shown, device=DEVICE)
    task.is_mixed = asked.precision == "bf16" and DEVICE == "cuda"
    task.seed_all()
    return method, task


def passages(method: Any) -> tuple[Any, Task]:
    """The method, and enough passages of nothing but noise."""
    size = method.size, method.size
    shown = torch.randn(method.frames, 3, *size), torch.randn(method.frames, 1, *size)
    people = painted_people(2, method.batch * STEPS, size=(4, 4))
    task = PassageTask(people, device=DEVICE, shown=lambda at: shown)
    task.seed_all()
    return method, task


def first_batches(
    draw: Callable[[np.random.Generator], list[Any]],
) -> Callable[[np.random.Generator], list[Any]]:
    """The same, but only two batches of it."""
    return lambda generator: draw(generator)[:STEPS]


def peak_gb() -> float:
    """Of the GPU, or of this process until now."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def loop(batch: int) -> None:
    """An epoch of ours, reading and checking, in turns with a plain loop over pictures that are ready."""
    method, task = prepared(SMALLEST, batch)
    network = method.network(task.people_count, task.camera_count).to(DEVICE)
    phase = method.phases(network, task)["images"]()
    training = Training(Path(), network, task, {})
    batches = phase.draw(task.generator("images", 1))
    ready = [phase.read(one, task.generator("images", 1, number)) for number, one in enumerate(batches)]
    training.train_epoch(phase, Place("images"))
    runs = {
        "ours": lambda: training.train_epoch(phase, Place("images")),
        "plain": lambda: plain(phase, ready),
    }
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            timed(run, wall[name], cpu[name])
    print(f"### A step of stage 2 at ViT-B/16, batches of {batch}, {ROUNDS} rounds of {len(batches)} steps\n")
    print("| | ours, s | plain loop, s | ours / plain |\n|---|---|---|---|")
    for name, taken in (("wall clock", wall), ("processor", cpu)):
        ours, other = (median(taken[who]) / len(batches) for who in runs)
        print(f"| {name} | {ours:.2f} | {other:.2f} | {ratio(taken['ours'], taken['plain']):.3f} |")
    print()


def epoch() -> None:
    """As the recipe has it, but on people who do not exist."""
    asked = read_recipe(RECIPES / f"{SMALLEST}.yaml")
    method = method_of(asked.method, asked.settings, SMALLEST)
    data = SynthPed(Path(), size=method.size)
    samples = [Picture(one.path, one.person, one.camera) for one in data.train()]
    task = Task(samples, device=DEVICE, is_mixed=DEVICE == "cuda", workers=8, open=data.picture)
    network = method.network(task.people_count, task.camera_count).to(DEVICE)
    phase, place = method.phases(network, task)["images"](), Place("images")
    began = time.perf_counter()
    Training(Path(), network, task, {}).train_epoch(phase, place)
    took_s = time.perf_counter() - began
    print(f"### An epoch of stage 2, ViT-B/16, {len(samples)} pictures, batches of 64\n")
    print("| steps | s | pictures a second | peak GB |\n|---|---|---|---|")
    print(f"| {place.step} | {took_s:.1f} | {64 * place.step / took_s:.0f} | {peak_gb():.1f} |")


def plain(phase: Phase, ready: list[Any]) -> None:
    """As in a tutorial."""
    for one in ready:
        phase.optimizer.zero_grad()
        sum(phase.loss(one).values()).backward()
        phase.optimizer.step()
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def onnx(recipe: str, batch: int) -> None:
    """The image encoder of a recipe, on PyTorch and OpenVINO, with the same threads, in turns."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    method, task = prepared(recipe, batch)
    network = method.network(task.people_count, task.camera_count).eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "embedder.onnx"
        export(method, network, path)
        core, threads = openvino.Core(), torch.get_num_threads()
        fp32 = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        engines = {"openvino fp32": core.compile_model(path, "CPU", fp32)}
        if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            engines["openvino bf16"] = core.compile_model(
                path, "CPU", fp32 | {"INFERENCE_PRECISION_HINT": "bf16"}
            )
        print(f"### The exported embedder of {recipe}, {threads} threads\n")
        print("| | batch | ms a picture | torch / it | the same by processor time | least cosine |")
        print("|---|---|---|---|---|---|")
        for count in (1, batch):
            for row in raced(method, network, engines, count):
                print(row, flush=True)
    print()


def raced(method: Any, network: Any, engines: dict[str, Any], count: int) -> Iterator[str]:
    """A row for each that embeds the same pictures, in turns."""
    pictures = torch.randn(count, 3, *method.look.size, generator=torch.Generator().manual_seed(1))

    def by_torch() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(method.vectors(network, pictures).numpy())

    runs: dict[str, Callable[[], Any]] = {"torch": by_torch}
    runs |= {name: lambda one=engine: one(pictures.numpy())[0] for name, engine in engines.items()}
    vectors = {name: run() for name, run in runs.items()}
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(LOOPS):
        for name, run in runs.items():
            timed(run, wall[name], cpu[name])
    for name in runs:
        cosine = (vectors[name] * vectors["torch"]).sum(1).min()
        ratios = f"{ratio(wall['torch'], wall[name]):.2f} | {ratio(cpu['torch'], cpu[name]):.2f}"
        yield f"| {name} | {count} | {1000 * median(wall[name]) / count:.1f} | {ratios} | {cosine:.6f} |"


def timed(run: Callable[[], Any], wall: list[float], cpu: list[float]) -> None:
    """Note how long it takes, and how long processors work on it: the latter says more on a busy machine."""
    began, worked = time.perf_counter(), time.process_time()
    run()
    wall.append(time.perf_counter() - began)
    cpu.append(time.process_time() - worked)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of turns that were taken one after the other."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
