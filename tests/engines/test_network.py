"""Which runtime a network gets, and what is refused before any runtime reads it."""

import logging
from pathlib import Path

import msgspec
import numpy as np
import pytest
from networks import INPUT, WEIGHTS, manifest_of, network, written
from onnx import external_data_helper, helper, numpy_helper

from configs.build import InputError
from engines import _network
from engines._network import chosen_runtime, opened
from engines._onnx import fixed_batch
from engines.runtimes import onnxruntime

ONNX, IR = Path("model.onnx"), Path("model.xml")


@pytest.fixture
def installed(monkeypatch):
    """Lets only some of the packages be there."""

    def only(*names):
        monkeypatch.setattr(_network, "find_spec", lambda name: name in names or None)

    return only


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def refused(manifest, runtime="auto"):
    """The one line that is said of a network that cannot be opened."""
    with pytest.raises(InputError) as told:
        opened(manifest, runtime)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_the_first_that_is_installed_and_reads_the_file_is_taken(installed):
    installed("openvino", "onnxruntime")
    assert chosen_runtime(ONNX) == ("openvino", "the first that is installed of openvino, onnxruntime, torch")
    assert chosen_runtime(ONNX, "onnxruntime") == ("onnxruntime", "as named")
    installed("onnxruntime")
    assert chosen_runtime(ONNX)[0] == "onnxruntime"


def test_who_asks_for_little_gets_what_opens_soonest_of_those_that_read_the_file(installed):
    installed("openvino", "onnxruntime", "torch")
    assert chosen_runtime(ONNX, "soonest") == ("onnxruntime", "it is open soonest")
    assert chosen_runtime(IR, "soonest")[0] == "openvino"
    installed("openvino", "torch")
    assert chosen_runtime(ONNX, "soonest")[0] == "openvino"


def test_what_opens_soonest_is_opened_once_and_gives_what_onnx_runtime_gives(folder, monkeypatch):
    made, opened_with = manifest_of(written(folder)), []
    monkeypatch.setattr(_network, "find_spec", lambda name: name == "onnxruntime" or None)
    monkeypatch.setattr(onnxruntime, "cores", lambda: 4)
    session = onnxruntime.session
    monkeypatch.setattr(
        onnxruntime,
        "session",
        lambda *asked, threads: opened_with.append(threads) or session(*asked, threads),
    )
    batch = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
    soonest, usual = (opened(made, runtime)(batch) for runtime in ("soonest", "auto"))
    assert opened_with == [1, 1, 4]
    assert all((soonest[name] == usual[name]).all() for name in usual)


@pytest.mark.parametrize(
    ("model", "runtime", "there", "said"),
    [
        (
            ONNX,
            "openvino",
            (),
            "runtime: openvino is not installed; it needs the 'openvino' extra: pip install",
        ),
        (ONNX, "openvno", (), "runtime: there is no 'openvno'; did you mean 'openvino'?"),
        (IR, "onnxruntime", (), "model.xml: onnxruntime reads .onnx only; choose another runtime"),
        (
            IR,
            "auto",
            ("onnxruntime",),
            "model.xml: nothing that reads it is installed; it needs the 'openvino'",
        ),
        (
            ONNX,
            "auto",
            (),
            "model.onnx: nothing that reads it is installed; it needs the 'openvino' extra",
        ),
    ],
)
def test_a_runtime_that_is_not_there_is_refused(installed, model, runtime, there, said):
    installed(*there)
    with pytest.raises(InputError) as told:
        chosen_runtime(model, runtime)
    assert str(told.value).startswith(said)


def test_which_one_runs_and_why_is_said(folder, caplog):
    caplog.set_level(logging.INFO)
    opened(manifest_of(written(folder))).close()
    assert "small runs on openvino, CPU, " in caplog.text
    assert "(the first that is installed of openvino, onnxruntime, torch)" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "pixels"}, "takes 'picture', but the manifest says 'pixels' alone"),
        ({"size": (9, 8)}, "input 'picture' is (any, 3, 8, 8), but the manifest says (any, 3, 9, 8)"),
        ({"color": "grey"}, "input 'picture' is (any, 3, 8, 8), but the manifest says (any, 1, 8, 8)"),
        ({"layout": "NHWC"}, "input 'picture' is (any, 3, 8, 8), but the manifest says (any, 8, 8, 3)"),
    ],
)
def test_a_network_that_takes_something_else_than_its_manifest_says_is_refused(folder, changes, said):
    made = manifest_of(written(folder), msgspec.structs.replace(INPUT, **changes))
    assert f"small.onnx: {said}" in refused(made)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
