"""Whatever runs a network: what every runtime must do alike."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from networks import INPUT, REAL, WEIGHTS, manifest_of, means, network, real, written

from configs.build import InputError
from engines._manifest import Range
from engines._network import KINDS, installed, opened

ROOT = Path(__file__).parents[3]
HERE = installed()
ALL = pytest.mark.parametrize("runtime", HERE)


def pictures(count, seed=1, shape=(3, 8, 8)):
    return np.random.default_rng(seed).uniform(0, 255, (count, *shape)).astype(np.float32)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Opens the small network, or another, on a runtime, and closes it at the end."""
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path))
    open_ones = []

    def run(runtime, model=None, **changes):
        open_ones.append(opened(manifest_of(written(tmp_path, model), **changes), runtime))
        return open_ones[-1]

    yield run
    for one in open_ones:
        one.close()


@ALL
def test_says_what_it_is_and_what_goes_in_and_comes_out(run, runtime):
    made = run(runtime)
    assert (made.runtime, made.device.split(",")[0]) == (runtime, made.device[:3])
    assert made.device[:3] in KINDS[runtime].runs_on
    assert made.layers
    assert {name: (port.shape, port.dtype) for name, port in made.inputs.items()} == {
        "picture": ((None, 3, 8, 8), np.float32)
    }
    assert {name: port.shape for name, port in made.outputs.items()} == {
        "features": (None, 4, 8, 8),
        "means": (None, 4),
    }


@ALL
@pytest.mark.parametrize("rows", ["n", 1, 4])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_gives_a_row_for_every_picture_in_their_order_whatever_it_takes_at_once(run, runtime, rows, count):
    made, batch = run(runtime, network(rows)), pictures(count)
    on_gpus = {"onnxruntime": 16, "torch": 16, "tensorrt_rtx": 64}
    at_once = {"torch": 1} if made.device.startswith("CPU") else on_gpus
    assert made.most == (rows if rows != "n" else at_once.get(runtime))
    for given in (made(batch), made.submit(batch)()):
        assert given["features"].shape == (count, 4, 8, 8)
        assert given["means"].dtype == np.float32
        np.testing.assert_allclose(given["means"], means(batch), rtol=1e-4, atol=1e-3)


@ALL
@pytest.mark.parametrize("rows", ["n", 1])
def test_a_row_is_the_same_bit_for_bit_whatever_is_in_the_batch(run, runtime, rows):
    made, batch = run(runtime, network(rows)), pictures(7)
    alone = np.concatenate([made(batch[at : at + 1])["features"] for at in range(7)])
    np.testing.assert_array_equal(made(batch)["features"], alone)


@ALL
@pytest.mark.parametrize("rows", ["n", 1])
def test_may_be_called_from_several_threads(run, runtime, rows):
    made, batches = run(runtime, network(rows)), [pictures(3, seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda batch: made(batch)["means"], batches))
    for batch, found in zip(batches, given, strict=True):
        np.testing.assert_allclose(found, means(batch), rtol=1e-4, atol=1e-3)


@ALL
def test_what_it_gave_stays_as_it_is_when_it_runs_again(run, runtime):
    made, batch = run(runtime, network(1)), pictures(1)
    first = made(batch)["means"]
    kept = first.copy()
    for seed in range(2, 8):
        made(pictures(1, seed))
    np.testing.assert_array_equal(first, kept)


@ALL
def test_takes_an_array_that_is_not_in_one_piece(run, runtime):
    made, batch = run(runtime), pictures(4)
    np.testing.assert_array_equal(made(batch[::2])["means"], made(batch[::2].copy())["means"])


@ALL
@pytest.mark.parametrize("rows", ["n", 1])
def test_a_picture_that_is_not_finite_does_not_touch_its_neighbours(run, runtime, rows):
    made, batch = run(runtime, network(rows)), pictures(3)
    clean = made(batch)["means"]
    batch[1] = np.nan
    given = made(batch)["means"]
    assert np.isnan(given[1]).all()
    np.testing.assert_array_equal(given[[0, 2]], clean[[0, 2]])


@ALL
@pytest.mark.parametrize(
    "batch", [pictures(2, shape=(3, 9, 8)), pictures(2)[0], pictures(2).astype(np.float64)]
)
def test_a_batch_of_another_shape_or_kind_is_refused(run, runtime, batch):
    with pytest.raises(ValueError, match=r"must be float32 \(n, 3, 8, 8\), got float"):
        run(runtime)(batch)


@ALL
def test_runs_no_more_when_it_is_closed(run, runtime):
    made = run(runtime)
    made.close()
    for run_it in (made, made.submit):
        for count in (1, 3):
            with pytest.raises(ValueError, match="closed"):
                run_it(pictures(count))


@ALL
def test_weights_that_make_no_finite_numbers_are_found_before_the_first_picture(run, runtime):
    with pytest.raises(InputError, match="small.onnx: output '(means|features)' is not finite"):
        run(runtime, network(weights=np.full_like(WEIGHTS, 3e38)))


