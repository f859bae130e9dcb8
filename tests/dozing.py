"""The command line with stages that sleep as they like: before each message they take, and each that a source gives.
Writes which they were into the file $DOZED. Run it as run.py.
"""

import os
import random
import sys
import time
from functools import wraps
from pathlib import Path

from every_stage import every_source, every_stage

import run

DOZED = set()


def doze(part):
    name = type(part).__name__
    if name not in DOZED:  # at once, since a process of one camera ends without a word
        DOZED.add(name)
        with Path(os.environ["DOZED"]).open("a") as file:
            file.write(f"{name}\n")
    time.sleep(random.choice((0, 0, 0.001, 0.004, 0.012)))


def dozing(method):
    @wraps(method)
    def dozes(self, given):
        doze(self)
        return method(self, given)

    return dozes


def dozing_source(produce):
    @wraps(produce)  # its annotations are its ports
    def produces(self, from_ns):
        for message in produce(self, from_ns):
            doze(self)
            yield message

    return produces


if __name__ == "__main__":
    for stage in every_stage():
        stage.process_many = dozing(stage.process_many)
    for source in every_source():
        source.produce = dozing_source(source.produce)
    sys.exit(run.start())
