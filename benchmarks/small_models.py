"""Makes the small models that come with the program once more, by the recipes of configs/reid:

    OMP_NUM_THREADS=1 python benchmarks/small_models.py FOLDER [unified|dpm|saga ...]

`unified` learns from nothing; both others begin with its encoders, so that it comes first; `dpm` with those in 16
bits, as they ship, and by the recipe of `dpm_bands`. Each ends as FOLDER/NAME.onnx with its manifest; of `unified` also
what reads texts. What is there already is gone on with. On one machine the bytes are those that are shipped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from engines.reid import checkpoint  # noqa: E402
from engines.reid.export import export  # noqa: E402
from engines.reid.fit import TRAINED  # noqa: E402
from engines.reid.halved import LEAST  # noqa: E402
from engines.reid.trained import trained  # noqa: E402

FIRST, OTHERS = "unified", ("dpm", "saga")
ENCODERS = "clip."
RECIPES = {"dpm": "dpm_bands"}  # of a model that is not called as its recipe
HALVED = ("dpm",)  # begin with weights of 16 bits


def main() -> None:
    """Those that are asked for, or all."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("folder", type=Path)
    told.add_argument("names", nargs="*", metavar="NAME", help="all, where none is named")
    told.add_argument("--recipes", type=Path, default=ROOT / "configs/reid")
    given = told.parse_args()
    for name in given.names or (FIRST, *OTHERS):
        recipe = given.recipes / f"{RECIPES.get(name, name)}_tiny_synthped.yaml"
        weights = encoders(given.folder, name in HALVED) if name != FIRST else None
        print(made(name, recipe, given.folder, weights), flush=True)


def made(name: str, recipe: Path, folder: Path, weights: Path | None) -> Path:
    """The manifest of a model, after its training."""
    command = [sys.executable, str(ROOT / "run.py"), "train", str(recipe), "--device", "cpu"]
    command += ["--out", str(folder / name)] + (["--weights", str(weights)] if weights else [])
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(f"{recipe}: was not trained to its end")
    return exported(folder / name / TRAINED, folder / f"{name}.onnx")


def exported(model: Path, path: Path) -> Path:
    """A trained model as ONNX; its manifest, and that of what reads texts, say where they come from."""
    method, network = trained(model)
    described = export(method, network, path, "Apache-2.0")
    for one in path.parent.glob(f"{path.stem}*.yaml"):
        told = yaml.safe_load(one.read_text())
        told["source"] = f"trained on people who do not exist alone, with {type(method).__name__}"
        told["download"] = "comes with the program; python benchmarks/small_models.py makes it again"
        one.write_text(yaml.safe_dump(told, sort_keys=False, width=110, default_flow_style=None))
    return described


def encoders(folder: Path, is_halved: bool) -> Path:
    """Both encoders of `unified`, as a file of CLIP's; or with the weights that ship in 16 bits as those say them."""
    state, _ = checkpoint.load(folder / FIRST / TRAINED)
    path = folder / "clip.safetensors"
    found = {name.removeprefix(ENCODERS): one for name, one in state.items() if name.startswith(ENCODERS)}
    if is_halved:
        found = {name: one.half().float() if one.numel() >= LEAST else one for name, one in found.items()}
    checkpoint.save(path, found, {})
    return path


if __name__ == "__main__":
    main()