@ALL
@pytest.mark.parametrize(("keepdims", "shape"), [(0, []), (1, [1, 1])])
def test_an_output_without_a_row_for_each_picture_is_refused(run, runtime, keepdims, shape):
    model = network()
    model.graph.node.append(onnx.helper.make_node("ReduceSum", ["means"], ["all"], keepdims=keepdims))
    model.graph.output.append(onnx.helper.make_tensor_value_info("all", 1, shape))
    with pytest.raises(
        InputError, match=r"small.onnx: output 'all' is \(.*\) for a batch of \d+, not a row for each"
    ):
        run(runtime, model)


@ALL
def test_a_network_that_takes_pictures_of_any_size_is_fed_the_size_of_its_manifest(run, runtime):
    model = network()
    for port in (model.graph.input[0], model.graph.output[0]):
        for number in (2, 3):
            port.type.tensor_type.shape.dim[number].dim_param = f"size{number}"
    model.graph.node[0].attribute[0].ints[:] = [
        0,
        0,
        0,
        0,
    ]  # without a border it takes no picture of one pixel
    assert run(runtime, model)(pictures(3))["means"].shape == (3, 4)


@ALL
def test_a_network_is_tried_in_the_range_that_it_takes(run, runtime):
    model = network()
    model.graph.node.append(onnx.helper.make_node("Exp", ["means"], ["grown"]))  # of 255 in it: not finite
    model.graph.output.append(onnx.helper.make_tensor_value_info("grown", 1, ["n", 4]))
    with pytest.raises(InputError, match="output 'grown' is not finite"):
        run(runtime, model)
    run(runtime, model, input=msgspec.structs.replace(INPUT, range=Range((0.0, 0.0, 0.0), (255.0,))))


@ALL
def test_a_network_that_gives_nothing_is_refused(run, runtime):
    model = network()
    del model.graph.output[:]
    with pytest.raises(InputError, match="small.onnx: (gives nothing|is no network that)"):
        run(runtime, model)


@ALL
def test_a_network_of_two_inputs_is_refused(run, runtime):
    model = network()
    model.graph.input.append(onnx.helper.make_tensor_value_info("other", 1, ["n", 4]))
    model.graph.node.append(onnx.helper.make_node("Add", ["means", "other"], ["sum"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("sum", 1, ["n", 4]))
    with pytest.raises(
        InputError, match="small.onnx: takes 'picture', 'other', but the manifest says 'picture' alone"
    ):
        run(runtime, model)


@ALL
def test_a_graph_that_makes_no_sense_is_one_line(run, runtime):
    model = network()
    model.graph.node[0].op_type = "Convolve"
    with pytest.raises(InputError, match="small.onnx: is no network that .* can run, ") as told:
        run(runtime, model)
    assert "\n" not in str(told.value)


ALONE = """
import sys
from pathlib import Path
from networks import manifest_of
from engines._network import opened
asked = []
sys.addaudithook(lambda event, given: asked.append((event, given)) if event.startswith("socket.") else None)
opened(manifest_of(Path(sys.argv[1])), sys.argv[2]).close()
print(asked)
"""


@ALL
def test_reports_nothing_to_its_makers(tmp_path, runtime):
    """Both of them would, with an id of this machine that they write into the home folder."""
    model, home = written(tmp_path / "models"), tmp_path / "home"
    home.mkdir()
    environment = {
        "HOME": str(home),
        "SIGHTLINE_MODELS": str(model.parent),
    }  # and no CI, where they are silent
    environment |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", ALONE, str(model), runtime]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    written_by = {path.relative_to(home).parts[:2] for path in home.rglob("*") if path.is_file()}
    of_the_driver = (".nv", "ComputeCache")  # what it compiles for its GPU
    assert written_by <= {(".cache", "sightline"), (".local", "state"), of_the_driver}


STOPPED = """
import os, signal, sys
from pathlib import Path
from networks import manifest_of
from engines._network import opened
signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it from birth
made = manifest_of(Path(sys.argv[1]))
open_ones = [opened(made, sys.argv[2]) for _ in range(4)]
for _ in range(4):
    open_ones.pop(0).close()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("stopped")
"""


@ALL
def test_ctrl_c_is_heard_when_networks_have_come_and_gone(tmp_path, runtime):
    """OpenVINO's cores put the place where a signal is handled out of order."""
    model = written(tmp_path)
    environment = {**os.environ, "SIGHTLINE_MODELS": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(model), runtime], env=environment, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"stopped\n")


@pytest.mark.parametrize("name", [name for name in REAL if name.endswith(".onnx")])
def test_all_give_the_same_for_a_real_network(recordings, monkeypatch, name):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
    batch = pictures(3, shape=REAL[name].shape)
    given = {}
    for runtime in HERE:
        made = opened(real(recordings, name), runtime)
        assert made.most == 1
        given[runtime] = made(batch)
        made.close()
    reference = given.pop("onnxruntime")
    assert given
    for outputs in given.values():
        for output, array in reference.items():
            np.testing.assert_allclose(outputs[output], array, atol=1e-4)


def test_openvino_reads_an_ir(recordings, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
    name = "person-detection-retail-0013_fp16.xml"
    made = opened(real(recordings, name))
    assert (made.runtime, made.most) == ("openvino", 1)
    assert made(pictures(3, shape=REAL[name].shape))["detection_out"].shape == (3, 1, 200, 7)
    made.close()
