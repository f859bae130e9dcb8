"""What `make` installs is named, version by version, in constraints.txt."""

import tomllib
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {
    "ultralytics"
}  # extras that bring a second OpenCV, for environments of their own: never installed beside the others
EXTRAS = {name: lines for name, lines in PROJECT["optional-dependencies"].items() if name not in OWN}
ASKED = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]


def needed(lines):
    """Versions by name: of these requirements, and of all that they require in turn."""
    found, waiting = {}, [Requirement(line) for line in lines]
    while waiting:
        asked = waiting.pop()
        name = asked.name.lower().replace("_", "-").replace(".", "-")
        if name not in found and (asked.marker is None or asked.marker.evaluate({"extra": ""})):
            found[name] = version(asked.name)
            waiting += [Requirement(line) for line in requires(asked.name) or ()]
    return found


def test_every_package_of_every_extra_is_pinned_as_it_is_installed_here():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines)
    assert lines == sorted(lines)
    assert {name: number for name, number in pins.items() if name != "uv"} == needed(ASKED)


def test_every_package_asked_for_has_a_lower_bound_that_its_pin_meets():
    for line in ASKED:
        asked = Requirement(line)
        assert [part.operator for part in asked.specifier] == [">="], line
        assert asked.specifier.contains(version(asked.name)), line
