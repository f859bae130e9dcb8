"""The table of operators, judged by the cases that come with the ONNX standard."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx.backend.test.loader import load_model_tests

from engines.runtimes._onnx_in_torch import OnnxModule
from engines.runtimes._onnx_operators import OPERATORS, UnknownOperator

KINDS = {np.dtype(name) for name in ("float16", "float32", "float64", "int64", "bool")}
NOT_OURS = {  # and why
    "test_reduce_max_empty_set": "the largest of nothing",
    "test_reduce_max_empty_set_bool": "the largest of nothing",
}


def cases():
    """Those of operators in the table, on numbers that networks are made of."""
    with warnings.catch_warnings():  # they are computed when they are loaded, some of them from nothing
        warnings.simplefilter("ignore", RuntimeWarning)
        loaded = load_model_tests(kind="node")
    for case in loaded:
        nodes = case.model.graph.node
        arrays = [array for given, wanted in case.data_sets for array in [*given, *wanted]]
        ours = all(node.op_type in OPERATORS and not node.domain for node in nodes)
        if (
            ours
            and all(getattr(array, "dtype", None) in KINDS for array in arrays)
            and case.name not in NOT_OURS
        ):
            yield case


CASES = list(cases())


def test_there_are_cases_of_nearly_all_operators():
    named = {node.op_type for case in CASES for node in case.model.graph.node}
    assert set(OPERATORS) - named == set()
    assert len(CASES) > 300


def found(case, given):
    """What the table makes of a case's arrays; none where it refuses it."""
    try:
        with torch.inference_mode():
            return [one.numpy() for one in OnnxModule(case.model)(*(torch.tensor(array) for array in given))]
    except UnknownOperator:
        return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_operator_gives_what_the_standard_says_or_is_refused(case):
    for given, wanted in case.data_sets:
        for one, other in zip(found(case, given) or wanted, wanted, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5, strict=True)


def test_three_quarters_are_not_refused():
    refused = [case.name for case in CASES if found(case, case.data_sets[0][0]) is None]
    assert len(refused) < len(CASES) / 4, refused


def test_an_operator_that_is_not_in_the_table_is_named():
    node = onnx.helper.make_node("Einsum", ["x"], ["y"], equation="ij->ji")
    ports = [onnx.helper.make_tensor_value_info(name, 1, [2, 2]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "one", ports[:1], ports[1:])
    with pytest.raises(UnknownOperator, match="it has operators that are not known here: Einsum"):
        OnnxModule(onnx.helper.make_model(graph))


def test_one_number_is_gathered_out_of_a_row():
    """As exporters do with a shape; no case of the standard does."""
    node = onnx.helper.make_node("Gather", ["x", "place"], ["y"])
    place = onnx.numpy_helper.from_array(np.array(-1), "place")
    ports = [onnx.helper.make_tensor_value_info(*port) for port in (("x", 1, [3]), ("y", 1, []))]
    graph = onnx.helper.make_graph([node], "one", ports[:1], ports[1:], [place])
    (given,) = OnnxModule(onnx.helper.make_model(graph))(torch.tensor([1.0, 2.0, 3.0]))
    assert (given.shape, float(given)) == ((), 3.0)


def test_a_constant_takes_on_the_precision_of_the_network():
    value = onnx.numpy_helper.from_array(np.full(2, 0.5, np.float32))
    nodes = [
        onnx.helper.make_node("Constant", [], ["half"], value=value),
        onnx.helper.make_node("Mul", ["x", "half"], ["y"]),
    ]
    ports = [onnx.helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
    module = OnnxModule(onnx.helper.make_model(onnx.helper.make_graph(nodes, "one", ports[:1], ports[1:])))
    (given,) = module.half()(torch.tensor([1.0, 3.0]).half())
    assert (given.dtype, given.tolist()) == (torch.float16, [0.5, 1.5])
