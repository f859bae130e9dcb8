"""Events on a real Kafka, as kcat reads them: form, order, topics, and what the broker refuses."""

import itertools
import json

import msgspec
import pytest
from kcat import ids, once, seen, topic_settings
from outbox_rows import event, id_of, rows

from configs.build import InputError
from pipeline.publish import _kafka_delivery
from pipeline.publish._publisher import Row, Unreachable
from pipeline.publish.kafka import Kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent"])
SITES = (f"site-{number}" for number in itertools.count())
DAY = 86_400_000


@pytest.fixture
def site():
    return next(SITES)


@pytest.fixture
def published(broker, tmp_path):
    """Opens a publisher for the running broker; closed at the end."""
    opened = []

    def open_one(site, **settings):
        publisher = Kafka(servers=(broker.servers,), **settings)
        opened.append(publisher)
        publisher.open(tmp_path, site)
        return publisher

    yield open_one
    for publisher in opened:
        publisher.close()


def send_all(publisher, sent):
    """As a drain does; answers how many calls it took."""
    calls = 0
    while sent:
        count = publisher.send(sent)
        assert count > 0
        sent, calls = sent[count:], calls + 1
    return calls


@CLIENTS
def test_an_event_is_a_cloud_event_in_binary_mode(published, broker, site, client):
    publisher = published(site, client=client)
    body = event(7, "lobby")
    assert publisher.send([Row(7, "identity", "lobby", body)]) == 1
    (one,) = seen(broker.servers, f"{site}.identities.v1")
    whole = json.loads(body)
    attributes = {name: value for name, value in whole.items() if name not in ("data", "datacontenttype")}
    assert one.headers == {
        **{f"ce_{name}": value for name, value in attributes.items()},
        "content-type": "application/json",
    }
    assert one.key == "lobby"
    assert one.value.encode() == bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["data"])


@CLIENTS
def test_every_event_arrives_once_and_in_the_order_of_its_key(published, broker, site, client):
    publisher = published(site, client=client, partitions=3)
    sent = rows(900, ["lobby", "hall", "yard", "gate"])
    send_all(publisher, sent)
    arrived = seen(broker.servers, f"{site}.identities.v1")
    assert sorted(ids(arrived)) == sorted(map(id_of, sent))
    for key in ("lobby", "hall", "yard", "gate"):
        assert [one.headers["ce_id"] for one in arrived if one.key == key] == [
            id_of(row) for row in sent if row.key == key
        ]
        assert len({one.partition for one in arrived if one.key == key}) == 1


def test_a_key_stays_in_its_partition_whichever_client_sends_it(published, broker, site):
    keys = [f"camera-{number}" for number in range(12)]
    for client in ("kafka-python", "confluent"):
        send_all(published(site, client=client, partitions=4), rows(12, keys))
    arrived = seen(broker.servers, f"{site}.identities.v1")
    homes = {(one.key, one.partition) for one in arrived}
    assert (len(arrived), len(homes)) == (24, 12)
    assert len({partition for _, partition in homes}) > 1


@CLIENTS
def test_a_state_is_a_record_by_identity_and_an_empty_one_a_tombstone(published, broker, site, client):
    publisher = published(site, client=client)
    assert publisher.send([Row(1, "state", "P-1", b'{"state":"lost"}'), Row(2, "state", "P-1", b"")]) == 2
    there, gone = seen(broker.servers, f"{site}.identity-state.v1")
    assert (there.key, there.value) == ("P-1", '{"state":"lost"}')
    assert (gone.key, gone.value) == ("P-1", None)


def test_topics_are_made_as_the_manual_says(published, broker, site):
    published(site)
    compact = {
        "cleanup.policy": "compact",
        "segment.ms": "600000",
        "max.compaction.lag.ms": "3600000",
        "delete.retention.ms": str(7 * DAY),
        "min.cleanable.dirty.ratio": "0.01",
    }
    wanted = {
        "tracklets": {"cleanup.policy": "delete", "retention.ms": str(DAY)},
        "identities": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY)},
        "identity-state": compact,
        "system": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY)},
        "rejected": {"cleanup.policy": "delete", "retention.ms": str(7 * DAY)},
    }
    for name, settings in wanted.items():
        assert topic_settings(broker.servers, f"{site}.{name}.v1").items() >= settings.items()


