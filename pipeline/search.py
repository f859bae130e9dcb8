"""Searches a gallery for whoever is most like a vector: by camera and time, each person once, at the sighting of them
that is most like it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

from configs.build import InputError, closest
from pipeline._gallery_file import GalleryFile, Kind, Known, Seen, Vector
from pipeline.events import rfc3339

OFFSET = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd])", re.ASCII)
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
Count = Callable[[Kind], int]  # how many sightings there are of a kind
FIRST = ("rgb", "rgbd")  # modalities that are searched where there are several of one model


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who is like what was asked for, in the sighting that is most like it."""

    identity_id: str
    score: float  # a cosine, from -1 to 1, of what shows where that is known
    tracklet_id: str
    camera_id: str
    began: str
    ended: str
    state: str  # tentative, confirmed or lost
    floor_frame: str = ""
    floor_m: tuple[float, ...] = ()
    height_m: float | None = None


@dataclass(frozen=True)
class Filter:
    """Which sightings count, and how many people are wanted."""

    cameras: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    most: int = 12

    def takes(self, seen: Seen) -> bool:
        """Whether a sighting was at one of the cameras, and for some of the time."""
        return (
            (not self.cameras or seen.camera_id in self.cameras)
            and (self.since_ns is None or seen.seen_ns >= self.since_ns)
            and (self.until_ns is None or seen.opened_ns <= self.until_ns)
        )


def found(
    gallery: GalleryFile, kind: Kind, vector: Vector, wanted: Filter, visibility: Vector | None = None
) -> list[Found]:
    """Whoever is most like a unit vector, or what shows of one, best first. Who is erased by the time that this ends is
    not among them.
    """
    people: dict[str, Known | None] = {}
    made: dict[str, Found] = {}
    for identity, tracklet, cosine in gallery.like(vector, visibility):
        if identity in made:
            continue
        if identity not in people:
            people[identity] = gallery.known(kind, identity)
        who = people[identity]
        seen = who.seen.get(tracklet) if who else None
        if who and seen and wanted.takes(seen):
            made[identity] = _found(who, seen, cosine)
            if len(made) == wanted.most:
                break
    there = gallery.there(made)
    best = sorted(made.values(), key=lambda one: -one.score)
    return [one for one in best if one.identity_id in there]


def kind_of(kinds: Sequence[Kind], model: str, count: Count) -> Kind:
    """The one that is searched: of the only model, or of the one that is named. Raises InputError."""
    if not kinds:
        raise InputError("nobody is in the gallery whose looks are known; let its run go on for a while")
    models = sorted({kind.model_id for kind in kinds})
    if model and model not in models:
        raise InputError(
            f"the gallery holds looks by {_counted(kinds, count)}, none by {model}{closest(model, models)}"
        )
    if not model and len(models) > 1:
        text = f"holds looks by several models, {_counted(kinds, count)}, which cannot be compared"
        raise InputError(f"the gallery {text}; choose one with --model")
    chosen = model or models[0]
    first, *others = (kind for kind in kinds if kind.model_id == chosen)
    if not others:  # mostly, and then nobody needs to be counted
        return first
    return max((first, *others), key=lambda kind: (kind.modality in FIRST, count(kind), kind))


def left_out(kinds: Sequence[Kind], searched: Kind, count: Count) -> str:
    """What else is in the gallery, or nothing."""
    others = [kind for kind in kinds if kind != searched]
    return f"not searched: looks by {_counted(others, count)}" if others else ""


def moment_ns(text: str, option: str, last_ns: Callable[[], int]) -> int:
    """A time as ISO 8601 has it, of UTC where it does not say, or how long before the last that a site knows. Raises
    InputError.
    """
    if offset := OFFSET.fullmatch(text):
        return last_ns() - round(float(offset["number"]) * UNITS_S[offset["unit"]] * 1e9)
    try:
        said = datetime.fromisoformat(text)
        return round((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000
    except (ValueError, OverflowError):
        wanted = "must be like 2026-01-31T14:30, or like 15m: so long before the last that was seen"
        raise InputError(f"{option}: {wanted}, got {text!r}") from None


def _found(who: Known, seen: Seen, cosine: float) -> Found:
    state = "lost" if who.is_lost else "confirmed" if who.is_confirmed else "tentative"
    height_m = round(seen.height_m, 3) if np.isfinite(seen.height_m) else None
    return Found(
        who.identity_id,
        cosine,
        seen.tracklet_id,
        seen.camera_id,
        rfc3339(seen.opened_ns),
        rfc3339(seen.seen_ns),
        state,
        seen.floor_frame if seen.place_m else "",
        seen.place_m,
        height_m,
    )


def _counted(kinds: Sequence[Kind], count: Count) -> str:
    return ", ".join(f"{kind.model_id}/{kind.modality} ({count(kind)})" for kind in sorted(kinds))
