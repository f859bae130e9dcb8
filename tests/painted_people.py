"""People as a camera might see them: two colours each, and noise. Enough to train the small twin on."""

from __future__ import annotations

import numpy as np

from engines.reid.task import Picture


def painted_people(people=6, each=4, size=(64, 32), seed=0):
    """Pictures of people, each from two cameras in turn."""
    generator = np.random.default_rng(seed)
    made = []
    for person in range(people):
        colors = generator.integers(0, 256, (2, 3))
        for number in range(each):
            picture = np.repeat(colors, size[0] // 2, axis=0)[:, None].repeat(size[1], axis=1)
            noisy = picture + generator.normal(0, 20, picture.shape)
            made.append(Picture(noisy.clip(0, 255).astype(np.uint8), person, number % 2))
    return made
