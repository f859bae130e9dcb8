"""Two networks that choose their best rows themselves are compared by those, not by what chance chose among equals."""

import numpy as np
import pytest

from engines._comparison import Comparison
from engines._manifest import Input, Manifest
from engines._network import Port

TOLD = dict.fromkeys(("name", "engine", "source", "licence", "download"), "made")
MANIFEST = Manifest(
    **TOLD,
    task="detect",
    files=(),
    input=Input("images", "NCHW", (4, 4), "rgb"),
    output={"is_end_to_end": True},
)
ROWS = 10


class Chooses:
    """Two people that it is sure of, and eight boxes that are all as good."""

    inputs = {"images": Port((1, 3, 4, 4), np.dtype(np.float32))}

    def __init__(self, people_at=(10.0, 60.0), others_at=200.0, score=0.2):
        boxes = np.array([*people_at, *(others_at + 9.0 * np.arange(ROWS - 2))])
        self.rows = np.zeros((ROWS, 6), np.float32)
        self.rows[:, :4] = boxes[:, None] + [0, 0, 5, 8]
        self.rows[:, 4] = [0.9, 0.7, *[score] * (ROWS - 2)]

    def __call__(self, batch):
        return {"rows": np.repeat(self.rows[None], len(batch), 0)}


@pytest.mark.parametrize(
    ("other", "is_good"),
    [
        (Chooses(), True),
        (Chooses(others_at=500.0), True),
        (Chooses(people_at=(10.0, 90.0)), False),
        (Chooses(score=0.4), False),
    ],
)
def test_of_rows_as_good_as_the_last_chosen_any_may_be_there(other, is_good):
    assert Comparison(MANIFEST, Chooses(), "fp32").on_noise(other).is_good is is_good
