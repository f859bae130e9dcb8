"""What each operator of ONNX means, in PyTorch: a table. What it does not say is refused, never guessed.

It is judged by the cases that come with the ONNX standard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import onnx
import torch
from torch.nn import functional

Tensor = torch.Tensor
Attributes = Mapping[str, Any]
DTYPES = {  # of TensorProto.data_type
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.BOOL: torch.bool,
}


class UnknownOperator(Exception):
    """An operator that is not in the table, or that is used in a way which the table does not know."""


def _numbers(value: Tensor | None, otherwise: Any = None) -> Any:
    return otherwise if value is None else value.tolist()


def _pads(x: Tensor, told: Attributes, fill: float = 0.0) -> Tensor:
    """The picture with a border, which ONNX may ask to be wider at one side."""
    if told.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise UnknownOperator(f"its borders are given as {told['auto_pad']}")
    pads = told.get("pads") or [0]
    if not any(pads):
        return x
    half = len(pads) // 2
    sides = [side for axis in reversed(range(half)) for side in (pads[axis], pads[axis + half])]
    return functional.pad(x, sides, value=fill)


def _conv(taken: Any, told: Attributes) -> Any:
    x, weight, bias = (*taken, None)[:3]
    run = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[x.ndim]
    settings = {
        "stride": told.get("strides", 1),
        "dilation": told.get("dilations", 1),
        "groups": told.get("group", 1),
    }
    pads = told.get("pads") or [0]
    half = len(pads) // 2
    if half and pads[:half] == pads[half:] and told.get("auto_pad", "NOTSET") == "NOTSET":
        return run(x, weight, bias, padding=pads[:half], **settings)
    return run(_pads(x, told), weight, bias, **settings)


def _max_pool(taken: Any, told: Attributes) -> Any:
    x = taken[0]
    if told.get("ceil_mode", 0) or told["outputs"] > 1 or not x.is_floating_point():
        raise UnknownOperator("it pools in a way that is not known here")
    run = {3: functional.max_pool1d, 4: functional.max_pool2d, 5: functional.max_pool3d}[x.ndim]
    strides = told.get("strides") or [1] * (x.ndim - 2)
    return run(_pads(x, told, -torch.inf), told["kernel_shape"], strides, dilation=told.get("dilations", 1))


def _average_pool(taken: Any, told: Attributes) -> Any:
    x = taken[0]
    if told.get("ceil_mode", 0) or set(told.get("dilations", ())) - {1}:
        raise UnknownOperator("it pools in a way that is not known here")
    if any(told.get("pads", ())) and not told.get("count_include_pad", 0):
        ones = _average_pool([torch.ones_like(x)], {**told, "count_include_pad": 1})
        return _average_pool(taken, {**told, "count_include_pad": 1}) / ones
    run = {3: functional.avg_pool1d, 4: functional.avg_pool2d, 5: functional.avg_pool3d}[x.ndim]
    return run(_pads(x, told), told["kernel_shape"], told.get("strides") or [1] * (x.ndim - 2))


def _batch_norm(taken: Any, told: Attributes) -> Tensor:
    x, scale, bias, mean, variance = taken
    if told.get("training_mode", 0):
        raise UnknownOperator("it is to be trained")
    return functional.batch_norm(x, mean, variance, scale, bias, eps=told.get("epsilon", 1e-5))


def _gemm(taken: Any, told: Attributes) -> Any:
    a, b, c = (*taken, None)[:3]
    a, b = (one.T if told.get(name) else one for one, name in ((a, "transA"), (b, "transB")))
    product = told.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + told.get("beta", 1.0) * c


def _reduced(run: Callable[..., Tensor]) -> Callable[[Any, Attributes], Tensor]:
    def reduce(taken: Any, told: Attributes) -> Tensor:
        axes = _numbers(taken[1]) if len(taken) > 1 else told.get("axes")
        if not axes and told.get("noop_with_empty_axes", 0):
            return taken[0]  # type: ignore[no-any-return]
        axes = tuple(axes) if axes else tuple(range(taken[0].ndim))
        return run(taken[0], dim=axes, keepdim=bool(told.get("keepdims", 1)))

    return reduce


def _reshape(taken: Any, told: Attributes) -> Any:
    x, wanted = taken[0], _numbers(taken[1])
    if not told.get("allowzero", 0):
        wanted = [x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return x.reshape(wanted)


def _resize(taken: Any, told: Attributes) -> Tensor:
    x, _, scales, sizes = (*taken, None, None)[:4]
    how = told.get("mode"), told.get("coordinate_transformation_mode"), told.get("nearest_mode")
    if how != ("nearest", "asymmetric", "floor"):
        raise UnknownOperator(f"it resizes by {', '.join(map(str, how))}")
    sizes = _numbers(sizes) or [int(side * by) for side, by in zip(x.shape, _numbers(scales), strict=True)]
    return functional.interpolate(x, size=sizes[2:], mode="nearest")


def _slice(taken: Any, _: Attributes) -> Tensor:
    x, starts, ends = taken[0], _numbers(taken[1]), _numbers(taken[2])
    axes = _numbers(taken[3], list(range(len(starts)))) if len(taken) > 3 else list(range(len(starts)))
    steps = _numbers(taken[4], [1] * len(starts)) if len(taken) > 4 else [1] * len(starts)
    if min(steps) < 1:
        raise UnknownOperator("it cuts backwards")
    places = [slice(None)] * x.ndim
    for axis, *cut in zip(axes, starts, ends, steps, strict=True):
        places[axis] = slice(*cut)
    cut_out: Tensor = x[tuple(places)]
    return cut_out


def _split(taken: Any, told: Attributes) -> Any:
    axis = told.get("axis", 0)
    sizes = _numbers(taken[1]) if len(taken) > 1 else told.get("split")
    return torch.split(taken[0], sizes or -(-taken[0].shape[axis] // told["outputs"]), dim=axis)


def _gather(taken: Any, told: Attributes) -> Tensor:
    x, places = taken[0], taken[1].to(taken[0].device)
    axis = told.get("axis", 0) % x.ndim
    places = torch.where(places < 0, places + x.shape[axis], places)
    picked: Tensor = torch.index_select(x, axis, places.reshape(-1))
    return picked.reshape((*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))  # of one number: ()


def _gather_elements(taken: Any, told: Attributes) -> Tensor:
    x, places, axis = taken[0], taken[1], told.get("axis", 0)
    return torch.gather(x, axis, torch.where(places < 0, places + x.shape[axis], places))


def _flatten(taken: Any, told: Attributes) -> Any:
    x, axis = taken[0], told.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _constant(_: Any, told: Attributes) -> Tensor:
    if "value" not in told:
        raise UnknownOperator("it has a constant that is no tensor")
    value: Tensor = told["value"]
    return value


def _constant_of_shape(taken: Any, told: Attributes) -> Tensor:
    value = told.get("value", torch.zeros(1))
    return torch.full(_numbers(taken[0]), value.item(), dtype=value.dtype)


def _squeeze(taken: Any, told: Attributes) -> Any:
    axes = _numbers(taken[1]) if len(taken) > 1 else told.get("axes")
    return taken[0].squeeze(tuple(axes)) if axes else taken[0].squeeze()


def _unsqueeze(taken: Any, told: Attributes) -> Tensor:
    x: Tensor = taken[0]
    axes = _numbers(taken[1]) if len(taken) > 1 else told["axes"]
    for axis in sorted(one % (x.ndim + len(axes)) for one in axes):
        x = x.unsqueeze(axis)
    return x


def _clip(taken: Any, told: Attributes) -> Tensor:
    least, most = (*taken[1:], None, None)[:2]
    least, most = (told.get("min"), told.get("max")) if len(taken) == 1 else (_numbers(least), _numbers(most))
    clipped: Tensor = taken[0] if least is None and most is None else torch.clamp(taken[0], least, most)
    return clipped


def _arg_max(taken: Any, told: Attributes) -> Tensor:
    if told.get("select_last_index", 0):
        raise UnknownOperator("it takes the last of equal ones")
    axis = told.get("axis", 0)
    places = torch.sort(taken[0], dim=axis, descending=True, stable=True)[1].narrow(axis, 0, 1)
    return places if told.get("keepdims", 1) else places.squeeze(axis)


def _layer_norm(taken: Any, told: Attributes) -> Any:
    x, weight, *bias = taken
    axes = tuple(range(told.get("axis", -1) % x.ndim, x.ndim))
    mean = x.mean(axes, keepdim=True)
    scale = (x.var(axes, keepdim=True, unbiased=False) + told.get("epsilon", 1e-5)).rsqrt()
    made = (x - mean) * scale * weight
    return [made + bias[0] if bias else made, mean, scale]


def _top_k(taken: Any, told: Attributes) -> Any:
    """Of equal ones the first, as ONNX says; `torch.topk` does not."""
    axis, count = told.get("axis", -1), int(taken[1])
    values, places = torch.sort(taken[0], dim=axis, descending=bool(told.get("largest", 1)), stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


def _beside(value: Tensor, other: Tensor) -> Tensor:
    """Where `other` is, so that they can be worked with together."""
    return value if value.device == other.device else value.to(other.device)


def _two(run: Callable[[Any, Any], Any]) -> Callable[[Any, Attributes], Any]:
    def both(taken: Any, _: Attributes) -> Any:
        a, b = taken
        return run(_beside(a, b), b) if a.device.type == "cpu" else run(a, _beside(b, a))

    return both


def _where(taken: Any, _: Attributes) -> Tensor:
    last = max(taken, key=lambda one: one.device.type != "cpu")
    condition, yes, no = (_beside(one, last) for one in taken)
    return torch.where(condition, yes, no)


def _one(run: Callable[[Any], Any]) -> Callable[[Any, Attributes], Any]:
    return lambda taken, _: run(taken[0])


OPERATORS: dict[str, Callable[[Any, Attributes], Any]] = {
    "Abs": _one(torch.abs),
    "Add": _two(torch.add),
    "ArgMax": _arg_max,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": lambda taken, told: taken[0].to(DTYPES[told["to"]]),
    "Clip": _clip,
    "Concat": lambda taken, told: torch.cat([_beside(one, taken[0]) for one in taken], told["axis"]),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Div": _two(lambda a, b: torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")),
    "Equal": _two(torch.eq),
    "Erf": _one(torch.erf),
    "Exp": _one(torch.exp),
    "Expand": lambda taken, _: taken[0].expand(torch.broadcast_shapes(taken[0].shape, _numbers(taken[1]))),
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Gemm": _gemm,
    "GlobalAveragePool": _one(lambda x: x.mean(tuple(range(2, x.ndim)), keepdim=True)),
    "HardSigmoid": lambda taken, told: (taken[0] * told.get("alpha", 0.2) + told.get("beta", 0.5)).clamp(
        0, 1
    ),
    "HardSwish": _one(functional.hardswish),
    "Identity": _one(lambda x: x),
    "LayerNormalization": _layer_norm,
    "MatMul": _two(torch.matmul),
    "MaxPool": _max_pool,
    "Mod": lambda taken, told: _two(torch.fmod if told.get("fmod", 0) else torch.remainder)(taken, told),
    "Mul": _two(torch.mul),
    "Neg": _one(torch.neg),
    "Pow": lambda taken, _: _two(torch.pow)(taken, _).to(taken[0].dtype),
    "Range": lambda taken, _: torch.arange(*(one.item() for one in taken), dtype=taken[0].dtype),
    "ReduceL2": _reduced(lambda x, dim, keepdim: x.square().sum(dim, keepdim).sqrt()),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _one(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda taken, told: torch.tensor(
        list(taken[0].shape)[told.get("start") : told.get("end")]
    ).long(),
    "Sigmoid": _one(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda taken, told: torch.softmax(taken[0], told.get("axis", -1)),
    "Split": _split,
    "Sqrt": _one(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _two(torch.sub),
    "Tanh": _one(torch.tanh),
    "TopK": _top_k,
    "Transpose": lambda taken, told: taken[0].permute(told.get("perm", list(range(taken[0].ndim))[::-1])),
    "Trilu": lambda taken, told: (torch.triu if told.get("upper", 1) else torch.tril)(*taken),
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
