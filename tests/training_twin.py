"""Trains the twin on painted people, saying each step: a program that may be killed. `python training_twin.py FOLDER`"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from painted_people import painted_people  # noqa: E402

from engines.reid.fit import Training  # noqa: E402
from engines.reid.methods.clip_reid import ClipReid  # noqa: E402
from engines.reid.task import Task  # noqa: E402

TWIN = ClipReid(
    architecture="tiny",
    size=(64, 32),
    stride=(8, 8),
    sie=True,
    prompt_epochs=2,
    prompt_batch=8,
    epochs=2,
    milestones=(2,),
    people_a_batch=3,
    pictures_each=2,
    lr=1e-4,
)


def training(folder, method=TWIN, *, shown=lambda *_: None, save_s=0.0, **settings):
    """Not begun yet; and its phases."""
    task = Task(painted_people(), **settings)
    task.seed_all()
    network = method.network(task.people_count, task.camera_count)
    told = {
        "method": "clip_reid",
        "seed": task.seed,
        "people": task.people_count,
        "cameras": task.camera_count,
    }
    told["settings"] = {"epochs": method.epochs}
    return Training(folder, network, task, told, shown, save_s), method.phases(network, task)


def said(place, *_):
    """A line a step."""
    sys.stdout.write(f"{place.phase} {place.epoch} {place.step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    made, phases = training(Path(sys.argv[1]), shown=said)
    made.fit(phases)
