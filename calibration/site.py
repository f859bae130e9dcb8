"""Reads what a site file says: its cameras, where they hang, and the clock of each. Knows no stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibration.camera import Mount


@dataclass(frozen=True, slots=True)
class SiteCamera:
    """One camera of a site file: its mount, and what to add to its clock to get site time."""

    x_m: float = 0.0
    y_m: float = 0.0
    yaw_deg: float = 0.0
    height_m: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    clock_offset_ms: float = 0.0

    @property
    def mount(self) -> Mount:
        """Where it hangs."""
        angles = (self.yaw_deg, self.height_m, self.pitch_deg, self.roll_deg)
        return Mount(self.x_m, self.y_m, *angles, is_placed=True)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with cameras. `name` is part of event ids and topics."""

    name: str
    cameras: dict[str, SiteCamera] = field(default_factory=dict)
