"""The rules of the tree, as tests: who imports whom, how big a file may be, and what never stands in one."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "calibration": {"calibration", "configs.known"},
    "clients": {"clients", "sightline_client", "configs"},
    "configs": {"configs"},
    "engines": {"engines", "configs"},
    "pipeline": {"pipeline", "configs", "calibration.camera", "calibration.site", "calibration.standing"},
    "sightline_client": {"sightline_client"},
    "stages": {
        "stages",
        "pipeline.messages",
        "pipeline.stage",
        "pipeline.keyed",
        "calibration",
        "configs.kernels",
        "configs.password",
    },
}
ALONE = (
    "clients/python/sightline_client/"  # a wheel of its own: it knows what is published, not who publishes
)
ALSO = {  # engines that no graph file names: one renders its input, others need an index that has no settings; and
    # what is written beside a run, or said at its end
    "pipeline/_gallery_looks.py": {"engines.index.masked"},
    "pipeline/_run_commands.py": {"calibration.manifest", "engines.evaluate", "stages.source.simulated"},
    "stages/source/simulated.py": {"engines.people"},
    "stages/_looks.py": {"engines.index.sketches", "engines.index.masked"},
}
OURS = {*MAY_IMPORT, "run"}
HEAVY = {
    "torch",
    "ray",
    "zmq",
    "tensorrt",
    "tensorrt_rtx",
    "ultralytics",
    "kafka",
    "pyarrow",
    "pyrealsense2",
    "openvino",
    "onnxruntime",
    "av",
    "rosbags",
}
API = "clients/python/sightline_client/__init__.py"  # the names that its users import
MAX_LINES, MAX_FUNCTION_LINES = 300, 40
LONGER = {  # file or file:function, and why
    "engines/_overhead_maps.py:_fill": "two passes over the points of a person, compiled: its parts share every array",
    "engines/_overhead_holes.py:points_in_holes": "one flood fill, compiled: its parts share every array",
    "pipeline/messages.py": "all that travels, in one place",
    "stages/tracklet.py:_begun": "one message with a field a line",
}
FILES = sorted(file for folder in MAY_IMPORT for file in (ROOT / folder).rglob("*.py")) + [ROOT / "run.py"]
ALL = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def at_import(tree):
    """Only what is imported when the file is."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(ast.Module([node], []))


@ALL
def test_imports_only_what_its_folder_may(file):
    folder = file.relative_to(ROOT).parts[0]
    ours = {name for name in imports(ast.parse(file.read_text())) if name.split(".")[0] in OURS}
    if str(file.relative_to(ROOT)).startswith(ALONE):
        folder = "sightline_client"
    allowed = MAY_IMPORT.get(folder, OURS) | ALSO.get(str(file.relative_to(ROOT)), set())
    assert {name for name in ours if not any(name == a or name.startswith(a + ".") for a in allowed)} == set()


def _module(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removeprefix("clients.python.")


def test_no_file_imports_itself_in_a_circle():
    names = {_module(file): file for file in FILES}
    edges = {name: set(at_import(ast.parse(file.read_text()))) & set(names) for name, file in names.items()}
    TopologicalSorter(edges).prepare()


@ALL
def test_is_small(file):
    text, name = file.read_text(), str(file.relative_to(ROOT))
    long = [
        f"{name}:{node.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert text.count("\n") <= MAX_LINES or name in LONGER
    assert [function for function in long if function not in LONGER] == []


def test_every_exception_is_still_one():
    for name in LONGER:
        assert (ROOT / name.split(":")[0]).exists()
        assert (
            f"def {name.split(':')[1]}(" in (ROOT / name.split(":")[0]).read_text() if ":" in name else True
        )


def test_the_command_line_loads_no_heavy_library_before_it_needs_one():
    check = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import run; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_imports_a_command_when_it_is_asked_for():
    asked = "check = run.Commands(name='run').get_command(None, 'check')"
    there = "print(sorted({place.partition(':')[0] for place in run.COMMANDS.values()} & set(sys.modules)))"
    check = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import run; {there}; {asked}; {there}; print(check.name)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['pipeline._graph_commands']", "check"]


def test_nothing_is_pickled_and_no_yaml_is_trusted():
    for file in FILES:
        text = file.read_text()
        assert "pickle" not in set(imports(ast.parse(text))), file
        assert "yaml.load(" not in text or "_Strict" in text, file


def test_package_files_are_empty():
    assert [f for f in FILES if f.name == "__init__.py" and f.read_text() and f != ROOT / API] == []


def test_nothing_here_names_a_machine_or_a_registry():
    words = ["pypi" + ".org", "files.python" + "hosted", "/work" + "/", "/root" + "/"]
    command = ["git", "grep", "-lF", *(part for word in words for part in ("-e", word)), "--", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == []
