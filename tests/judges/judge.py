"""Asks the real TrackEval, which runs in an environment of its own (make judges)."""

import json
import subprocess
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest

JUDGE = Path(__file__).with_name("trackeval_scores.py")
PYTHON = Path(__file__).parents[2] / ".venv-judges" / "bin" / "python"
OURS = {
    "HOTA": lambda one: one.hota.hota,
    "DetA": lambda one: one.hota.det_a,
    "AssA": lambda one: one.hota.ass_a,
    "LocA": lambda one: one.hota.loc_a,
    "AssRe": lambda one: one.hota.ass_recall,
    "AssPr": lambda one: one.hota.ass_precision,
    "HOTA_TP": lambda one: one.hota.true_positives,
    "HOTA_FN": lambda one: one.hota.false_negatives,
    "HOTA_FP": lambda one: one.hota.false_positives,
    "MOTA": lambda one: one.clear.mota,
    "MOTP": lambda one: one.clear.motp,
    "CLR_Re": lambda one: one.clear.recall,
    "CLR_Pr": lambda one: one.clear.precision,
    "CLR_TP": lambda one: one.clear.true_positives,
    "CLR_FN": lambda one: one.clear.false_negatives,
    "CLR_FP": lambda one: one.clear.false_positives,
    "IDSW": lambda one: one.clear.switches,
    "Frag": lambda one: one.clear.fragmentations,
    "MT": lambda one: one.clear.mostly_tracked,
    "PT": lambda one: one.clear.partly_tracked,
    "ML": lambda one: one.clear.mostly_lost,
    "IDF1": lambda one: one.identity.idf1,
    "IDP": lambda one: one.identity.precision,
    "IDR": lambda one: one.identity.recall,
    "IDTP": lambda one: one.identity.true_positives,
    "IDFN": lambda one: one.identity.false_negatives,
    "IDFP": lambda one: one.identity.false_positives,
}


def judged(kind, job):
    """TrackEval's scores by sequence, and `combined`."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is not there; make it with: make judges")
    request = json.dumps({"kind": kind, "job": job})
    done = subprocess.run([PYTHON, JUDGE], input=request, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_equal(ours, theirs, name=""):
    for field, ask in OURS.items():
        assert np.allclose(ask(ours), theirs[field], rtol=0, atol=1e-6), (name, field)


def assert_all_equal(ours, theirs):
    for name, scores in ours.items():
        assert_equal(scores, theirs[name], name)
    assert_equal(reduce(add, ours.values()), theirs["combined"], "combined")
