"""A graph file that cannot run says so in one line, with file, place and what to do, before anything opens."""

from pathlib import Path

import pytest

from configs.build import ConfigError
from pipeline.graphfile import GraphFile

ROOT = Path(__file__).parents[2]
GRAPHS = sorted((ROOT / "configs").glob("*.yaml"))
GOOD = """
version: 1
site: hall
cameras:
  front: {stage: source/simulated, people: 2}
graph:
  floor: {stage: floor, from: cameras}
  detect: {stage: detect, from: floor, detector: {engine: overhead_depth}}
  track: {stage: track/floor, from: detect}
  tracklets: {stage: tracklet, from: track}
  embed: {stage: embed, from: tracklets, embedder: {engine: overhead_descriptor}}
  match: {stage: match, from: embed}
publish:
  log: {}
"""
SITE = "cameras:\n  front: {x_m: 0, y_m: 0, yaw_deg: 0, height_m: 3, pitch_deg: 0, roll_deg: 0}\n"


def written(folder, graph=GOOD, site=SITE):
    (folder / "sites").mkdir()
    (folder / "sites" / "hall.yaml").write_text(site)
    path = folder / "graph.yaml"
    path.write_text(graph)
    return path


def refusal(folder, graph=GOOD, site=SITE):
    with pytest.raises(ConfigError) as caught:
        GraphFile.read(written(folder, graph, site))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_every_graph_that_ships_can_run_as_far_as_its_configuration_goes(path):
    file = GraphFile.read(path)
    assert file.graph().sources
    assert set(file.cameras) <= set(file.site.cameras)


