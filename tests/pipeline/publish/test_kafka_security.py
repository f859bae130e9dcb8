"""Coming to Kafka with TLS and a password, and what is said when that fails: one line, and each trouble its own."""

import re
import threading

import pytest
from certificates import authority
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType
from kcat import ids, seen
from outbox_rows import id_of, rows
from secured_broker import GUEST, GUEST_PASSWORD, PASSWORD, USER, ca

from configs.build import InputError
from pipeline.publish._publisher import Unreachable
from pipeline.publish.kafka import Kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent"])


@pytest.fixture
def secure(broker, monkeypatch):
    """A publisher that may do everything, but for what a test sets otherwise."""
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)

    def make(**settings):
        good = {
            "servers": (broker.at("SECURE"),),
            "security": "tls",
            "ca": str(ca(broker)),
            "user": USER,
            "password_variable": "KAFKA_PASSWORD",
        }
        return Kafka(**(good | settings))

    return make


def said(publisher, tmp_path):
    """What its user is told when it is opened; nothing of it is the password, and nothing is left of the attempt."""
    before = threading.active_count()
    with pytest.raises(InputError) as caught:
        publisher.open(tmp_path, "secure")
    publisher.close()
    assert threading.active_count() == before
    text = str(caught.value)
    assert "\n" not in text
    assert PASSWORD not in text + repr(publisher)
    return text


@CLIENTS
def test_publishes_with_tls_and_a_password(secure, broker, tmp_path, client):
    publisher = secure(client=client)
    publisher.open(tmp_path, f"secure-{client}")
    sent = rows(5)
    assert publisher.send(sent) == 5
    assert PASSWORD not in repr(publisher)
    publisher.close()
    assert ids(seen(broker.servers, f"secure-{client}.identities.v1")) == [id_of(row) for row in sent]


def test_a_password_comes_from_a_file_that_nobody_else_may_read(secure, tmp_path):
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o644)
    named = {"password_variable": "", "password_file": str(file)}
    assert said(secure(**named), tmp_path) == (
        f"publish.kafka.password_file: {file}: others may read it; chmod 600 {file}"
    )
    file.chmod(0o600)
    publisher = secure(**named)
    publisher.open(tmp_path, "secure")
    assert publisher.send(rows(1)) == 1
    publisher.close()
    file.unlink()
    assert said(secure(**named), tmp_path).startswith(
        f"publish.kafka.password_file: {file}: no such file or directory;"
    )


def test_a_wrong_password_is_told_from_all_other_troubles(secure, monkeypatch, tmp_path):
    monkeypatch.setenv("KAFKA_PASSWORD", "wrong")
    assert said(secure(), tmp_path) == (
        "publish.kafka: user 'lobby' is refused: the password is wrong, or there is no such user; "
        "mend what 'user' and the password say"
    )
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    assert "user 'nobody' is refused" in said(secure(user="nobody"), tmp_path)
    monkeypatch.delenv("KAFKA_PASSWORD")
    assert said(secure(), tmp_path) == "publish.kafka.password_variable: KAFKA_PASSWORD is not set; export it"


def test_a_user_without_rights_is_told_so(secure, monkeypatch, tmp_path):
    monkeypatch.setenv("KAFKA_PASSWORD", GUEST_PASSWORD)
    assert said(secure(user=GUEST), tmp_path) == (
        "publish.kafka: user 'guest' may not see or make the topics of this site; have it allowed over there (kafka-acls)"
    )


def test_an_unknown_host_is_named(secure, tmp_path):
    assert said(secure(servers=("kafka.invalid:9092",)), tmp_path) == (
        "publish.kafka.servers: host 'kafka.invalid' is not known here; mend the name"
    )


def test_certificates_that_fail_are_told_apart(secure, broker, tmp_path):
    other = authority(tmp_path / "other.pem").ca
    assert said(secure(ca=str(other)), tmp_path) == (
        f"publish.kafka: {broker.at('SECURE')}: its certificate is signed by nobody who is trusted here; "
        "name the signer's PEM file under 'ca'"
    )
    by_number = broker.at("SECURE").replace("localhost", "127.0.0.1")
    assert said(secure(servers=(by_number,)), tmp_path) == (
        f"publish.kafka: {by_number}: its certificate is not for '127.0.0.1'; "
        "use the name that it is for, or have one made for this name"
    )
    assert said(secure(servers=(broker.at("EXPIRED"),)), tmp_path) == (
        f"publish.kafka: {broker.at('EXPIRED')}: its certificate has expired; renew it over there"
    )


def test_a_file_without_certificates_is_named(secure, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.touch()
    assert said(secure(ca=str(empty)), tmp_path).startswith(
        f"publish.kafka.ca: {empty}: holds no certificates;"
    )
    assert "no such file or directory" in said(secure(ca=str(tmp_path / "none.pem")), tmp_path)


def test_tls_where_there_is_none_is_said(secure, broker, tmp_path):
    text = said(secure(servers=(broker.servers,)), tmp_path)
    assert re.fullmatch(
        rf"publish.kafka.security: {broker.servers} speaks no TLS .*; is it plain, or another port\?", text
    )


def test_no_tls_where_there_is_some_is_said(broker, tmp_path, caplog):
    publisher = Kafka(servers=(broker.at("SECURE"),))
    publisher.open(tmp_path, "secure")
    publisher.close()
    assert "does not answer as Kafka does; where it wants TLS, say security: tls;" in caplog.text


def allow(broker, operation, topic):
    """What the guest may do, without whom this is not to be tested."""
    admin = KafkaAdminClient(bootstrap_servers=broker.servers)
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    admin.create_acls([ACL(f"User:{GUEST}", "*", operation, ACLPermissionType.ALLOW, pattern)])
    admin.close()


@CLIENTS
def test_who_may_see_topics_and_not_write_is_told_so_and_waits(secure, broker, monkeypatch, tmp_path, client):
    site = f"rights-{client}"
    first = secure()
    first.open(tmp_path, site)
    first.close()
    for name in ("tracklets", "identities", "identity-state", "system", "rejected"):
        allow(broker, ACLOperation.DESCRIBE, f"{site}.{name}.v1")
        allow(broker, ACLOperation.DESCRIBE_CONFIGS, f"{site}.{name}.v1")
    monkeypatch.setenv("KAFKA_PASSWORD", GUEST_PASSWORD)
    publisher = secure(user=GUEST, client=client)
    publisher.open(tmp_path, site)
    with pytest.raises(Unreachable, match="this user may not write; have it allowed over there"):
        publisher.send(rows(1))
    allow(broker, ACLOperation.WRITE, f"{site}.tracklets.v1")
    with pytest.raises(Unreachable, match=rf"topic {site}.identities.v1: this user may not write"):
        publisher.send(rows(1))
    allow(broker, ACLOperation.WRITE, f"{site}.identities.v1")
    assert publisher.send(rows(1)) == 1
    publisher.close()
