"""A plugin of pytest: `fragile` is a broker that tests may kill, freeze and cut off, and leave running."""

import pytest
from broker import Broker, free_ports


@pytest.fixture(scope="session")
def fragile(tmp_path_factory):
    """Clients of its listener CUT are told of a port that a proxy may have; it compacts as soon as it can."""
    plain, cut, front, controller = free_ports(4)
    settings = {
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,CUT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.cleaner.backoff.ms": "200",
    }
    folder = tmp_path_factory.mktemp("fragile")
    broker = Broker(
        folder, {"PLAIN": plain, "CUT": cut}, {"CUT": front}, settings, controller_port=controller
    )
    broker.start()
    yield broker
    if broker.pid():
        broker.stop()
