"""A part that comes alone runs on all cores, but only where that changes no bit."""

from pathlib import Path

import numpy as np
import pytest

from engines._manifest import Input, Manifest
from engines._network import Port
from engines.runtimes._parallel import Ready, warmed_up

SHAPE = (3, 4, 5)
PORTS = {"images": Port((1, *SHAPE), np.dtype(np.float32))}, {"sums": Port((1, 3), np.dtype(np.float32))}


def sums(part):
    return {"sums": part.sum(axis=(2, 3), dtype=np.float32)}


@pytest.mark.parametrize(("off", "alone"), [(0.0, True), (1e-3, False)])
def test_a_part_alone_gets_all_cores_where_the_same_bits_come_out(off, alone):
    ran = []

    def on_all_cores(part):
        ran.append(len(part))
        return {"sums": sums(part)["sums"] + np.float32(off)}

    told = dict.fromkeys(("name", "engine", "source", "licence", "download"), "made")
    manifest = Manifest(**told, task="embed", files=(), input=Input("images", "NCHW", SHAPE[1:], "rgb"))
    network = warmed_up(
        Path("made.onnx"), manifest, Ready("openvino", "CPU", *PORTS, sums, run_alone=on_all_cores)
    )
    picture = np.arange(60, dtype=np.float32).reshape(1, *SHAPE)
    ran.clear()
    assert np.array_equal(network(picture)["sums"], sums(picture)["sums"])
    assert np.array_equal(network(np.repeat(picture, 3, 0))["sums"], np.repeat(sums(picture)["sums"], 3, 0))
    assert ran == ([1] if alone else [])
    network.close()
