"""Who is who: somebody known where the evidence is enough, somebody new where it is not, nobody in two places."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import embedding, tracklet
from visits import BLUE, GREEN, RED, S, Site, alike

from configs.build import ConfigError
from pipeline.graph import Graph
from pipeline.graphfile import GraphFile
from pipeline.messages import Command, CorrectionEvent, IdentityEvent
from pipeline.wire import decode, encode
from stages._evidence import Evidence
from stages.match import Match


def test_somebody_who_comes_to_another_camera_is_the_same():
    site = Site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 10, 14, at=(8, 0))
    assert site.identity_of("a") == site.identity_of("b")
    assert site.kinds() == ["appeared", "lost", "reappeared"]


def test_somebody_who_looks_otherwise_or_is_taller_is_new():
    site = Site().visit("a", "east", RED, 0, 4)
    site.visit("b", "west", BLUE, 10, 14, at=(8, 0)).visit("c", "west", RED, 20, 24, at=(8, 0), height_m=1.9)
    assert len({site.identity_of(name) for name in "abc"}) == 3


def test_nobody_is_in_two_places():
    site = Site()
    site.visit("a", "east", RED, 0, 9, closes=False).visit("b", "west", RED, 9, 12, at=(20, 0))
    assert site.identity_of("a") != site.identity_of("b")


def test_nobody_walks_faster_than_people_do():
    fast = Site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 6, 9, at=(30, 0))
    slow = Site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 20, 24, at=(30, 0))
    assert fast.identity_of("a") != fast.identity_of("b")
    assert slow.identity_of("a") == slow.identity_of("b")


def test_cameras_that_are_not_placed_are_matched_by_looks_alone():
    site = Site().visit("a", "east", RED, 0, 4)
    seen = tracklet(
        "yard",
        "T-b",
        phase="closed",
        opened_ns=5 * S,
        seen_ns=9 * S,
        floor_frame="yard",
        entered_floor_m=np.array([900, 0], np.float32),
    )
    site.said += site.match.process(embedding(seen, RED))
    assert site.identity_of("b") == site.identity_of("a")


NOWHERE = (np.nan, np.nan)


def test_people_without_a_place_on_the_floor_are_matched_by_looks_and_time():
    known = {"at": NOWHERE, "height_m": np.nan}
    site = Site().visit("a", "east", RED, 0, 4, **known).visit("b", "west", RED, 6, 9, **known)
    site.visit("c", "west", BLUE, 12, 16, **known).visit("d", "east", RED, 20, 24, **known)
    assert site.identity_of("a") == site.identity_of("b") == site.identity_of("d") != site.identity_of("c")


def test_nobody_is_twice_in_one_camera_though_nobody_knows_where():
    site = Site()
    for second in range(6):
        site.pass_to(second)
        for name in "ab":
            seen = tracklet("east", f"T-{name}", phase="updated", opened_ns=0, seen_ns=second * S)
            places = {"entered_floor_m": np.array(NOWHERE), "floor_m": np.array(NOWHERE), "height_m": np.nan}
            site.said += site.match.process(embedding(replace(seen, **places), RED))
    assert site.identity_of("a") != site.identity_of("b")


@pytest.mark.parametrize("unknown", ["entered_floor_m", "floor_m"])
def test_an_unknown_place_says_nothing_against_two_views_of_one_person(unknown):
    site = Site()
    for second in range(6):
        site.pass_to(second)
        for name, camera in (("a", "east"), ("b", "west")):
            lost = (
                {unknown: np.array(NOWHERE, np.float32)}
                if (name == "a") == (unknown == "entered_floor_m")
                else {}
            )
            seen = tracklet(camera, f"T-{name}", phase="updated", opened_ns=0, seen_ns=second * S, **lost)
            site.said += site.match.process(embedding(seen, RED))
    assert site.identity_of("a") == site.identity_of("b")


def test_a_decision_waits_for_votes_but_not_for_ever():
    site = Site(votes=3).visit("a", "east", RED, 0, 1, closes=False)
    assert site.said == []
    site.pass_to(4)
    assert site.said == []
    site.visit("b", "west", BLUE, 5, 8, closes=False)
    assert [event.tracklet_id for event in site.said] == ["T-b"]


def test_a_glimpse_makes_nobody_new_but_is_recognised():
    site = Site().visit("a", "east", RED, 0, 1)
    assert site.said == []
    site.visit("b", "west", BLUE, 10, 14).visit("c", "west", BLUE, 30, 31)
    assert site.identity_of("c") == site.identity_of("b")


def test_nobody_new_is_made_of_what_is_gone_at_once_however_often_it_was_looked_at():
    site = Site()
    for tenth, phase in [(0, "opened"), *((n, "updated") for n in range(1, 9)), (9, "closed")]:
        seen = tracklet("east", "T-a", phase=phase, opened_ns=0, seen_ns=tenth * S // 10)
        site.said += site.match.process(embedding(seen, RED))
    assert site.said == []


def test_somebody_who_can_be_looked_at_only_after_the_wait_is_somebody_once_there_are_votes():
    site = Site()
    for second in range(12):
        seen = tracklet("east", "T-a", phase="updated", opened_ns=0, seen_ns=second * S)
        site.pass_to(second)
        site.said += site.match.process(embedding(seen, RED if second > 6 else np.empty(0)))
    assert site.identity_of("a") is not None
    assert site.kinds() == ["appeared"]


def test_two_who_wait_together_are_given_to_two():
    site = Site().visit("a", "east", RED, 0, 4).visit("b", "east", alike(RED, BLUE, 0.97), 20, 24)
    first = {site.identity_of("a"), site.identity_of("b")}
    now = [tracklet("west", f"T-{n}", phase="updated", opened_ns=40 * S, seen_ns=41 * S) for n in "cd"]
    looks = [alike(RED, BLUE, 0.995), RED]
    for _ in range(3):
        for seen, look in zip(now, looks, strict=True):
            site.said += site.match.process(embedding(seen, look))
    assert site.identity_of("c") != site.identity_of("d")
    assert len(first | {site.identity_of("c"), site.identity_of("d")}) <= 3


def test_two_identities_that_prove_to_be_one_are_merged_and_that_is_said():
    site = Site(min_evidence=4.0, review_s=30.0)
    site.visit("a", "east", RED, 0, 4).visit("b", "west", alike(RED, BLUE, 0.88), 20, 24, at=(8, 0))
    assert site.identity_of("a") != site.identity_of("b")
    site.pass_to(40)
    merged = [event for event in site.said if event.kind == "merged"]
    assert [len(event.from_ids) for event in merged] == [1]
    assert site.identity_of("b") == site.identity_of("a")


def test_a_tracklet_that_proves_to_be_somebody_elses_is_split_off():
    site = Site(votes=2, review_s=1000.0).visit("a", "east", RED, 0, 4)
    glimpse = tracklet("west", "T-b", phase="opened", opened_ns=20 * S, seen_ns=21 * S)
    for _ in range(2):
        site.said += site.match.process(embedding(glimpse, alike(RED, BLUE, 0.9)))
    assert site.identity_of("b") == site.identity_of("a")
    for second in range(22, 60):
        seen = tracklet("west", "T-b", phase="updated", opened_ns=20 * S, seen_ns=second * S)
        site.said += site.match.process(embedding(seen, BLUE))
    site.match.review_s = 1.0
    site.pass_to(62)
    assert [event.kind for event in site.said if isinstance(event, CorrectionEvent)] == ["split"]
    assert site.identity_of("b") != site.identity_of("a")


def test_somebody_in_two_views_at_once_stays_one_when_they_walk_out_of_the_first():
    site = Site()
    for second in range(12):
        site.pass_to(second)
        for name, camera, ends in (("a", "east", 5), ("b", "west", 11)):
            if second > ends:
                continue
            phase = "closed" if second == ends else "updated"
            at = np.array([1.2 * second, 0], np.float32)
            times = {"opened_ns": 0, "seen_ns": second * S}
            places = {"entered_floor_m": np.zeros(2, np.float32), "floor_m": at}
            seen = tracklet(camera, f"T-{name}", phase=phase, **times, **places)
            site.said += site.match.process(embedding(seen, RED))
    assert site.identity_of("a") == site.identity_of("b")
    assert "split" not in site.kinds()


def test_remembers_no_more_of_those_who_keep_coming_back():
    def remembered(visits):
        site = Site(max_sightings=4)
        for number in range(visits):
            name, times = f"{number:03}", (20.0 * number, 20.0 * number + 3 + number % 9)
            site.visit(name, "east", (RED, BLUE)[number % 2], *times, at=(0.1 * (number % 2), 0))
        assert len(site.match._identities) == 2
        return len(encode(site.match._identities.values()))

    assert remembered(40) <= remembered(10) + 16


def test_reviews_weigh_only_those_who_were_seen_since(monkeypatch):
    weighed = []
    between = Evidence.between
    monkeypatch.setattr(
        Evidence,
        "between",
        lambda self, table, new, known: weighed.append(len(new)) or between(self, table, new, known),
    )
    site = Site(max_sightings=4).visit("a", "east", RED, 0, 4).visit("b", "west", BLUE, 10, 14, at=(8, 0))
    site.pass_to(20)
    weighed.clear()
    site.pass_to(60)
    assert weighed == []


def test_a_tracklet_goes_to_somebody_whom_it_proves_to_fit_much_better_though_it_fits_both():
    site = Site(review_s=1000.0).visit("a", "east", RED, 0, 4)
    other = alike(RED, BLUE, 0.7)
    site.visit("b", "east", other, 10, 14)
    for second in range(20, 34):
        seen = tracklet("west", "T-c", phase="updated", opened_ns=20 * S, seen_ns=second * S)
        site.said += site.match.process(embedding(seen, RED if second < 22 else other))
        if second == 22:
            assert site.identity_of("c") == site.identity_of("a")
    site.match.review_s = 1.0
    site.pass_to(36)
    assert site.identity_of("c") == site.identity_of("b") != site.identity_of("a")


def test_somebody_who_is_gone_for_long_is_lost_and_then_forgotten():
    site = Site(forget_after_s=60.0).visit("a", "east", RED, 0, 4)
    site.pass_to(70)
    assert site.kinds() == ["appeared", "lost", "expired"]
    assert site.visit("b", "east", RED, 80, 84).identity_of("b") != site.identity_of("a")


def test_a_track_that_is_still_said_to_be_there_when_it_goes_on_as_another_is_one_person():
    site = Site().visit("a", "east", RED, 0, 4.3).visit("b", "east", RED, 4, 8, at=(0.3, 0))
    assert site.identity_of("a") == site.identity_of("b")
    site = Site().visit("a", "east", RED, 0, 5).visit("b", "east", RED, 4, 8, at=(0.3, 0))
    assert site.identity_of("a") != site.identity_of("b")


def test_one_measurement_far_off_does_not_make_two_of_those_who_were_seen_at_one_place():
    site = Site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 1, 5, height_m=1.78)
    assert site.identity_of("a") == site.identity_of("b")


def test_is_as_sure_of_somebody_new_as_nobody_is_like_them():
    site = Site().visit("a", "east", RED, 0, 4)
    site.visit("b", "west", BLUE, 20, 24, at=(8, 0)).visit("c", "west", alike(RED, GREEN, 0.78), 40, 44)
    said = {e.tracklet_id: e.match for e in site.said if isinstance(e, IdentityEvent) and e.match.probability}
    assert [said[f"T-{name}"].decision for name in "abc"] == ["new", "new", "rematch"]
    assert said["T-a"].probability == 1.0
    assert said["T-b"].probability > 0.9
    assert 0.4 < said["T-c"].probability < 0.9


def test_is_less_sure_where_two_are_alike():
    alone, two = Site().visit("a", "east", RED, 0, 4), Site().visit("a", "east", RED, 0, 4)
    two.visit("b", "east", alike(RED, BLUE, 0.8), 20, 24, height_m=1.8)
    sure = []
    for site in (alone, two):
        site.visit("c", "west", alike(RED, BLUE, 0.95), 40, 44, height_m=1.74)
        sure.append(next(e.match.probability for e in site.said if e.tracklet_id == "T-c"))
    assert sure[1] < sure[0] - 0.02


def test_with_too_many_known_who_was_lost_the_longest_ago_is_forgotten_and_that_is_said():
    site = Site(max_identities=2).visit("a", "east", RED, 0, 4).visit("b", "west", BLUE, 10, 14, at=(8, 0))
    site.pass_to(30)
    assert "expired" not in site.kinds()
    first, looks = site.identity_of("a"), site.match._identities.values()[0].sightings[0].looks
    site.visit("c", "east", GREEN, 40, 44).pass_to(60)
    (expired,) = (event for event in site.said if event.kind == "expired")
    assert expired.identity_id == first
    assert not looks.any()
    assert len(site.match._identities) == 2
    assert site.visit("d", "east", RED, 70, 74).identity_of("d") != first


def test_nobody_who_is_in_view_is_forgotten_however_many_they_are():
    site = Site(max_identities=1).visit("a", "east", RED, 0, 20, closes=False)
    site.visit("b", "west", BLUE, 20, 30, at=(8, 0), closes=False).pass_to(40)
    assert "expired" not in site.kinds()


def test_of_too_many_sightings_those_that_differ_are_remembered():
    site = Site(max_sightings=3, min_evidence=-9.0, split_evidence=-99.0)
    looks = [RED, alike(RED, BLUE, 0.8), *[alike(RED, GREEN, share) for share in (0.99, 0.98, 0.985)]]
    for number, look in enumerate(looks):
        site.visit(f"{number}", "east", look, 20 * number, 20 * number + 4)
    (who,) = site.match._identities.values()
    assert [one.tracklet.tracklet_id for one in who.sightings] == ["T-1", "T-3", "T-4"]


def doubted(closes_s, **settings):
    """When it is said who somebody is who looks like nobody surely, and of whom no more crops come."""
    site = Site(**settings).visit("a", "east", RED, 0, 4)
    for second in (40, 41, 42):
        seen = tracklet("west", "T-b", phase="updated", opened_ns=40 * S, seen_ns=second * S)
        site.pass_to(second)
        site.said += site.match.process(embedding(seen, alike(RED, BLUE, 0.78)))
    for now_s in np.arange(42.0, 60.0, 0.25).tolist():
        site.pass_to(now_s)
        if now_s == closes_s:
            seen = tracklet("west", "T-b", phase="closed", opened_ns=40 * S, seen_ns=42 * S)
            site.said += site.match.process(embedding(seen, np.empty(0)))
        if site.identity_of("b"):
            return now_s
    return None


def test_what_is_doubted_waits_for_more_but_not_for_ever_nor_when_nothing_more_can_come():
    assert doubted(closes_s=None) == 45.25
    assert doubted(closes_s=None, doubt_s=3.0) == 43.25
    assert doubted(closes_s=44.0) == 44.0
    assert doubted(closes_s=None, doubt_s=0.1) == 42.0


def test_what_was_doubted_is_given_as_soon_as_it_is_sure():
    site = Site().visit("a", "east", RED, 0, 4)
    for second in range(40, 46):
        seen = tracklet("west", "T-b", phase="updated", opened_ns=40 * S, seen_ns=second * S)
        site.pass_to(second)
        site.said += site.match.process(embedding(seen, alike(RED, BLUE, 0.78) if second < 43 else RED))
    assert site.identity_of("b") == site.identity_of("a")
    assert [e.kind for e in site.said if e.tracklet_id == "T-b"][:1] == ["reappeared"]


def test_says_why_and_how_sure_it_is():
    site = Site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 20, 24, at=(8, 0))
    first, again = (next(e for e in site.said if e.tracklet_id == f"T-{name}") for name in "ab")
    assert (first.match.decision, first.match.gallery_size, first.match.score) == ("new", 0, None)
    assert (again.match.decision, again.match.votes, again.match.gallery_size) == ("rematch", 3, 1)
    assert 0.9 < again.match.probability <= 1
    assert again.state == "confirmed"


@pytest.mark.parametrize("cut_s", [3.0, 10.5, 22.0])
def test_carries_on_from_a_snapshot(cut_s):
    visits = [("a", "east", RED, 0, 4), ("b", "west", BLUE, 10, 14), ("c", "west", RED, 20, 24, (8, 0))]
    whole, first = Site(), Site()
    for visit in visits:
        whole.visit(*visit)
    before = [visit for visit in visits if visit[3] < cut_s]
    for visit in before:
        first.visit(*visit)
    second = Site()
    second.match.restore(first.match.snapshot())
    second._now_s = first._now_s
    for visit in visits[len(before) :]:
        second.visit(*visit)
    assert [*first.said, *second.said] == whole.said


@pytest.mark.parametrize("setting", ["slope", "votes", "wait_s"])
def test_refuses_a_setting_that_makes_no_sense(setting):
    with pytest.raises(ValueError, match=f"{setting} must be above 0, got 0"):
        Match(**{setting: 0})


@pytest.mark.parametrize("most", [2, 3])
def test_a_graph_whose_tracklets_have_fewer_crops_than_votes_is_refused(most):
    main = GraphFile.read(Path(__file__).parents[2] / "configs/topview_rgbd.yaml").graph().nodes
    nodes = [replace(n, stage=replace(n.stage, max_crops=most)) if n.id == "tracklets" else n for n in main]
    said = r"graph.match: votes is 3, but a tracklet has 2 crops at most .* lower votes or raise max_crops"
    with pytest.raises(ConfigError, match=said) if most < 3 else nullcontext():
        Graph(nodes)


def erase(site, name, at_s):
    command = Command(1, "erase", site.identity_of(name), int(at_s * S))
    given = list(site.match.process(command))
    site.said += given
    return command.subject, given


def test_who_was_erased_is_in_no_state_and_their_looks_are_zero_in_memory():
    site = Site().visit("a", "east", RED, 0, 4).visit("b", "east", BLUE, 5, 9)
    looks = [one.looks for who in site.match._identities.values() for one in who.sightings]
    gone, (event,) = erase(site, "a", 10)
    assert (event.kind, event.from_ids, event.to_ids) == ("erased", (gone,), ())
    assert (event.captured_ns, event.effective_from_ns, event.camera_id) == (10 * S, 0, "east")
    assert [bool(one.any()) for one in looks] == [False, True]
    assert gone.encode() not in encode(Match.snapshot(site.match))
    assert [who.identity_id for who in site.match._identities.values()] == [site.identity_of("b")]


def test_looks_that_were_restored_are_overwritten_too():
    site = Site().visit("a", "east", RED, 0, 4)
    restored = Match()
    restored.restore(decode(encode(site.match.snapshot())))
    site.match = restored
    (looks,) = [one.looks for who in restored._identities.values() for one in who.sightings]
    erase(site, "a", 5)
    assert not looks.any()


def test_what_was_seen_of_somebody_who_was_erased_is_no_reason_to_know_them_again():
    site = Site().visit("a", "east", RED, 0, 4)
    gone, _ = erase(site, "a", 5)
    site.visit("b", "east", RED, 20, 24)
    assert site.identity_of("b") != gone
    assert site.kinds() == ["appeared", "erased", "appeared"]


def test_who_is_in_view_when_they_are_erased_goes_on_as_somebody_new():
    site = Site().visit("a", "east", RED, 0, 4, closes=False)
    gone, _ = erase(site, "a", 4.5)
    site.visit("a", "east", RED, 5, 9)
    new = site.identity_of("a")
    assert new != gone
    kinds = [
        (e.kind, e.identity_id) for e in site.said if isinstance(e, IdentityEvent) and e.captured_ns > 4.5 * S
    ]
    assert kinds[0] == ("appeared", new) and {kind for kind, _ in kinds[1:]} == {"observed"}
    (who,) = site.match._identities.values()
    assert who.sightings[0].votes == 4 and np.allclose(
        who.sightings[0].vector, RED
    )  # of what came after alone


def test_who_was_merged_is_erased_by_any_of_their_names():
    site = Site().visit("a", "east", RED, 0, 3)
    (who,) = site.match._identities.values()
    site.match._identities.put(who.identity_id, replace(who, previous_ids=("P-2", "P-3")))
    (event,) = site.match.process(Command(1, "erase", "P-3", 8 * S))
    assert event.from_ids == (who.identity_id, "P-2", "P-3")
    assert len(site.match._identities) == 0


def test_nobody_is_erased_by_a_name_that_nobody_has():
    site = Site().visit("a", "east", RED, 0, 4)
    assert list(site.match.process(Command(1, "erase", "P-0", 5 * S))) == []
    assert len(site.match._identities) == 1


def test_a_tracklet_that_was_looked_at_once_shares_no_memory_with_its_embedding():
    match, vector = Match(votes=2), RED.copy()
    list(match.process(embedding(tracklet("east", "T-1"), vector)))
    (one,) = match._waiting.values()
    assert not np.shares_memory(one.looks, vector)


DAY = 86_400


def test_looks_that_may_be_kept_no_longer_go_and_with_the_last_of_them_the_person():
    site = Site(vectors_s=1000.0).visit("a", "east", RED, 0, 4).visit("b", "east", BLUE, 600, 604)
    looks = {
        one.tracklet.tracklet_id: one.looks
        for who in site.match._identities.values()
        for one in who.sightings
    }
    gone = site.identity_of("a")
    site.match._times_ns.put("reviewed", 0)
    given = list(site.match.advance(1003 * S))
    assert [(e.kind, e.identity_id, e.state) for e in given if e.kind == "expired"] == [
        ("expired", gone, "lost")
    ]
    assert [who.identity_id for who in site.match._identities.values()] == [site.identity_of("b")]
    assert not looks["T-a"].any() and looks["T-b"].any()


def test_who_was_seen_again_since_is_kept_without_the_looks_that_are_too_old():
    site = Site(vectors_s=1000.0).visit("a", "east", RED, 0, 4).visit("b", "east", RED, 600, 604)
    assert site.identity_of("a") == site.identity_of("b")
    given = list(site.match.advance(1003 * S))
    (who,) = site.match._identities.values()
    assert [one.tracklet.tracklet_id for one in who.sightings] == ["T-b"]
    assert "expired" not in [event.kind for event in given]


def test_who_is_in_view_for_longer_than_looks_may_be_kept_stays_who_they_are():
    site = Site(vectors_s=1000.0).visit("a", "east", RED, 0, 4, closes=False)
    assert "expired" not in [event.kind for event in site.match.advance(1003 * S)]
    (who,) = site.match._identities.values()
    assert (who.identity_id, who.sightings[0].votes, who.sightings[0].looks.size) == (
        site.identity_of("a"),
        0,
        0,
    )


def test_looks_are_kept_for_ever_where_nothing_is_said():
    site = Site(forget_after_s=10_000 * DAY).visit("a", "east", RED, 0, 4)
    list(site.match.advance(999 * DAY * S))
    assert len(site.match._identities) == 1
