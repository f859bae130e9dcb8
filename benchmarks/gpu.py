"""What runtimes make of networks on this machine, above all on a GPU:

    python benchmarks/gpu.py [--out FILE] [--record] [--runtime NAME ...] [--network NAME ...]

Each network is built for each runtime and precision, compared with fp32 on another runtime, and timed with batches of 1
to 256, from an array in memory to an array in memory. Where there is no GPU, what needs one is named as skipped. With
--record, the runtimes that were right are written into engines/runtimes/recorded.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from multiprocessing.connection import Connection
from os import getloadavg
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from throughput import BEGUN, COMPILED, EAGER, ON_CPU, ON_GPU, Row, rows_of  # noqa: E402

from engines._network import KINDS, installed  # noqa: E402
from engines._recorded import Run, record  # noqa: E402
from engines.runtimes._cuda import gpu  # noqa: E402


@dataclass
class Report:
    """All rows that there are so far, in a file, should the rest be lost."""

    out: Path
    skipped: list[str]
    rows: dict[tuple[str, str, str], Row] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """In place of the one that says the same was begun."""
        self.rows[row.network, row.runtime, row.precision] = row
        found = gpu()
        told: dict[str, Any] = {"at": now().isoformat(), "gpu": asdict(found) if found else None}
        told |= {"load": getloadavg(), "skipped": self.skipped, "rows": [asdict(one) for one in self.all()]}
        self.out.write_text(json.dumps(told, indent=2) + "\n")

    def all(self) -> list[Row]:
        """By network, in the order in which they were begun."""
        order = list(dict.fromkeys(row.network for row in self.rows.values()))
        return sorted(self.rows.values(), key=lambda row: order.index(row.network))


def main() -> None:
    """Measure, print and write."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--out", type=Path, default=Path("var") / "gpu.json")
    asked.add_argument("--record", action="store_true")
    asked.add_argument("--runtime", nargs="*", metavar="NAME", default=[])
    asked.add_argument("--network", nargs="*", metavar="NAME", default=[])
    choices = asked.parse_args()
    choices.out.parent.mkdir(parents=True, exist_ok=True)
    report = Report(choices.out, list(not_here()))
    with TemporaryDirectory() as folder:
        for name in contestants():
            if name in choices.runtime or not choices.runtime:
                measure(report, name, choices.network, Path(folder))
    show(report)
    print(f"\n{choices.out}")
    if choices.record:
        write_down(report.all())


def contestants() -> list[str]:
    """The runtimes that are here, those too that do not know this GPU: what do they do? And PyTorch beside ours."""
    of_gpus = [name for name, kind in KINDS.items() if kind.needs_gpu and gpu() and find_spec(name)]
    torch = [EAGER, COMPILED] if "torch" in installed() else []
    return list(dict.fromkeys([*installed(), *of_gpus, *torch]))


def measure(report: Report, runtime: str, named: Sequence[str], folder: Path) -> None:
    """In a process of its own: what one runtime loads or breaks is not another's."""
    of_new = multiprocessing.get_context("spawn")
    receiver, sender = of_new.Pipe(duplex=False)
    process = of_new.Process(target=send_rows, args=(runtime, named, folder, sender), daemon=True)
    process.start()
    sender.close()
    row = None
    try:
        while True:
            row = receiver.recv()
            report.add(row)
    except EOFError:
        process.join()
    if process.exitcode and row:
        how = signal.Signals(-process.exitcode).name if process.exitcode < 0 else f"status {process.exitcode}"
        report.add(replace(row, wrong=f"its process ended with {how}"))


def send_rows(runtime: str, named: Sequence[str], folder: Path, sender: Connection) -> None:
    """The rows of a runtime, to the process that shows them."""
    with closing(sender):
        for row in rows_of(runtime, named, folder):
            if row.wrong == BEGUN:
                print(f"{row.network}, {row.runtime} {row.precision}", file=sys.stderr)
            sender.send(row)


def not_here() -> Iterator[str]:
    """What is not measured, and why."""
    for name, kind in KINDS.items():
        for on in kind.runs_on:
            if on == "GPU" and gpu() is None:
                yield f"{name} on a GPU: there is no NVIDIA GPU here"
            elif not find_spec(name):
                yield f"{name} on a {on}: it is not installed"
            elif on == "CPU" and len(kind.runs_on) > 1 and gpu():
                yield f"{name} on a CPU: it takes the GPU where there is one"
    yield "int8: it is tuned on pictures; see run.py compile --precision int8"


def show(report: Report) -> None:
    """The table, as in docs/benchmarks.md."""
    sizes = ON_GPU if gpu() else ON_CPU
    heads = ["network", "runtime", "build s", "MB", "alike", *(f"{size}" for size in sizes)]
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for row in report.all():
        cells = [row.network, f"{row.runtime} {row.precision}"]
        cells += [f"{row.build_s:.1f}", "-" if row.engine_mb is None else f"{row.engine_mb:.1f}", row.alike]
        speeds = [f"{row.per_s[size]:.0f}" if size in row.per_s else "-" for size in sizes]
        cells += speeds if row.per_s else [row.wrong, *[""] * (len(sizes) - 1)]
        print("| " + " | ".join(cells) + " |")
    for sentence in report.skipped:
        print(f"skipped {sentence}")


def write_down(rows: list[Row]) -> None:
    """Each runtime that was right with every network at fp32."""
    for name in {row.runtime for row in rows} & set(KINDS):
        of_it = [row for row in rows if row.runtime == name and row.precision == "fp32"]
        if of_it and not any(row.wrong for row in of_it):
            kind, _, device = of_it[0].device.partition(", ")
            found = gpu()
            capability = found.capability if found and kind == "GPU" else ""
            record(Run(name, kind, device, of_it[0].version, capability, f"{now():%Y-%m-%d}"))


def now() -> datetime:
    """Of this machine's clock."""
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
