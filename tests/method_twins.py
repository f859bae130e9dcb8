"""Every method that trains on single pictures, as small as it can be: what is the same of all is tested on each."""

from painted_people import painted_people

from engines.reid.captioned import CaptionedTask
from engines.reid.fit import Training
from engines.reid.method import TextMethod
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
UNIFIED = {**SMALL, "captions_a_batch": 8, "text_epochs": 1, "text_lr": 1e-4}
CAPTIONS = ("a person with a red top", "someone with blue shoes", "a pedestrian who has a backpack")
TWINS = {
    "clip_reid": ("clip_reid", SMALL),
    "dpm": ("dpm", DPM),
    "dpm grabcut in turns": ("dpm", {**DPM, "saliency": "grabcut", "in_turns": True, "sie": True}),
    "dpm_bands": ("dpm_bands", SMALL),
    "saga": ("saga", SAGA),
    "saga of two depths": (
        "saga",
        {**SAGA, "taps": (2, 5), "domain": "camera", "sie": True, "views": 0, "classifiers": 1},
    ),
    "saga without words": ("saga", {**SAGA, "kind": "free", "domain": "grounded", "queries": "broadcast"}),
    "unified": ("unified", UNIFIED),
    "unified in turn": (
        "unified",
        {**UNIFIED, "mixing": "alternate", "supervision": "both", "text_loss": "itc"},
    ),
    "unified one after the other": (
        "unified",
        {
            **UNIFIED,
            "mixing": "sequential",
            "text_in_vision": "frozen",
            "stage_t": "joint",
            "projection": True,
        },
    ),
    "unified of the same people": (
        "unified",
        {**UNIFIED, "mixing": "concat_ids", "text_id_weight": 1.0, "projection": True},
    ),
    "dpm without transfer": (
        "dpm",
        {**DPM, "saliency": "none", "from_text": True, "i2t_weight": 1.0, "mask_width": 32},
    ),
}
FILES = [name for name, (file, _) in TWINS.items() if name == file]


def twin(name):
    """The method of that name."""
    file, settings = TWINS[name]
    return method_of(file, settings, name)


def training(name, folder, method=None, people=None, **settings):
    """Not begun yet; and its phases."""
    made = method or twin(name)
    shown = people or painted_people()
    task = Task(shown, **settings)
    if isinstance(made, TextMethod):
        said = tuple(f"{CAPTIONS[n % 3]}, {n % 7} more" for n in range(len(shown)))
        task = CaptionedTask(shown, **settings, captions=said)
    task.seed_all()
    network = made.network(task.people_count, task.camera_count)
    told = {"method": name, "people": task.people_count, "cameras": task.camera_count}
    return Training(folder, network, task, told), made.phases(network, task)
