"""What Torchreid reads of data sets, and how it scores: in an environment of its own, a job as JSON on standard input, the
answer as JSON on standard output. Nothing of the project is used here.

Torchreid sorts with NumPy's quickest sort, which orders equal distances by chance; it is given the stable one.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import redirect_stdout
from functools import partial

import numpy as np

warnings.simplefilter("ignore")  # of Torchreid about itself


def lists(root):
    """(path, person, camera) of each split of the three sets, which lie in a folder where Torchreid looks for them."""
    from torchreid.reid.data.datasets.image.dukemtmcreid import DukeMTMCreID
    from torchreid.reid.data.datasets.image.market1501 import Market1501
    from torchreid.reid.data.datasets.image.msmt17 import MSMT17

    made = {"market1501": Market1501(root), "occluded_duke": DukeMTMCreID(root), "msmt17": MSMT17(root)}
    msmt = made["msmt17"]
    msmt.train += [
        (*one, 0) for one in msmt.process_dir(msmt.train_dir, msmt.list_val_path)
    ]  # it leaves them out
    return {
        name: {part: [one[:3] for one in getattr(read, part)] for part in ("train", "query", "gallery")}
        for name, read in made.items()
    }


def scores(cases):
    from torchreid.reid.metrics import rank

    rank.np.argsort = partial(np.argsort, kind="stable")
    for table, *labels, most in cases:
        cmc, mean = rank.evaluate_rank(
            np.array(table), *map(np.array, labels), max_rank=most, use_cython=False
        )
        yield [float(mean), *map(float, cmc)]


with redirect_stdout(sys.stderr):
    job = json.load(sys.stdin)
    answer = {"lists": lists(job["root"]), "scores": list(scores(job["cases"]))}
json.dump(answer, sys.stdout)
