"""The command line with the stages in the folder $STAGES beside its own. Run it as run.py."""

import os
import runpy
from pathlib import Path

import stages

RUN = Path(__file__).parents[1] / "run.py"

if __name__ == "__main__":
    stages.__path__.append(os.environ["STAGES"])
    runpy.run_path(str(RUN), run_name="__main__")
