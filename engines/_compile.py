"""Compiles a model as a command line asks for it, and says in a sentence what came of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

from configs.build import InputError
from engines._cache import Recipe, comparison, recipes
from engines._comparison import Compared, Comparison, Fed, Pictures
from engines._engine import check_precision, compiled, only_built, recipe_of, reference
from engines._manifest import Manifest
from engines._network import KINDS, Network, checked, chosen_runtime
from engines._onnx import fixed_batch
from engines._picture_folder import LEAST, pictures_in, truths
from engines._plan import USUAL, Batches, Plan, Precision
from engines.runtimes._cuda import gpu


class Shown(Protocol):
    """Says how far it is: the step, and of how many parts how many are done."""

    def __call__(self, step: str, done: int = 0, total: int | None = None) -> None: ...


@dataclass(frozen=True)
class Asked:
    """What a command line says beside the model."""

    runtime: str = "auto"
    precision: Precision = "fp32"
    batch: str = ""
    calibrate: Path | None = None
    labels: Path | None = None


def compile_for(manifest: Manifest, asked: Asked, shown: Shown) -> str:
    """Compile, compare and keep; raises InputError where it cannot be, or is not like fp32."""
    model = checked(manifest)
    runtime, _ = chosen_runtime(model, asked.runtime, only_builds=True)
    plan = Plan(runtime, asked.precision, _batches(asked, model, runtime))
    check_precision(model, plan)
    paths, tuning = _paths(manifest, asked), []
    if plan.precision == "int8":  # what it is tuned on says nothing of how good it is
        paths, tuning = paths[::2], paths[1::2]
    pictures = Pictures(paths, truths(asked.labels, paths) if asked.labels else None)
    with reference(model, manifest, plan) as other:
        if plan.precision != "fp32" and other is None:
            raise InputError(f"{model}: nothing here runs it at fp32, to compare with; install onnxruntime")
        if tuning and other:
            plan = replace(plan, samples=Fed(manifest, other, tuning))
        shown("compile" if not tuning else f"calibrate on {len(tuning)} pictures, and compile")
        if KINDS[runtime].needs_gpu and gpu() is None:
            only_built(model, manifest, plan)
            return f"is built for {_at(plan)}, never run: there is no NVIDIA GPU here"
        with_fp32 = Comparison(manifest, other, plan.precision) if other else None
        compare = partial(_compared, with_fp32, pictures, shown)
        with closing(compiled(model, manifest, plan, compare)) as network:
            return _sentence(recipe_of(manifest, plan), network, plan)


def _compared(
    with_fp32: Comparison | None, pictures: Pictures, shown: Shown, network: Network
) -> Compared | None:
    if with_fp32 is None:
        return None
    if not pictures.paths:
        return with_fp32.on_noise(network)
    done, total = count(1), 2 * len(pictures.paths)
    return with_fp32.on_pictures(network, pictures, lambda: shown("compare", next(done), total))


def _sentence(recipe: Recipe, network: Network, plan: Plan) -> str:
    if recipe not in recipes(recipe.model):
        return f"has nothing compiled to keep, and runs on {_at(plan)}, {network.device}"
    return f"is compiled for {_at(plan)}, {network.device}: {network.layers}; {comparison(recipe)}"


def _at(plan: Plan) -> str:
    return f"{plan.runtime} {plan.precision}"


def _batches(asked: Asked, model: Path, runtime: str) -> Batches:
    """The sizes that are asked for, where they mean anything."""
    if not asked.batch:
        return USUAL
    if not KINDS[runtime].needs_gpu:
        raise InputError(f"--batch: {runtime} takes batches of any size as they come; leave it out")
    sizes = [int(size) if size.strip().isdecimal() else 0 for size in asked.batch.split(",")]
    if len(sizes) != len(USUAL) or sorted(sizes) != sizes or sizes[0] < 1:
        raise InputError(
            f"--batch: must be three sizes, none smaller than the one before, got {asked.batch!r}"
        )
    if fixed := fixed_batch(model):
        raise InputError(
            f"--batch: {model} always takes {fixed} at once; leave it out, or export it with an open batch"
        )
    return sizes[0], sizes[1], sizes[2]


def _paths(manifest: Manifest, asked: Asked) -> list[Path]:
    """The pictures to compare on; none where none are named, and noise will do."""
    if manifest.engine == "reader" and (asked.calibrate or asked.precision != "fp32"):
        raise InputError(
            f"{manifest.name}: reads texts, so that it cannot be compared on pictures; compile it at fp32 without any"
        )
    if asked.labels and (manifest.task != "detect" or not asked.calibrate):
        raise InputError("--labels: says who is in the pictures of --calibrate, for a detector; leave it out")
    if asked.calibrate:
        return pictures_in(asked.calibrate)
    if asked.precision == "fp32":
        return []
    raise InputError(
        f"--calibrate: {asked.precision} is compared with fp32 on pictures; name a folder of {LEAST} or more, "
        f"{'whole ones' if manifest.task == 'detect' else 'crops of people'}, as {manifest.name} will see them"
    )
