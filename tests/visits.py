"""Visits to a site that a matcher is told of, for tests."""

import numpy as np
from builders import embedding, tracklet

from pipeline.messages import CorrectionEvent, IdentityEvent
from stages.match import Match

RED, BLUE, GREEN = np.eye(3, dtype=np.float32)
S = 1_000_000_000


class Site:
    """Feeds a matcher with visits: a tracklet that is looked at every second."""

    def __init__(self, **settings):
        self.match, self.said, self._now_s = Match(**settings), [], 0.0

    def visit(self, name, camera, look, from_s, to_s, at=(0.0, 0.0), height_m=1.7, closes=True, **given):  # noqa: PLR0913
        """A visit from one second to another; looks are one a second, the last one closes it."""
        visibility = given.pop("visibility", None)
        times = np.arange(from_s, to_s + 0.5, 1.0)
        for number, now_s in enumerate(times):
            phase = (
                "closed" if closes and number == len(times) - 1 else "opened" if number == 0 else "updated"
            )
            self.pass_to(now_s)
            seen = tracklet(
                camera,
                f"T-{name}",
                phase=phase,
                opened_ns=int(from_s * S),
                seen_ns=int(now_s * S),
                entered_floor_m=np.array(at, np.float32),
                floor_m=np.array(at, np.float32),
                height_m=height_m,
                **given,
            )
            vector, shows = (look, visibility) if number else (np.empty(0), None)
            self.said += self.match.process(embedding(seen, vector, visibility=shows))
        return self

    def pass_to(self, now_s):
        """Time passes, a quarter of a second at a time."""
        while self._now_s < now_s:
            self._now_s = min(self._now_s + 0.25, now_s)
            self.said += self.match.advance(int(self._now_s * S))

    def identity_of(self, name):
        """The identity of a tracklet in the end."""
        who = None
        for event in self.said:
            if isinstance(event, IdentityEvent) and event.tracklet_id == f"T-{name}":
                who = event.identity_id
            elif isinstance(event, CorrectionEvent) and event.kind == "merged" and who in event.from_ids:
                who = event.to_ids[0]
            elif isinstance(event, CorrectionEvent) and f"T-{name}" in event.tracklet_ids:
                who = event.to_ids[-1]
        return who

    def kinds(self):
        return [event.kind for event in self.said if event.kind != "observed"]


def alike(look, other, share):
    mixed = share * look + np.sqrt(1 - share**2) * other
    return mixed / np.linalg.norm(mixed)