def test_a_topic_that_is_set_otherwise_is_said_and_what_to_do(published, site):
    published(
        site, topics={"identities": {"retention.ms": 1000}, "identity-state": {"segment.ms": 500}}
    ).close()
    wrong = rf"publish.kafka: topic {site}.identities.v1: retention.ms is 1000, not {7 * DAY}; change it over there"
    with pytest.raises(InputError, match=wrong):
        published(site)
    published(
        site, topics={"identities": {"retention.ms": 1000}}
    )  # it is wanted so; and shorter segments do no harm


@CLIENTS
def test_what_the_broker_never_takes_is_put_aside_and_the_rest_goes_on(published, broker, site, client):
    publisher = published(site, client=client, topics={"identities": {"max.message.bytes": 20_000}})
    sent = rows(60)
    large = Row(31, "identity", "lobby", event(31, more=',"note":"' + "x" * 100_000 + '"'))
    sent[30] = large
    send_all(publisher, sent)
    arrived = once(ids(seen(broker.servers, f"{site}.identities.v1")))
    assert arrived == [id_of(row) for row in sent if row is not large]
    (aside,) = seen(broker.servers, f"{site}.rejected.v1")
    assert aside.key == "lobby"
    assert aside.headers["rejected_topic"] == f"{site}.identities.v1"
    assert "TOO_LARGE" in aside.headers["rejected_reason"].upper().replace(" ", "_")
    assert aside.headers["rejected_bytes"] == str(len(large.body))
    assert large.body.startswith(aside.value.encode())


@CLIENTS
def test_more_goes_out_while_the_first_are_waited_for(published, broker, site, client, monkeypatch):
    monkeypatch.setattr(_kafka_delivery, "TOGETHER", 10)
    publisher = published(site, client=client)
    sent = rows(60)
    sent[33] = Row(34, "identity", "lobby", b"no event")
    assert publisher.send(sent[:25]) == 10
    on_their_way = [handed.number for _, handed in publisher._open()._handed]
    assert on_their_way == [10, 5]
    assert publisher.send(sent[10:]) == 10
    handed = [handed.number for _, handed in publisher._open()._handed]
    assert handed == [5, 8]  # up to the one that has to wait its turn
    send_all(publisher, sent[20:])
    assert ids(seen(broker.servers, f"{site}.identities.v1")) == [
        id_of(row) for row in sent if row is not sent[33]
    ]


def test_a_row_that_is_no_event_is_put_aside(published, broker, site):
    publisher = published(site)
    good = rows(3)
    send_all(publisher, [good[0], Row(2, "identity", "lobby", b'{"id":'), *good[1:]])
    assert ids(seen(broker.servers, f"{site}.identities.v1")) == [id_of(row) for row in good]
    (aside,) = seen(broker.servers, f"{site}.rejected.v1")
    assert (aside.value, aside.headers["rejected_reason"][:11]) == ('{"id":', "is no event")


def test_a_site_that_no_topic_can_be_named_after_is_refused(tmp_path):
    with pytest.raises(InputError, match="site 'my lobby': names Kafka's topics, which take letters"):
        Kafka().open(tmp_path, "my lobby")


def test_a_client_that_is_not_installed_is_named_with_its_extra(broker, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    monkeypatch.delitem(__import__("sys").modules, "pipeline.publish._confluent", raising=False)
    with pytest.raises(
        InputError, match="publish.kafka.client: is not installed; install the 'confluent' extra"
    ):
        Kafka(servers=(broker.servers,), client="confluent").open(tmp_path, "lobby")


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"servers": ("localhost",)}, "servers: must be like localhost:9092, got 'localhost'"),
        ({"servers": ()}, "servers: is empty"),
        ({"user": "lobby", "security": "tls"}, "user: goes with password_variable or password_file"),
        ({"user": "lobby", "password_variable": "WORD"}, "security: must be 'tls' where there is a user"),
        ({"topics": {"tracklet": {}}}, "topics: there is no 'tracklet'; choose from tracklets,"),
        ({"partitions": 0}, "must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_said(settings, text):
    with pytest.raises(ValueError, match=text):
        Kafka(**settings)


@CLIENTS
def test_nobody_there_is_no_mistake_and_said_when_it_is_sent_to(tmp_path, caplog, client):
    publisher = Kafka(servers=("localhost:1",), client=client)
    publisher.open(tmp_path, "lobby")
    assert caplog.messages == [
        "publish.kafka: localhost:1: connection refused; events wait until it is there"
    ]
    with pytest.raises(Unreachable, match="localhost:1: connection refused"):
        publisher.send(rows(1))
    publisher.close()
