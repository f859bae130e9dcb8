"""A graph can be looked at: as text, as a picture, and as the schema that an editor uses."""

from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from pipeline.drawing import as_svg, as_text
from pipeline.graph_schema import graph_schema
from pipeline.graphfile import GraphFile

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "configs" / "topview_rgbd.yaml"


@pytest.fixture(scope="module")
def graph():
    return GraphFile.read(MAIN).graph()


def test_text_has_a_line_for_each_node_in_running_order(graph):
    lines = as_text(graph).splitlines()
    assert [line.split()[0] for line in lines] == [node.id for node in graph.nodes]
    (detect,) = (line for line in lines if line.startswith("detect"))
    assert "detect (overhead_depth) x2" in detect
    assert detect.endswith("Frame -> Detections")


def test_text_says_which_cameras_run_in_processes_of_their_own(tmp_path):
    shared = MAIN.read_text().replace("serial: auto", "serial: auto, isolated: false", 1)
    (tmp_path / "sites").symlink_to(MAIN.parent / "sites")
    (tmp_path / "graph.yaml").write_text(shared)
    lines = as_text(GraphFile.read(tmp_path / "graph.yaml").graph()).splitlines()
    cameras = [line for line in lines if "source/realsense" in line]
    assert ["source/realsense (isolated)" in line for line in cameras] == [False, True, True, True]


def test_svg_shows_every_node_and_every_edge(graph):
    root = ElementTree.fromstring(as_svg(graph))
    text = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"floor", "detect x2", "match"} <= set(text)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == sum(
        len(node.reads) for node in graph.nodes
    )


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_graph_that_ships_fits_the_schema(path):
    schema = graph_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("graph", "floor", {"stage": "floor"}),
        ("cameras", "flat", {"stage": "source/realsense", "serail": "1"}),
        ("publish", "log", {"positions": "yes"}),
    ],
)
def test_the_schema_refuses_what_a_graph_may_not_say(place, key, value):
    content = yaml.safe_load(MAIN.read_text())
    content[place][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(graph_schema()).validate(content)
