"""A broker as a site would have it: beside the plain listener one with TLS, passwords and rights, and one whose certificate
has expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from broker import Broker, free_ports
from certificates import authority

USER, PASSWORD = "lobby", "correct-horse"  # may do everything
GUEST, GUEST_PASSWORD = "guest", "battery-staple"  # known, and may do nothing
MECHANISM = "SCRAM-SHA-512"


def secured(folder: Path, settings: Mapping[str, str] | None = None) -> Broker:
    """Not started yet. Its certificate is for 'localhost', not for 127.0.0.1; who signed it is in `ca(broker)`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("PLAIN", "SECURE", "EXPIRED", "CONTROLLER")
    plain, secure, expired, controller = free_ports(4)
    signing = authority(folder / "ca.pem")
    files = {
        "secure": signing.signed(folder / "broker.pem", "localhost"),
        "expired": signing.signed(folder / "expired.pem", "localhost", timedelta(hours=-1)),
    }
    of_listeners = {}
    for name, file in files.items():
        of_listeners |= {
            f"listener.name.{name}.ssl.keystore.type": "PEM",
            f"listener.name.{name}.ssl.keystore.location": str(file.absolute()),
            f"listener.name.{name}.sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.{name}.{MECHANISM.lower()}.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        }
    rights = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    kinds = {name: "SASL_SSL" if name in ("SECURE", "EXPIRED") else "PLAINTEXT" for name in names}
    mapped = ",".join(f"{name}:{kind}" for name, kind in kinds.items())
    return Broker(
        folder,
        {"PLAIN": plain, "SECURE": secure, "EXPIRED": expired},
        settings={"listener.security.protocol.map": mapped, **of_listeners, **rights, **(settings or {})},
        scram={USER: PASSWORD, GUEST: GUEST_PASSWORD},
        controller_port=controller,
    )


def ca(broker: Broker) -> Path:
    return broker.folder / "ca.pem"
