"""How far the evidence of a decision is to be trusted (`TRUST` of stages/_identity_events.py), fitted on simulated
sites that need not be unseen; how sure decisions are on each seed is said of what was best on the others:

python benchmarks/decisions_fit.py [--kept DIR] SEED SEED [SEED ...]

Sites, matchers and decisions are those of benchmarks/decisions.py; `--kept` is its folder.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from decisions import Decision, decisions, reliability, simulated, told  # noqa: E402

from stages import _identity_events as said_of  # noqa: E402
from stages.match import Match  # noqa: E402

TRUSTS = (0.7, 0.8, 0.85, 0.9, 1.0)
SURE = 0.999  # nothing is said more surely, so that no decision costs endlessly

Made = dict[float, dict[int, list[Decision]]]  # by trust and seed


def made(seeds: Sequence[int], kept: Path) -> Made:
    """Everything that was decided, by each: how sure it is also says what waits for more looks."""
    of: Made = {trust: {seed: [] for seed in seeds} for trust in TRUSTS}
    for seed in seeds:
        for clothes in (False, True):
            site = simulated(seed, clothes, kept)
            oracle = site.oracle()
            for steps in (site.steps, site.by_depth):
                for trust in TRUSTS:
                    said_of.TRUST = trust
                    of[trust][seed] += decisions(told(steps, Match()), oracle)
        print(f"seed {seed}: {len(of[1.0][seed])} decisions", flush=True)
    return of


def loss(some: Iterable[Decision]) -> float:
    """Mean log loss of whether they were right."""
    said, right = np.array([(one.said, one.right) for one in some]).T
    said = np.clip(said, 1 - SURE, SURE)
    return float(-np.where(right > 0, np.log(said), np.log(1 - said)).mean())


def main(seeds: Sequence[int], kept: Path) -> None:
    """Print the loss of each trust, what was best without each seed, and how sure it is on that one."""
    of = made(seeds, kept)
    for trust in TRUSTS:
        every = [one for some in of[trust].values() for one in some]
        print(f"trust {trust}: loss {loss(every):.4f}, {reliability(every)}")
    for seed in seeds:
        others = [other for other in seeds if other != seed]
        best = min(TRUSTS, key=lambda trust: loss(one for other in others for one in of[trust][other]))
        print(f"without seed {seed}: {best}; on it {reliability(of[best][seed])}")


if __name__ == "__main__":
    asked = ArgumentParser()
    asked.add_argument("seeds", type=int, nargs="+")
    asked.add_argument("--kept", type=Path)
    words = asked.parse_args()
    if len(words.seeds) < 2:
        asked.error("give two seeds or more: each is left out in turn")
    with tempfile.TemporaryDirectory(prefix="decisions-") as unkept:
        main(words.seeds, words.kept or Path(unkept))
