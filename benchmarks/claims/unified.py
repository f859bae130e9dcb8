"""What is claimed of one encoder for pictures and words: learned at once they are in each other's way, in two not.

    python benchmarks/claims/unified.py [--seeds 1 2 3] [--people 200] [--test 100] [--epochs 15] [--no-bags]
        [--arms NAME ...] [--keep DIR]

mAP of pictures among pictures and CMC-1 of captions among pictures, of SynthPed's people of the test, in percent, with
95 % intervals over people. The control, --no-bags, has captions that say only what is always so of a person: theirs
cannot be in the way of telling people apart. What is kept in DIR is not made again.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from hidden_people import small  # noqa: E402
from interval import over_people, table  # noqa: E402

from engines.evaluate.retrieval import distances, found, nearest_first  # noqa: E402
from engines.reid.captioned import CaptionedTask  # noqa: E402
from engines.reid.data._records import ALL, people  # noqa: E402
from engines.reid.data.synthped import NAME, SynthPed  # noqa: E402
from engines.reid.fit import Place, Training  # noqa: E402
from engines.reid.lab.captions import caption_of  # noqa: E402
from engines.reid.lab.chance import drawn  # noqa: E402
from engines.reid.lab.laboratory import Key  # noqa: E402
from engines.reid.lab.people import without_bag  # noqa: E402
from engines.reid.methods.unified import Unified  # noqa: E402
from engines.reid.task import Picture  # noqa: E402

ARMS: dict[
    str, tuple[dict[str, Any], bool]
] = {  # settings, and whether the second stage comes after the first
    "pictures alone": ({"supervision": "none"}, False),
    "words alone": ({"pictures": False}, False),
    "both at once": ({}, False),
    "two stages": ({"supervision": "none"}, True),
    "two stages, words in the first": ({}, True),
}
SMALL = {
    **{"architecture": "tiny", "size": (64, 32), "stride": (8, 8), "pad": 3, "lr": 5e-4, "warm_up": 1},
    **{"id_weight": 1.0, "text_loss": "itc", "temperature": 0.07, "text_weight": 2.0},
}


def main() -> None:
    """A table, and whether vectors of pictures are the same after the second stage."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    told.add_argument("--people", type=int, default=200)
    told.add_argument("--test", type=int, default=100, help="how many people are asked for")
    told.add_argument("--epochs", type=int, default=15)
    told.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    told.add_argument("--no-bags", action="store_true")
    told.add_argument("--keep", type=Path)
    given = told.parse_args()
    torch.set_num_threads(1)
    data = small(given.people, test=given.test)
    learnt = data.train()
    captions = tuple(said(data, one.path.name, given.no_bags) for one in learnt)
    scores: dict[str, list[list[np.ndarray]]] = {}
    for seed in given.seeds:
        samples = [Picture(one.path, one.person, one.camera) for one in learnt]
        task = CaptionedTask(samples, seed, is_mixed=True, workers=1, open=data.picture, captions=captions)
        for arm in given.arms:
            kept = given.keep and given.keep / f"{seed} {arm}.npz"
            if kept and kept.is_file():
                scores.setdefault(arm, []).append(list(np.load(kept).values()))
                continue
            scores.setdefault(arm, []).append(trained(arm, task, data, given.epochs, given.no_bags))
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.savez(kept, *scores[arm][-1])
            print(f"seed {seed}: {arm}", file=sys.stderr, flush=True)
    whose = [people(data.trial(name).query) for name in ("ground", "text_to_image")]
    rows: dict[str, list[object]] = {
        arm: [over_people(np.array([one[at] for one in some]), whose[at]) for at in range(2)]
        for arm, some in scores.items()
    }
    columns = ["arm", "pictures among pictures, mAP", "captions among pictures, CMC-1"]
    table(f"{given.people} people learned from, {given.epochs} epochs, seeds {given.seeds}", columns, rows)


def said(data: SynthPed, name: str, no_bags: bool) -> str:
    """A caption of a picture; without what somebody carries that day alone, where that is asked for."""
    key = Key(*map(int, NAME.fullmatch(name).groups()))  # type: ignore[union-attr]
    seen = data.seen(key)
    worn = without_bag(seen.attributes) if no_bags else seen.attributes
    return caption_of(worn, seen.parts, drawn(data.seed, "caption", *key)).text


def trained(arm: str, task: CaptionedTask, data: SynthPed, epochs: int, no_bags: bool) -> list[np.ndarray]:
    """Average precisions of pictures and whether captions find theirs first, after an arm's stages."""
    settings, has_second = ARMS[arm]
    method = Unified(
        **SMALL, **settings, epochs=epochs, milestones=(2 * epochs // 3,), text_epochs=epochs, text_lr=5e-4
    )
    task.seed_all("network")
    network = method.network(task.people_count, task.camera_count)
    training, before = Training(Path(), network, task, {}), None
    for name, make in method.phases(network, task).items():
        if name == "texts" and not has_second:
            continue
        if name == "texts":
            before = pictures(method, network, data, "ground")[0]
        task.seed_all(name)
        phase = make()
        for epoch in range(1, phase.epochs + 1):
            training.train_epoch(phase, Place(name, epoch))
    queries, gallery = pictures(method, network, data, "ground")
    if before is not None:
        print(f"{arm}: the same after the second stage: {(before == queries).all()}", file=sys.stderr)
    trial, by_words = data.trial("ground"), data.trial("text_to_image")
    reader = method.reader()
    words = [said(data, one.path.name, no_bags) for one in by_words.query]
    with torch.no_grad():
        asks = method.texts(network, torch.from_numpy(reader(words))).numpy()
    return [
        _found(trial, queries, gallery).average_precisions,
        (_found(by_words, asks, gallery).first_ranks == 1).astype(float),
    ]


def pictures(method: Unified, network: Any, data: SynthPed, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the queries of a protocol and of its gallery."""
    network.eval()
    trial = data.trial(protocol)
    made = []
    for some in (trial.query, trial.gallery):
        batches = [some[at : at + 64] for at in range(0, len(some), 64)]
        with torch.no_grad():
            parts = [
                method.vectors(network, torch.stack([method.look(data.picture(one.path)) for one in batch]))
                for batch in batches
            ]
        made.append(torch.cat(parts).numpy())
    return made[0], made[1]


def _found(trial: Any, query: np.ndarray, gallery: np.ndarray) -> Any:
    orders = nearest_first(distances(query, gallery, "cosine"))
    return found(orders, people(trial.query), people(trial.gallery), trial.cases)[ALL]


if __name__ == "__main__":
    main()
