"""One connection to a network camera through FFmpeg: pictures as they come, and in plain words why there are none.
Nothing that FFmpeg says goes out as it is, for it may repeat the address with the password.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import av
from av.error import (
    ConnectionRefusedError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPOtherClientError,
    HTTPServerError,
    HTTPUnauthorizedError,
)
from av.video.reformatter import VideoReformatter

from stages.source._rtsp_address import Address

ANSWER_S = 4.0  # for each of the two steps of opening
AT_ONCE = {
    "allowed_media_types": "video",  # sound is not even asked for
    "fflags": "nobuffer",
    "flags": "low_delay",
    "fpsprobesize": "0",  # else the first 20 pictures are held to find their rate
    "reorder_queue_size": "64",  # packets, over UDP
    "max_delay": "200000",  # us: how long a packet that is missing over UDP is waited for
}


class UnreachableError(Exception):
    """What is wrong and what to do. `is_mistake`: it does not mend itself."""

    def __init__(self, text: str, is_mistake: bool = False) -> None:
        super().__init__(text)
        self.is_mistake = is_mistake


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A packet that came: the pictures that it completed, and whether something in it was lost."""

    stamp_ns: int
    arrived_ns: int
    report_ns: int | None  # the camera's own time for the stamp
    pictures: tuple[tuple[int, Any], ...]  # each with its stamp
    damaged: int


class Connection:
    """Opened when it is made."""

    def __init__(self, address: Address, transport: str, ca: str, is_verified: bool, stall_s: float) -> None:
        options = {**AT_ONCE, "rtsp_transport": transport}
        if address.is_secured:
            options |= {"tls_verify": str(int(is_verified)), **({"ca_file": ca} if ca else {})}
        _look_up(address)
        began_s = time.monotonic()
        try:
            self._container = av.open(
                address.secret_url, format="rtsp", options=options, timeout=(ANSWER_S, stall_s)
            )
        except (FFmpegError, OSError, ValueError) as error:
            # FFmpeg has many words for an answer that it did not wait for
            is_late = time.monotonic() - began_s >= ANSWER_S
            raise _why(TimeoutError() if is_late else error, address, ca, is_verified) from None
        try:
            self._stream = _decodable(self._container)
        except UnreachableError:
            self.close()
            raise
        self._reformatter = VideoReformatter()

    @property
    def told(self) -> str:
        """What an operator may want to know of it."""
        codec = self._stream.codec_context
        return f"{codec.name} of {codec.width}x{codec.height}"

    def shown(self) -> Iterator[Shown]:
        """Every packet, until the camera ends it; raises UnreachableError where it says nothing."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.pts is None:  # the last, empty one
                    return
                yield self._decoded(packet)
        except (FFmpegError, OSError) as error:
            if isinstance(error, TimeoutError | av.error.ExitError):
                raise TimeoutError from None
            raise UnreachableError(f"the connection broke off, {_words(error)}") from None

    def pixels(self, picture: Any, kind: Literal["color", "infrared"]) -> Any:
        """RGB, or grey of 8 bits."""
        wanted = "rgb24" if kind == "color" else "gray"
        return self._reformatter.reformat(picture, format=wanted).to_ndarray()

    def close(self) -> None:
        with suppress(FFmpegError, OSError):  # it may be gone already
            self._container.close()

    def _decoded(self, packet: Any) -> Shown:
        arrived_ns, pictures, damaged = time.time_ns(), [], 0
        try:
            for picture in self._stream.decode(packet):
                if picture.is_corrupt or picture.pts is None:
                    damaged += 1
                else:
                    pictures.append((self._ns(picture.pts), picture))
        except FFmpegError:
            damaged += 1
        return Shown(self._ns(packet.pts), arrived_ns, _reported_ns(packet), tuple(pictures), damaged)

    def _ns(self, stamp: int) -> int:
        base = self._stream.time_base
        return int(stamp * 1_000_000_000 * base.numerator // base.denominator)


def _look_up(address: Address) -> None:
    try:
        socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        text = f"the host {address.host!r} is not known; check its name, or write its number"
        raise UnreachableError(text) from None


def _decodable(container: Any) -> Any:
    """Its first picture stream; slices are decoded at once where there are several, and no picture is held back."""
    stream = next(iter(container.streams.video), None)
    if stream is None:
        raise UnreachableError("gives no pictures that FFmpeg knows, check the path", is_mistake=True)
    if stream.codec_context is None:
        raise UnreachableError(
            "sends its pictures in a codec that this FFmpeg has no decoder for; switch the camera to H.264 or H.265",
            is_mistake=True,
        )
    stream.thread_type = "SLICE"
    return stream


def _reported_ns(packet: Any) -> int | None:
    """By the clock of the camera, once a sender report has come: FFmpeg's AVProducerReferenceTime, in us first."""
    if not packet.has_sidedata("prft"):
        return None
    return int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little", signed=True) * 1000


def _why(error: Exception, address: Address, ca: str, is_verified: bool) -> UnreachableError:
    match error:
        case HTTPUnauthorizedError() | HTTPForbiddenError():
            if address.has_login:
                text = "refuses the user or the password; mend what login_file or login_variable holds"
            else:
                text = "wants a user and a password; name a file of mode 600 with user:password in it as login_file"
            return UnreachableError(text, is_mistake=True)
        case HTTPNotFoundError():
            return UnreachableError(
                "has no stream of this name (404); check the path of the address", is_mistake=True
            )
        case HTTPOtherClientError() | av.error.HTTPClientError():
            text = "gives no pictures under this address, or not in the way that they are asked for; check the path, "
            return UnreachableError(f"{text}and try the other transport", is_mistake=True)
        case HTTPServerError():
            return UnreachableError(
                "cannot serve this stream itself (5xx); restart the camera, check its settings"
            )
        case ConnectionRefusedError():
            return UnreachableError(
                f"port {address.port} is refused; check the port, and that RTSP is switched on in the camera"
            )
        case TimeoutError() | av.error.ExitError():
            return UnreachableError(
                f"does not answer within {ANSWER_S:g} s; check the address, cable and power"
            )
    if address.is_secured and (fault := _tls_fault(address, ca, is_verified)):
        return UnreachableError(fault, is_mistake=True)
    return UnreachableError(
        f"cannot be opened, {_words(error)}; check the port, and whether it wants rtsp or rtsps"
    )


def _tls_fault(address: Address, ca: str, is_verified: bool) -> str:
    """What TLS says of the other side, which FFmpeg keeps to itself."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if not is_verified:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((address.host, address.port), ANSWER_S) as plain:
            context.wrap_socket(plain, server_hostname=address.host).close()
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.lower().rstrip(".")
        return f"its certificate is not trusted, {why}; name the one to trust as ca"
    except ssl.SSLError:
        return f"does not speak TLS on port {address.port}; write rtsp instead of rtsps, or another port"
    except OSError as error:
        return f"cannot be reached, {_words(error)}; check ca, the address and the port"
    return ""


def _words(error: Exception) -> str:
    """Never the whole text, which has the address in it."""
    return str(getattr(error, "strerror", None) or type(error).__name__).lower()