@pytest.mark.parametrize("shape", [[], [5], ["n", 3, 8]], ids=str)
def test_a_network_of_another_rank_is_refused(folder, runtime, shape):
    node = helper.make_node("Abs", ["picture"], ["out"])
    ports = [helper.make_tensor_value_info(name, 1, shape) for name in ("picture", "out")]
    graph = helper.make_graph([node], "flat", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    said = refused(manifest_of(written(folder, model)), runtime)
    assert "input 'picture' is (" in said
    assert "but the manifest says (any, 3, 8, 8)" in said


BROKEN = {
    "text": lambda good: b"hello world, this is no network",
    "nothing": lambda good: b"",
    "cut short": lambda good: good[: len(good) // 2],
    "a header of 10 GB": lambda good: b"\x3a\x80\x80\x80\x80\x25" + good,
    "a pickle": lambda good: b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94\x8c",
    "no graph": lambda good: b"\x08\x09",
}


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
@pytest.mark.parametrize("how", BROKEN)
def test_what_is_no_onnx_is_refused(folder, how, runtime):
    path = written(folder)
    path.write_bytes(BROKEN[how](path.read_bytes()))
    assert refused(manifest_of(path), runtime).startswith(f"{path}: is not an ONNX file, ")


def test_what_is_no_ir_is_refused(folder):
    path, weights = folder / "small.xml", folder / "small.bin"
    path.write_bytes(b"hello world")
    weights.write_bytes(b"")
    assert refused(manifest_of(path, more=[weights])).startswith(f"{path}: is no OpenVINO IR, ")
    path.write_bytes(b"<?xml version='1.0'?><net name='x' version='11'><layers/>")
    assert refused(manifest_of(path, more=[weights])).startswith(
        f"{path}: is no network that OpenVINO can run, "
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("is_raw", [True, False])
def test_weights_that_are_no_numbers_are_refused_though_an_activation_would_hide_them(folder, dtype, is_raw):
    values = WEIGHTS.astype(dtype)
    values[0, 0, 0, 0] = np.nan
    model = network()
    tensor = numpy_helper.from_array(values, "other")
    if not is_raw and dtype != np.float16:
        tensor = helper.make_tensor("other", tensor.data_type, values.shape, values.flatten())
    model.graph.initializer.append(tensor)
    assert "small.onnx: the weights 'other' are not all numbers" in refused(
        manifest_of(written(folder, model))
    )


def test_weights_deep_inside_a_graph_are_looked_at_too(folder):
    model = network()
    inner = helper.make_node(
        "Constant", [], ["c"], value=numpy_helper.from_array(np.array([np.nan], np.float32), "deep")
    )
    branch = helper.make_graph([inner], "then", [], [helper.make_tensor_value_info("c", 1, [1])])
    model.graph.node.append(helper.make_node("If", ["yes"], ["d"], then_branch=branch, else_branch=branch))
    assert "the weights 'deep' are not all numbers" in refused(manifest_of(written(folder, model)))


def with_external(folder, location, **where):
    """The small network, whose weights lie elsewhere."""
    model = network()
    tensor = model.graph.initializer[0]
    external_data_helper.set_external_data(tensor, location, **where)
    tensor.ClearField("raw_data")
    (folder / "small.onnx").write_bytes(model.SerializeToString())
    return folder / "small.onnx"


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_weights_beside_the_model_are_taken(folder, runtime):
    (folder / "small.weights").write_bytes(WEIGHTS.tobytes())
    made = manifest_of(with_external(folder, "small.weights"), more=[folder / "small.weights"])
    network = opened(made, runtime)
    assert network(np.ones((1, 3, 8, 8), np.float32))["means"].shape == (1, 4)
    network.close()


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
@pytest.mark.parametrize(
    "place", ["../small.weights", "{folder}/small.weights", "small.weights", "a/../small.weights"]
)
def test_weights_that_the_manifest_does_not_name_are_refused(folder, place, runtime):
    for where in (folder, folder.parent):
        (where / "small.weights").write_bytes(WEIGHTS.tobytes())
    location = place.format(folder=folder)
    said = refused(manifest_of(with_external(folder, location)), runtime)
    assert f"small.onnx: the weights 'weights' lie in '{location}', which is none of the files" in said


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_weights_that_a_link_leads_out_of_the_folder_are_refused(folder, runtime):
    (folder.parent / "outside").write_bytes(WEIGHTS.tobytes())
    (folder / "small.weights").symlink_to(folder.parent / "outside")
    made = manifest_of(with_external(folder, "small.weights"), more=[folder / "small.weights"])
    assert "lie in 'small.weights', which leads out of its folder" in refused(made, runtime)


def test_weights_beside_the_model_must_be_numbers_too_and_only_those_it_takes(folder):
    (folder / "small.weights").write_bytes(np.full(3, np.nan, np.float32).tobytes() + WEIGHTS.tobytes())
    taken = {"more": [folder / "small.weights"]}
    opened(manifest_of(with_external(folder, "small.weights", offset=12), **taken)).close()
    path = with_external(folder, "small.weights", offset=8, length=WEIGHTS.nbytes)
    assert "the weights 'weights' are not all numbers" in refused(manifest_of(path, **taken))


@pytest.mark.parametrize(("offset", "length"), [(0, 500), (400, 100), (-4, 100), (0, -4)])
def test_weights_beyond_the_end_of_their_file_are_refused(folder, offset, length):
    (folder / "small.weights").write_bytes(WEIGHTS.tobytes())
    path = with_external(folder, "small.weights", offset=offset, length=length)
    said = refused(manifest_of(path, more=[folder / "small.weights"]))
    assert f"its weights are {length} bytes from {offset} on of small.weights, which has 432" in said


@pytest.mark.parametrize(("rows", "fixed"), [("n", 0), (1, 1), (300, 300)])
def test_how_many_rows_a_model_always_takes_is_read_from_its_file(folder, rows, fixed):
    assert fixed_batch(written(folder, network(rows))) == fixed


def test_a_file_that_says_nothing_of_its_rows_takes_any(folder):
    (folder / "small.onnx").write_bytes(b"hello world, this is no network")
    assert fixed_batch(folder / "small.onnx") == 0
