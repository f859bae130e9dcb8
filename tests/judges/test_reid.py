"""Our lists of people and our scores against Torchreid's."""

import numpy as np
import pytest
import reid_trees as trees
from judges.detector_judge import asked
from plain_retrieval import random_case

from engines.evaluate.retrieval import found, nearest_first, other_cameras
from engines.reid.data.market1501 import Market1501
from engines.reid.data.msmt17 import Msmt17
from engines.reid.data.occluded_duke import OccludedDuke

CASES = 1000
MOST = 10  # ranks: all queries of a case keep as many, which Torchreid needs


def judged_case(random):
    """A random case in which there is somebody to find, and each query keeps as many as the ranks that are asked for."""
    while True:
        case = table, query, gallery, query_cameras, gallery_cameras = random_case(random)
        same = query[:, None] == gallery
        own = same & (query_cameras[:, None] == gallery_cameras)
        if (~own).sum(axis=1).min() >= MOST and (same & ~own).any():
            return case


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The folder of the sets, the cases, and what Torchreid says."""
    root, random = tmp_path_factory.mktemp("sets"), np.random.default_rng(66)
    trees.named_tree(root / "market1501/Market-1501-v15.09.15", trees.MARKET)
    trees.named_tree(root / "dukemtmc-reid/DukeMTMC-reID", trees.DUKE)
    trees.msmt_tree(root / "msmt17/MSMT17_V1")
    cases = [judged_case(random) for _ in range(CASES)]
    told = [[array.tolist() for array in (case[0], *case[1:])] + [MOST] for case in cases]
    answer = asked("torchreid_lists.py", ".venv-judges-reid", root, root=str(root), cases=told)
    return root, cases, answer


@pytest.mark.parametrize(
    ("name", "cls", "folder"),
    [
        ("market1501", Market1501, "market1501/Market-1501-v15.09.15"),
        ("occluded_duke", OccludedDuke, "dukemtmc-reid/DukeMTMC-reID"),
        ("msmt17", Msmt17, "msmt17/MSMT17_V1"),
    ],
)
def test_people_and_cameras_of_each_picture_are_those_of_torchreid(judged, name, cls, folder):
    root, _, answer = judged
    made = cls(root / folder)
    trial = made.trial("single_query")
    ours = {"train": made.train(), "query": trial.query, "gallery": trial.gallery}
    for part, records in ours.items():
        theirs = sorted((path, person, camera) for path, person, camera in answer["lists"][name][part])
        told = sorted((str(one.path), one.person, one.camera) for one in records)
        assert [one[::2] for one in told] == [one[::2] for one in theirs], part
        if part == "train":  # numbered in whatever order, each person as one
            pairs = {(mine[1], other[1]) for mine, other in zip(told, theirs, strict=True)}
            assert len(pairs) == len({mine for mine, _ in pairs}) == len({other for _, other in pairs})
        else:
            assert told == theirs, part


def test_scores_are_those_of_torchreid_with_ties_and_junk(judged):
    cases, answer = judged[1], judged[2]["scores"]
    ties = junk = 0
    for (table, query, gallery, query_cameras, gallery_cameras), theirs in zip(cases, answer, strict=True):
        counts = other_cameras(query, query_cameras, gallery, gallery_cameras)
        ours = found(nearest_first([table]), query, gallery, {"": counts})[""]
        told = [ours.mean_average_precision, *(ours.cmc(rank) for rank in range(1, MOST + 1))]
        assert told == pytest.approx(theirs, abs=1e-6)
        ties += any(len(set(row)) < len(row) for row in table.tolist())
        junk += ours.pairs < table.size
    assert min(ties, junk) > CASES / 2
