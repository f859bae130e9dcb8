"""How many looks at each person are worth what they cost, on simulated people:

python benchmarks/crops.py SEED [SEED ...]

Each site is recorded once and replayed with other settings of the stage `tracklets`: embedder's calls for each second
that somebody is in a view, and how well people are known across cameras. By depth alone too, where looks are harder to
tell apart.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from engines.evaluate.evaluate_run import score_run  # noqa: E402
from engines.evaluate.run_folder import read_run  # noqa: E402
from engines.evaluate.run_scores import Rules  # noqa: E402
from engines.evaluate.truth import read_truth  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Tracklet  # noqa: E402
from pipeline.session import Session  # noqa: E402
from stages.embed import Embed  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
CROWD = {"people": 12, "seconds": 60.0, "fps": 10.0}
BUDGETS = [  # crop_every_s, max_crops
    (0.35, 100),
    (0.5, 100),
    (1.0, 12),
    (2.0, 12),
    (4.0, 12),
    (1.0, 6),
    (1.0, 3),
]


@dataclass
class Counting(Embed):
    """Counts the crops that the embedder is given, of all cameras."""

    calls: ClassVar[int] = 0

    def process_many(self, tracklets: Sequence[Tracklet]) -> Sequence[Any]:
        Counting.calls += sum(len(one.crops) for one in tracklets)
        return super().process_many(tracklets)


def measured(site: Path, out: Path, color: bool, every_s: float, most: int) -> list[float]:
    """Calls a person-second, IDF1 across cameras, identities a person."""
    session = Session(GraphFile.read(MAIN), Choices(replay=site, positions=True, executor="inline"), out)
    nodes, Counting.calls = [], 0
    for node in session.graph.nodes:
        if node.id == "tracklets":
            node = replace(node, stage=replace(node.stage, color=color, crop_every_s=every_s, max_crops=most))
        if node.id == "embed":
            node = replace(node, stage=Counting(node.stage.embedder))
        nodes.append(node)
    session.graph = Graph(nodes)
    if session.conduct(say=lambda _: None):
        raise SystemExit("the run did not end well")
    truth = read_truth(site)
    scores = score_run(read_run(out), truth, Rules())
    seen_s = sum(map(len, truth)) / CROWD["fps"]
    return [
        Counting.calls / seen_s,
        scores.identities.scores.identity.idf1,
        scores.identities.per_person,
    ]


def main(seeds: Sequence[int]) -> None:
    """Print the table."""
    found = defaultdict(list)
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
            site = Path(folder) / "site"
            options = [f"--{name}={value}" for name, value in {**CROWD, "seed": seed}.items()]
            command = [sys.executable, str(ROOT / "run.py"), "simulate", "--out", str(site), *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            for color in (True, False):
                for n, budget in enumerate(BUDGETS):
                    out = Path(folder) / f"{color}-{n}"
                    found[color, budget].append(measured(site, out, color, *budget))
                    print(seed, color, budget, found[color, budget][-1], flush=True)
    for color, name in ((True, "colour and depth"), (False, "depth alone")):
        table = Table(title=f"{name}, seeds {', '.join(map(str, seeds))}: means")
        for header in (
            "a crop every, s",
            "at most",
            "crops a person-second",
            "cross-camera IDF1",
            "identities per person",
        ):
            table.add_column(header, justify="right")
        for budget in BUDGETS:
            means = np.mean(found[color, budget], axis=0)
            table.add_row(*map(str, budget), *(f"{value:.3f}" for value in means))
        Console(width=110).print(table)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1])
