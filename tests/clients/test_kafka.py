"""The consumer library against a real broker."""

import gc
import subprocess
import threading

import pytest
from on_kafka import Publisher
from published import correction, lines, person, seen, tracklet_seen
from secured_broker import GUEST, GUEST_PASSWORD, PASSWORD, USER, ca
from sightline_client import Gap, SightlineError, Site, decode, state, subscribe


@pytest.fixture
def site(broker):
    made = Publisher(broker)
    yield made
    made.close()


def read(url, **options):
    loop = subscribe(url, follow=False, **options)
    return [event.sequence for event in loop], loop


def test_gives_the_events_of_all_topics_each_once(site):
    said = lines(*(tracklet_seen("flat", n) for n in range(1, 4)), person("observed", "P-1", 4))
    site.send(*said, *said[1:])
    events = list(loop := subscribe(site.url, follow=False))
    assert [event.sequence for event in events if event.family == "tracklet"] == [1, 2, 3]
    assert [event.identity_id for event in events if event.family == "identity"] == ["P-1"]
    assert (loop.repeats, loop.missing) == (3, 0)
    assert read(site.url, families="identity")[0] == [1]


def test_goes_on_where_it_stopped_and_says_what_is_missing(site, tmp_path):
    said, kept = seen(8), tmp_path / "position"
    site.send(*said[:4])
    assert read(site.url, position=kept)[0] == [1, 2, 3, 4]
    site.send(*said[2:4], *said[5:])
    gaps = []
    numbers, loop = read(site.url, position=kept, on_gap=gaps.append)
    assert (numbers, loop.repeats) == ([6, 7, 8], 2)
    assert gaps == [Gap("identity.v1", "site", 5, 5)]


def test_follows_what_is_still_to_come(site):
    said, numbers = seen(5), []
    site.send(*said[:2])
    loop = subscribe(site.url, start="end")

    def follow():
        for event in loop:
            numbers.append(event.sequence)
            if len(numbers) == 3:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    site.send(*said[2:])
    thread.join(60)
    assert numbers == [3, 4, 5]


def test_what_the_broker_has_removed_is_said(site, tmp_path, caplog):
    said, kept = seen(9), tmp_path / "position"
    site.send(*said[:3])
    read(site.url, families="identity", position=kept)
    site.send(*said[3:])
    from kafka.structs import TopicPartition

    topic = f"{site.name}.identities.v1"
    for number in (0, 1):
        end = max(0, consumed(site, topic, number) - 2)
        site.admin.delete_records({TopicPartition(topic, number): end})
    numbers, loop = read(site.url, families="identity", position=kept)
    assert (numbers, loop.missing) == ([8, 9], 4)
    assert "was removed from the topic" in caplog.text


def consumed(site, topic, number):
    out = subprocess.run(
        ["kcat", "-Q", "-b", site.url.split("/")[2], "-t", f"{topic}:{number}:-1"],
        capture_output=True,
        text=True,
    )
    return int(out.stdout.split("offset")[1])


def test_a_newcomer_comes_to_the_same_state_as_one_that_saw_everything(site, monkeypatch):
    monkeypatch.setattr("sightline_client.newcomer.FIRST_TRY", 8)
    monkeypatch.setattr("sightline_client.newcomer.AHEAD", 4)
    said = lines(
        *(person("appeared", f"P-{n}", n) for n in range(1, 30)),
        *(correction("merged", (f"P-{n}",), ("P-1",), n + 40) for n in range(20, 25)),
        correction("erased", ("P-2",), (), 80),
        correction("split", ("P-1",), ("P-1", "P-99"), 81, ("T-24",)),
        *(person("lost", f"P-{n}", n) for n in range(3, 12)),
        person("expired", "P-3", 3),
    )
    site.send(*said[:40])
    site.keep(said[:40])
    first = state(site.url)
    site.send(*said[40:])  # their records are still under way
    everything = Site()
    for line in said:
        everything.apply(decode(line))
    newcomer = state(site.url)
    assert newcomer.people == everything.people
    assert len(first.people) != len(newcomer.people)
    for event in subscribe(site.url, families="identity", start=first.position, follow=False):
        first.apply(event)
    assert first.people == everything.people


def test_a_tombstone_takes_a_record_away(site):
    said = seen(1) + lines(person("observed", "P-1", 1))
    site.keep(said)
    assert list(state(site.url).people) == ["P-1"]
    site.put("state", "P-1", None, [])
    site.keep(said[:0])
    assert state(site.url).people == {}


def test_a_damaged_record_is_said_with_its_place(site):
    site.put("identity", "site", b"{damaged", [])
    site.send(*seen(1))
    with pytest.raises(SightlineError, match=r"identities.v1/\d: offset 0: is no event"):
        read(site.url)
    numbers, loop = read(site.url, skip_damaged=True)
    assert (numbers, loop.damaged) == ([1], 1)
    site.put("state", "P-1", b"{damaged", [])
    site.keep([])
    with pytest.raises(SightlineError, match=r"identity-state.v1/\d: offset 0: a state is damaged"):
        state(site.url)


def test_a_site_that_is_not_there_is_said(broker):
    with pytest.raises(
        SightlineError, match="there is no topic nowhere.identities.v1, or it may not be read"
    ):
        subscribe(f"kafka://{broker.servers}/nowhere")


SECURED = {
    "good": ({}, None),
    "another password": (
        {"password": "wrong"},
        "the broker refuses user 'lobby' or the password in SIGHTLINE",
    ),
    "another authority": (
        {"ca": ""},
        "the certificate of localhost:.* is not good, .*is 'ca' that of the broker",
    ),
    "expired": ({"listener": "EXPIRED"}, "is not good, certificate has expired"),
    "no TLS there": ({"listener": "PLAIN"}, "does not speak TLS as asked"),
    "no rights": ({"user": GUEST, "password": GUEST_PASSWORD}, "there is no topic .*, or it may not be read"),
    "nothing known": (
        {"mechanism": "PLAIN"},
        "the broker does not know PLAIN; give another mechanism|or does not know PLAIN",
    ),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", SECURED)
def test_who_asks_is_let_in_or_told_why_not(site, broker, monkeypatch, case):
    given, error = SECURED[case]
    monkeypatch.setenv("SIGHTLINE_KAFKA_PASSWORD", given.get("password", PASSWORD))
    site.send(*seen(2))
    options = {"ca": str(ca(broker)), "user": USER} | {
        k: v for k, v in given.items() if k in ("ca", "user", "mechanism")
    }
    options = {name: value for name, value in options.items() if value}
    url = f"kafka://{broker.at(given.get('listener', 'SECURE'))}/{site.name}"
    if error is None:
        assert read(url, **options)[0] == [1, 2]
    else:
        with pytest.raises(SightlineError, match=error) as caught:
            read(url, **options)
        assert PASSWORD not in str(caught.value)
        del caught
    gc.collect()  # kafka-python leaves sockets open where it is refused
