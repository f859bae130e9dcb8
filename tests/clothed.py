"""People in clothes, seen by cameras above: depth, colour, and the box around them."""

from dataclasses import dataclass, replace

import numpy as np
from scenes import depth_of, person, view

GREY, HAIR = (120, 118, 115), (60, 45, 35)
RED, GREEN, BLUE, WHITE, BLACK = (170, 40, 45), (50, 120, 60), (45, 60, 150), (215, 215, 210), (35, 35, 40)
NOISE = 0.003  # 1/m


@dataclass(frozen=True)
class Clothed:
    """Sizes and colours of somebody."""

    shirt: tuple = RED
    trousers: tuple = BLUE
    height_m: float = 1.75
    broad: float = 1.0

    def body(self, x_m, y_m, turn_deg):
        parts = person(x_m, y_m, self.height_m, turn_deg)
        wide = (1 + (self.broad - 1), 1.0, 1.0)
        head, *rest = parts
        return [
            head,
            *(
                replace(ball, half=tuple(h * w for h, w in zip(ball.half, wide, strict=True)))
                for ball in rest
            ),
        ]


ABOVE, ASIDE = view(3.0), view(3.4, 22.0)


def seen_by(who, camera=ABOVE, at=(0.0, 0.0), turn_deg=0.0, light=1.0, seed=0):
    """Depth (h, w) uint16, colour (h, w, 3) uint8 on its pixels, and the box of the person."""
    clean = depth_of(who.body(*at, turn_deg), camera)
    z = points_of(clean, camera)[..., 2]
    color = painted(who, z, light, seed)
    rows, columns = np.nonzero(z > 0.15)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return depth_of(who.body(*at, turn_deg), camera, NOISE, seed), color, np.array(box, np.float32)


def points_of(depth, camera):
    """Where each pixel is on the site (h, w, 3)."""
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ camera.world_from_pixel.T
    return camera.pose.translation_m + 0.001 * depth[..., None] * rays


def painted(who, z, light=1.0, seed=0):
    """The colour of each pixel by its height above the floor, with the noise of a camera."""
    share = (z / who.height_m)[..., None]
    color = np.where(
        share > 0.92, HAIR, np.where(share > 0.55, who.shirt, np.where(share > 0.05, who.trousers, GREY))
    )
    noise = np.random.default_rng(seed).normal(0, 6, color.shape)
    return (light * color + noise).clip(0, 255).astype(np.uint8)
