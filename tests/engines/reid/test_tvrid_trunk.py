"""What the baseline of TVRID may begin with: a ResNet-50 out of an ONNX file."""

import re

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from configs.build import InputError
from engines.reid import tvrid_trunk
from engines.reid.methods.tvrid_baseline import TvridBaseline, resnet50

PLACES = {
    "conv1": "convolutional_block/0",
    "conv2": "convolutional_block/3",
    "conv3": "convolutional_block/6",
}


@pytest.fixture(scope="module")
def plain():
    """One that has learned nothing, and whose norms are no plain ones."""
    torch.manual_seed(3)
    trunk = resnet50().eval()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 0.8)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return trunk


def node_name(name):
    if name == "conv1":
        return "/backbone/initial_block/_module/0/Conv"
    stage, block, part = re.fullmatch(r"layer(\d)\.(\d)\.(.*)", name).groups()
    stage = int(stage) - 1
    return f"/backbone/blocks/{stage}/block{stage}-{block}/{PLACES.get(part, 'downsample/0')}/Conv"


def graph_of(trunk, left_out=()):
    """Its convolutions with their norms in them; weights of 8 bits, as quantizers leave them."""
    modules, nodes, kept = dict(trunk.named_modules()), [], []
    for name, module in modules.items():
        if not isinstance(module, nn.Conv2d) or name in left_out:
            continue
        norm = modules[name[:-1] + "1" if "downsample" in name else name.replace("conv", "bn")]
        gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
        weight = module.weight.detach().numpy() * gain[:, None, None, None]
        bias = norm.bias.detach().numpy() - norm.running_mean.numpy() * gain
        scale = np.abs(weight).max(axis=(1, 2, 3)) / 127
        whole = np.rint(weight / scale[:, None, None, None]).astype(np.int8)
        zero = np.zeros(len(scale), np.int8)
        for suffix, array in (("w", whole), ("s", scale), ("z", zero), ("b", bias)):
            kept.append(numpy_helper.from_array(array, f"{name}/{suffix}"))
        given = [f"{name}/w", f"{name}/s", f"{name}/z"]
        nodes.append(helper.make_node("DequantizeLinear", given, [f"{name}/d"], axis=0))
        nodes.append(
            helper.make_node("Conv", [f"{name}/x", f"{name}/d", f"{name}/b"], [f"{name}/y"], node_name(name))
        )
    result = helper.make_tensor_value_info("conv1/y", TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(nodes, "trunk", [], [result], kept))


@pytest.fixture(scope="module")
def path(plain, tmp_path_factory):
    made = tmp_path_factory.mktemp("trunk") / "trunk.onnx"
    onnx.save(graph_of(plain), made)
    return made


def test_it_says_what_the_network_says_that_is_in_the_file(plain, path):
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        said, wanted = (one(pictures).flatten(1) for one in (tvrid_trunk.read(path), plain))
    assert torch.cosine_similarity(said, wanted).min() > 0.999
    assert torch.allclose(said.norm(dim=1), wanted.norm(dim=1), rtol=0.05)


def test_norms_take_in_pictures_and_nothing_is_said_otherwise(path, tmp_path):
    trunk, batches = tvrid_trunk.read(path), torch.rand(2, 4, 3, 64, 64)
    with torch.no_grad():
        before = trunk(batches[0])
        tvrid_trunk.settle(trunk, list(batches))
        assert torch.allclose(trunk(batches[0]), before, rtol=1e-3, atol=1e-4)
        first = trunk.conv1(batches.flatten(0, 1))
    assert torch.allclose(trunk.bn1.running_mean, first.mean(dim=(0, 2, 3)), atol=1e-5)
    assert torch.allclose(trunk.bn1.running_var, first.var(dim=(0, 2, 3), unbiased=False), rtol=1e-3)
    tvrid_trunk.save(trunk, tmp_path / "new" / "resnet50.pth")
    weights = str(tmp_path / "new" / "resnet50.pth")
    begun = TvridBaseline(weights=weights, size=66).network(3, 1).color.backbone
    assert torch.equal(begun.layer4[2].bn3.weight, trunk.layer4[2].bn3.weight)


def test_another_network_is_an_error_of_one_line(plain, tmp_path):
    path = tmp_path / "other.onnx"
    onnx.save(graph_of(plain, left_out=("layer2.1.conv2",)), path)
    with pytest.raises(InputError, match=r"other.onnx: has no layer2.1.conv2 of a ResNet-50"):
        tvrid_trunk.read(path)
    wider = graph_of(plain)
    for one in wider.graph.initializer:
        if one.name == "layer1.0.conv1/w":
            one.CopyFrom(numpy_helper.from_array(np.zeros((64, 64, 3, 3), np.int8), one.name))
    onnx.save(wider, path)
    with pytest.raises(InputError, match=r"layer1.0.conv1 is not as a ResNet-50 has it"):
        tvrid_trunk.read(path)


def test_what_is_no_onnx_file_is_an_error_of_one_line(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"text.onnx: is no ONNX file; name one of a ResNet-50"):
        tvrid_trunk.read(tmp_path / "text.onnx")
    with pytest.raises(InputError, match=r"none.onnx: cannot be read"):
        tvrid_trunk.read(tmp_path / "none.onnx")
