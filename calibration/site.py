"""What a site file says: its cameras, where they hang, and the clock of each. Knows no stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibration.camera import Mount


@dataclass(frozen=True, slots=True)
class SiteCamera:
    """One camera of a site file: its mount, and what to add to its clock to get site time. Without x, y and
    yaw the camera is not placed, and has a floor of its own; height and tilt are found from depth, or given.
    """

    x_m: float | None = None
    y_m: float | None = None
    yaw_deg: float | None = None
    height_m: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    clock_offset_ms: float = 0.0

    def __post_init__(self) -> None:
        _all_or_none(self, ("x_m", "y_m", "yaw_deg"))
        _all_or_none(self, ("height_m", "pitch_deg", "roll_deg"))
        if self.height_m is not None and self.height_m <= 0:
            raise ValueError(f"height_m must be above 0, got {self.height_m}")

    @property
    def mount(self) -> Mount:
        """Where it hangs."""
        place = (self.x_m or 0.0, self.y_m or 0.0, self.yaw_deg or 0.0)
        tilt = (self.height_m, self.pitch_deg, self.roll_deg)
        return Mount(*place, *tilt, is_placed=self.x_m is not None)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with cameras. `name` is part of event ids and topics."""

    name: str
    cameras: dict[str, SiteCamera] = field(default_factory=dict)


def _all_or_none(camera: SiteCamera, names: tuple[str, ...]) -> None:
    missing = [name for name in names if getattr(camera, name) is None]
    if 0 < len(missing) < len(names):
        raise ValueError(f"{', '.join(names)} go together; give {', '.join(missing)} too, or none of them")
