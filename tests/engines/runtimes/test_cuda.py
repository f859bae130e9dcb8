"""Memory on both sides of the bus: of the GPU that is here, if one is, and of this process, which stands in for one."""

import numpy as np
import pytest
from cards import Card

from engines.runtimes import _cuda
from engines.runtimes._cuda import Lane, gpu

CARDS = ["stands in", *(["real"] if gpu() else [])]


@pytest.fixture(params=CARDS)
def card(request, monkeypatch):
    made = Card()
    if request.param == "stands in":
        monkeypatch.setattr(_cuda, "_runtime", lambda: made)
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_what_was_sent_is_fetched(card, dtype):
    lane = Lane({"picture": 4096, "other": 64})
    for seed in range(3):
        values = np.random.default_rng(seed).integers(0, 255, (2, 3, 10)).astype(dtype)
        lane.send("picture", values)
        lane.wait()
        lane.fetch("other", values[:1, :1].shape, values.dtype)
        room = lane.fetch("picture", values.shape, values.dtype)
        lane.wait()
        room[:] = 0  # of what is here nothing is left
        fetched = lane.fetch("picture", values.shape, values.dtype)
        lane.wait()
        np.testing.assert_array_equal(fetched, values)
    lane.close()


def test_more_memory_than_there_is_is_said(card):
    card.full_at = 0
    with pytest.raises(RuntimeError, match="^CUDA: out of memory$"):
        Lane({"picture": 1 << 50})
