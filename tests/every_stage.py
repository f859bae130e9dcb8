"""Every stage and every source that there is a file of."""

from pathlib import Path

from configs.build import find, names
from pipeline.stage import Source, Stage

ROOT = Path(__file__).parents[1]


def every_stage():
    folders = [
        f for f in (ROOT / "stages").rglob("*") if (f / "__init__.py").is_file() and f.name != "source"
    ]
    return [cls for folder in (ROOT / "stages", *folders) for cls in _in(folder, Stage)]


def every_source():
    return _in(ROOT / "stages" / "source", Source)


def _in(folder, base):
    name = str(folder.relative_to(ROOT))
    return [find(f"{name}/{one}", base, name) for one in names(name)]
