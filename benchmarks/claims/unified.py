"""What is claimed of one encoder for pictures and words: learned at once they are in each other's way, in two not.

    python benchmarks/claims/unified.py [--seeds 1 2 3] [--people 200] [--test 100] [--epochs 20] [--no-bags]
        [--keep DIR] [--plot FILE.svg]

mAP of pictures among pictures and CMC-1 of captions among pictures, of SynthPed's people of the test, in percent, with
95 % intervals over people. Encoders begin at random, and are smaller than what comes with the program. A second stage
goes on from the very network of the first that it follows. The control, --no-bags, has captions that say only what is
always so of a person: theirs cannot be in the way of telling people apart. What is kept in DIR is not made again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from bars import Bar, write  # noqa: E402
from hidden_people import small  # noqa: E402
from interval import over_people, table  # noqa: E402

from engines.evaluate.retrieval import distances, found, nearest_first  # noqa: E402
from engines.reid.captioned import CaptionedTask  # noqa: E402
from engines.reid.clip import TINY, Clip  # noqa: E402
from engines.reid.data._records import ALL, people  # noqa: E402
from engines.reid.data.synthped import NAME, SynthPed  # noqa: E402
from engines.reid.fit import Place, Training  # noqa: E402
from engines.reid.lab.captions import caption_of  # noqa: E402
from engines.reid.lab.chance import drawn  # noqa: E402
from engines.reid.lab.laboratory import Key  # noqa: E402
from engines.reid.lab.people import without_bag  # noqa: E402
from engines.reid.method import Phase  # noqa: E402
from engines.reid.methods.unified import Unified  # noqa: E402
from engines.reid.task import Picture  # noqa: E402

FIRST: dict[str, dict[str, Any]] = {  # arms of one stage, and their settings
    "pictures alone": {"supervision": "none"},
    "words alone": {"pictures": False},
    "both at once": {},
}
AFTER = {"pictures alone": "two stages", "both at once": "two stages, words in the first"}
LESS = (
    ("both at once", "pictures alone"),
    ("both at once", "words alone"),
    ("two stages", "both at once"),
    ("two stages, words in the first", "both at once"),
    ("two stages, words in the first", "two stages"),
)
SMALL = {
    **{"architecture": "tiny", "size": (64, 32), "stride": (8, 8), "pad": 3, "lr": 5e-4, "warm_up": 1},
    **{"id_weight": 1.0, "text_loss": "itc", "temperature": 0.07, "text_weight": 2.0},
}
SEED = 6042  # of SynthPed


Scores = dict[str, list[np.ndarray]]  # of each arm, of pictures and of captions


class Smaller(Unified):
    """With encoders that a core can teach many times over."""

    def clip(self, cameras: int) -> Clip:
        return Clip(replace(TINY, width=128, layers=4, text_width=128), self.size, self.stride)


def main() -> None:
    """A table, and whether vectors of pictures are the same after the second stage."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    told.add_argument("--people", type=int, default=200)
    told.add_argument("--test", type=int, default=100, help="how many people are asked for")
    told.add_argument("--epochs", type=int, default=20)
    told.add_argument("--no-bags", action="store_true")
    told.add_argument("--keep", type=Path)
    told.add_argument("--plot", type=Path)
    given = told.parse_args()
    torch.set_num_threads(1)
    data = small(given.people, SEED, given.test)
    asks = Asks(data, given.no_bags)
    learnt = data.train()
    captions = tuple(said(data, one.path.name, given.no_bags) for one in learnt)
    scores: dict[str, list[list[np.ndarray]]] = {}
    for seed in given.seeds:
        samples = [Picture(one.path, one.person, one.camera) for one in learnt]
        task = CaptionedTask(samples, seed, is_mixed=True, workers=1, open=data.picture, captions=captions)
        for first in FIRST:
            made = _kept(given.keep, f"{seed} {first}", partial(trained, first, task, asks, given.epochs))
            for arm, both in made.items():
                scores.setdefault(arm, []).append(both)
            print(f"seed {seed}: {', '.join(made)}", file=sys.stderr, flush=True)
    title = f"{given.people} people learned from, {given.epochs} epochs, seeds {given.seeds}"
    report(title, scores, asks, given.plot)


def _kept(folder: Path | None, name: str, make: Callable[[], Scores]) -> Scores:
    """As it was kept, or made and then kept."""
    if folder is None:
        return make()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    if not path.is_file():
        made = make()
        np.savez(path, **{f"{arm}|{at}": one for arm, both in made.items() for at, one in enumerate(both)})
    there = np.load(path)
    arms = dict.fromkeys(key.split("|")[0] for key in there)
    return {arm: [there[f"{arm}|{at}"] for at in range(2)] for arm in arms}


def said(data: SynthPed, name: str, no_bags: bool) -> str:
    """A caption of a picture; without what somebody carries that day alone, where that is asked for."""
    key = Key(*map(int, NAME.fullmatch(name).groups()))  # type: ignore[union-attr]
    seen = data.seen(key)
    worn = without_bag(seen.attributes) if no_bags else seen.attributes
    return caption_of(worn, seen.parts, drawn(data.seed, "caption", *key)).text


