"""Where Kafka is and as whom one comes to it: what the client libraries need of it."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from typing import Any

from configs.build import InputError

MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True)
class Access:
    """Servers as host:port, and a user if they want one."""

    servers: tuple[str, ...]
    tls: bool = False
    ca: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def protocol(self) -> str:
        return ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")

    @property
    def who(self) -> str:
        return f"user {self.user!r}" if self.user else "who gives no name"

    def context(self) -> ssl.SSLContext | None:
        """Raises InputError for a file that holds no certificates."""
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as error:
            why = "holds no certificates" if isinstance(error, ssl.SSLError) else str(error.strerror).lower()
            raise InputError(
                f"publish.kafka.ca: {self.ca}: {why}; name the PEM file of who signs there"
            ) from error

    def of_sasl(self) -> dict[str, Any]:
        """The settings by which kafka-python's client names its user."""
        if not self.user:
            return {}
        return {
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


def made(kind: Any, access: Access, **settings: Any) -> Any:
    """A client of kafka-python's. One that raises as it is made leaves no thread behind, as it would by itself."""
    from kafka.errors import KafkaError
    from kafka.net.compat import KafkaNetClient

    logging.getLogger("kafka").propagate = False  # it tells of every attempt; we tell of the trouble, once
    connections: list[Any] = []

    def connection(**of_kind: Any) -> Any:
        connections.append(KafkaNetClient(**of_kind))
        return connections[-1]

    try:
        return kind(
            bootstrap_servers=list(access.servers),
            security_protocol=access.protocol,
            ssl_context=access.context(),
            **access.of_sasl(),
            **settings,
            kafka_client=connection,
        )
    except KafkaError:
        for one in connections:
            one.close()
        raise
