"""People of whom only part shows: who they are, and what becomes of who they were when they were seen whole."""

from dataclasses import replace

import numpy as np
import pytest
from builders import embedding, tracklet
from visits import S, Site

from engines.index.masked import SHORTLIST
from pipeline.messages import Identity, Sighting
from pipeline.wire import decode, encode
from stages._looks import likeness
from stages._people import FEW, People
from stages._remembered import looked, remembered
from stages.match import Match

PARTS, OF_PART = 4, 16
NOWHERE = {"at": (np.nan, np.nan), "height_m": np.nan}
DRAWN = np.random.default_rng(1).standard_normal((40, PARTS * OF_PART)).astype(np.float32)
ALL, LOWER = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0)


def unit(vector):
    return vector / np.linalg.norm(vector)


def look(who, shows=ALL, before=20):
    """What a person looks like behind something: what does not show looks like that."""
    spread = np.repeat(np.array(shows, np.float32), OF_PART)
    return unit(spread * DRAWN[who] + (1 - spread) * DRAWN[before])


def whole(shows):
    return np.clip(np.array(shows), 0.05, 0.95)


def seen(site, name, camera, who, from_s, shows=ALL, before=20, **given):
    """Somebody for four seconds, nobody knows where."""
    vector = look(who, shows, before)
    return site.visit(name, camera, vector, from_s, from_s + 4, visibility=whole(shows), **NOWHERE, **given)


def test_who_is_hidden_is_known_by_what_shows():
    """Behind the same counter everybody looks more like each other than like themselves."""
    for masked_below in (1.0, 0.0):
        site = Site(masked_below=masked_below, midpoint=0.6)
        for who in range(4):
            seen(site, f"whole-{who}", "east", who, 10 * who)
        for who in range(4):
            seen(site, f"hidden-{who}", "west", who, 100 + 10 * who, LOWER)
        hidden, own = ([site.identity_of(f"{how}-{who}") for who in range(4)] for how in ("hidden", "whole"))
        if masked_below:
            assert hidden == own
        else:
            assert len(set(hidden)) == 1
            assert hidden[0] not in own


def test_who_shows_more_than_asked_is_compared_as_a_whole():
    site = Site(masked_below=0.4, midpoint=0.6)
    seen(site, "whole", "east", 0, 0)
    seen(site, "half", "west", 0, 20, (1, 1, 0, 0))
    seen(site, "quarter", "north", 0, 40, LOWER)
    assert site.identity_of("half") != site.identity_of("whole") == site.identity_of("quarter")


@pytest.mark.parametrize(("most", "masked_below"), [(12, 1.0), (12, 0.0), (4, 1.0)])
def test_ten_hidden_sightings_do_not_pull_away_whom_they_are_of(most, masked_below):
    """Their cameras follow the person as one, so that these sightings are surely theirs."""
    site, zone = Site(midpoint=0.7, max_sightings=most, masked_below=masked_below), {"zone_track": "hall/7"}
    seen(site, "whole", "east", 0, 0, **zone)
    for number in range(10):
        seen(site, f"hidden-{number}", f"hall-{number}", 0, 8 * number + 8, LOWER, 20 + number, **zone)
    names = {site.identity_of(f"hidden-{number}") for number in range(10)}
    assert names == {site.identity_of("whole")}
    seen(site, "again", "west", 0, 200)
    assert site.identity_of("again") == site.identity_of("whole")
    other = look(0, LOWER, 1)  # in the same shoes, which is all that the ten show
    site.visit("other", "north", other, 240, 244, visibility=whole(ALL), **NOWHERE)
    assert site.identity_of("other") != site.identity_of("whole")


def test_of_more_sightings_than_are_remembered_those_that_show_little_go_first():
    shows = [0.9, 0.2, 0.8, 0.3, 0.85]
    kept = [sighting(number, number, share) for number, share in enumerate(shows)]
    assert [one.shows for one in remembered(kept, 3)] == pytest.approx([0.9, 0.8, 0.85])
    hidden = [sighting(number, number, 0.2) for number in range(4)]  # where nobody shows more, looks decide
    hidden[2] = replace(hidden[2], looks=hidden[0].looks)
    assert [one.tracklet.tracklet_id for one in remembered(hidden, 3)] == ["T-1", "T-2", "T-3"]


def test_a_look_that_shows_little_counts_for_little_among_those_of_a_tracklet():
    one = None
    for shows, before in ((ALL, 20), *((LOWER, 21 + number) for number in range(5))):
        one = looked(one, embedding(tracklet(), look(0, shows, before), visibility=whole(shows)))
    assert one.votes == 6
    assert one.vector @ unit(DRAWN[0]) > 0.97
    assert one.visibility == pytest.approx(0.95)
    plain = looked(None, embedding(tracklet(), look(0)))
    assert plain.shown is None
    assert plain.shows == 1.0


