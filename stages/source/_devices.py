"""Which RealSense device belongs to which camera of this host: one context of the SDK for all of a process, and for
each device a lock that no other process can have, and that goes with the process.
"""

from __future__ import annotations

import socket
import threading
import weakref
from typing import Any

from pipeline.stage import InputError, NoCameraError
from stages.source._sdk import sdk

AUTO = "auto"


class Claim:
    """One camera's wish for a device. A wish for a serial number keeps that device from those that take any."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted  # a serial number, or AUTO
        self.serial = ""  # of the device that was taken: a restart wants the same again


class Devices:
    """Gives devices to cameras. Thread-safe: the cameras of a graph open at the same time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._context: Any = None
        self._claims: weakref.WeakSet[Claim] = weakref.WeakSet()
        self._holders: dict[str, str] = {}  # camera by serial number
        self._locks: dict[str, socket.socket] = {}  # of those
        self._changes = 0

    def context(self) -> Any:
        """The one context of this process; made when it is first wanted."""
        with self._lock:
            if self._context is None:
                self._context = sdk().context()
                self._context.set_devices_changed_callback(self._note_change)
            return self._context

    @property
    def changes(self) -> int:
        """Counts each time that a device came or went."""
        return self._changes

    def claim(self, wanted: str) -> Claim:
        """Make a wish known, before anybody takes a device."""
        claim = Claim(wanted)
        with self._lock:
            self._claims.add(claim)
        return claim

    def wanted_by_others(self, wanted: str) -> tuple[str, ...]:
        """The serial numbers that are named by anybody who does not want this one."""
        named = {claim.wanted for claim in self._claims}
        return tuple(sorted(named - {wanted, AUTO}))

    def connected(self) -> dict[str, Any]:
        """The devices that are there, by serial number, in its order."""
        number = sdk().camera_info.serial_number
        found = [device for device in self.context().query_devices() if device.supports(number)]
        return dict(sorted((device.get_info(number), device) for device in found))

    def take(self, claim: Claim, camera_id: str) -> Any:
        """The device of a claim, from now on this camera's; raises InputError where there is none to give."""
        with self._lock:
            here = self.connected()
            serial = claim.serial or claim.wanted
            if serial == AUTO:
                serial = self._only_free(list(here), camera_id)
            where = f"cameras.{camera_id}.serial"
            if serial not in here:
                text = f"no RealSense device {serial} is connected, {_these(list(here))}"
                raise NoCameraError(f"{where}: {text}; connect it, or name one that is there")
            if self._holders.get(serial, camera_id) != camera_id:
                text = f"device {serial} is camera {self._holders[serial]!r} already"
                raise InputError(f"{where}: {text}; give each camera a device of its own")
            if serial not in self._locks:
                self._locks[serial] = _locked(serial, where)
            self._holders[serial] = camera_id
            claim.serial = serial
            return here[serial]

    def give_back(self, claim: Claim, camera_id: str) -> None:
        """Let others have the device; nothing happens where none was taken."""
        with self._lock:
            if self._holders.get(claim.serial) == camera_id:
                del self._holders[claim.serial]
                self._locks.pop(claim.serial).close()

    def _only_free(self, serials: list[str], camera_id: str) -> str:
        where = f"cameras.{camera_id}.serial"
        taken = {*self._holders, *(claim.wanted for claim in self._claims)}
        free = [serial for serial in serials if serial not in taken and not _is_elsewhere(serial)]
        if not free:
            text = f"looked for any RealSense device that no other camera has, {_these(serials)}"
            raise NoCameraError(f"{where}: {text}; connect one")
        if len(free) > 1:
            text = f"several RealSense devices are free: {', '.join(free)}"
            raise InputError(f"{where}: {text}; name one, like serial: '{free[0]}'")
        return free[0]

    def _note_change(self, _: Any) -> None:
        self._changes += 1


DEVICES = Devices()


def _these(serials: list[str]) -> str:
    return f"there is {', '.join(serials)}" if serials else "none is there"


def _locked(serial: str, where: str) -> socket.socket:
    """A name that only one process of this host can have, and that no file keeps when it dies."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0sightline/realsense/{serial}")
    except OSError as error:
        lock.close()
        text = f"device {serial} is used by another camera, or by another run on this machine"
        raise InputError(f"{where}: {text}; give each camera a device of its own") from error
    return lock


def _is_elsewhere(serial: str) -> bool:
    """Whether another process has it."""
    try:
        _locked(serial, "").close()
    except InputError:
        return True
    return False
