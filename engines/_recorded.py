"""Which runtimes have been seen to run, and on what: `benchmarks/gpu.py` writes it down, and it is committed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from configs.known import known

RECORDED = Path(__file__).parent / "runtimes" / "recorded.json"


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True, omit_defaults=True):
    """A run of networks whose outputs were found right."""

    runtime: str
    kind: str  # CPU or GPU
    device: str
    version: str
    capability: str = ""  # of a GPU
    date: str = ""


def runs() -> list[Run]:
    """All of them."""
    return msgspec.json.decode(RECORDED.read_bytes(), type=known(list[Run]))


def record(run: Run) -> None:
    """Write one down; of each runtime on each device the last counts."""
    place = (run.runtime, run.kind, run.device)
    others = [one for one in runs() if (one.runtime, one.kind, one.device) != place]
    told = msgspec.json.format(msgspec.json.encode(sorted([*others, run])), indent=2)
    RECORDED.write_bytes(told + b"\n")
