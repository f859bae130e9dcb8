"""A way to a port of loopback that can be cut: what stands between a client and a broker."""

from __future__ import annotations

import socket
import threading


class Proxy:
    """Passes everything on from its own port to another, until it is cut, and again once it is mended."""

    def __init__(self, port: int, target: int) -> None:
        self._target, self._held, self._is_cut = target, list[socket.socket](), False
        self._door = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End what is connected, in the middle of what it says, and let nobody through."""
        self._is_cut = True
        for one in self._held:
            one.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
            )  # reset, not a polite end
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended by itself
            finally:
                one.close()
        self._held.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._door.shutdown(socket.SHUT_RDWR)  # wakes who waits at it, and would keep the port
        self._thread.join()
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # there is nobody
                client.close()
                continue
            self._held += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_pass, args=pair, daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while some := source.recv(1 << 16):
            target.sendall(some)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
