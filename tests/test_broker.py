"""The broker that `make kafka` and the tests start: who it lets in, and how it is ended."""

import socket
import subprocess

import pytest
from broker import Broker, BrokerError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from secured_broker import GUEST, GUEST_PASSWORD, MECHANISM, PASSWORD, USER, ca


def kcat(*arguments):
    return subprocess.run(["kcat", *map(str, arguments)], capture_output=True, text=True, check=False)


def brokers_seen(broker, user, password, within_s=60):
    """By librdkafka; Debian's kcat has one too old for the SCRAM of Kafka 4."""
    secure = {
        "bootstrap.servers": broker.at("SECURE"),
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": MECHANISM,
        "sasl.username": user,
        "sasl.password": password,
        "ssl.ca.location": str(ca(broker)),
        "log_level": 0,
    }
    try:
        return len(AdminClient(secure).list_topics(timeout=within_s).brokers)
    except KafkaException:
        return 0


def test_answers_in_plain_and_with_tls_and_a_password(broker):
    said = len(broker.log.read_text())
    assert "1 brokers" in kcat("-L", "-b", broker.servers).stdout
    assert brokers_seen(broker, USER, PASSWORD) == 1
    assert brokers_seen(broker, GUEST, GUEST_PASSWORD) == 1
    assert "Failed authentication" not in broker.log.read_text()[said:]
    assert brokers_seen(broker, USER, GUEST_PASSWORD, within_s=3) == 0
    assert "Failed authentication" in broker.log.read_text()[said:]


def test_keeps_what_it_took_when_it_is_stopped_and_started_again(tmp_path):
    broker = Broker(tmp_path, settings={"auto.create.topics.enable": "true"})
    broker.start()
    subprocess.run(["kcat", "-P", "-b", broker.servers, "-t", "kept"], input="word\n", text=True, check=True)
    broker.stop()
    assert broker.pid() == 0
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()
    broker.start()
    assert kcat("-C", "-b", broker.servers, "-t", "kept", "-e", "-q").stdout == "word\n"
    broker.kill()
    assert broker.pid() == 0


def test_says_why_it_does_not_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} of localhost: is taken, address already in use"):
            Broker(tmp_path, {"PLAIN": port}).start()
    wrong = Broker(tmp_path, settings={"log.segment.bytes": "many"})
    with pytest.raises(BrokerError, match=r"Invalid value many for configuration log.segment.bytes"):
        wrong.start()
