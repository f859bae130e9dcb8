"""What somebody would write of a person: some of what can be seen, in words that vary, now and then wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, TOP
from engines.reid.lab.drawing import Parts
from engines.reid.lab.people import (
    BAG_OF,
    CLOTH,
    HAT_OF,
    PATTERN_OF,
    Attributes,
)
from engines.reid.lab.people import (
    HAIR as HAIRS,
)
from engines.reid.lab.people import (
    SHOE as SHOES,
)

DROPPED, WRONG = 0.30, 0.05  # shares of what is visible, and of what is said
PHRASES = (3, 5)
VISIBLE_SHARE = 0.004  # of the picture: what shows less of itself is not seen
PART_OF = {
    **{"top": TOP, "pattern": TOP, "sleeves": TOP, "bottom": BOTTOM, "legs": BOTTOM, "shoes": SHOE},
    **{"hair": HAIR, "hat": HAT, "bag": BAG},
}
OTHERS: dict[str, tuple[str, ...]] = {  # what might be said wrongly
    "top": tuple(CLOTH),
    "bottom": tuple(CLOTH),
    "shoes": SHOES,
    "hair": tuple(HAIRS),
    "pattern": tuple(PATTERN_OF),
    "sleeves": ("long", "short"),
    "legs": ("trousers", "skirt", "shorts"),
    "hat": tuple(hat for hat in HAT_OF if hat != "none"),
    "bag": tuple(bag for bag in BAG_OF if bag != "none"),
}
SYNONYMS = {
    "top": ("a {} top", "a {} shirt", "something {} above", "a {} upper garment"),
    "bottom": ("{} below the waist", "{} on the legs", "a {} lower garment"),
    "shoes": ("{} shoes", "{} footwear", "shoes in {}"),
    "hair": ("{} hair", "hair that is {}", "a {} head of hair"),
    "pattern": ("a {} pattern", "{} cloth above", "a {} design on the chest"),
    "sleeves": ("{} sleeves", "sleeves that are {}", "arms in {} sleeves"),
    "legs": ("{}", "wearing {}", "in {}"),
    "hat": ("a {}", "a {} on the head", "wearing a {}"),
    "bag": ("a {}", "carrying a {}", "with a {}"),
}
OPENINGS = (
    "a person with",
    "someone with",
    "a pedestrian who has",
    "this person has",
    "somebody walking with",
)
BETWEEN = (", ", " and ", ", also ", ", then ")


class Caption(NamedTuple):
    """A sentence, what it says by attribute, and which of that is not so."""

    text: str
    said: Mapping[str, str]
    wrong: tuple[str, ...]


def visible(attributes: Attributes, parts: Parts) -> dict[str, str]:
    """What of a person can be seen in a picture, by attribute, in the words of attributes."""
    least = VISIBLE_SHARE * parts.size
    seen = {name: int((parts == part).sum()) >= least for name, part in PART_OF.items()}
    told = attributes._asdict()
    return {
        name: str(told[name])
        for name in PART_OF
        if seen[name] and told[name] != "none" and not (name == "hair" and attributes.length == "no")
    }


def caption_of(attributes: Attributes, parts: Parts, chance: np.random.Generator) -> Caption:
    """A caption of what is visible; of somebody of whom nothing is, that there is somebody."""
    there = visible(attributes, parts)
    kept = [name for name in there if chance.random() >= DROPPED] or list(there)[:1]
    most = int(chance.integers(PHRASES[0], PHRASES[1] + 1))
    named = [str(name) for name in chance.permutation(kept)[:most]]
    said, wrong = dict[str, str](), list[str]()
    for name in named:
        said[name] = there[name]
        if chance.random() < WRONG:
            others = [other for other in OTHERS[name] if other != there[name]]
            said[name] = others[int(chance.integers(len(others)))]
            wrong.append(name)
    opening = OPENINGS[int(chance.integers(len(OPENINGS)))]
    text = "" if said else "nothing that can be made out"
    for name, value in said.items():
        joint = BETWEEN[int(chance.integers(len(BETWEEN)))] if text else ""
        text += joint + SYNONYMS[name][int(chance.integers(len(SYNONYMS[name])))].format(value)
    return Caption(f"{opening} {text}.", said, tuple(wrong))


def vocabulary() -> list[str]:
    """Every text that a caption is put together of: what a tokenizer of words must know."""
    phrases = [phrase for some in SYNONYMS.values() for phrase in some]
    values = [value for some in OTHERS.values() for value in some]
    return [
        *OPENINGS,
        *BETWEEN,
        *(phrase.replace("{}", " ") for phrase in phrases),
        *values,
        "nothing that can be made out .",
    ]
