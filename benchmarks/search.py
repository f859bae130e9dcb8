"""How long a search among many people takes, by words and by a picture, part by part; and what keeping pictures costs:

python benchmarks/search.py [--people N] [--model MODEL] [--pictures]

Cold is a process that has just been started, on a store of which the system has nothing in its memory: one that nobody
has searched, of which each vector is opened with a key of its own; and one of which a search has sealed them in blocks.
Warm is the next question to a process that goes on. Beside them: the same vectors, not sealed, compared by NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from pipeline._gallery_file import GalleryFile  # noqa: E402
from pipeline._questions import engine_of, of_picture, of_words  # noqa: E402
from pipeline.search import Filter, found  # noqa: E402
from pipeline.wire import uncollected  # noqa: E402

ROUNDS, TURNS, ASKED, BLOCK = 5, 3, 20, 5000
WORDS = "a person in a red jacket with a backpack"
PARTS = ("Python and imports", "opening the store", "unsealing", "the question as a vector", "who they are")
WHOLE = "run.py search, with an audit entry and a sheet"


def main() -> None:
    """Fill a store, ask it, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--model", default="unified")
    parser.add_argument("--pictures", action="store_true", help="what keeping pictures costs, and no more")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)  # of this program: folder, question, began
    given = parser.parse_args()
    if given.part:
        print(json.dumps(asked(Path(given.part[0]), given.model, given.part[1], float(given.part[2]))))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it our files would be compiled each time
    out = Console(width=120, highlight=False)
    if given.pictures:
        out.print(kept_pictures())
        out.print(keeping())
        return
    with TemporaryDirectory() as made:
        folder, picture = Path(made) / "run", Path(made) / "crop.png"
        vectors = filled(folder, given.model, given.people, picture)
        out.print(f"{given.people} people, {vectors.shape[1]} numbers each; site.db {size_mb(folder):.0f} MB")
        out.print(cold(folder, given.model, picture, is_sealed=False))
        clock_s, spent_s = searched(folder, given.model, WORDS)
        out.print(f"{WHOLE}, that seals them: {clock_s:.1f} s, {spent_s:.1f} s of the processor")
        out.print(f"site.db then: {size_mb(folder):.0f} MB")
        out.print(cold(folder, given.model, picture, is_sealed=True))
        out.print(command_line())
        out.print(warm(folder, given.model, picture, vectors))
        out.print(f"a look at what has changed, when the run has written: {1e3 * look_again(folder):.0f} ms")
    out.print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} (1 minute)")


def filled(folder: Path, model: str, people: int, picture: Path) -> np.ndarray:
    """A store with so many people, of one sighting each; what they look like is chance. And a picture of somebody."""
    import cv2
    from store import seen

    from engines.reid.lab.laboratory import Key, Laboratory
    from engines.reid.lab.people import Crowd
    from pipeline._store_facts import Origin
    from pipeline.cuts import Cut
    from pipeline.events import Envelopes, Provenance
    from pipeline.keyed import Keyed
    from pipeline.messages import Identity, Sighting, derived_id
    from pipeline.store import Keeping, Restored, Store
    from pipeline.wire import encode

    shown = Laboratory(Crowd(1)).seen(Key(0, 0, 0, 0)).picture
    cv2.imwrite(str(picture), shown[:, :, ::-1])
    encoder = engine_of(model, "--model")
    encoder.open()
    length = encoder([shown]).shape[1]
    random = np.random.default_rng(1)
    looks = random.normal(size=(people, length)).astype(np.float32)
    store = Store(folder, Keeping())
    with closing(store):
        origin = Origin("site", "graph", "live", "epoch")
        store.begin(Envelopes(Provenance("site", "graph", "epoch", "0" * 64)), {}, Restored(origin), False)
        for first in range(0, people, BLOCK):
            block: Keyed[Identity] = Keyed()
            for number in range(first, min(people, first + BLOCK)):
                id = derived_id("P-", number, "somebody")
                one = Sighting(
                    seen(f"T-{number}", random), looks[number], 3, f"{encoder.model_id}/rgb", False
                )
                block.put(id, Identity(id, number, (one,), True, number, number))
            store.take(Cut(1, {"match": {"": encode({"_identities": block.changes()})}}))
        store.end()
    return looks / np.linalg.norm(looks, axis=1, keepdims=True)


