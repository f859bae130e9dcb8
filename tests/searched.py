"""Galleries that can be searched, and a model for it that was never taught: the same picture is the same to it, and the
same words are.
"""

from dataclasses import replace

import cv2
import numpy as np
import torch
from builders import tracklet
from method_twins import UNIFIED, twin
from painted_people import painted_people
from stored import cut, gallery, stored

from engines.reid import checkpoint
from engines.reid.trained import Trained
from pipeline.messages import Identity, Sighting

S = 1_000_000_000
NOON = 1_769_860_800  # 2026-01-31T12:00 UTC, in seconds


def untaught(path, seed=1):
    """A file of a model that reads pictures and words."""
    torch.manual_seed(seed)
    told = {"method": "unified", "settings": UNIFIED, "people": 6, "cameras": 2}
    checkpoint.save(path, twin("unified").network(6, 2).state_dict(), told)
    return Trained(str(path))


def engine(model):
    """As an option names it."""
    return f"{{engine: reid/trained, file: {model.file}}}"


def person(name, looks, model_id, camera="flat", at_s=0, shown=None, **given):
    """Somebody who was seen once for each vector, a minute after the other, ten seconds each; and how far it shows."""
    seen = []
    for number, one in enumerate(looks):
        from_ns = (NOON + at_s + 60 * number) * S
        times = {"opened_ns": from_ns, "seen_ns": from_ns + 10 * S}
        made = Sighting(tracklet(camera, f"T-{name}-{number}", **times), one, 3, f"{model_id}/rgb", False)
        seen.append(replace(made, shown=shown[number]) if shown else made)
    return Identity(f"P-{name}", NOON * S, tuple(seen), True, **given)


def write_gallery(folder, *people, deleted=(), **fields):
    """A run's folder whose matcher has these people."""
    with stored(folder) as (store, _):
        store.take(cut((NOON + 3600) * S, _identities=gallery(*people, deleted=deleted), **fields))
        store.end()
    return folder


def write_picture(path, picture):
    cv2.imwrite(str(path), picture[:, :, ::-1])
    return path


def shown_people(count=6):
    """A picture of each."""
    return [one.image for one in painted_people(count, 1)]


def ids(done):
    """Whom a search with --json has found, in its order."""
    import json

    return [json.loads(line)["identity_id"] for line in done.stdout.splitlines() if line]


def unit(seed, length=128):
    made = np.random.default_rng(seed).normal(size=length).astype(np.float32)
    return made / np.linalg.norm(made)
