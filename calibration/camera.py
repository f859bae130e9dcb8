"""A camera's geometry: how pixels become points. World axes: x and y along the floor, z up, in metres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calibration.standing import Standing

Matrix = NDArray[np.float64]  # (3, 3)
Point = NDArray[np.float64]  # (3,), metres

SITE = "site"  # the floor frame that all placed cameras of a site share


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole: x right, y down, z forward, pixel centres at whole numbers; distortion as RealSense names it."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, ...] = ()
    distortion_model: str = "none"

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"a picture has at least one pixel, got {self.width_px} x {self.height_px}")
        if self.fx_px <= 0 or self.fy_px <= 0:
            raise ValueError(f"focal lengths must be above 0, got {self.fx_px} and {self.fy_px}")

    @property
    def matrix(self) -> Matrix:
        """Pixels from camera rays: `matrix @ point / point[2] = (u, v, 1)`."""
        return np.array(
            [[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]], np.float64
        )

    @property
    def inverse_matrix(self) -> Matrix:
        """Camera rays of depth 1 m from pixels."""
        fx, fy, cx, cy = self.fx_px, self.fy_px, self.cx_px, self.cy_px
        return np.array([[1 / fx, 0.0, -cx / fx], [0.0, 1 / fy, -cy / fy], [0.0, 0.0, 1.0]], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rigid motion, named `to_from_from`: `world_from_camera.apply(points_camera)` are world points."""

    rotation: Matrix
    translation_m: Point

    def __post_init__(self) -> None:
        if self.rotation.shape != (3, 3) or self.translation_m.shape != (3,):
            shapes = f"{self.rotation.shape} and {self.translation_m.shape}"
            raise ValueError(f"a pose needs shapes (3, 3) and (3,), got {shapes}")

    def inverse(self) -> Self:
        """The motion back."""
        return type(self)(self.rotation.T, -self.rotation.T @ self.translation_m)

    def __matmul__(self, other: Pose) -> Pose:
        return Pose(self.rotation @ other.rotation, self.rotation @ other.translation_m + self.translation_m)

    def apply(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (..., 3) in metres, moved."""
        moved: NDArray[np.float64] = points_m @ self.rotation.T + self.translation_m
        return moved


@dataclass(frozen=True, slots=True)
class Mount:
    """Where the site file says a camera hangs. `yaw_deg` is the direction, on the floor and counter-clockwise
    from the site's x axis, of what points right in the picture. Height and tilt come from the floor that the
    camera sees, unless `height_m`, `pitch_deg` and `roll_deg` are all given (see `pose_of`).
    """

    x_m: float = 0.0
    y_m: float = 0.0
    yaw_deg: float = 0.0
    height_m: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    is_placed: bool = False  # whether the site file places this camera at all


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What turns a frame's pixels into floor positions. Without a pose the floor has yet to be found."""

    intrinsics: Intrinsics
    mount: Mount = field(default_factory=Mount)
    world_from_camera: Pose | None = None
    calibration_id: str = ""
    standing: Standing | None = None  # what stands there for long

    def frame_id(self, camera_id: str) -> str:
        """The floor frame of this view's positions: the site's, or the camera's own."""
        return SITE if self.mount.is_placed else camera_id

    @property
    def world_from_pixel(self) -> Matrix:
        """`world = origin + depth_m * world_from_pixel @ (u, v, 1)`; raises ValueError without a pose."""
        return self.pose.rotation @ self.intrinsics.inverse_matrix

    @property
    def pose(self) -> Pose:
        """The pose; raises ValueError where the floor has not been found."""
        if self.world_from_camera is None:
            raise ValueError("this view has no pose; a floor stage before this one finds it")
        return self.world_from_camera

    def project(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (n, 3) in metres to (n, 3): u and v in pixels, depth in metres. Distortion is left out."""
        seen = self.pose.inverse().apply(points_m)
        pixels = seen @ self.intrinsics.matrix.T
        return np.column_stack([pixels[:, :2] / seen[:, 2:], seen[:, 2]])


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """How a colour picture that is not aligned to depth is reached: its pinhole, and its pose from depth's."""

    intrinsics: Intrinsics
    color_from_depth: Pose


def pose_from_plane(normal: Point, height_m: float, mount: Mount) -> Pose:
    """World from camera of one that sees its floor as the plane `normal @ point + height_m = 0`, with the unit
    `normal` (camera axes) pointing up. The picture's right, laid on the floor, points along `mount.yaw_deg`.
    """
    right = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    right /= np.linalg.norm(right)
    level_from_camera = np.stack([right, np.cross(normal, right), normal])
    yaw = np.radians(mount.yaw_deg)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    return Pose(turn @ level_from_camera, np.array([mount.x_m, mount.y_m, height_m]))


def pose_of(mount: Mount) -> Pose | None:
    """The pose a mount gives by itself, or None where height or tilt are to be found from depth. From looking
    straight down, `pitch_deg` lifts the view towards the top of the picture, `roll_deg` towards its right.
    """
    if mount.height_m is None or mount.pitch_deg is None or mount.roll_deg is None:
        return None
    pitch, roll = np.radians(mount.pitch_deg), np.radians(mount.roll_deg)
    # looking straight down, up is -z in camera axes
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_y = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    normal = about_x.T @ about_y.T @ np.array([0.0, 0.0, -1.0])
    return pose_from_plane(normal, mount.height_m, mount)
