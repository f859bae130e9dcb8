"""Scores as tables of text, for a terminal or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import isnan
from operator import add

import numpy as np

from engines.evaluate.evaluation import Evaluation, Sheet
from engines.evaluate.run_scores import CameraScores, RunScores
from engines.evaluate.scores import Scores
from engines.evaluate.transitions import OUTCOMES, by_cameras
from engines.evaluate.visits import Share

TOGETHER = "together"
NOTHING = "-"  # where there was nothing to score: a ratio of 0 would be read as a failure


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A table; the first cell of each row says what is in it."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(evaluation: Evaluation) -> tuple[ScoreTable, ...]:
    """The tables of whatever was scored."""
    if evaluation.run is not None:
        return tables_of_run(evaluation.run)
    if all(sheet.said is None for sheet in evaluation.sheets):
        return (
            table_of_mot({sheet.name: sheet.scores for sheet in evaluation.sheets}, _is_summed(evaluation)),
        )
    return tuple(_floor(sheet) for sheet in evaluation.sheets)


def _is_summed(evaluation: Evaluation) -> bool:
    """Whether its sheets are of different frames: not one camera's by identities and by tracklets."""
    return len({sheet.truth.camera_id for sheet in evaluation.sheets}) == len(evaluation.sheets)


def tables_of_run(scores: RunScores) -> tuple[ScoreTable, ...]:
    """Scores by camera, scores across cameras, and what of the truth does not count."""
    return _cameras(scores), _identities(scores), _transitions(scores), _ignored(scores)


def table_of_mot(scores: Mapping[str, Scores], is_summed: bool = True) -> ScoreTable:
    """A row for each sequence, and one for all together."""
    every = {**scores, TOGETHER: reduce(add, scores.values())} if is_summed and len(scores) > 1 else scores
    rows = tuple((name, *_mot_cells(one)) for name, one in every.items())
    names = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "MOTA", "MOTP", "FP", "FN", "switches", "fragments")
    return ScoreTable("MOT scores", ("sequence", *names), rows)


def _mot_cells(scores: Scores) -> tuple[str, ...]:
    hota, clear = scores.hota, scores.clear
    parts = (hota.det_a.mean(), hota.ass_a.mean(), hota.loc_a.mean())
    ratios = (hota.score, *parts, scores.identity.idf1, clear.mota, clear.motp)
    counts = (clear.false_positives, clear.false_negatives, clear.switches, clear.fragmentations)
    return (*map(_ratio, ratios), *map(str, counts))


def _cameras(scores: RunScores) -> ScoreTable:
    def row(name: str, cell: Callable[[CameraScores], str]) -> tuple[str, ...]:
        all_cameras = (*scores.cameras.values(), scores.together)
        return name, *(cell(one) if one.detection.is_scored else NOTHING for one in all_cameras)

    within = f"within {scores.rules.within_m:g} m"
    rows = [
        row(f"recall {within}", lambda one: _ratio(one.detection.recall)),
        row(f"precision {within}", lambda one: _ratio(one.detection.precision)),
        row(f"F1 {within}", lambda one: _ratio(one.detection.f1)),
        row("floor error, median", lambda one: _metres(one.detection.median_error_m)),
        *_families("floor", row, lambda one: one.floor),
        *_families("boxes", row, lambda one: one.boxes),
        *_families("tracks alone", row, lambda one: one.tracks),
    ]
    return ScoreTable("Scores by camera", ("", *scores.cameras, TOGETHER), tuple(rows))


def _families(
    name: str,
    row: Callable[[str, Callable[[CameraScores], str]], tuple[str, ...]],
    of: Callable[[CameraScores], Scores],
) -> Iterable[tuple[str, ...]]:
    yield row(f"HOTA, {name}", lambda one: _ratio(of(one).hota.score))
    yield row(f"IDF1, {name}", lambda one: _ratio(of(one).identity.idf1))
    yield row(f"MOTA, {name}", lambda one: _ratio(of(one).clear.mota))
    yield row(f"switches, {name}", lambda one: str(of(one).clear.switches))


def _identities(scores: RunScores) -> ScoreTable:
    of = scores.identities
    rows = (
        ("IDF1", _ratio(of.scores.identity.idf1)),
        ("HOTA", _ratio(of.scores.hota.score)),
        ("IDF1, each once a moment", _ratio(of.at_once.identity.idf1)),
        ("HOTA, each once a moment", _ratio(of.at_once.hota.score)),
        ("people", str(of.people)),
        ("identities issued", str(of.issued)),
        ("identities per person", _ratio(of.per_person)),
        ("identities of nobody", str(of.of_nobody)),
        ("people without an identity of their own", str(of.people_without)),
        ("hand-overs with one identity", _share(of.hand_overs)),
        (f"returns after {scores.rules.return_after_s:g} s recognised", _share(of.returns)),
        ("tracklets without identity", str(of.unidentified)),
    )
    return ScoreTable("Scores across cameras, on floor distance", ("", "all cameras"), rows)


def _transitions(scores: RunScores) -> ScoreTable:
    rows = tuple(
        (f"{before} to {after}", str(counts.total()), *(str(counts[outcome]) for outcome in OUTCOMES))
        for (before, after), counts in by_cameras(scores.identities.transitions).items()
    )
    return ScoreTable("To whom hand-overs were given", ("", "hand-overs", *OUTCOMES), rows)


def _floor(sheet: Sheet) -> ScoreTable:
    """One sequence on a floor."""
    scores, people = sheet.scores, len(np.unique(sheet.truth.people[sheet.truth.counts]))
    off_m = 1 - scores.clear.motp if scores.clear.true_positives else float("nan")
    hota, identities = scores.hota, len(sheet.names)
    rows = (
        ("HOTA", _ratio(hota.score)),
        ("DetA, AssA", f"{_ratio(hota.det_a.mean())}, {_ratio(hota.ass_a.mean())}"),
        ("IDF1", _ratio(scores.identity.idf1)),
        ("MOTA", _ratio(scores.clear.mota)),
        ("switches", str(scores.clear.switches)),
        ("recall, precision", f"{_ratio(scores.clear.recall)}, {_ratio(scores.clear.precision)}"),
        ("floor error, mean of who was matched", _metres(off_m)),
        ("people", str(people)),
        ("identities", str(identities)),
        ("identities per person", _ratio(identities / people if people else float("nan"))),
    )
    return ScoreTable(f"Scores on the floor: {sheet.name}", ("", "all cameras"), rows)


def _ignored(scores: RunScores) -> ScoreTable:
    counts = {**scores.ignored, "in all": sum(scores.ignored.values())}
    rows = tuple((reason, _share(Share(count, scores.rows))) for reason, count in counts.items())
    return ScoreTable("Rows of truth that do not count", ("reason", "of all rows"), rows)


def _ratio(value: float) -> str:
    return NOTHING if isnan(value) else f"{value:.3f}"


def _metres(value_m: float) -> str:
    return NOTHING if isnan(value_m) else f"{value_m:.3f} m"


def _share(share: Share) -> str:
    return f"{share.kept} of {share.total} ({_ratio(share.share)})"
