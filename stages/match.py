"""Decides who a tracklet is: somebody in the gallery, or somebody new. One gallery for all cameras of a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.keyed import Keyed
from pipeline.messages import (
    CorrectionEvent,
    Embedding,
    Identity,
    IdentityEvent,
    Match as Reason,
    Sighting,
    derived_id,
)
from pipeline.stage import Memory, Stage
from stages._evidence import NEVER, Evidence
from stages._identity_events import identity_event

Given = IdentityEvent | CorrectionEvent
REVIEWED = "reviewed"


@dataclass
class Match(Stage[Embedding, Given]):
    """Waits until a tracklet has been looked at twice, weighs it against everyone in the gallery, and gives all
    tracklets that wait to people so that the evidence is greatest, nobody being in two places (Hungarian). Every
    `review_s` it reconsiders: two identities may prove to be one, and a tracklet to be somebody else's.
    """

    memory: ClassVar[Memory] = Memory.SITE
    midpoint: float = 0.80
    slope: float = 25.0
    height_m: float = 0.035
    max_speed_m_s: float = 2.5
    min_evidence: float = 0.5  # log likelihood ratio: with less, somebody new
    merge_evidence: float = 2.5
    split_evidence: float = -2.5
    votes: int = 2  # looks at a tracklet before it is decided whose it is
    wait_s: float = 3.0  # and then it is decided without
    event_every_s: float = 2.0
    lost_after_s: float = 5.0
    forget_after_s: float = 86_400.0
    review_s: float = 5.0
    max_sightings: int = 24  # remembered of one person
    _waiting: Keyed[Sighting] = field(default_factory=Keyed, init=False)  # by tracklet
    _identities: Keyed[Identity] = field(default_factory=Keyed, init=False)  # by identity
    _whose: Keyed[str] = field(default_factory=Keyed, init=False)  # identity by open tracklet
    _times_ns: Keyed[int] = field(default_factory=Keyed, init=False)

    def __post_init__(self) -> None:
        for name in ("slope", "height_m", "max_speed_m_s", "votes", "wait_s", "event_every_s", "review_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    @property
    def _evidence(self) -> Evidence:
        return Evidence(self.midpoint, self.slope, self.height_m, self.max_speed_m_s)

    def advance(self, to_ns: int) -> Iterator[Given]:
        due = [one for one in self._waiting.values() if to_ns - one.tracklet.opened_ns > self.wait_s * 1e9]
        yield from self._decide(due)
        for identity in self._identities.values():
            yield from self._passed(identity, to_ns)
        reviewed_ns = self._times_ns.get(REVIEWED)
        if reviewed_ns is None or to_ns - reviewed_ns > self.review_s * 1e9:
            self._times_ns.put(REVIEWED, to_ns)
            yield from self._review(to_ns)

    def process(self, embedding: Embedding) -> Iterator[Given]:
        tracklet = embedding.tracklet
        identity = self._identities.get(self._whose.get(tracklet.tracklet_id) or "")
        if identity is not None:
            yield from self._seen_on(identity, embedding)
            return
        waiting = _looked(self._waiting.get(tracklet.tracklet_id), embedding)
        self._waiting.put(tracklet.tracklet_id, waiting)
        if len(waiting.vectors) >= self.votes or not waiting.is_open:
            yield from self._decide([waiting])

    def finish(self) -> Iterator[Given]:
        yield from self._decide(self._waiting.values())

    def _decide(self, due: Sequence[Sighting]) -> Iterator[Given]:
        """Whose the tracklets are that are due, weighed together with all that wait."""
        if not due:
            return
        waiting, people = self._waiting.values(), self._identities.values()
        evidence = np.full((len(waiting), len(people) + len(waiting)), NEVER)
        for row, one in enumerate(waiting):
            evidence[row, : len(people)] = [self._evidence.between(one, who.sightings) for who in people]
            evidence[row, len(people) + row] = self.min_evidence
        rows, columns = linear_sum_assignment(evidence, maximize=True)
        due_ids = {one.tracklet.tracklet_id for one in due}
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            one = waiting[row]
            if one.tracklet.tracklet_id not in due_ids:
                continue
            who = people[column] if column < len(people) else None
            if who is None and len(one.vectors) < self.votes:
                self._waiting.delete(one.tracklet.tracklet_id)  # too little to make somebody of
                continue
            yield from self._give(one, who, evidence[row, : len(people)])

    def _give(self, one: Sighting, who: Identity | None, evidence: np.ndarray) -> Iterator[Given]:
        id = one.tracklet.tracklet_id
        self._waiting.delete(id)
        reason = self._reason(one, who, evidence)
        if who is None:
            who = Identity(derived_id("P-", one.tracklet.opened_ns, id), one.tracklet.opened_ns, ())
        kind = "appeared" if not who.sightings else "reappeared" if who.is_lost else "observed"
        changed = self._with(who, one)
        self._identities.put(
            changed.identity_id, replace(changed, said_ns=one.tracklet.seen_ns, is_lost=False)
        )
        if one.is_open:
            self._whose.put(id, who.identity_id)
        yield identity_event(kind, changed, one, reason)

    def _seen_on(self, who: Identity, embedding: Embedding) -> Iterator[Given]:
        """More of a tracklet that has been decided."""
        id = embedding.tracklet.tracklet_id
        known = next(one for one in who.sightings if one.tracklet.tracklet_id == id)
        one = _looked(known, embedding)
        changed = self._with(who, one)
        if not one.is_open:
            self._whose.delete(id)
        if one.tracklet.seen_ns - who.said_ns >= self.event_every_s * 1e9 or not one.is_open:
            changed = replace(changed, said_ns=one.tracklet.seen_ns)
            reason = Reason(one.kind, "", _dimension(one), "none", len(one.vectors), len(self._identities))
            yield identity_event("observed", changed, one, reason)
        self._identities.put(who.identity_id, changed)

    def _with(self, who: Identity, one: Sighting) -> Identity:
        """The person after this sighting: the oldest ones that are over are forgotten when they are too many."""
        id = one.tracklet.tracklet_id
        others = [other for other in who.sightings if other.tracklet.tracklet_id != id]
        sightings = sorted([*others, one], key=lambda s: (s.tracklet.opened_ns, s.tracklet.tracklet_id))
        confirmed = who.is_confirmed or sum(len(s.vectors) for s in sightings) >= self.votes
        return replace(who, sightings=tuple(sightings[-self.max_sightings :]), is_confirmed=confirmed)

    def _reason(self, one: Sighting, who: Identity | None, evidence: np.ndarray) -> Reason:
        best = np.sort(evidence)[::-1]
        decision = "new" if who is None else "rematch" if who.is_lost else "match"
        margin = float(best[0] - best[1]) if len(best) > 1 and best[1] > NEVER else None
        known = len(best) > 0 and best[0] > NEVER
        return Reason(
            model_id=one.kind,
            engine_sha256="",
            dimension=_dimension(one),
            decision=decision,
            votes=len(one.vectors),
            gallery_size=len(self._identities),
            score=round(float(best[0]), 4) if known else None,
            probability=round(float(1 / (1 + np.exp(self.min_evidence - best[0]))), 4) if known else None,
            margin_to_second=None if margin is None else round(margin, 4),
        )

    def _passed(self, who: Identity, now_ns: int) -> Iterator[Given]:
        """Somebody who has not been seen for long is lost, and in the end forgotten."""
        last = max(who.sightings, key=lambda one: one.tracklet.seen_ns)
        unseen_s = (now_ns - last.tracklet.seen_ns) / 1e9
        if last.is_open or unseen_s < self.lost_after_s:
            return
        reason = Reason(last.kind, "", _dimension(last), "none", len(last.vectors), len(self._identities))
        if unseen_s > self.forget_after_s:
            self._identities.delete(who.identity_id)
            yield identity_event("expired", who, last, reason)
        elif not who.is_lost:
            lost = replace(who, is_lost=True)
            self._identities.put(who.identity_id, lost)
            yield identity_event("lost", lost, last, reason)

    def _review(self, now_ns: int) -> Iterator[Given]:
        yield from self._merge(now_ns)
        yield from self._split(now_ns)

    def _merge(self, now_ns: int) -> Iterator[Given]:
        """Two identities that have proved to be one person: the later becomes the earlier."""
        people = sorted(self._identities.values(), key=lambda who: (who.appeared_ns, who.identity_id))
        for number, later in enumerate(people):
            best = max(
                ((self._together(later, earlier), -i) for i, earlier in enumerate(people[:number])),
                default=(NEVER, 0),
            )
            earlier = self._identities.get(people[-best[1]].identity_id)
            if best[0] < self.merge_evidence or earlier is None:
                continue
            joined = earlier
            for one in later.sightings:
                joined = self._with(joined, one)
                if one.is_open:
                    self._whose.put(one.tracklet.tracklet_id, earlier.identity_id)
            ids = (*joined.previous_ids, later.identity_id, *later.previous_ids)
            self._identities.put(earlier.identity_id, replace(joined, previous_ids=ids, said_ns=now_ns))
            self._identities.delete(later.identity_id)
            yield self._corrected("merged", later, (later.identity_id,), (earlier.identity_id,), best[0])
            return  # one a review: the next sees what came of it

    def _together(self, a: Identity, b: Identity) -> float:
        """The evidence that two identities are one person: of each sighting of the one with all of the other."""
        less, more = sorted((a, b), key=lambda who: len(who.sightings))
        all_of_it = [self._evidence.between(one, more.sightings) for one in less.sightings]
        return NEVER if min(all_of_it) <= NEVER else float(np.mean(all_of_it))

    def _split(self, now_ns: int) -> Iterator[Given]:
        """A tracklet that has proved to be somebody else's than those it was given to."""
        for who in self._identities.values():
            if len(who.sightings) < 2:
                continue
            rest = [tuple(other for other in who.sightings if other is not one) for one in who.sightings]
            fits = [
                self._evidence.between(one, others) for one, others in zip(who.sightings, rest, strict=True)
            ]
            worst = int(np.argmin(fits))
            if fits[worst] >= self.split_evidence:
                continue
            one = who.sightings[worst]
            others = [other for other in self._identities.values() if other is not who]
            found = max(
                ((self._evidence.between(one, o.sightings), -i) for i, o in enumerate(others)),
                default=(NEVER, 0),
            )
            home = (
                others[-found[1]]
                if found[0] > self.min_evidence
                else Identity(derived_id("P-", now_ns, one.tracklet.tracklet_id), one.tracklet.opened_ns, ())
            )
            self._identities.put(who.identity_id, replace(who, sightings=rest[worst]))
            self._identities.put(home.identity_id, self._with(home, one))
            if one.is_open:
                self._whose.put(one.tracklet.tracklet_id, home.identity_id)
            yield self._corrected(
                "split", who, (who.identity_id,), (who.identity_id, home.identity_id), fits[worst], one
            )
            return

    def _corrected(self, kind, who, from_ids, to_ids, evidence, one=None) -> CorrectionEvent:
        last = one or who.sightings[-1]
        return CorrectionEvent(
            kind=kind,
            camera_id=last.tracklet.camera_id,
            captured_ns=last.tracklet.seen_ns,
            from_ids=from_ids,
            to_ids=to_ids,
            effective_from_ns=last.tracklet.opened_ns if one else who.appeared_ns,
            evidence=f"log likelihood ratio {evidence:.2f}",
            tracklet_ids=(one.tracklet.tracklet_id,) if one else (),
        )


def _looked(known: Sighting | None, embedding: Embedding) -> Sighting:
    """A sighting after one more embedding."""
    tracklet = replace(embedding.tracklet, crops=())
    kind = f"{embedding.model_id}/{embedding.modality}"
    new = embedding.vector[None]
    vectors = known.vectors if known else np.empty((0, 0), np.float32)
    if embedding.vector.size:
        vectors = np.concatenate([vectors, new]) if len(vectors) else new
    return Sighting(tracklet, vectors, kind, tracklet.phase != "closed")


def _dimension(one: Sighting) -> int:
    return int(one.vectors.shape[1]) if len(one.vectors) else 0
