"""mAP, CMC and mINP as their definitions say them, slowly; and random cases with ties and junk."""

import numpy as np


def plainly(table, query, gallery, query_cameras, gallery_cameras):
    """The scores as their definitions say them, one query and one picture at a time."""
    precisions, firsts, inverses = [], [], []
    for row, person, camera in zip(table, query, query_cameras, strict=True):
        ranked = sorted(range(len(gallery)), key=lambda other: (row[other], other))
        kept = [
            other for other in ranked if not (gallery[other] == person and gallery_cameras[other] == camera)
        ]
        right, sum_of_precisions, last = 0, 0.0, 0
        for rank, other in enumerate(kept, 1):
            if gallery[other] == person:
                right += 1
                sum_of_precisions += right / rank
                last = rank
                if right == 1:
                    firsts.append(rank)
        if right:
            precisions.append(sum_of_precisions / right)
            inverses.append(right / last)
    return precisions, firsts, inverses


def random_case(random):
    """Few distances, so that many are the same; people without another picture, and pictures that do not count."""
    queries, others = random.integers(1, 8), random.integers(1, 40)
    kind = [np.float32, np.float64][random.integers(2)]
    table = random.integers(0, random.integers(2, 20), (queries, others)).astype(kind) / 7
    people, cameras = random.integers(1, 7), random.integers(1, 4)
    query, gallery = random.integers(0, people, queries), random.integers(0, people + 2, others)
    return table, query, gallery, random.integers(0, cameras, queries), random.integers(0, cameras, others)
