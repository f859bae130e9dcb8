"""What somebody would write of a person: some of what can be seen, in words that vary, now and then wrong."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import NamedTuple

import numpy as np

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, SKIN, TOP
from engines.reid.lab.drawing import Parts
from engines.reid.lab.people import BAG_OF, CLOTH, HAT_OF, PATTERN_OF, Attributes
from engines.reid.lab.people import HAIR as HAIRS
from engines.reid.lab.people import SHOE as SHOES

DROPPED, WRONG = 0.30, 0.05  # shares of what is visible, and of what is said
PHRASES = (3, 5)
OPENED, NAMED_SEX = 0.7, 0.5  # how often there is an opening, and how often that says whether man or woman
VISIBLE_SHARE = 0.004  # of the picture: what shows less of itself is not seen
PART_OF = {
    **dict.fromkeys(("top", "pattern", "other", "sleeves", "coat"), TOP),
    **dict.fromkeys(("bottom", "legs"), BOTTOM),
    **{"shoes": SHOE, "hair": HAIR, "length": HAIR, "sex": SKIN},
    **{"hat": HAT, "hat_color": HAT, "bag": BAG, "bag_color": BAG},
}
OTHERS: dict[str, tuple[str, ...]] = {  # what might be said wrongly
    **dict.fromkeys(("top", "bottom", "other", "hat_color", "bag_color"), tuple(CLOTH)),
    "shoes": SHOES,
    "hair": tuple(HAIRS),
    "length": ("short", "long"),
    "sex": ("man", "woman"),
    "pattern": tuple(PATTERN_OF),
    "sleeves": ("long", "short"),
    "coat": ("True", "False"),
    "legs": ("trousers", "skirt", "shorts"),
    "hat": tuple(HAT_OF),
    "bag": tuple(BAG_OF),
}
WORDS: dict[str, Mapping[str, tuple[str, ...]]] = {  # of values that are not words themselves, or not alone
    "hat": {
        **{"cap": ("cap", "baseball cap"), "hat": ("hat", "brimmed hat", "hat with a brim")},
        **{"beanie": ("beanie", "woolly hat")},
    },
    "bag": {
        **{"backpack": ("backpack", "rucksack"), "shoulder bag": ("shoulder bag", "bag over the shoulder")},
        **{"shopping bag": ("shopping bag", "shopping bag in the hand")},
    },
    "legs": {"trousers": ("trousers", "trousers", "jeans", "pants")},
}
GARMENTS = {  # what is worn above, by `coat` or else by `sleeves`
    "True": ("coat", "jacket"),
    "short": ("T-shirt", "shirt", "top"),
    "long": ("jumper", "sweater", "shirt", "top"),
    "": ("top", "shirt", "upper garment"),
}
ABSENT = {
    ("hat", "none"): ("no hat", "bareheaded"),
    ("bag", "none"): ("no bag", "without a bag"),
    ("length", "no"): ("no hair", "bald"),
}
PRINTED = {"logo": ("a logo on the chest", "something printed on the chest", "a print above")}
SUBJECTS: tuple[tuple[str, ...], ...] = (
    (
        *("{top} {garment}", "{top} {garment}", "{top} {garment}", "{garment} in {top}", "{top} above"),
        *("{top} on top", "dressed in {top}", "wearing {top}", "{pattern} {garment}"),
        *("{top} {pattern} {garment}", "{pattern} pattern", "{top} and {other} {pattern} {garment}"),
        *("{sleeves} sleeves", "{sleeves} sleeved {garment}", "{sleeves} sleeved {top} {garment}"),
    ),
    ("{bottom} {legs}", "{bottom} {legs}", "{legs} in {bottom}", "{bottom} below", "{bottom} on the legs", "{legs}"),
    ("{shoes} shoes", "{shoes} shoes", "{shoes} footwear", "shoes in {shoes}"),
    ("{hair} hair", "{hair} haired", "{length} hair", "{length} {hair} hair", "hair that is {hair}"),
    ("{hat}", "wearing a {hat}", "{hat_color} {hat}", "a {hat_color} {hat}", "a {hat} on the head"),
    ("a {bag}", "carrying a {bag}", "with a {bag}", "{bag_color} {bag}", "a {bag_color} {bag}"),
)  # fmt: skip
ALIKE = ("{top} all over", "all in {top}", "dressed in {top} from head to toe", "in {top} from neck to ankle")
SOMEBODY = (
    "a person",
    "someone",
    "a pedestrian",
    "this person",
    "somebody",
    "anyone",
    "person",
    "traveller",
    "shopper",
)
OF_SEX = {
    "man": ("a man", "a guy", "man", "the man", "gentleman"),
    "woman": ("a woman", "a lady", "woman", "lady"),
}
THEN = (" with ", " wearing ", " in ", " who has ", ", ")
BETWEEN = (", ", " and ", ", also ", ", then ")
NOTHING_SEEN = "nothing that can be made out"


class Caption(NamedTuple):
    """A sentence, what it says by attribute, and which of that is not so."""

    text: str
    said: Mapping[str, str]
    wrong: tuple[str, ...]


def visible(attributes: Attributes, parts: Parts) -> dict[str, str]:
    """What of a person can be seen in a picture, by attribute, in the words of attributes."""
    least = VISIBLE_SHARE * parts.size
    told = {name: str(value) for name, value in attributes._asdict().items()}
    looked_for = dict(PART_OF)
    if told["length"] == "no":
        looked_for["length"] = SKIN
        del looked_for["hair"]
    if told["hat"] == "none":
        looked_for["hat"] = SKIN
    if told["bag"] == "none":
        looked_for["bag"] = TOP
    if attributes.coat:  # which has long ones, whatever is below it
        del looked_for["sleeves"]
    if told["pattern"] in ("plain", "logo"):
        del looked_for["other"]
    seen = {part: int((parts == part).sum()) >= least for part in set(looked_for.values())}
    return {name: told[name] for name, part in looked_for.items() if seen[part]}


def caption_of(attributes: Attributes, parts: Parts, chance: np.random.Generator) -> Caption:
    """A caption of what is visible; of somebody of whom nothing is, that there is somebody."""
    there = visible(attributes, parts)
    kept = [name for name in there if chance.random() >= DROPPED] or list(there)[:1]
    told = {name: _mistaken(name, there[name], chance) for name in kept}
    said = set[str]()
    opening = _opening(told, said, chance)
    phrases = _phrases(told, said, chance)
    if not phrases and not said:  # what is kept cannot be said alone, like the second colour of a pattern
        told = there
        phrases = _phrases(told, said, chance) or [NOTHING_SEEN]
    text = opening
    for number, phrase in enumerate(phrases):
        joint = _one(BETWEEN, chance) if number else _one(THEN, chance) if text else ""
        text += joint + phrase
    named = {name: told[name] for name in told if name in said}
    return Caption(f"{text}.", named, tuple(name for name, value in named.items() if value != there[name]))


def _mistaken(name: str, value: str, chance: np.random.Generator) -> str:
    if chance.random() >= WRONG:
        return value
    return _one(tuple(other for other in OTHERS[name] if other != value), chance)


def _opening(told: Mapping[str, str], said: set[str], chance: np.random.Generator) -> str:
    if chance.random() >= OPENED and len(told) > 1:
        return ""
    if "sex" in told and (chance.random() < NAMED_SEX or len(told) == 1):
        said.add("sex")
        return _one(OF_SEX[told["sex"]], chance)
    return _one(SOMEBODY, chance)


def _phrases(told: Mapping[str, str], said: set[str], chance: np.random.Generator) -> list[str]:
    """One of each thing that something is told of, in any order."""
    most = int(chance.integers(PHRASES[0], PHRASES[1] + 1))
    made: list[str] = []
    for subject in chance.permutation(len(SUBJECTS)):
        choices = [
            one for one in SUBJECTS[subject] if _fields(one) <= {*told, "garment"} and _is_so(one, told)
        ]
        if subject == 0 and "top" in told and told["top"] == told.get("bottom"):
            choices += ALIKE
        if choices and len(made) < most:
            made.append(_phrase(_one(tuple(choices), chance), told, said, chance))
    return made


def _is_so(template: str, told: Mapping[str, str]) -> bool:
    """Whether it can be said like that: nothing has a colour that is not there."""
    fields = _fields(template)
    if not fields or fields == {"garment"}:
        return False
    absent = [name for name in fields if (name, told.get(name, "")) in ABSENT]
    return not absent or len(fields) == 1


def _phrase(template: str, told: Mapping[str, str], said: set[str], chance: np.random.Generator) -> str:
    fields = _fields(template)
    said |= fields & set(told)
    if template in ALIKE:
        said |= {"top", "bottom"}
    for name in fields:
        if phrases := ABSENT.get((name, told.get(name, ""))):
            return _one(phrases, chance)
        if name == "pattern" and fields <= {"pattern", "garment"} and told[name] in PRINTED:
            return _one(PRINTED[told[name]], chance)
    words = {
        name: _one(WORDS.get(name, {}).get(told[name], (told[name],)), chance) for name in fields & set(told)
    }
    if "garment" in fields:
        kind = next((one for one in (told.get("coat"), told.get("sleeves")) if one in GARMENTS), "")
        said |= {"coat"} & set(told) if kind == "True" else set()
        words["garment"] = _one(GARMENTS[kind or ""], chance)
    return template.format(**words)


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _one(choices: tuple[str, ...], chance: np.random.Generator) -> str:
    return choices[int(chance.integers(len(choices)))]


def vocabulary() -> list[str]:
    """Every text that a caption is put together of: what a tokenizer of words must know."""
    templates = [*(one for subject in SUBJECTS for one in subject), *ALIKE]
    frames = [part for template in templates for part, _, _, _ in Formatter().parse(template)]
    values = [value for some in OTHERS.values() for value in some]
    choices = (*ABSENT.values(), *PRINTED.values(), *GARMENTS.values(), *OF_SEX.values())
    others = [one for some in (*choices, *(v for by in WORDS.values() for v in by.values())) for one in some]
    return [*SOMEBODY, *THEN, *BETWEEN, *frames, *values, *others, f"{NOTHING_SEEN} ."]
