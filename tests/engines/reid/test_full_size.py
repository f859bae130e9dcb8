"""Two steps of each phase at full size, of the smallest recipe: what benchmarks/reid.py prints of all."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_smallest_recipe_takes_two_steps_at_full_size():
    command = [sys.executable, "benchmarks/reid.py", "steps", "clip_reid_market1501", "--batch", "4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        r"^\| clip_reid_market1501 \| (\w+) \| [\d.]+ \| ([\d.]+) \| (.+) \|$", done.stdout, re.MULTILINE
    )
    assert [name for name, _, _ in rows] == ["prompts", "images"]
    assert all(1 < float(peak_gb) < 8 for _, peak_gb, _ in rows)
    terms = [re.findall(r"([a-z ]+) [\d.e+-]+(?:, |$)", said) for _, _, said in rows]
    assert terms == [["image to text", "text to image"], ["identity", "triplet", "image to text"]]
