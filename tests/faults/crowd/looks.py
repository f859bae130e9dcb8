"""An event and a look for each frame; what it says depends on everything that it has said before."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np
from builders import TRACKLET_EVENT, embedding, tracklet

from pipeline.keyed import Keyed
from pipeline.messages import Embedding, Frame, TrackletEvent
from pipeline.stage import Memory, Stage

FRAMES_EACH = 10  # that somebody is in view


@dataclass
class Looks(Stage[Frame, Embedding | TrackletEvent]):
    """One person after another before each camera."""

    memory: ClassVar[Memory] = Memory.CAMERA
    _chain: Keyed[str] = field(default_factory=Keyed, init=False)

    def process(self, frame: Frame) -> Iterator[Embedding | TrackletEvent]:
        number, turn = divmod(frame.index, FRAMES_EACH)
        said = blake2b(f"{self._chain.get('') or ''}{frame.index}".encode(), digest_size=8).hexdigest()
        self._chain.put("", said)
        id = f"T-{frame.camera_id}-{number}"
        phase: Any = "opened" if turn == 0 else "closed" if turn == FRAMES_EACH - 1 else "updated"
        yield replace(
            TRACKLET_EVENT, kind=phase, tracklet_id=id, camera_id=frame.camera_id, frame_index=frame.index,
            captured_ns=frame.captured_ns, previous_tracklet_id=said,
        )  # fmt: skip
        vector = np.frombuffer(bytes.fromhex(said), np.uint8).astype(np.float32)
        yield embedding(tracklet(frame.camera_id, id, phase=phase, seen_ns=frame.captured_ns), vector)
