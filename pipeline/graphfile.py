"""Reads a graph file: what runs, on which cameras, where they hang, and what is published of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from calibration.site import Site, SiteCamera
from configs.build import ConfigError, build, checked, closest
from configs.read import read
from pipeline.admission import Admission
from pipeline.graph import CAMERAS, Graph, Node
from pipeline.publish._publisher import Publisher
from pipeline.stage import Source, Stage
from pipeline.store import Keeping

VERSION = 1
DAY_S = 86_400
T = TypeVar("T", bound=Any)
NEEDED, KEYS = ("version", "site", "cameras", "graph"), ("publish", "retention", "store")


@dataclass(frozen=True)
class Retention:
    """Why people are followed here, which goes into every event; and how many days what was seen of them is kept."""

    retention_class: str = field(default="default", metadata={"name": "class"})
    purpose: str = "unspecified"
    vectors: float | None = None
    crops: float | None = None
    events: float | None = None
    recordings: float | None = None

    def __post_init__(self) -> None:
        for name in ("vectors", "crops", "events", "recordings"):
            days = getattr(self, name)
            if days is not None and not days > 0:
                raise ValueError(f"{name} must be above 0 days, got {days}")


@dataclass(frozen=True)
class GraphFile:
    """A graph file that has been read, and checked as far as that goes without its stages."""

    path: Path
    site: Site
    cameras: Mapping[str, Any]  # each source and its settings, by camera
    stages: Mapping[str, Any]  # by node
    publish: Mapping[str, Any] = field(default_factory=dict)
    retention: Retention = Retention()
    keeping: Keeping = Keeping()
    sha256: str = ""  # of what it says, whatever its layout and comments
    runs_sha256: str = ""  # of what runs alone, not what is published of it, nor how long that is kept

    @classmethod
    def read(cls, path: Path) -> GraphFile:
        """Raises ConfigError, with file and place."""
        content = read(path)
        try:
            top = _top(content)
            site = _site(path.parent / "sites" / f"{checked(top['site'], str, 'site')}.yaml")
            made = cls(
                path=path,
                site=site,
                cameras=_entries(top["cameras"], "cameras"),
                stages=_entries(top["graph"], "graph"),
                publish=_entries(top.get("publish", {}), "publish"),
                retention=_settings(top, "retention", Retention),
                keeping=_settings(top, "store", Keeping),
                sha256=_sha256([content, site]),
                runs_sha256=_sha256([{key: top[key] for key in NEEDED}, site]),
            )
            made.graph().check_ends()
            made.publishers()
        except ConfigError as error:
            raise ConfigError(_in_file(path, error)) from error
        return made

    def graph(
        self, cameras: Mapping[str, Any] | None = None, stages: Mapping[str, Any] | None = None
    ) -> Graph:
        """The graph, checked; other cameras and stages may take the place of those in the file."""
        sources = self.cameras if cameras is None else cameras
        nodes = [self._source(id, entry) for id, entry in sources.items()]
        given = {**self._given, "is_live": any(node.is_live for node in nodes)}
        nodes += [
            self._stage(id, entry, tuple(f"{CAMERAS}.{id}" for id in sources), given)
            for id, entry in (self.stages if stages is None else stages).items()
        ]
        return Graph(nodes)

    def publishers(self) -> dict[str, Publisher]:
        """What the events go to, by name; not opened."""
        return {
            name: build(f"pipeline/publish/{name}", settings, f"publish.{name}", Publisher, self._given)
            for name, settings in self.publish.items()
        }

    @property
    def _given(self) -> dict[str, Any]:
        """What stages and publishers are told, as far as they ask for it."""
        lives = {f"{name}_s": getattr(self.retention, name) for name in ("vectors", "crops", "events")}
        seconds = {name: DAY_S * days for name, days in lives.items() if days is not None}
        return {"site": self.site, **dict.fromkeys(lives, math.inf), **seconds}

    def _source(self, id: str, entry: Mapping[str, Any]) -> Node:
        where = f"{CAMERAS}.{id}"
        if id not in self.site.cameras:
            raise ConfigError(
                f"{where}: site {self.site.name!r} does not say where this camera hangs; give it an entry under "
                f"'cameras', {{}} for one that is not placed{closest(id, list(self.site.cameras))}"
            )
        settings = dict(entry)
        name = _take(settings, "stage", where)
        admission = checked(settings.pop("admission", {}), Admission, f"{where}.admission")
        source = build(f"stages/{name}", settings, where, Source, {"camera_id": id, "site": self.site})
        return Node(where, source, admission=admission)

    def _stage(
        self, id: str, entry: Mapping[str, Any], cameras: tuple[str, ...], given: Mapping[str, Any]
    ) -> Node:
        where = f"graph.{id}"
        settings = dict(entry)
        name = _take(settings, "stage", where)
        named = checked(settings.pop("from", ()), str | tuple[str, ...], f"{where}.from")
        reads = tuple(
            id
            for one in ((named,) if isinstance(named, str) else named)
            for id in (cameras if one == CAMERAS else (one,))
        )
        shards = checked(settings.pop("shards", 1), int, f"{where}.shards")
        stage = build(f"stages/{name}", settings, where, Stage, given)
        return Node(id, stage, reads, shards)


def _settings(top: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """Those under one key, each of them known, and right."""
    settings, hints = checked(top.get(key, {}), dict[str, Any], key), get_type_hints(kind)
    named = dict(zip(_said(kind), hints, strict=True))
    for name in settings:
        if name not in named:
            raise ConfigError(f"{key}.{name}: there is no such setting{closest(name, list(named))}")
    told = {
        named[name]: checked(value, hints[named[name]], f"{key}.{name}") for name, value in settings.items()
    }
    try:
        made: T = kind(**told)
    except ValueError as error:
        raise ConfigError(f"{key}.{error}") from error
    return made


def _said(kind: type) -> list[str]:
    """The names of its fields, as a graph file has them."""
    return [field.metadata.get("name", field.name) for field in fields(kind)]


def _sha256(said: Any) -> str:
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _top(content: Any) -> dict[str, Any]:
    top: dict[str, Any] = checked(content, dict[str, Any], "the file")
    for key in top:
        if key not in NEEDED + KEYS:
            raise ConfigError(f"{key}: a graph file has no such key{closest(key, [*NEEDED, *KEYS])}")
    for key in NEEDED:
        if key not in top:
            raise ConfigError(f"{key}: is missing; a graph file needs {', '.join(NEEDED)}")
    if top["version"] != VERSION:
        raise ConfigError(f"version: must be {VERSION}, got {top['version']!r}")
    if not top["cameras"]:
        raise ConfigError("cameras: is empty; name at least one, like front: {stage: source/realsense}")
    return top


def _site(path: Path) -> Site:
    content = read(path)
    try:
        cameras = checked(content, dict[str, dict[str, Any]], "the file")
        if list(cameras) != [CAMERAS]:
            raise ConfigError(f"a site file has one key, 'cameras', got {', '.join(cameras) or 'nothing'}")
        places = {id: _place(entry, f"cameras.{id}") for id, entry in cameras[CAMERAS].items()}
    except ConfigError as error:
        raise ConfigError(_in_file(path, error)) from error
    return Site(path.stem, places)


def _place(entry: Any, where: str) -> SiteCamera:
    settings = checked(entry or {}, dict[str, Any], where)
    allowed = list(SiteCamera.__dataclass_fields__)
    for key in settings:
        if key not in allowed:
            raise ConfigError(f"{where}.{key}: a camera's place has no such setting{closest(key, allowed)}")
    values = {key: checked(value, float | None, f"{where}.{key}") for key, value in settings.items()}
    try:
        return SiteCamera(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _entries(content: Any, where: str) -> dict[str, Any]:
    entries = checked(content, dict[str, Any], where)
    return {id: checked(entry or {}, dict[str, Any], f"{where}.{id}") for id, entry in entries.items()}


def _take(settings: dict[str, Any], key: str, where: str) -> str:
    if key not in settings:
        raise ConfigError(f"{where}: needs a {key!r}, the name of a file in stages/")
    name: str = checked(settings.pop(key), str, f"{where}.{key}")
    return name


def _in_file(path: Path, error: ConfigError) -> str:
    """The error with its file; one that has its own, a site's, is left as it is."""
    return str(error) if ".yaml: " in str(error) else f"{path}: {error}"
