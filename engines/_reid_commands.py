"""The command that tests a model on a data set of person re-identification, by the protocols of its field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from configs.build import ConfigError, InputError, build, closest
from configs.read import parsed
from engines.evaluate.retrieval import Distance, Found, distances
from engines.reid.data._records import DataSet, Trial, opened
from engines.reid.data._trials import Tested, by_orders, by_vectors
from engines.reid.data._vectors import Features, embedded, read_features

RANKS = (1, 5, 10)
HEADERS = ("", "mAP", *(f"CMC-{rank}" for rank in RANKS), "mINP", "queries")
Told = Callable[[str, int, int], None]  # what is done, how many are, and of how many


def eval_reid(  # noqa: PLR0913
    name: Annotated[str, typer.Argument(help="A data set, like market1501.", metavar="SET")],
    folder: Annotated[Path | None, typer.Argument(help="Where it lies.", metavar="DIR")] = None,
    model: Annotated[str, typer.Option(help="Whom to test, see above.", metavar="MODEL")] = "",
    features: Annotated[Path | None, typer.Option(help="Vectors instead, a .npz.", metavar="FILE")] = None,
    rankings: Annotated[Path | None, typer.Option(help="Rankings to submit instead.", metavar="DIR")] = None,
    protocol: Annotated[str, typer.Option(help="One of the set's; else all.", metavar="NAME")] = "",
    distance: Annotated[str, typer.Option(help="cosine or euclid; else the set's.", metavar="NAME")] = "",
    submission: Annotated[Path | None, typer.Option(help="Write rankings to submit.", metavar="DIR")] = None,
) -> None:
    """Test a model on a data set of person re-identification: mAP, CMC and mINP.

    MODEL is a name, the path of an ONNX file with its manifest beside it, or '{engine: NAME, SETTING: VALUE}'.
    """
    if sum(map(bool, (model, features, rankings))) != 1:
        raise InputError("--model: is needed, or --features, or --rankings: one of the three")
    if rankings and (submission or distance):
        raise InputError("--rankings: are in an order already; leave --submission and --distance out")
    data_set = opened(name, {}, ("SET", "DIR"), folder)
    trials = _trials(data_set, protocol, distance)
    with _bar() as told:
        if rankings is not None:
            tested = _of_rankings(data_set, trials, rankings, told)
        else:
            made = _features(data_set, trials, model, features, told)
            tested = _of_vectors(trials, made, told, is_needed=submission is None)
            if submission is not None:
                _submit(data_set, trials, made, submission)
    for asked, one in tested.items():
        Console(highlight=False).print(_table(f"{name}, {asked}, in percent", one))


def _trials(data_set: DataSet, protocol: str, distance: str) -> dict[str, Trial]:
    """By protocol, each with the distance that is asked for."""
    if protocol and protocol not in data_set.protocols:
        raise InputError(f"--protocol: there is no {protocol!r}{closest(protocol, list(data_set.protocols))}")
    if distance and distance not in (known := get_args(Distance)):
        raise InputError(f"--distance: there is no {distance!r}{closest(distance, list(known))}")
    asked = [protocol] if protocol else data_set.protocols
    trials = {name: data_set.trial(name) for name in asked}
    change: Any = {"distance": distance} if distance else {}
    return {name: replace(one, **change) for name, one in trials.items()}


def _features(
    data_set: DataSet, trials: Mapping[str, Trial], model: str, features: Path | None, told: Told
) -> Features:
    """Of all records, each once though several trials ask for it."""
    every = dict.fromkeys(one for trial in trials.values() for one in (*trial.query, *trial.gallery))
    records = sorted(every, key=lambda one: one.reads)
    if features is not None:
        return read_features(features, records)
    engine = _engine(model)
    try:
        if hasattr(engine, "open"):
            engine.open()
        return embedded(
            records, engine, model, data_set.shown, lambda done: told("embed", done, len(records))
        )
    finally:
        if hasattr(engine, "close"):
            engine.close()


def _engine(model: str) -> Any:
    if model.endswith(".onnx"):
        from engines._embedder_file import EmbedderFile  # late: it compiles

        return EmbedderFile(model)
    if not model.lstrip().startswith("{"):
        return build("engines/embedder", {"model": model}, "--model", object)
    settings = parsed(model, "--model")
    if not isinstance(settings, dict) or not isinstance(settings.get("engine"), str):
        raise ConfigError(f"--model: must be like {{engine: embedder, model: NAME}}, got {model!r}")
    name = settings.pop("engine")
    return build(f"engines/{name}", settings, "--model", object)


def _of_rankings(
    data_set: DataSet, trials: Mapping[str, Trial], folder: Path, told: Told
) -> dict[str, Tested]:
    return {
        name: by_orders(trial, data_set.read_rankings(name, folder), _ranked(trial, told))
        for name, trial in trials.items()
    }


def _of_vectors(
    trials: Mapping[str, Trial], made: Features, told: Told, is_needed: bool
) -> dict[str, Tested]:
    """Of the trials that are labelled, or of all, where scores are all that is wanted."""
    return {
        name: by_vectors(trial, made, _ranked(trial, told))
        for name, trial in trials.items()
        if trial.is_labelled or is_needed
    }


def _submit(data_set: DataSet, trials: Mapping[str, Trial], made: Features, folder: Path) -> None:
    for name, trial in trials.items():
        blocks = distances(made.of(trial.query), made.of(trial.gallery), trial.distance)
        path = data_set.write_rankings(name, folder, np.concatenate(list(blocks)))
        Console(highlight=False).print(str(path), soft_wrap=True)


def _ranked(trial: Trial, told: Told) -> Callable[[int], None]:
    return lambda done: told("rank", done, len(trial.query))


@contextmanager
def _bar() -> Iterator[Told]:
    """A line on a terminal that says how far it is."""
    screen = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive) as progress:
        task = progress.add_task("look", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)


def _table(title: str, tested: Tested) -> Table:
    table = Table(*HEADERS, title=title)
    for column in table.columns:  # on a narrow terminal names are broken, and no figures
        column.overflow, column.no_wrap = "fold", column.header != HEADERS[0]
    for case, scores in tested.cases.items():
        table.add_row(case, *_cells(scores))
    if tested.unseen:
        table.caption = f"{tested.unseen} show nothing, no pixels or no valid depth, and come last"
    return table


def _cells(scores: Found) -> tuple[str, ...]:
    found = len(scores.queries)
    shares = (
        scores.mean_average_precision,
        *(scores.cmc(rank) for rank in RANKS),
        scores.mean_inverse_penalty,
    )
    ratios = (f"{100 * share:.2f}" if found else "-" for share in shares)
    return (*ratios, f"{found} of {scores.asked}")
