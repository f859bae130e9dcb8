"""What a stage is. A stage knows messages and nothing of threads, queues, graphs or files.

Write `stages/<name>.py` with one dataclass that extends Stage or Source. Its fields are its
settings, the annotations of `process` are its ports, and its file name is its name in YAML.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from calibration.camera import Mount
from calibration.site import Site, SiteCamera
from configs.build import InputError as InputError  # engines, which know no pipeline, raise it too
from pipeline.keyed import Keyed

UNPLACED = SiteCamera()


class NoCameraError(InputError):
    """A camera that is not there: what else could be taken in its place depends on what is run."""


In = TypeVar("In")
Out = TypeVar("Out")
Room = Callable[[tuple[int, ...], Any], Any]


class Memory(Enum):
    """What one instance of a stage remembers, and so how its work may be split."""

    NONE = "nothing"  # any instance may take any message
    CAMERA = "one camera"  # one instance per camera_id
    SITE = "everything"  # one instance takes every message


@dataclass
class _Part(ABC):  # noqa: B024
    """Constructors only check and store; `open` takes files, memory and devices, where the part will run."""

    def open(self) -> None:
        for engine in engines(self).values():
            if hasattr(engine, "open"):
                engine.open()

    def close(self) -> None:
        """Give back what `open` took, also if it took only some of it."""
        with ExitStack() as closing:  # every engine is closed, also if one cannot
            for engine in engines(self).values():
                if hasattr(engine, "close"):
                    closing.callback(engine.close)


@dataclass
class Source(_Part, Generic[Out]):
    """One camera: makes messages from the outside world. The graph sets `camera_id` and `site`; the other
    fields are settings. A source that is `live` cannot be asked to wait, so the runtime admits its frames.
    An `isolated` one runs in a process of its own, which is killed when it says nothing for `silent_s`.
    """

    live: ClassVar[bool] = False
    camera_id: str = ""
    site: Site = field(default_factory=lambda: Site(""))
    isolated: bool | None = field(default=None, kw_only=True)  # or where it may hang or crash
    silent_s: float = field(default=5.0, kw_only=True)
    # called by a source that waits for long: it is alive, though it has nothing to give
    pulse: Callable[[], None] = field(default_factory=lambda: _nothing, init=False, repr=False, compare=False)
    # makes a picture of (shape, dtype) to be filled, where it need not be copied again; what is in a frame that was
    # yielded must not be looked at any more
    room: Room = field(default_factory=lambda: np.empty, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.silent_s <= 0:
            raise ValueError(f"silent_s must be above 0, got {self.silent_s}")

    @property
    def may_hang(self) -> bool:
        """Whether it reads by code of others that may hang, or crash, and its process with it."""
        return False

    @property
    def is_isolated(self) -> bool:
        """Whether it runs in a process of its own."""
        return self.may_hang if self.isolated is None else self.isolated

    @property
    def frame_bytes(self) -> int:
        """How large the pictures of a frame can be together, once it is open; 0 if only the first one tells."""
        return 0

    def reserved(self) -> tuple[str, ...]:
        """What the other sources of this process have a right to, by names of their own."""
        return ()

    def reserve(self, names: Sequence[str]) -> None:
        """Leave these to others: sources of another process."""

    @property
    def place(self) -> SiteCamera:
        """What the site file says of this camera; an unplaced one where it says nothing."""
        return self.site.cameras.get(self.camera_id, UNPLACED)

    @property
    def mount(self) -> Mount:
        """Where this camera hangs."""
        return self.place.mount if self.camera_id in self.site.cameras else Mount()

    @abstractmethod
    def produce(self, from_ns: int) -> Iterator[Out]:
        """Yield what was captured at or after `from_ns`, in order of capture: frames, Heartbeats where nothing
        comes for long, a SystemEvent (it goes out with what follows it, or at the end), and a Reset where
        what follows has nothing to do with what was before. Input that no one can read is an InputError;
        what is lost of input that can be read in part is a `gap`.
        """


@dataclass
class Stage(_Part, Generic[In, Out]):
    """Turns messages into messages."""

    memory: ClassVar[Memory] = Memory.NONE
    max_batch = 1  # how many messages of one capture time `process_many` takes at once

    def check_after(self, before: Sequence[_Part]) -> None:
        """Raise ValueError where settings of what comes before it in the graph can never suit its own."""

    @abstractmethod
    def process(self, message: In) -> Iterable[Out]:
        """Take one message; give back zero or more."""

    def process_many(self, messages: Sequence[In]) -> Sequence[Iterable[Out]]:
        """What each message gives; the same, whatever it is batched with."""
        return [self.process(message) for message in messages]

    def advance(self, to_ns: int) -> Iterable[Out]:
        """Give back what is due now that it is `to_ns`; called before the messages of that time."""
        return ()

    def finish(self) -> Iterable[Out]:
        """Give back what is still held when the stream ends."""
        return ()

    def snapshot(self) -> Mapping[str, Any]:
        """Everything `restore` needs to carry on from here; of Keyed fields only what changed."""
        return {name: value.changes() for name, value in vars(self).items() if isinstance(value, Keyed)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Carry on from a snapshot; nobody else holds it."""
        for name, changes in snapshot.items():
            getattr(self, name).apply(changes)


def _nothing() -> None:
    """What a pulse does that nobody waits for."""


def engines(part: _Part) -> dict[str, Any]:
    """The engines among the settings of a part, by name."""
    settings = {f.name: getattr(part, f.name) for f in fields(part) if f.init}
    return {name: value for name, value in settings.items() if is_dataclass(value)}
