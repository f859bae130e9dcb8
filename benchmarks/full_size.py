"""Whether an engine says what PyTorch says, of the methods at full size, CLIP's ViT-B/16, with weights that are chance:

    python benchmarks/full_size.py [RECIPE ...] [--runtimes openvino onnxruntime]

Each is exported as `train` does it, run as `{engine: embedder}` runs it on the pictures of people who are painted, and
compared: the least cosine of any picture or text, and how far a visibility is off, in the mean and at most.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from painted_people import painted_people  # noqa: E402
from reid import prepared  # noqa: E402

from engines._embedder_file import EmbedderFile  # noqa: E402
from engines.reid.export import export  # noqa: E402
from engines.reid.method import MaskedMethod, TextMethod  # noqa: E402

RECIPES = ("saga_market1501", "dpm_market1501", "unified_cuhk_pedes")
HEAD = "| recipe | runtime | numbers | pictures | texts | visibility off by | at most | its deviation | MB | peak GB |"
WIDE = 0.02  # so much is added to each weight: what begins at zero or at one would hide what is left out
TEXTS = ("a person in a red jacket with a backpack", "somebody in blue trousers", "a woman with a white bag")


def main() -> None:
    """A row for each, by a process of its own: memory is given back."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("recipes", nargs="*", default=RECIPES)
    told.add_argument("--runtimes", nargs="+", default=["openvino", "onnxruntime"])
    told.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # of this program
    given = told.parse_args()
    if given.one:
        compared(given.recipes[0], given.runtimes)
        return
    print(f"{HEAD}\n{'| --- ' * HEAD.count(' | ')}| --- |", flush=True)
    for recipe in given.recipes:
        line = [sys.executable, __file__, recipe, "--one", "--runtimes", *given.runtimes]
        subprocess.run(line, check=True)


def compared(recipe: str, runtimes: list[str]) -> None:
    """The rows of a recipe."""
    method, task = prepared(recipe, 8)
    torch.manual_seed(1)
    network = method.network(task.people_count, task.camera_count).eval()
    for one in network.parameters():
        one.data += WIDE * torch.randn_like(one)
    pictures = [one.image for one in painted_people(8, 2, size=(160, 64))]
    with torch.inference_mode():
        batch = torch.stack([method.look(picture) for picture in pictures])
        vectors, texts = method.vectors(network, batch).numpy(), None
        shown = method.seen(network, batch)[1].numpy() if isinstance(method, MaskedMethod) else None
        if isinstance(method, TextMethod):
            texts = method.texts(network, torch.from_numpy(method.reader()(list(TEXTS)))).numpy()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{recipe}.onnx"
        export(method, network, path)
        del network
        for runtime in runtimes:
            row = in_engine(path, runtime, pictures, (vectors, shown, texts))
            print(f"| {recipe} | {runtime} | {vectors.shape[1]} | {row} |", flush=True)


def in_engine(path: Path, runtime: str, pictures: list[Any], wanted: tuple[Any, Any, Any]) -> str:
    """What a runtime says of the same, beside what is wanted: pictures, what shows, and texts."""
    vectors, shown, texts = wanted
    engine = EmbedderFile(str(path), runtime)
    engine.open()
    found, visibility = engine.seen(pictures)
    off = None if shown is None else np.abs(visibility - shown)
    masks = "- | - | -" if off is None else f"{off.mean():.5f} | {off.max():.3f} | {shown.std():.3f}"
    read = "-" if texts is None else f"{(engine.texts(TEXTS) * texts).sum(1).min():.6f}"
    engine.close()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size_mb = sum(one.stat().st_size for one in path.parent.glob("*.onnx")) / 1e6
    return f"{(found * vectors).sum(1).min():.6f} | {read} | {masks} | {size_mb:.0f} | {peak_gb:.1f}"


if __name__ == "__main__":
    main()
