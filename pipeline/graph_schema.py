"""The JSON Schema (2020-12) of graph files, made from the stages and engines that there are: for editors."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import msgspec

from configs.build import find, is_engine, names
from pipeline.admission import Admission
from pipeline.graphfile import KEYS, NEEDED, VERSION, Retention
from pipeline.publish._publisher import Publisher
from pipeline.schema import DIALECT
from pipeline.stage import Source, Stage
from pipeline.store import Keeping

GIVEN = ("camera_id", "site", "vectors_s", "crops_s", "events_s", "is_live")  # by the runtime
FROM = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
ENGINE = {"$ref": "#/$defs/engine"}


def graph_schema() -> dict[str, Any]:
    """What a graph file may say."""
    publishers = {
        name: _settings(find(f"pipeline/publish/{name}", Publisher, name))
        for name in names("pipeline/publish")
    }
    properties = {
        "version": {"const": VERSION},
        "site": {"type": "string", "description": "a file in sites/ beside the graph file, without .yaml"},
        "cameras": _many("source"),
        "graph": _many("stage"),
        "publish": {"type": "object", "properties": publishers, "additionalProperties": False},
        "retention": _settings(Retention),
        "store": _settings(Keeping),
    }
    defs = {
        "source": {"oneOf": _choices("stages/source", Source, {"admission": _inline(Admission)})},
        "stage": {"oneOf": _stages()},
        "engine": {"oneOf": _choices("engines", object, {}, key="engine")},
    }
    assert set(properties) == {*NEEDED, *KEYS}  # noqa: S101, of ourselves
    return {
        "$schema": DIALECT,
        "title": "Sightline graph",
        "type": "object",
        "properties": properties,
        "required": list(NEEDED),
        "additionalProperties": False,
        "$defs": defs,
    }


def _stages() -> list[dict[str, Any]]:
    more = {"from": FROM, "shards": {"type": "integer", "minimum": 1}}
    return [*_choices("stages", Stage, more), *_choices("stages/track", Stage, more)]


def _choices(folder: str, base: type, more: dict[str, Any], key: str = "stage") -> list[dict[str, Any]]:
    top = "engines" if key == "engine" else "stages"
    choices = []
    for name in names(folder):
        cls = find(f"{folder}/{name}", base, name)
        path = f"{folder}/{name}".removeprefix(f"{top}/")
        schema = _settings(cls)
        schema["description"] = (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
        schema["properties"] = {key: {"const": path}, **more, **schema["properties"]}
        schema["required"] = [key, *(["from"] if "from" in more else []), *schema["required"]]
        choices.append(schema)
    return choices


def _settings(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    fields = [f for f in dataclasses.fields(cls) if f.init and f.name not in GIVEN]
    return {
        "type": "object",
        "properties": {f.metadata.get("name", f.name): _setting(hints[f.name], f) for f in fields},
        "required": [f.name for f in fields if _is_needed(f)],
        "additionalProperties": False,
    }


def _setting(kind: Any, field: dataclasses.Field[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = dict(ENGINE) if is_engine(kind) else dict(_inline(kind))
    if isinstance(field.default, bool | int | float | str):
        schema["default"] = field.default
    return schema


def _inline(kind: Any) -> dict[str, Any]:
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="#/{name}")
    return parts[schema["$ref"][2:]] if "$ref" in schema else schema


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _many(kind: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{kind}"}}
