"""The official baseline of TVRID on passages that are in memory: trained on some, and what it says of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.reid import checkpoint
from engines.reid.data.tvrid import evenly, scaled
from engines.reid.fit import TRAINED, Told, Training
from engines.reid.methods.tvrid_baseline import (
    Network,
    PassageTask,
    TvridBaseline,
    prepared,
)
from engines.reid.methods.tvrid_baseline import Passage as Frames
from engines.reid.recipe import settings_of
from engines.reid.task import Picture
from engines.reid.tvrid_set import Passage

NOWHERE = np.zeros((1, 1, 3), np.uint8)
Shown = Sequence[tuple[Passage, Sequence[int]]]  # passages, and which frames of each


def train(some: Iterable[Passage], method: TvridBaseline, folder: Path, shown: Told) -> Path:
    """Train it on these passages in a folder of its own; gives the file of the network."""
    ready, samples = list[Frames](), list[Picture]()
    for one in some:
        ready.append(frames_of(one, evenly(range(len(one.shots)), method.frames), method.size))
        samples.append(Picture(NOWHERE, one.person))
    task = PassageTask(samples, seed=42, workers=1, is_mixed=True, shown=lambda at: ready[at])
    task.seed_all()
    network = method.network(task.people_count, 1).to(memory_format=torch.channels_last)
    told = settings_of(method)
    return Training(folder, network, task, told, shown).fit(method.phases(network, task))


def frames_of(one: Passage, chosen: Sequence[int], size: int) -> Frames:
    """Frames of a passage as the baseline is shown them."""
    colors = prepared([one.shots[at].color for at in chosen], size)
    return colors, prepared([scaled(one.shots[at].depth) for at in chosen], size)


def vectors_of(some: Shown, folder: Path) -> dict[str, dict[str, NDArray[np.float32]]]:
    """By track, what its network says of passages by what that track knows: by colour, by depth, or by each."""
    made: dict[str, dict[str, NDArray[np.float32]]] = {}
    for path in sorted(folder.glob(f"*/{TRAINED}")):
        state, told = checkpoint.load(path)
        network = Network(told["size"]).eval()
        network.load_state_dict(state)
        kinds = ("rgb", "depth") if told["track"] == "cross" else (told["track"],)
        made[told["track"]] = _said(network, some, told["size"], kinds)
    return made


def _said(network: Network, some: Shown, size: int, kinds: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    said: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in kinds}
    with torch.inference_mode():
        for one, chosen in some:
            frames = dict(zip(("rgb", "depth"), frames_of(one, chosen, size), strict=True))
            for kind in kinds:
                said[kind].append(network.passages(frames[kind][None])[0].numpy())
    return {kind: np.stack(every) for kind, every in said.items()}
