"""Two hosts on this machine: network namespaces with a cable between them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    cable: str

    def starts(self, command: Sequence[object], **settings) -> subprocess.Popen:
        """A process that lives on this host."""
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.name}", *map(str, command)], **settings)


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    mark = f"{os.getpid() % 100_000}"
    hosts = tuple(
        Host(f"sight{end}{mark}", f"10.211.7.{n}", f"sv{end}{mark}") for n, end in enumerate("ab", 1)
    )
    cables = [host.cable for host in hosts]
    try:
        for host in hosts:
            _ip("netns", "add", host.name)
        _ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for host in hosts:
            _ip("link", "set", host.cable, "netns", host.name)
            for line in (
                f"addr add {host.address}/24 dev {host.cable}",
                f"link set {host.cable} up",
                "link set lo up",
            ):
                host.starts(["ip", *line.split()]).wait()
        yield hosts
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", host.name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
