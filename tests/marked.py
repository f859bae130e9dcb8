"""The command line in a process whose vectors bear a mark of their tracklet, so that their bytes can be searched for.
Run it as run.py. $BROKEN names what does not work in it, so that a test sees that this is found out; $ERASED is an
identity that is erased at the capture time $ERASED_NS.
"""

import os
import runpy
from dataclasses import replace
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

import numpy as np

from pipeline import _store_states
from pipeline._store_writer import Base
from pipeline.commands import Commands
from pipeline.messages import Command, Identity
from pipeline.vault import Vault
from stages.embed import Embed

RUN = Path(__file__).parents[1] / "run.py"
MOST = 12  # vectors of one tracklet


def numbers(of):
    digest = blake2b(of.encode(), digest_size=16).digest()
    return ((np.frombuffer(digest, np.uint32) / 2**32 + 0.5) / 1000).astype(np.float32)


def mark(tracklet_id):
    """The first numbers of each vector of this tracklet: the first half is in all vectors."""
    return np.concatenate([numbers("every"), numbers(tracklet_id)])


def marks(*tracklet_ids):
    """The bytes of the marks of one and of several vectors together, as a gallery adds them; or of all tracklets."""
    marked = [mark(id) for id in tracklet_ids] or [numbers("every")]
    return {total.tobytes() for one in marked for total in accumulate([one] * MOST)}


def _mark_all():
    process_many = Embed.process_many

    def marking(self, tracklets):
        return [[_marked(one) for one in given] for given in process_many(self, tracklets)]

    Embed.process_many = marking


def _marked(embedding):
    vector = embedding.vector.copy()
    if vector.size:
        found = mark(embedding.tracklet.tracklet_id)
        vector[: len(found)] = found
    return replace(embedding, vector=vector)


def _leave_out(what):
    """Break one thing that erasure rests on."""
    match what:
        case "sealing":
            Vault.seal = lambda self, identity, plain, purpose="": plain
        case "keys":
            Vault.settle = lambda self: None
        case "truncation":
            Base.truncate = lambda self: True
        case "states":
            del _store_states.SEALED["Sighting"]["looks"]
        case "memory":
            Identity.overwrite = lambda self: None
        case _:
            raise ValueError(what)


def _erase(identity, at_ns):
    begin = Commands.__init__

    def begun(self):
        begin(self)
        self._due[at_ns] = (Command(1, "erase", identity, at_ns),)

    Commands.__init__ = begun


if __name__ == "__main__":
    _mark_all()
    if broken := os.environ.get("BROKEN"):
        _leave_out(broken)
    if erased := os.environ.get("ERASED"):
        _erase(erased, int(os.environ["ERASED_NS"]))
    runpy.run_path(str(RUN), run_name="__main__")
