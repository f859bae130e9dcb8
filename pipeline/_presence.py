"""Who is in view now, and on which camera, by the events that pass."""

from __future__ import annotations

from pipeline.messages import CorrectionEvent, Event, IdentityEvent


class Presence:
    """Gathers one event after the other; any thread may ask."""

    def __init__(self) -> None:
        self._cameras: dict[str, str] = {}  # by identity

    def add(self, event: Event) -> None:
        match event:
            case IdentityEvent(kind="lost" | "expired"):
                self._cameras.pop(event.identity_id, None)
            case IdentityEvent():
                self._cameras[event.identity_id] = event.camera_id
            case CorrectionEvent(kind="merged" | "erased"):
                seen = [camera for id in event.from_ids if (camera := self._cameras.pop(id, None))]
                if seen and event.to_ids:
                    self._cameras.setdefault(event.to_ids[0], seen[-1])

    def by_camera(self) -> dict[str, int]:
        """How many people each camera sees; whom several see is counted where they were seen last."""
        counts: dict[str, int] = {}
        for camera_id in list(self._cameras.values()):
            counts[camera_id] = counts.get(camera_id, 0) + 1
        return counts