class Asks:
    """Whom a test asks for: pictures and captions of people whom nothing has learned from."""

    def __init__(self, data: SynthPed, no_bags: bool) -> None:
        self.pictures, self.captions = data.trial("ground"), data.trial("text_to_image")
        shown = {one.path: data.picture(one.path) for one in (*self.pictures.query, *self.pictures.gallery)}
        self.queries = [shown[one.path] for one in self.pictures.query]
        self.gallery = [shown[one.path] for one in self.pictures.gallery]
        self.words = [said(data, one.path.name, no_bags) for one in self.captions.query]

    @property
    def people(self) -> list[np.ndarray]:
        """Whose each query is, of pictures and of captions."""
        return [people(one.query) for one in (self.pictures, self.captions)]

    def scores(self, method: Unified, network: Any) -> list[np.ndarray]:
        """Average precisions of pictures, and whether captions find theirs first."""
        network.eval()
        queries, gallery = (vectors(method, network, some) for some in (self.queries, self.gallery))
        with torch.no_grad():
            asks = method.texts(network, torch.from_numpy(method.reader()(self.words))).numpy()
        by_words = _found(self.captions, asks, gallery).first_ranks == 1
        return [_found(self.pictures, queries, gallery).average_precisions, by_words.astype(float)]


def vectors(method: Unified, network: Any, some: Sequence[np.ndarray]) -> np.ndarray:
    """Of pictures."""
    batches = (some[at : at + 64] for at in range(0, len(some), 64))
    with torch.no_grad():
        parts = [
            method.vectors(network, torch.stack([method.look(one) for one in batch])) for batch in batches
        ]
    return np.asarray(torch.cat(parts).numpy())


def trained(first: str, task: CaptionedTask, asks: Asks, epochs: int) -> Scores:
    """What an arm of one stage finds, and the one that goes on from it, if there is one."""
    method = Smaller(
        **SMALL,
        **FIRST[first],
        epochs=epochs,
        milestones=(2 * epochs // 3,),
        text_epochs=epochs,
        text_lr=5e-4,
    )
    task.seed_all("network")
    network = method.network(task.people_count, task.camera_count)
    training = Training(Path(), network, task, {})
    phases, made = dict(method.phases(network, task)), dict[str, list[np.ndarray]]()
    second = phases.pop("texts")
    for name, make in phases.items():
        _learn(training, name, make)
    made[first] = asks.scores(method, network)
    if first in AFTER:
        network.eval()
        before = vectors(method, network, asks.queries)
        _learn(training, "texts", second)
        made[AFTER[first]] = asks.scores(method, network)
        is_same = (before == vectors(method, network, asks.queries)).all()
        print(f"{AFTER[first]}: the same after the second stage: {is_same}", file=sys.stderr, flush=True)
    return made


def _learn(training: Training, name: str, make: Callable[[], Phase]) -> None:
    training.task.seed_all(name)
    phase = make()
    for epoch in range(1, phase.epochs + 1):
        training.train_epoch(phase, Place(name, epoch))


def report(title: str, scores: dict[str, list[list[np.ndarray]]], asks: Asks, plot: Path | None) -> None:
    """What each arm finds, what one finds more than another, and what chance would."""
    whose, arms = asks.people, ["pictures alone", "words alone", "both at once", *AFTER.values()]
    found = {arm: [np.array([one[at] for one in scores[arm]]) for at in range(2)] for arm in arms}
    rows: dict[str, list[object]] = {
        arm: [over_people(some[at], whose[at]) for at in range(2)] for arm, some in found.items()
    }
    rows["chance"] = [f"{100 * one:.1f}" for one in (_chance(asks.pictures), _chance(asks.captions))]
    for more, less in LESS:
        name = f"{more} less {less}"
        rows[name] = [over_people(found[more][at] - found[less][at], whose[at]) for at in range(2)]
    table(title, ["arm", "pictures among pictures, mAP", "captions among pictures, CMC-1"], rows)
    if plot:
        groups = {
            said: {arm: Bar(*over_people(found[arm][at], whose[at])) for arm in arms}
            for at, said in enumerate(("pictures, mAP", "captions, CMC-1"))
        }
        write(plot, title, groups, {})


def _chance(trial: Any) -> float:
    """Of a gallery in any order, roughly: which share of what counts for a query is right."""
    named, there = people(trial.query), people(trial.gallery)
    right = []
    for number in range(len(named)):
        counts = trial.cases[ALL](number)
        right.append((there[counts] == named[number]).mean())
    return float(np.mean(right))


def _found(trial: Any, query: np.ndarray, gallery: np.ndarray) -> Any:
    orders = nearest_first(distances(query, gallery, "cosine"))
    return found(orders, people(trial.query), people(trial.gallery), trial.cases)[ALL]


if __name__ == "__main__":
    main()
