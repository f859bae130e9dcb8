"""The processor of this machine: its name, and the kinds of arithmetic that networks gain from."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

WIDE = ("avx", "amx", "fma", "asimd", "sve", "bf16", "i8mm")


@cache
def processor() -> tuple[str, str]:
    """Its name, and what it can do."""
    told: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    flags = (told.get("flags") or told.get("Features") or "").split()
    wide = sorted(flag for flag in flags if flag.startswith(WIDE))
    return told.get("model name") or platform.processor() or platform.machine(), " ".join(wide)
