"""JSON Schemas (2020-12) of what is published, made from the message types, one for each event type."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec

from pipeline.events import FAMILIES, SCHEMA_VERSION
from pipeline.publish._state import STATE_SCHEMA, state_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
STRING = {"type": "string"}
RENAMED = {"from_ids": "from", "to_ids": "to"}
APART = ("kind", "calibration_id")  # said by the type, and by the provenance
COMMON: dict[str, Any] = {
    "time_ns": {"type": "integer", "description": "capture time, nanoseconds since 1970"},
    "provenance": {
        "type": "object",
        "properties": {"graph_sha256": STRING, "code_version": STRING, "calibration_id": STRING},
        "required": ["graph_sha256", "code_version"],
    },
    "privacy": {
        "type": "object",
        "properties": {"retention_class": STRING, "purpose": STRING},
        "required": ["retention_class", "purpose"],
    },
}


def event_schemas() -> dict[str, dict[str, Any]]:
    """The schema of the data of every event type, by type name; and of the records of states."""
    schemas: dict[str, dict[str, Any]] = {}
    for cls, family in FAMILIES.items():
        for kind in get_args(get_type_hints(cls)["kind"]):
            name = f"sightline.{family}.{kind}.{SCHEMA_VERSION}"
            schemas[name] = _schema(cls, name)
    return schemas | {STATE_SCHEMA: state_schema() | _head(STATE_SCHEMA)}


def _schema(cls: type, name: str) -> dict[str, Any]:
    (made,), parts = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
    body = parts.pop(made["$ref"].rsplit("/", 1)[1])
    properties = {
        RENAMED.get(key, key): value for key, value in body["properties"].items() if key not in APART
    }
    required = [RENAMED.get(key, key) for key in body["required"] if key not in APART]
    schema = {
        **_head(name),
        "type": "object",
        "properties": properties | COMMON,
        "required": [*required, *COMMON],
    }
    return schema | ({"$defs": parts} if parts else {})


def _head(name: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": f"urn:sightline:schema:{name}", "title": name}