def test_layout_and_comments_do_not_change_what_a_file_is(tmp_path):
    one = GraphFile.read(written(tmp_path)).sha256
    (tmp_path / "graph.yaml").write_text(GOOD.replace("{}", "{} # all of it"))
    assert GraphFile.read(tmp_path / "graph.yaml").sha256 == one
    (tmp_path / "graph.yaml").write_text(GOOD.replace("people: 2", "people: 3"))
    assert GraphFile.read(tmp_path / "graph.yaml").sha256 != one


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (changed("version: 1", "version: 2"), "graph.yaml: version: must be 1, got 2"),
        (changed("version: 1", ""), "graph.yaml: version: is missing; a graph file needs version, site"),
        (
            changed("publish:", "publsh:"),
            "graph.yaml: publsh: a graph file has no such key; did you mean 'publish'?",
        ),
        (
            changed("stage: floor,", "stage: flor,"),
            "graph.floor: there is no stages/flor.py; did you mean 'floor'?",
        ),
        (changed("stage: floor,", ""), "graph.floor: needs a 'stage', the name of a file in stages/"),
        (changed("track/floor", "trak/floor"), "graph.track: there is no folder stages/trak/"),
        (changed("from: track}", "from: trck}"), "graph.tracklets.from: there is no node 'trck'"),
        (
            changed("from: detect", "from: floor"),
            "graph.track.from: 'floor' gives Frame, 'track' takes Detections",
        ),
        (changed("from: cameras", "from: floor"), "graph: a circle, floor -> floor"),
        (changed("people: 2", "poeple: 2"), "Simulated has no such setting; did you mean 'people'?"),
        (changed("people: 2", "people: two"), "cameras.front.people: must be a whole number, got 'two'"),
        (changed("people: 2", "people: true"), "cameras.front.people: must be a whole number, got True"),
        (changed("people: 2", "people: -2"), "cameras.front: people must be"),
        (
            changed("people: 2", "people: 2, people: 3"),
            "graph.yaml: line 5: 'people' stands twice; keep one of them",
        ),
        (
            changed("people: 2", "admission: {max_queued: 0}"),
            "cameras.front.admission: must be a map of settings",
        ),
        (changed("  front:", "  frnt:"), "cameras.frnt: site 'hall' does not say where this camera hangs"),
        (
            changed("cameras:\n", "cameras:\n  front: {stage: source/simulated}\n"),
            "graph.yaml: line 6: 'front' stands twice; keep one of them",
        ),
        (
            changed("overhead_depth", "overhead_deep"),
            "there is no engines/overhead_deep.py; did you mean 'overhead_depth'?",
        ),
        (
            changed("{engine: overhead_depth}", "5"),
            "graph.detect.detector: must be an engine, like {engine: name}, got 5",
        ),
        (
            changed(", detector: {engine: overhead_depth}", ""),
            "graph.detect.detector: is missing; Detect needs it",
        ),
        (
            changed("{engine: overhead_depth}", "{engine: overhead_depth, cell_m: 0}"),
            "graph.detect.detector: cell_m must be above 0, got 0",
        ),
        (changed("from: floor,", "from: floor, shards: 0,"), "graph.detect.shards: must be 1 or more, got 0"),
        (
            changed("from: embed", "from: embed, shards: 2"),
            "graph.match.shards: a source, or a stage that remembers",
        ),
        (
            changed("  match: {stage: match, from: embed}\n", ""),
            "graph.embed: gives Embedding, which no node reads",
        ),
        (
            changed("log: {}", "lgo: {}"),
            "publish.lgo: there is no pipeline/publish/lgo.py; did you mean 'log'?",
        ),
        (
            changed("log: {}", "log: {postions: true}"),
            "publish.log.postions: Log has no such setting; did you mean 'positions'",
        ),
        (changed("site: hall", "site: hal"), "sites/hal.yaml: cannot be read, No such file or directory"),
        (changed("site: hall", "site: [hall"), "graph.yaml: line 4: is not YAML, "),
        ("- a\n- b\n", "graph.yaml: the file: must be a map of settings, got ['a', 'b']"),
        ("", "graph.yaml: is empty; name another file, or write it"),
        (GOOD + "retention: 3\n", "graph.yaml: retention: must be a map of settings, got 3"),
        (
            GOOD + "retention: {vectrs: 3}\n",
            "graph.yaml: retention.vectrs: there is no such setting; did you mean 'vectors'?",
        ),
        (
            GOOD + "retention: {vectors: 0}\n",
            "graph.yaml: retention.vectors must be above 0 days, got 0",
        ),
        (
            GOOD + "retention: {crops: soon}\n",
            "graph.yaml: retention.crops: must be a number or nothing, got 'soon'",
        ),
        (
            GOOD + "store: {evry_s: 3}\n",
            "graph.yaml: store.evry_s: there is no such setting; did you mean 'every_s'?",
        ),
    ],
)
def test_refuses(tmp_path, graph, said):
    assert said in refusal(tmp_path, graph)


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (
            "cameras:\n  front: {x_m: 0, y_m: 0}\n",
            "sites/hall.yaml: cameras.front: x_m, y_m, yaw_deg go together; give yaw_deg",
        ),
        (
            "cameras:\n  front: {hight_m: 3}\n",
            "sites/hall.yaml: cameras.front.hight_m: a camera's place has no such setting",
        ),
        (
            "cameras:\n  front: {x_m: far}\n",
            "sites/hall.yaml: cameras.front.x_m: must be a number or nothing, got 'far'",
        ),
        ("rooms: {}\n", "sites/hall.yaml: a site file has one key, 'cameras', got rooms"),
        (
            "cameras:\n  back: {}\n",
            "graph.yaml: cameras.front: site 'hall' does not say where this camera hangs",
        ),
    ],
)
def test_refuses_a_site(tmp_path, site, said):
    assert said in refusal(tmp_path, site=site)


def test_a_file_that_is_not_text_is_said(tmp_path):
    path = written(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"graph.yaml: is not a text file in UTF-8"):
        GraphFile.read(path)
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read, No such file or directory"):
        GraphFile.read(tmp_path / "none.yaml")
