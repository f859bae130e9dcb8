"""In a Python that has this folder in its path: the recordings $DEVICES are plugged in as cameras of the process that
reads a live source.
"""

import os
import sys

if "pipeline.executors._source_process" in sys.orig_argv and os.environ.get("DEVICES"):
    from stages.source._devices import DEVICES

    plugged = [DEVICES.context().load_device(path) for path in os.environ["DEVICES"].split(":")]
