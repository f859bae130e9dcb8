"""Gets an engine for a model: one that was kept, or a new one, which is compared before it may be used, then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from configs.build import InputError
from engines._cache import Recipe, drop, keep, kept, latest, prune
from engines._comparison import Compared, Comparison
from engines._manifest import Manifest, models
from engines._network import KINDS, Network, installed, runtime_of
from engines._plan import Plan

AS_IT_IS = ("onnxruntime", "torch")  # read a model at fp32 without compiling it
REFERENCES = (*AS_IT_IS, "openvino")  # each at fp32


def recipe_of(manifest: Manifest, plan: Plan) -> Recipe:
    """All that the engine of a plan depends on, on this machine."""
    runtime = runtime_of(plan.runtime)
    device, capability = runtime.device()
    has_profile = KINDS[plan.runtime].needs_gpu
    return Recipe(
        model=manifest.name,
        files={file.name: file.sha256 for file in manifest.files},
        runtime=plan.runtime,
        version=runtime.version(plan.runtime),
        device=device,
        capability=capability,
        precision=plan.precision,
        shapes={manifest.input.name: list(plan.batches)} if has_profile else {},  # else as the model has them
        flags=runtime.flags(plan),
    )


def ready(model: Path, manifest: Manifest, plan: Plan) -> Network:
    """The network of a plan: of an engine that was kept, or, at fp32, of one that is compiled now."""
    check_precision(model, plan)
    runtime, recipe = runtime_of(plan.runtime), recipe_of(manifest, plan)
    found = latest(recipe) if recipe.shapes else recipe
    if (engine := kept(found) if found else None) is not None:
        return runtime.loaded(model, manifest, plan, engine)
    if plan.precision != "fp32":
        command = (
            f"python run.py compile {manifest.name} --runtime {plan.runtime} --precision {plan.precision}"
        )
        raise InputError(
            f"{manifest.name}: is not compiled at {plan.precision} for {plan.runtime} on this machine; "
            f"{command} --calibrate DIR, a folder of pictures"
        )
    return compiled(model, manifest, plan, lambda network: _as_reference(model, manifest, plan, network))


def compiled(
    model: Path, manifest: Manifest, plan: Plan, compare: Callable[[Network], Compared | None]
) -> Network:
    """A new engine's network, kept if it was found good; raises InputError where it was not, or cannot be made."""
    runtime, recipe = runtime_of(plan.runtime), recipe_of(manifest, plan)
    engine = runtime.built(model, manifest, plan)
    network = runtime.loaded(model, manifest, plan, engine)
    if engine is None:
        return network
    try:
        compared = compare(network)
        if compared and not compared.is_good:
            drop(recipe)  # a look at other pictures may have let it pass before
            raise InputError(
                f"{manifest.name}: {plan.runtime} at {plan.precision} is not like fp32: {compared.said}; "
                "it is not kept, choose another runtime or precision"
            )
    except BaseException:
        network.close()
        raise
    keep(recipe, engine, compared.said if compared else "compared with nothing")
    prune(recipe, models())
    return network


def only_built(model: Path, manifest: Manifest, plan: Plan) -> Recipe:
    """Of an engine that is kept though nothing here can run it."""
    recipe = recipe_of(manifest, plan)
    keep(recipe, runtime_of(plan.runtime).built(model, manifest, plan) or b"", "never run")
    prune(recipe, models())
    return recipe


def check_precision(model: Path, plan: Plan) -> None:
    """Raises InputError for a precision at which a runtime would not compute on its device."""
    runtime = runtime_of(plan.runtime)
    if plan.precision not in (able := runtime.precisions()):
        raise InputError(
            f"{model}: {plan.runtime} computes at {', '.join(able)} on {runtime.device()[0]}, "
            f"not at {plan.precision}; choose one of them"
        )


@contextmanager
def reference(model: Path, manifest: Manifest, plan: Plan) -> Iterator[Network | None]:
    """The model at fp32 on what an engine may be compared with; none where nothing reads it but that engine itself."""
    there = [name for name in REFERENCES if name in installed() and model.suffix in KINDS[name].reads]
    if plan.precision == "fp32":
        there = [name for name in there if name != plan.runtime and plan.runtime not in AS_IT_IS]
    if not there:
        yield None
        return
    at_fp32 = Plan(there[0])
    engine = runtime_of(there[0]).built(model, manifest, at_fp32)
    with closing(runtime_of(there[0]).loaded(model, manifest, at_fp32, engine)) as network:
        yield network


def _as_reference(model: Path, manifest: Manifest, plan: Plan, network: Network) -> Compared | None:
    with reference(model, manifest, plan) as other:
        return Comparison(manifest, other, plan.precision).on_noise(network) if other else None
