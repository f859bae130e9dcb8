"""Every method that trains on single pictures, as small as it can be: what is the same of all is tested on each."""

from painted_people import painted_people

from engines.reid.fit import Training
from engines.reid.recipe import method_of
from engines.reid.task import Task

SMALL = {
    "architecture": "tiny", "size": (64, 32), "stride": (8, 8), "prompt_epochs": 1, "prompt_batch": 8, "epochs": 1,
    "people_a_batch": 3, "pictures_each": 2, "pad": 3, "lr": 1e-4,
}  # fmt: skip
DPM = {**SMALL, "levels": (1, 2, 5, 6), "saliency_epochs": 1}
SAGA = {
    **SMALL, "taps": (4,), "first_epochs": 1, "refined_epochs": 1, "views": 2, "classifiers": 2, "anchors": 6,
}  # fmt: skip
TWINS = {
    "clip_reid": ("clip_reid", SMALL),
    "dpm": ("dpm", DPM),
    "dpm grabcut in turns": ("dpm", {**DPM, "saliency": "grabcut", "in_turns": True, "sie": True}),
    "saga": ("saga", SAGA),
    "saga of two depths": (
        "saga",
        {**SAGA, "taps": (2, 5), "domain": "camera", "sie": True, "views": 0, "classifiers": 1},
    ),
    "saga without words": ("saga", {**SAGA, "kind": "free", "domain": "grounded", "queries": "broadcast"}),
    "dpm without transfer": ("dpm", {**DPM, "saliency": "none", "from_text": True, "i2t_weight": 1.0}),
}
FILES = [name for name, (file, _) in TWINS.items() if name == file]


def twin(name):
    """The method of that name."""
    file, settings = TWINS[name]
    return method_of(file, settings, name)


def training(name, folder, method=None, people=None, **settings):
    """Not begun yet; and its phases."""
    made = method or twin(name)
    task = Task(people or painted_people(), **settings)
    task.seed_all()
    network = made.network(task.people_count, task.camera_count)
    told = {"method": name, "people": task.people_count, "cameras": task.camera_count}
    return Training(folder, network, task, told), made.phases(network, task)
