"""The SDK's post-processing of depth: its settings, and the chain in the order that Intel recommends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stages.source._sdk import sdk

HOLES = ("left", "farthest", "nearest")  # in the order of the SDK's numbers


class Decimation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fewer pixels: blocks of `magnitude` x `magnitude` become one, and the intrinsics change with them."""

    magnitude: Annotated[int, Meta(ge=2, le=8)] = 2


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing nearer or farther than this."""

    min_m: Annotated[float, Meta(ge=0, le=16)] = 0.15
    max_m: Annotated[float, Meta(ge=0, le=16)] = 10.0


class Spatial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Smooths within a frame, not across edges of more than `delta` (in disparity)."""

    magnitude: Annotated[int, Meta(ge=1, le=5)] = 2
    alpha: Annotated[float, Meta(ge=0.25, le=1)] = 0.5
    delta: Annotated[int, Meta(ge=1, le=50)] = 20
    holes: Annotated[int, Meta(ge=0, le=5)] = 0


class Temporal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Smooths over frames; what walks leaves a trail at low `alpha`."""

    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.4
    delta: Annotated[int, Meta(ge=1, le=100)] = 20
    persistence: Annotated[int, Meta(ge=0, le=8)] = 3


class HoleFilling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fills what was not measured from a neighbour: invents depth, so it is never on by itself."""

    source: Literal["left", "farthest", "nearest"] = "farthest"


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which filters depth goes through; one that is not named is off."""

    decimation: Decimation | None = None
    threshold: Threshold | None = None
    spatial: Spatial | None = None
    temporal: Temporal | None = None
    hole_filling: HoleFilling | None = None


class Chain:
    """The filters of one camera; some remember the frames before, so each camera needs its own."""

    def __init__(self, filters: Filters) -> None:
        self._blocks = list(_blocks(filters))
        self._for_grey = list(_for_grey(filters.decimation))

    def depth(self, frame: Any) -> Any:
        """A depth frame of the SDK, filtered; stamp, number and unit stay as they are."""
        for block in self._blocks:
            frame = block.process(frame)
        return frame

    def infrared(self, frame: Any) -> Any:
        """An infrared frame, decimated as depth is, so that it stays on its pixels."""
        for block in self._for_grey:
            frame = block.process(frame)
        return frame


def _blocks(filters: Filters) -> Iterator[Any]:
    rs = sdk()
    option, in_disparity = rs.option, bool(filters.spatial or filters.temporal)
    if chosen := filters.decimation:
        yield _set(rs.decimation_filter(), {option.filter_magnitude: chosen.magnitude})
    if limits := filters.threshold:
        yield _set(
            rs.threshold_filter(), {option.min_distance: limits.min_m, option.max_distance: limits.max_m}
        )
    if in_disparity:
        yield rs.disparity_transform(True)
    if space := filters.spatial:
        values = {option.filter_magnitude: space.magnitude, option.holes_fill: space.holes}
        yield _set(rs.spatial_filter(), {**_smoothing(space), **values})
    if time := filters.temporal:
        yield _set(rs.temporal_filter(), {**_smoothing(time), option.holes_fill: time.persistence})
    if in_disparity:
        yield rs.disparity_transform(False)
    if filling := filters.hole_filling:
        yield _set(rs.hole_filling_filter(), {option.holes_fill: HOLES.index(filling.source)})


def _for_grey(chosen: Decimation | None) -> Iterator[Any]:
    """A decimation filter takes depth alone, unless it is told of another stream, and of any format."""
    rs = sdk()
    if chosen is not None:
        option, infrared = rs.option, rs.stream.infrared.value
        values = {option.stream_filter: infrared, option.stream_format_filter: rs.format.any.value}
        yield _set(rs.decimation_filter(), {option.filter_magnitude: chosen.magnitude, **values})


def _smoothing(chosen: Spatial | Temporal) -> dict[Any, float]:
    option = sdk().option
    return {option.filter_smooth_alpha: chosen.alpha, option.filter_smooth_delta: chosen.delta}


def _set(block: Any, values: Mapping[Any, float]) -> Any:
    for option, value in values.items():
        block.set_option(option, float(value))
    return block
