"""Cuts people out of a frame: colour laid on the pixels of depth, and how much a cut-out is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Boxes, Crop, DepthMap, Frame, Grey, Picture, Scores, Tracks

EDGE_PX = 2  # a box this near to the edge of the picture is cut by it
CUT = 0.3  # what is left of the quality of such a box


def crops_of(
    tracks: Tracks,
    color: Picture | None,
    depth: DepthMap | None,
    wanted: NDArray[np.intp],
    infrared: Grey | None = None,
) -> list[Crop]:
    """A crop of each wanted row. Where colour is not on depth's pixels, it is looked up for each of them."""
    frame = tracks.frame
    qualities, boxes = qualities_of(tracks), _inside(tracks.boxes, frame)
    view = replace(frame.view, standing=None)  # a map of the whole floor says nothing of one person
    made = []
    for row in wanted:
        left, top, right, bottom = boxes[row]
        cut = None if depth is None else depth[top:bottom, left:right].copy()
        made.append(
            Crop(
                captured_ns=frame.captured_ns,
                box=boxes[row],
                view=view,
                depth_scale_m=frame.depth_scale_m,
                color=None if color is None else _color(frame, color, cut, boxes[row]),
                depth=cut,
                floor_m=tracks.floor_m[row],
                height_m=float(tracks.heights_m[row]),
                quality=float(qualities[row]),
                infrared=None if infrared is None else infrared[top:bottom, left:right].copy(),
            )
        )
    return made


def qualities_of(tracks: Tracks) -> Scores:
    """How whole, alone and near the middle of the picture each person is: (n,), 0 to 1."""
    lens = tracks.frame.view.intrinsics
    size = np.array([lens.width_px, lens.height_px], np.float32)
    middles = (tracks.boxes[:, :2] + tracks.boxes[:, 2:]) / 2
    off = np.linalg.norm(middles / size - 0.5, axis=1)
    cut = (tracks.boxes[:, :2] < EDGE_PX).any(axis=1) | (tracks.boxes[:, 2:] > size - EDGE_PX).any(axis=1)
    quality: Scores = ((1.0 - off) * np.where(cut, CUT, 1.0) * (1.0 - covered(tracks.boxes))).astype(
        np.float32
    )
    return quality.clip(0.0, 1.0)


def covered(boxes: Boxes) -> Scores:
    """The largest share of each box that another one covers: (n,)."""
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (bottom_right - top_left).clip(0).prod(axis=2)
    np.fill_diagonal(shared, 0.0)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0)
    return np.asarray((shared / areas[:, None]).max(axis=1, initial=0.0), np.float32)


def _inside(boxes: Boxes, frame: Frame) -> NDArray[np.int32]:
    lens = frame.view.intrinsics
    limits = np.array([lens.width_px, lens.height_px] * 2)
    whole = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    return np.asarray(np.clip(whole, 0, limits), np.int32)


def _color(frame: Frame, color: Picture, depth: DepthMap | None, box: NDArray[np.int32]) -> Picture:
    left, top, right, bottom = box
    if frame.registration is None:
        return color[top:bottom, left:right].copy()
    if depth is None:
        raise ValueError("colour that is not on depth's pixels needs depth to be laid on them")
    lens = frame.registration.intrinsics
    rows, columns = np.mgrid[top:bottom, left:right]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ frame.view.intrinsics.inverse_matrix.T
    points_m = rays * (depth * frame.depth_scale_m)[..., None]
    seen = frame.registration.color_from_depth.apply(points_m) @ lens.matrix.T
    ahead = seen[..., 2] > 0
    u, v = (np.rint(seen[..., i] / np.where(ahead, seen[..., 2], 1.0)).astype(int) for i in (0, 1))
    known = ahead & (depth > 0) & (u >= 0) & (u < lens.width_px) & (v >= 0) & (v < lens.height_px)
    laid = np.zeros((*depth.shape, 3), np.uint8)
    laid[known] = color[v[known], u[known]]
    return laid