def asked(folder: Path, model: str, question: str, began_s: float) -> dict[str, list[float]]:
    """One search as the command makes it: seconds by the clock and of the processor that each part of it took."""
    done = [(began_s, 0.0)]

    def note() -> None:
        done.append((time.perf_counter(), time.process_time()))

    note()
    with uncollected(), closing(GalleryFile(folder)) as gallery:
        (kind,) = gallery.kinds()
        note()
        gallery.look(kind)
        note()
        encoder: Any = engine_of(model, "--model")
        if question.endswith(".png"):
            encoder.open()
            vector = of_picture(encoder, None, Path(question)).vector
        else:
            vector, _ = of_words(encoder, question)
        note()
        assert len(found(gallery, kind, vector, Filter())) == 12
        note()
    return dict(zip(PARTS, np.diff(done, axis=0).tolist(), strict=True))


def cold(folder: Path, model: str, picture: Path, is_sealed: bool) -> Table:
    """Of a process that has just been started: part by part, and of the whole command where that seals nothing."""
    kind = "sealed in blocks by a search before" if is_sealed else "never searched"
    title = f"Cold, {kind}: a process of its own for one question, ms by the clock, and of the processor"
    table = Table("", "by words", "processor", "by a picture", "processor", title=title)
    rows: dict[str, list[str]] = {part: [] for part in (*PARTS, *[WHOLE] * is_sealed)}
    for question in (WORDS, str(picture)):
        told, whole = [], []
        for _ in range(ROUNDS):
            forgotten(folder)
            part = ["--part", str(folder), question, str(time.perf_counter())]
            line = [sys.executable, __file__, "--model", model, *part]
            told.append(json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout))
            if is_sealed:
                whole.append(searched(folder, model, question))
        took = {part: [one[part] for one in told] for part in PARTS} | ({WHOLE: whole} if is_sealed else {})
        for name, some in took.items():
            rows[name] += [f"{1e3 * one:.0f}" for one in np.median(some, axis=0)]
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def searched(folder: Path, model: str, question: str) -> list[float]:
    """Seconds by the clock and of the processor that the command takes."""
    forgotten(folder)
    return ran(command(folder, model, question, "--sheet", str(folder / "sheet.png")))


def command_line() -> Table:
    """What is there before a command begins."""
    table = Table("", "ms by the clock", "processor", title="The command line itself")
    for line in (["-c", "pass"], ["-c", "import run"], ["run.py", "search", "--help"], ["run.py", "--help"]):
        times = np.median([ran([sys.executable, *line]) for _ in range(ROUNDS)], axis=0)
        table.add_row(f"python {' '.join(line)}", *(f"{1e3 * one:.0f}" for one in times))
    return table


def ran(words: list[str]) -> list[float]:
    """Seconds by the clock and of the processor."""
    began_s, before_s = time.perf_counter(), processor_s()
    subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return [time.perf_counter() - began_s, processor_s() - before_s]


