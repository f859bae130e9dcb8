"""A camera before which people walk by; it has no pictures, only times."""

from collections.abc import Iterator
from dataclasses import dataclass

from builders import VIEW

from pipeline.messages import Frame
from pipeline.stage import Source


@dataclass
class Walkers(Source[Frame]):
    """So many frames at 25 a second."""

    frames: int = 1300

    def produce(self, from_ns: int) -> Iterator[Frame]:
        first = -(-from_ns // 40_000_000)
        for index in range(first, self.frames):
            yield Frame(self.camera_id, index, index * 40_000_000, VIEW)
