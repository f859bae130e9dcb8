"""The command line in a process that has more than a user's: the stages in the folder $STAGES, and the recordings
$DEVICES, plugged in as cameras. Run it as run.py.
"""

import os
import runpy
from pathlib import Path

import stages

RUN = Path(__file__).parents[1] / "run.py"

if __name__ == "__main__":
    stages.__path__.append(os.environ.get("STAGES", ""))
    plugged = []
    for path in filter(None, os.environ.get("DEVICES", "").split(":")):
        from stages.source._devices import DEVICES

        plugged.append(DEVICES.context().load_device(path))
    runpy.run_path(str(RUN), run_name="__main__")
