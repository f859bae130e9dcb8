"""Makes what is known of people seen from above, from simulated people alone:

    python benchmarks/tvrid.py lessons DIR [--groups N] [--processes N]  people to learn from, 12 a group
    python benchmarks/tvrid.py train DIR OUT     our recipe on them; ended at any moment, it goes on
    python benchmarks/tvrid.py export OUT DIR [--to FOLDER]  the shipped files, by itself into engines/models/tvrid
    python benchmarks/tvrid.py set DIR [--seed N]          a simulated TVRID in its layout
    python benchmarks/tvrid.py trunk OUT --weights FILE    what the baseline begins with, out of an ONNX file
    python benchmarks/tvrid.py baseline OUT [--seed N] [--tracks rgb depth cross] [--weights FILE]
                                                           the challenge's baseline, small

On one core that is free, lessons on as many as --processes; set OMP_NUM_THREADS.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from configs.read import read as read_yaml  # noqa: E402
from engines.reid import checkpoint, lessons, tvrid_trunk  # noqa: E402
from engines.reid.fit import TRAINED, Training  # noqa: E402
from engines.reid.methods.tvrid import LessonTask, Network, Tvrid  # noqa: E402
from engines.reid.methods.tvrid_baseline import TvridBaseline, prepared  # noqa: E402
from engines.reid.methods.tvrid_picture import PictureNetwork, Taught, TvridPicture  # noqa: E402
from engines.reid.recipe import settings_of  # noqa: E402
from engines.reid.tvrid_baseline_run import train as train_baseline  # noqa: E402
from engines.reid.tvrid_export import export, teachers  # noqa: E402
from engines.reid.tvrid_set import Passage, passages, people_of, write  # noqa: E402
from engines.tvrid_embedder import MODEL  # noqa: E402

MAPS, PICTURES = "maps", "pictures"  # folders of the two trainings
FIRST = 1_000_000  # seed of the first group; those of sites and tests are below
SMALL: Any = {"size": 66, "at_once": 1, "epochs": 10}  # of its 224, 5 and 20: what a core can do
AT_RANDOM: Any = {"lr": 1e-4, "warm_up": 3}  # instead of its 1e-3, for colour without weights
# with weights, for colour; by its own 1e-3 they come to say 0 of everybody
WHOLE: Any = {"size": 224, "at_once": 1, "epochs": 6, "lr": 1e-4}


def main() -> None:
    """One of the parts."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("part", choices=list(PARTS))
    asked.add_argument("folder", type=Path)
    asked.add_argument("out", type=Path, nargs="?")
    asked.add_argument("--to", type=Path, default=MODEL.parent)
    asked.add_argument("--groups", type=int, default=192)
    asked.add_argument("--processes", type=int, default=1)
    asked.add_argument("--seed", type=int, default=9001)
    asked.add_argument("--tracks", nargs="+", default=["rgb", "depth", "cross"])
    asked.add_argument(
        "--weights", default="", help="torchvision's, or those that trunk makes; for trunk an ONNX file"
    )
    given = asked.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    {"lessons": make, "train": train, "export": ship, "set": lay_out, "trunk": trunk, "baseline": baseline}[
        given.part
    ](given)


def make(given: Any) -> None:
    """Lessons, a line for every ten groups."""
    began = time.monotonic()

    def told(done: int, of: int) -> None:
        if done % 10 == 0:
            print(f"{done} of {of} groups, {time.monotonic() - began:.0f} s", flush=True)

    lessons.write(given.folder, range(FIRST, FIRST + given.groups), told, given.processes)


def train(given: Any) -> None:
    """Our recipe, and then the picture network that learns from it."""
    of, method = lessons.read(given.folder), Tvrid()
    task = LessonTask.of([of], method.frames, is_mixed=True)
    task.seed_all()
    network = method.network(task.people_count, 1)
    told = {"settings": settings_of(method), "people": task.people_count}
    print(Training(given.out / MAPS, network, task, told, _shown).fit(method.phases(network, task)))
    pupil = TvridPicture()
    taught = Taught.by([of], pupil.frames, *teachers(network, of), is_mixed=True)
    taught.seed_all()
    pictures = pupil.network(1, 1)
    told = {"settings": settings_of(pupil), "people": task.people_count}
    print(Training(given.out / PICTURES, pictures, taught, told, _shown).fit(pupil.phases(pictures, taught)))


def ship(given: Any) -> None:
    """The trained networks as ONNX; `like` stays as it was, until benchmarks/tvrid_site.py fits it again."""
    state, _ = checkpoint.load(given.folder / MAPS / TRAINED)
    network, pictures = Network(len(state["identities"])), PictureNetwork().eval()
    network.load_state_dict(state)
    pictures.load_state_dict(checkpoint.load(given.folder / PICTURES / TRAINED)[0])
    before: Any = read_yaml(MODEL.with_suffix(".yaml"))
    like = {name: before[name] for name in ("like", "like_by_depth")}
    export(network, pictures, lessons.read(given.out), given.to, like)


def lay_out(given: Any) -> None:
    """A set in files."""
    write(given.folder, given.seed)


def trunk(given: Any) -> None:
    """A ResNet-50 that has seen photographs, its norms as they are of the people to learn from."""
    made = tvrid_trunk.read(Path(given.weights))
    shots = [one.shots[0].color for one in to_learn_from(given.seed)]
    tvrid_trunk.settle(made, prepared(shots, WHOLE["size"]).split(31))
    tvrid_trunk.save(made, given.folder / "resnet50.pth")


def baseline(given: Any) -> None:
    """Each track's network, on the people to learn from of one set."""
    for track in given.tracks:
        how = SMALL if track == "depth" else WHOLE if given.weights else SMALL | AT_RANDOM
        method = TvridBaseline(track=track, weights=given.weights, **how)
        some = to_learn_from(given.seed)
        print(train_baseline(some, method, given.folder / track, _shown), flush=True)


def to_learn_from(seed: int) -> Iterator[Passage]:
    """Passages of one set's people to learn from."""
    return passages(people_of(seed)[0], seed + 1, site=seed)


def _shown(place: Any, epochs: int, steps: int) -> None:
    if place.step == steps:
        means = ", ".join(f"{name} {total / steps:.4g}" for name, total in place.sums.items())
        print(f"{place.phase} {place.epoch}/{epochs}: {means}", flush=True)


PARTS = {
    "lessons": make,
    "train": train,
    "export": ship,
    "set": lay_out,
    "trunk": trunk,
    "baseline": baseline,
}

if __name__ == "__main__":
    main()