def test_a_tracklet_from_before_anybody_said_what_shows_goes_on():
    before = looked(None, embedding(tracklet(), look(0)))
    after = looked(before, embedding(tracklet(), look(0, LOWER), visibility=whole(LOWER)))
    assert after.vector @ unit(DRAWN[0]) > 0.99
    assert after.shown[0] == pytest.approx([1.05, 1.05, 1.05, 1.95])
    assert after.visibility == pytest.approx(1.0)


def test_looks_of_which_nothing_shows_say_nothing_and_are_no_error():
    site = Site(midpoint=0.7)
    seen(site, "whole", "east", 0, 0)
    nothing = {"visibility": np.zeros(PARTS), **NOWHERE}
    site.visit("nothing", "west", look(1), 20, 24, **nothing)
    site.visit("alone", "north", look(0), 40, 44, **nothing)
    seen(site, "again", "south", 0, 60)
    assert site.identity_of("again") == site.identity_of("whole")
    assert {site.identity_of("nothing"), site.identity_of("alone")} <= {None, site.identity_of("whole")}


def test_nothing_changes_where_the_embedder_does_not_say_what_shows():
    said = []
    for masked_below in (1.0, 0.3, 0.0):
        site = Site(masked_below=masked_below)
        for number in range(6):
            site.visit(
                f"a{number}", f"c{number % 2}", look(number % 3), 10 * number, 10 * number + 4, **NOWHERE
            )
        said.append(encode(site.said))
    assert said[0] == said[1] == said[2]


def test_what_shows_is_gone_on_with_after_a_restart():
    site, other = Site(midpoint=0.7), Match(midpoint=0.7)
    seen(site, "whole", "east", 0, 0)
    seen(site, "open", "west", 0, 20, (1, 1, 0, 0), closes=False)
    other.restore(decode(encode(dict(site.match.snapshot()))))
    last = tracklet("west", "T-open", phase="closed", opened_ns=20 * S, seen_ns=26 * S)
    shown = embedding(last, look(0, LOWER), visibility=whole(LOWER))
    assert encode([*site.match.process(shown)]) == encode([*other.process(shown)])
    assert encode(dict(site.match.snapshot())["_identities"].put) == encode(
        dict(other.snapshot())["_identities"].put
    )


def test_nothing_is_left_in_memory_of_how_much_of_somebody_showed():
    one = sighting(0, 0, 0.5)
    looks, shown = one.looks, one.shown
    one.overwrite()
    assert not looks.any()
    assert not shown.any()
    assert one.unlooked().shown is None


def test_of_very_many_more_are_looked_at_where_only_part_shows():
    """Who is most like what shows is not among the few who are most like the whole."""
    people, random = People(), np.random.default_rng(2)
    person, other, *noise = (unit(random.standard_normal(64)) for _ in range(FEW + 52))
    shows = (1.0, 1.0, 0.05, 0.05)
    hidden = unit(np.where(np.arange(64) < 32, person, other))
    for number, some in enumerate(noise):
        share = 0.9 if number < 120 else 0.2  # who is like what hides, and who is not
        people.put(f"P-{number}", known(number, unit(some + share / (1 - share) * hidden)))
    people.put("P-person", known(999, person))
    people.pass_to(S)
    asked = sighting_of(1000, hidden, shows)
    for one, is_found in ((asked, True), (replace(asked, shown=None), False)):
        (found,) = people.alike([one])
        assert ("T-999" in {who.sightings[0].tracklet.tracklet_id for who in found}) == is_found
        assert (len(found) >= SHORTLIST) == is_found


def test_tracklets_that_show_different_parts_alone_say_nothing_of_each_other():
    upper, lower = (sighting_of(0, unit(DRAWN[0]), shows) for shows in ((1, 1, 0, 0), (0, 0, 1, 1)))
    assert np.isnan(likeness([upper], [lower], 1.0)).all()
    assert likeness([upper], [upper], 1.0) == pytest.approx(1.0)
    site = Site(midpoint=0.7)
    site.visit("upper", "east", look(0), 0, 4, visibility=(1, 1, 0, 0), **NOWHERE)
    site.visit("lower", "west", look(0), 20, 24, visibility=(0, 0, 1, 1), **NOWHERE)
    assert site.identity_of("upper") != site.identity_of("lower")


def sighting(number, who, share):
    return sighting_of(number, unit(DRAWN[who]), np.full(PARTS, share))


def sighting_of(number, vector, shows=None):
    shown = None if shows is None else np.stack([np.array(shows, np.float32)] * 2)
    mask = 1 if shows is None else np.repeat(shown[0], len(vector) // len(shows))
    looks = np.asarray(mask * vector, np.float32)
    one = tracklet("east", f"T-{number}", phase="closed")
    return Sighting(one, looks, 1, "toy/rgb", is_open=False, shown=shown)


def known(number, vector):
    return Identity(f"P-{number}", 0, (sighting_of(number, vector),), is_lost=True)
