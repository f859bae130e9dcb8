"""Decides who a tracklet is: somebody in the gallery, or somebody new. One gallery for all cameras of a site."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.keyed import Keyed
from pipeline.messages import (
    UNSAID,
    Command,
    Corrected,
    CorrectionEvent,
    Embedding,
    Identity,
    IdentityEvent,
    IdentityKind,
    Sighting,
    derived_id,
)
from pipeline.messages import Match as Reason
from pipeline.stage import Memory, Stage
from stages._evidence import NEVER, Evidence
from stages._fellows import weighed_together
from stages._identity_events import decided, identity_event, merged, seen_again, split_off
from stages._looked_at import check_votes
from stages._people import LATELY_S, People
from stages._remembered import looked, outlived, remembered
from stages._review import Gallery, Merge, Review, Split, together
from stages._ways import SURE, Ways

Given = IdentityEvent | CorrectionEvent
REVIEWED = "reviewed"


@dataclass
class Match(Stage[Embedding | Command, Given]):
    """Waits until a tracklet has been looked at `votes` times, weighs it against everyone in the gallery, and gives
    all tracklets that wait to people so that the evidence is greatest, nobody being in two places (Hungarian).
    Every `review_s` it looks back. Evidence is a log likelihood ratio.
    """

    memory: ClassVar[Memory] = Memory.SITE
    midpoint: float = 0.80  # the similarity at which appearance says nothing
    slope: float = 25.0  # evidence for each unit of similarity beyond
    masked_below: float = 1.0  # who shows less than this share is compared by what shows
    height_m: float = 0.012  # two measurements of one person are mostly within it; some are far off
    max_speed_m_s: float = 2.5
    min_evidence: float = 0.5  # with less, somebody new
    merge_evidence: float = 2.5
    split_evidence: float = -2.5
    votes: int = 3
    wait_s: float = 3.0  # then it is decided without
    doubt_s: float = 5.0  # what is doubted may wait for more looks until it has been there for so long
    min_new_s: float = 1.0  # nobody new is made of what was seen for less: it may be a limb, a bag, a trolley
    event_every_s: float = 2.0
    lost_after_s: float = 5.0
    forget_after_s: float = 86_400.0
    review_s: float = 5.0
    max_sightings: int = 12  # remembered of one person
    max_identities: int = 200_000  # with more, who was lost the longest ago is forgotten
    vectors_s: float = math.inf  # for how long looks may be kept; given by the runtime
    _waiting: Keyed[Sighting] = field(default_factory=Keyed, init=False, repr=False)  # by tracklet
    _identities: People = field(default_factory=People, init=False, repr=False)
    _whose: Keyed[str] = field(default_factory=Keyed, init=False, repr=False)  # identity by open tracklet
    _ways: Ways = field(default_factory=Ways, init=False, repr=False)
    _times_ns: Keyed[int] = field(default_factory=Keyed, init=False, repr=False)

    def __post_init__(self) -> None:
        above = ["slope", "height_m", "max_speed_m_s", "votes", "wait_s", "event_every_s", "lost_after_s"]
        above += ["doubt_s", "review_s", "max_sightings", "max_identities"]
        for name in above:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.forget_after_s <= self.lost_after_s:
            raise ValueError(f"forget_after_s must be above lost_after_s, got {self.forget_after_s}")
        if not 0 <= self.masked_below <= 1:
            raise ValueError(f"masked_below must be from 0 to 1, got {self.masked_below}")

    def check_after(self, before: Sequence[object]) -> None:
        check_votes(self.votes, before)

    @property
    def _evidence(self) -> Evidence:
        measures = (self.midpoint, self.slope, self.height_m, self.max_speed_m_s, self.masked_below)
        return Evidence(*measures, self._ways)

    def advance(self, to_ns: int) -> Iterator[Given]:
        self._identities.pass_to(to_ns - round(max(LATELY_S, 2 * self.review_s) * 1e9))
        yield from self._decide([one for one in self._waiting.values() if self._is_due(one, to_ns)], to_ns)
        for who in self._identities.here():
            yield from self._passed(who, to_ns)
        reviewed_ns = self._times_ns.get(REVIEWED) or 0
        if to_ns - reviewed_ns > self.review_s * 1e9:
            self._times_ns.put(REVIEWED, to_ns)
            yield from self._review(to_ns, reviewed_ns)

    def process(self, message: Embedding | Command) -> Iterator[Given]:
        if not isinstance(message, Command):
            yield from self._seen(message)
        elif message.kind == "erase":
            yield from self._erase(message)
        else:
            yield from self._correct(message)

    def _seen(self, embedding: Embedding) -> Iterator[Given]:
        id = embedding.tracklet.tracklet_id
        if who := self._identities.get(self._whose.get(id) or ""):
            yield from self._seen_on(who, embedding)
            return
        one = looked(self._waiting.get(id), embedding)
        self._waiting.put(id, one)
        if self._is_due(one, one.tracklet.seen_ns):
            yield from self._decide([one], one.tracklet.seen_ns)

    def finish(self) -> Iterator[Given]:
        yield from self._decide(self._waiting.values(), 2**63 - 1)  # nothing is waited for any more

    def _is_due(self, one: Sighting, now_ns: int) -> bool:
        waited_s = (now_ns - one.tracklet.opened_ns) / 1e9
        if one.is_weighed:  # and nothing new is known
            return waited_s > self.doubt_s and self._may_be_new(one)
        return one.votes >= self.votes or not one.is_open or waited_s > self.wait_s

    def _may_be_new(self, one: Sighting) -> bool:
        seen_s = (one.tracklet.seen_ns - one.tracklet.opened_ns) / 1e9
        return one.votes >= self.votes and seen_s >= self.min_new_s

    def _decide(self, due: Sequence[Sighting], now_ns: int) -> Iterator[Given]:
        """Whose the tracklets are that are due, weighed together with all that wait."""
        if not due:
            return
        waiting, later = weighed_together(due, self._waiting.values())
        near = self._identities.alike(waiting)
        people = together(*near)
        of_known = Gallery(people, self._evidence, waiting).of_waiting(near)
        evidence = np.hstack([of_known, np.where(np.eye(len(waiting)), self.min_evidence, NEVER)])
        rows, columns = linear_sum_assignment(evidence, maximize=True)
        due_ids = {one.tracklet.tracklet_id for one in due}
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            one = waiting[row]
            if one.tracklet.tracklet_id in due_ids:
                who = people[column] if column < len(people) else None
                weighed = np.append(of_known[row], self.min_evidence)
                reason = decided(one, who, evidence[row, column], weighed, len(self._identities))
                is_sure = (reason.probability or 0.0) > SURE
                is_early = one.is_open and now_ns - one.tracklet.opened_ns < self.doubt_s * 1e9
                if is_early and not is_sure if self._may_be_new(one) else who is None:
                    self._put_off(one)
                    continue
                if who is not None and is_sure:
                    self._ways.learn(one, who, near[row])
                yield from self._give(one, who, reason)
        yield from self._decide(later, now_ns)

    def _put_off(self, one: Sighting) -> None:
        """More may come of it; of what is over nothing will."""
        self._waiting.delete(one.tracklet.tracklet_id)
        if one.is_open:
            self._waiting.put(one.tracklet.tracklet_id, replace(one, is_weighed=True))

    def _give(self, one: Sighting, who: Identity | None, reason: Reason) -> Iterator[Given]:
        """The tracklet is of this person, or of somebody new."""
        id = one.tracklet.tracklet_id
        self._waiting.delete(id)
        known = who or Identity(derived_id("P-", one.tracklet.opened_ns, id), one.tracklet.opened_ns, ())
        kind: IdentityKind = "appeared" if who is None else "reappeared" if who.is_lost else "observed"
        changed = replace(self._with(known, one), said_ns=one.tracklet.seen_ns, is_lost=False)
        self._identities.put(changed.identity_id, changed)
        if one.is_open:
            self._whose.put(id, changed.identity_id)
        yield identity_event(kind, changed, one, reason)

    def _seen_on(self, who: Identity, embedding: Embedding) -> Iterator[Given]:
        """More of a tracklet that has been decided."""
        id = embedding.tracklet.tracklet_id
        one = looked(next(s for s in who.sightings if s.tracklet.tracklet_id == id), embedding)
        changed = self._with(who, one)
        if not one.is_open:
            self._whose.delete(id)
        if not one.is_open or one.tracklet.seen_ns - who.said_ns >= self.event_every_s * 1e9:
            changed = replace(changed, said_ns=one.tracklet.seen_ns)
            kind: IdentityKind = "appeared" if who.said_ns == UNSAID else "observed"
            yield identity_event(kind, changed, one, seen_again(one, len(self._identities)))
        self._identities.put(who.identity_id, changed)

    def _with(self, who: Identity, one: Sighting) -> Identity:
        """The person after this sighting."""
        id = one.tracklet.tracklet_id
        others = [other for other in who.sightings if other.tracklet.tracklet_id != id]
        sightings = sorted([*others, one], key=lambda other: other.place)
        seen_ns = max(who.seen_ns, one.tracklet.seen_ns)
        return self._kept(replace(who, sightings=tuple(sightings), seen_ns=seen_ns))

    def _kept(self, who: Identity) -> Identity:
        """Confirmed if there are the votes; of too many sightings those that differ are remembered."""
        confirmed = who.is_confirmed or sum(one.votes for one in who.sightings) >= self.votes
        return replace(who, sightings=remembered(who.sightings, self.max_sightings), is_confirmed=confirmed)

    def _passed(self, who: Identity, now_ns: int) -> Iterator[Given]:
        """Somebody who has not been seen for long is lost, and in the end forgotten."""
        unseen_s = (now_ns - who.seen_ns) / 1e9
        if unseen_s < self.lost_after_s or any(one.is_open for one in who.sightings):
            return
        if unseen_s > self.forget_after_s:
            yield self._forgotten(who)
        elif not who.is_lost:
            lost = replace(who, is_lost=True)
            self._identities.put(who.identity_id, lost)
            yield identity_event("lost", lost, who.last, seen_again(who.last, len(self._identities)))

    def _forgotten(self, who: Identity) -> IdentityEvent:
        self._identities.delete(who.identity_id)
        event = identity_event("expired", who, who.last, seen_again(who.last, len(self._identities)))
        who.overwrite()
        return event

    def _erase(self, command: Command) -> Iterator[CorrectionEvent]:
        """Forget somebody; whoever is in view and was taken for them is somebody new."""
        who = next((one for one in self._identities.values() if command.subject in one.ids), None)
        if who is None:
            return
        self._identities.delete(who.identity_id)
        for other in self._identities.values():
            if other.is_apart(who):
                self._identities.put(other.identity_id, other.forgetting(who))
        if new := who.anew(command.captured_ns):
            self._identities.put(new.identity_id, new)
            for one in new.sightings:
                self._whose.put(one.tracklet.tracklet_id, new.identity_id)
        yield CorrectionEvent.of_erasure(who, command.captured_ns)
        who.overwrite()

    def _outlived(self, now_ns: int) -> Iterator[IdentityEvent]:
        """Looks that may be kept no longer go; and with the last of them who they were of, unless they are in view."""
        since_ns = now_ns - self.vectors_s * 1e9
        for one in self._waiting.values():
            if one.votes and one.tracklet.opened_ns < since_ns:
                self._waiting.put(one.tracklet.tracklet_id, one.unlooked())
                one.overwrite()
        for who in self._identities.looked_at_before(since_ns):
            old, kept = outlived(who.sightings, since_ns)
            if kept:
                self._identities.put(who.identity_id, replace(who, sightings=kept))
            else:
                yield self._forgotten(who)
            for one in old:
                one.overwrite()

    def _review(self, now_ns: int, since_ns: int) -> Iterator[Given]:
        """One correction of each kind; the next review sees what came of it."""
        yield from self._outlived(now_ns)
        for who in self._identities.unseen_since(now_ns - self.forget_after_s * 1e9):
            yield from self._passed(who, now_ns)
        for who in self._identities.beyond(self.max_identities):
            yield self._forgotten(who)
        people = self._identities
        review, seen = Review(self._evidence, people.alike), people.seen_since(since_ns)
        if split := review.split(seen, self.split_evidence, self.min_evidence, since_ns):
            yield self._split(split, now_ns)  # first: who was given to the wrong one makes two look like one
            seen = people.seen_since(since_ns)
        if merge := review.merge(seen, people.alike_to(seen, since_ns), self.merge_evidence):
            yield self._merged(merge, now_ns)

    def _merged(self, merge: Merge, now_ns: int) -> CorrectionEvent:
        earlier, later = merge.earlier, merge.later
        for one in later.sightings:
            if one.is_open:
                self._whose.put(one.tracklet.tracklet_id, earlier.identity_id)
        self._identities.put(earlier.identity_id, self._kept(earlier.joined(later)))
        self._identities.delete(later.identity_id)
        return merged(merge, now_ns)

    def _correct(self, command: Command) -> Iterator[CorrectionEvent]:
        """An operator knows better."""
        if corrected := Corrected.of(command, self._identities.values()):
            for id in corrected.gone:
                self._identities.delete(id)
            for who in corrected.put:
                self._identities.put(who.identity_id, self._kept(who))
            for tracklet_id, id in corrected.whose.items():
                self._whose.put(tracklet_id, id)
            yield corrected.event

    def _split(self, split: Split, now_ns: int) -> CorrectionEvent:
        one, who = split.sighting, split.who
        new_id = derived_id("P-", now_ns, one.tracklet.tracklet_id)
        home = self._with(split.home or Identity(new_id, one.tracklet.opened_ns, ()), one)
        rest = tuple(other for other in who.sightings if other is not one)
        seen_ns = max(other.tracklet.seen_ns for other in rest)
        self._identities.put(who.identity_id, replace(who, sightings=rest, seen_ns=seen_ns))
        self._identities.put(home.identity_id, home)
        if one.is_open:
            self._whose.put(one.tracklet.tracklet_id, home.identity_id)
        return split_off(split, home.identity_id, now_ns)
