"""Reads a placement file: which hosts take part in a run, what runs on which, and by what keys they know each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from configs.build import ConfigError, checked, closest
from configs.read import read
from pipeline.graph import CAMERAS, Graph

VERSION = 1
KEYS = ("version", "hosts", "nodes", "silent_s", "starts_s")
SECRET = "~/.config/sightline/{host}.key"  # noqa: S105, where it is, not what
PRIVATE = 0o077  # what nobody but its owner may do with it
KEY_LENGTH = 40  # of Z85


class Host(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A machine, or a process that stands for one."""

    address: str = ""  # tcp://10.0.0.1:7600, of the first host: the others connect to it
    public_key: str = ""
    secret_key: str = ""  # a file on that host, or SECRET


@dataclass(frozen=True)
class Plan:
    """The first host is where the run is begun and where its log is; what is not named runs there."""

    path: Path
    hosts: Mapping[str, Host]
    nodes: Mapping[str, str]  # host by node, camera, or all cameras
    silent_s: float = 5.0  # a host that says nothing for so long is gone
    starts_s: float = 60.0  # how long the others may take until they are there

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Raises ConfigError, with file and place."""
        content = read(path)
        try:
            return _plan(path, content)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    @property
    def first(self) -> str:
        return next(iter(self.hosts))

    @property
    def others(self) -> list[str]:
        return list(self.hosts)[1:]

    @property
    def address(self) -> str:
        return self.hosts[self.first].address

    @property
    def is_encrypted(self) -> bool:
        return bool(self.hosts[self.first].public_key)

    def host_of(self, id: str) -> str:
        """Where a node runs."""
        names = [id, id.removeprefix(f"{CAMERAS}."), *([CAMERAS] if id.startswith(f"{CAMERAS}.") else [])]
        return next((self.nodes[name] for name in names if name in self.nodes), self.first)

    def check(self, graph: Graph) -> None:
        """Raise ConfigError where it places a node that the graph does not have."""
        ids = {node.id for node in graph.nodes}
        known = sorted({CAMERAS, *ids, *(id.removeprefix(f"{CAMERAS}.") for id in ids)})
        for name in self.nodes:
            if name not in known:
                raise ConfigError(
                    f"{self.path}: nodes.{name}: the graph has no such node{closest(name, known)}"
                )

    def secret(self, host: str) -> bytes:
        """The secret key of a host, on that host. Raises ConfigError where anybody else could read it."""
        path = Path(self.hosts[host].secret_key or SECRET.format(host=host)).expanduser()
        where = f"{path}: the secret key of host {host!r}"
        try:
            text, mode = path.read_text().strip(), path.stat().st_mode
        except OSError as error:
            told = (error.strerror or "").lower()
            raise ConfigError(f"{where} cannot be read, {told}; make one: run.py keypair {path}") from error
        if mode & PRIVATE:
            raise ConfigError(f"{where} may be read by others; chmod 600 {path}")
        if len(text) != KEY_LENGTH:
            raise ConfigError(
                f"{where} is no CURVE key of {KEY_LENGTH} characters; make one: run.py keypair {path}"
            )
        return text.encode()


def _plan(path: Path, content: Any) -> Plan:
    top = checked(content, dict[str, Any], "the file")
    for key in top:
        if key not in KEYS:
            raise ConfigError(f"{key}: a placement has no such key{closest(key, list(KEYS))}")
    if top.get("version") != VERSION:
        raise ConfigError(f"version: must be {VERSION}, got {top.get('version')!r}")
    entries = checked(top.get("hosts", {}), dict[str, dict[str, Any] | None], "hosts")
    hosts = {name: checked(entry or {}, Host, f"hosts.{name}") for name, entry in entries.items()}
    if len(hosts) < 2:
        raise ConfigError("hosts: must name two or more, the first of them where the run begins")
    nodes = checked(top.get("nodes", {}), dict[str, str], "nodes")
    for name, host in nodes.items():
        if host not in hosts:
            raise ConfigError(f"nodes.{name}: there is no host {host!r}{closest(host, list(hosts))}")
    seconds = {key: checked(top[key], float, key) for key in ("silent_s", "starts_s") if key in top}
    for key, value in seconds.items():
        if value <= 0:
            raise ConfigError(f"{key}: must be above 0, got {value}")
    _check_hosts(hosts)
    return Plan(path, hosts, nodes, **seconds)


def _check_hosts(hosts: Mapping[str, Host]) -> None:
    first, *others = hosts
    for name in others:
        if hosts[name].address:
            raise ConfigError(f"hosts.{name}.address: only the first host has one; leave it out")
    is_near = _is_loopback(hosts[first].address, f"hosts.{first}.address")
    keyed = [name for name, host in hosts.items() if host.public_key]
    for name, host in hosts.items():
        where = f"hosts.{name}.public_key"
        if not host.public_key and (keyed or not is_near):
            why = "other hosts have one" if keyed else "its address is not a loopback one"
            raise ConfigError(f"{where}: is missing, and {why}; make one on that host: run.py keypair")
        if host.public_key and len(host.public_key) != KEY_LENGTH:
            raise ConfigError(
                f"{where}: must be a CURVE key of {KEY_LENGTH} characters, as run.py keypair prints it"
            )
        if keyed.count(name) and [h.public_key for h in hosts.values()].count(host.public_key) > 1:
            raise ConfigError(f"{where}: another host has the same; give each host a key of its own")


def _is_loopback(address: str, where: str) -> bool:
    """Whether only this machine reaches it; raises ConfigError for what is no address."""
    try:
        told = urlsplit(address)
        host, port = ipaddress.ip_address(told.hostname or ""), told.port
    except ValueError as error:
        raise ConfigError(f"{where}: must be like tcp://10.0.0.1:7600, got {address!r}") from error
    if told.scheme != "tcp" or not port or told.path:
        raise ConfigError(f"{where}: must be like tcp://10.0.0.1:7600, got {address!r}")
    return host.is_loopback
