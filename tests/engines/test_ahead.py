"""Pictures go through a network part by part, in their order, a few parts at once."""

import numpy as np
import pytest

from engines._ahead import WAITING, run_ahead
from engines._manifest import Input
from engines._network import Port

WANTED = Input("in", "NHWC", (1, 1), "rgb")


class Doubles:
    """A network that gives twice what it is given, and counts what it has begun and not yet given."""

    def __init__(self, most):
        self.most, self.inputs = most, {"in": Port((most, 1, 1, 3), np.dtype(np.float16))}
        self.asked, self.running, self.busiest = [], 0, 0

    def __call__(self, batch):
        assert batch.dtype == np.float16
        self.asked.append(len(batch))
        return {"out": batch[:, 0, 0, 0] * 2}

    def submit(self, batch):
        self.running += 1
        self.busiest = max(self.busiest, self.running)

        def wait():
            self.running -= 1
            return self(batch)

        return wait


def picture(brightness):
    return np.full((1, 1, 3), brightness, np.uint8)


def fit(pictures):
    return np.stack(pictures), [int(one[0, 0, 0]) for one in pictures]


def ran(network, count):
    return list(run_ahead(network, WANTED, [picture(one) for one in range(count)], fit))


@pytest.mark.parametrize("most", [None, 1, 3, 40])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 33])
def test_every_part_comes_in_its_order_with_what_was_said_of_it(most, count):
    parts = ran(Doubles(most), count)
    assert [int(one) for outputs, _ in parts for one in outputs["out"]] == [2 * one for one in range(count)]
    assert [one for _, told in parts for one in told] == list(range(count))
    assert max((len(told) for _, told in parts), default=0) <= (most or count)


def test_what_fits_at_once_is_not_divided_and_wakes_no_thread():
    for most in (None, 8):
        network = Doubles(most)
        ran(network, 8)
        assert (network.asked, network.busiest) == ([8], 0)


def test_few_parts_are_made_ready_before_they_are_needed():
    network = Doubles(1)
    ran(network, 50)
    assert network.asked == [1] * 50
    assert 2 <= network.busiest <= WAITING + 1
