"""The examples of the manual, as files."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"```python\n# (?P<name>[\w/.]+)\n(?P<text>.*?)```", re.DOTALL)


def write_examples(folder, page):
    """Write every example of a page of docs/ into a folder, under its name."""
    for example in EXAMPLE.finditer((ROOT / "docs" / page).read_text()):
        (folder / example["name"]).write_text(example["text"])