def processor_s() -> float:
    """Seconds of the processor that programs have taken which were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def warm(folder: Path, model: str, picture: Path, vectors: np.ndarray) -> Table:
    """Of a process that goes on: from the line that asks to the end of the answer."""
    table = Table(
        "",
        "the first, ms",
        "then: median, ms",
        "longest, ms",
        "of NumPy alone",
        title="Warm: one process for many questions",
    )
    bare_s = bare(vectors)
    for name, question in (("by words", WORDS), ("by a picture", str(picture))):
        line = command(folder, model, "", "--json")
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as search:
            assert search.stdin and search.stdout
            took = []
            for _ in range(ASKED + 1):
                began_s = time.perf_counter()
                search.stdin.write(f"{question}\n")
                search.stdin.flush()
                answer = list(iter(search.stdout.readline, "\n"))
                took.append(time.perf_counter() - began_s)
                assert len(answer) == 12
            search.stdin.close()
        first, *then = (1e3 * one for one in took)
        ratio = median(then) / 1e3 / bare_s
        table.add_row(name, f"{first:.0f}", f"{median(then):.1f}", f"{max(then):.1f}", f"{ratio:.1f}")
    table.caption = f"NumPy alone: {1e3 * bare_s:.1f} ms to compare and sort the same vectors, in memory"
    return table


def look_again(folder: Path) -> float:
    """Seconds that a process which goes on takes to see that nobody has changed, when something was written."""
    took = []
    with closing(GalleryFile(folder)) as gallery, closing(sqlite3.connect(folder / "site.db")) as db:
        (kind,) = gallery.kinds()
        gallery.look(kind)
        for _ in range(ROUNDS):
            with db:
                db.execute("INSERT INTO audit (at_ns, kind) VALUES (1, 'benchmark')")
            began_s = time.perf_counter()
            gallery.look(kind)
            took.append(time.perf_counter() - began_s)
    return median(took)


def bare(vectors: np.ndarray) -> float:
    """Seconds that NumPy takes to find the best of vectors that are in memory already."""
    took = []
    for number in range(ASKED):
        began_s = time.perf_counter()
        np.argsort(-(vectors @ vectors[number]), kind="stable")[:12]
        took.append(time.perf_counter() - began_s)
    return median(took)


def kept_pictures() -> Table:
    """Of the stage `keep`: the work for a crop, its bytes in the store, and those of a crop as it came."""
    from pipeline.messages import Crop, Tracklet
    from stages.keep import Keep

    crops = shown_crops()
    keep = Keep(each=1, of_one=1)
    began_s = time.process_time()
    for number, (crop, tracklet) in enumerate(crops):
        assert isinstance(crop, Crop) and isinstance(tracklet, Tracklet)
        keep._whose.put(tracklet.tracklet_id, f"P-{number}")
        list(keep.process(tracklet))
    spent_s = time.process_time() - began_s
    sizes = [len(shot.jpeg) for album in keep._albums.values() for shot in album.shots]
    raw = [crop.color.nbytes for crop, _ in crops if crop.color is not None]
    table = Table("crops", "ms a crop", "kB a picture", "kB as pixels", title="Pictures that are kept")
    row = (1e3 * spent_s / len(crops), sum(sizes) / len(sizes) / 1e3, sum(raw) / len(raw) / 1e3)
    table.add_row(str(len(crops)), *(f"{one:.2f}" for one in row))
    return table


def keeping() -> Table:
    """Processor time of the main job on a recording, without pictures that are kept and with them, turn by turn."""
    from replay import MAIN, recorded

    spent: dict[bool, list[float]] = {False: [], True: []}
    with TemporaryDirectory() as made:
        folder, line = recorded(Path(made) / "site"), "  match:     {stage: match, from: embed}\n"
        more = f"{line}  pictures:  {{stage: keep, from: [tracklets, match]}}\n"
        graph = MAIN.with_name("kept_pictures.yaml")
        graph.write_text(MAIN.read_text().replace(line, more))
        try:
            for turn in range(TURNS):
                for kept, file in ((False, MAIN), (True, graph)):
                    out = Path(made) / f"{turn} {kept}"
                    before = sum(os.times()[2:4])
                    words = [
                        sys.executable,
                        str(ROOT / "run.py"),
                        "--graph",
                        str(file),
                        "--replay",
                        str(folder),
                    ]
                    subprocess.run([*words, "--out", str(out)], stdout=subprocess.PIPE, check=True)
                    spent[kept].append(sum(os.times()[2:4]) - before)
            sizes = [size_mb(Path(made) / f"0 {kept}") for kept in spent]
        finally:
            graph.unlink()
    table = Table(
        "pictures", "processor, s", "ratio", "store, MB", title="What keeping pictures costs the main job"
    )
    ratio = median(with_them / without for without, with_them in zip(*spent.values(), strict=True))
    table.add_row("none", f"{median(spent[False]):.1f}", "1", f"{sizes[0]:.2f}")
    table.add_row("kept", f"{median(spent[True]):.1f}", f"{ratio:.3f}", f"{sizes[1]:.2f}")
    return table


def shown_crops() -> list[tuple[Any, Any]]:
    """Crops of people who do not exist, each of a tracklet of its own."""
    from dataclasses import replace

    from store import seen

    from calibration.camera import Intrinsics, Mount, View
    from engines.reid.lab.laboratory import Key, Laboratory
    from engines.reid.lab.people import Crowd
    from pipeline.messages import Crop

    laboratory, view = Laboratory(Crowd(1)), View(Intrinsics(64, 128, 60.0, 60.0, 32.0, 64.0), Mount())
    random, made = np.random.default_rng(0), []
    for person in range(200):
        picture = laboratory.seen(Key(person, person % 4, 0, 0)).picture
        box = np.array([0, 0, *picture.shape[1::-1]], np.int32)
        crop = Crop(person, box, view, 0.001, picture, None, np.zeros(2, np.float32), 1.7, 0.8)
        made.append((crop, replace(seen(f"T-{person}", random), crops=(crop,))))
    return made


def command(folder: Path, model: str, question: str, *more: str) -> list[str]:
    """The command line."""
    how = ["--image", question] if question.endswith(".png") else [question] if question else []
    return [
        sys.executable,
        str(ROOT / "run.py"),
        "search",
        *how,
        "--out",
        str(folder),
        "--model",
        model,
        *more,
    ]


def forgotten(folder: Path) -> None:
    """Of what lies in a folder the system keeps nothing in memory."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def size_mb(folder: Path) -> float:
    """Of the store alone."""
    return (folder / "site.db").stat().st_size / 1e6


if __name__ == "__main__":
    main()
