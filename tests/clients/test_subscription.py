"""What a loop over a source gives: each event once, in order, from where it stopped; and what it says of the rest."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from published import append, correction, lines, newer, person, seen, tracklet_seen, write
from sightline_client import Gap, SightlineError, UnknownEvent, subscribe

ROOT = Path(__file__).parents[2]


def read(path, **options):
    """What is there now, as the numbers of the events, and the loop."""
    loop = subscribe(path, follow=False, **options)
    return [event.sequence for event in loop], loop


def test_gives_every_event_of_a_log_once_and_in_order(tmp_path):
    five = seen(5)
    path = write(tmp_path / "events.jsonl", *five[:3], *five[1:4], five[0], *five)
    numbers, loop = read(path)
    assert (numbers, loop.repeats, loop.missing) == ([1, 2, 3, 4, 5], 7, 0)


def test_says_what_is_missing_by_stream_and_key(tmp_path):
    said = lines(
        tracklet_seen("flat", 1),
        tracklet_seen("flat", 2),
        person("observed", "P-1", 3),
        tracklet_seen("flat", 4),
    )
    path = write(tmp_path / "events.jsonl", said[0], *said[2:])
    gaps = []
    numbers, loop = read(path, on_gap=gaps.append)
    assert numbers == [1, 1, 3]
    assert gaps == loop.gaps == [Gap("tracklet.v1", "flat", 2, 2)]
    assert str(gaps[0]) == "tracklet.v1 of flat: 2 is missing"


def test_a_gap_is_logged_where_nobody_asks_for_it(tmp_path, caplog):
    five = seen(5)
    numbers, loop = read(write(tmp_path / "events.jsonl", five[0], five[4]))
    assert caplog.messages == ["identity.v1 of site: 2 to 4 are missing"]
    assert (numbers, loop.missing) == ([1, 5], 3)


def test_what_comes_late_closes_its_gap(tmp_path):
    five = seen(5)
    numbers, loop = read(write(tmp_path / "events.jsonl", five[0], five[4], five[2]), on_gap=lambda gap: None)
    assert (numbers, loop.missing) == ([1, 5, 3], 2)
    assert loop.gaps == [Gap("identity.v1", "site", 2, 2), Gap("identity.v1", "site", 4, 4)]


def test_another_run_that_begins_again_is_not_taken_for_repeats(tmp_path, caplog):
    numbers, loop = read(write(tmp_path / "events.jsonl", *seen(3), *seen(2, who="P-2")))
    assert (numbers, loop.restarts, loop.repeats) == ([1, 2, 3, 1, 2], 1, 0)
    assert "begins again at 1 after 3" in caplog.messages[0]


def test_a_newer_type_is_delivered_and_counted(tmp_path):
    two = seen(2)
    loop = subscribe(write(tmp_path / "events.jsonl", newer(two[0]), two[1]), follow=False)
    assert [type(event) is UnknownEvent for event in loop] == [True, False]
    assert loop.unknown == 1


def test_gives_only_the_families_that_are_asked_for(tmp_path):
    write(tmp_path / "events.jsonl", *lines(tracklet_seen("flat", 1), person("observed", "P-1", 3)))
    write(tmp_path / "system.jsonl")
    assert [event.family for event in subscribe(tmp_path, families="identity", follow=False)] == ["identity"]
    assert len(list(subscribe(tmp_path, follow=False))) == 2
    with pytest.raises(
        SightlineError, match="families: must be some of identity, tracklet, system, got people"
    ):
        subscribe(tmp_path, families="people")


def test_goes_on_behind_the_last_event_that_was_dealt_with(tmp_path):
    path, kept = write(tmp_path / "events.jsonl", *seen(6)), tmp_path / "position"
    with subscribe(path, position=kept) as loop:
        first = [next(loop).sequence, next(loop).sequence]
    assert first == [1, 2]
    with pytest.raises(ZeroDivisionError), subscribe(path, position=kept) as loop:
        assert next(loop).sequence == 3
        assert next(loop).sequence / 0
    numbers, loop = read(path, position=kept)
    assert (numbers, loop.restarts, loop.missing) == ([4, 5, 6], 0, 0)
    append(path, *seen(9)[4:])  # two of them again
    numbers, loop = read(path, position=kept)
    assert (numbers, loop.repeats) == ([7, 8, 9], 2)


def test_a_position_takes_the_place_of_the_one_before_and_never_writes_into_it(tmp_path):
    path, kept = write(tmp_path / "events.jsonl", *seen(3)), tmp_path / "position"
    read(path, position=kept)
    before = kept.read_bytes()
    with kept.open("rb") as old:
        append(path, seen(4)[3])
        assert read(path, position=kept)[0] == [4]
        assert old.read() == before
    assert kept.read_bytes() != before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.jsonl", "position"]


def test_a_position_can_be_kept_by_whoever_reads(tmp_path):
    path = write(tmp_path / "events.jsonl", *seen(4))
    with subscribe(path) as loop:
        next(loop), next(loop), next(loop)
        position = loop.position
    numbers, _ = read(path, start=position)
    assert numbers == [3, 4]


READER = """
import sys
from sightline_client import subscribe
loop = subscribe(sys.argv[1], position=sys.argv[2])
loop.save_every_s = 0
for event in loop:
    print(event.sequence, flush=True)
"""


def test_killed_at_any_moment_it_loses_nothing_and_repeats_one_event_at_most(tmp_path):
    path, kept = write(tmp_path / "events.jsonl", *seen(400)), tmp_path / "position"
    numbers = []
    for kills in range(1, 5):
        command = [sys.executable, "-c", READER, str(path), str(kept)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as reader:
            while not numbers or numbers[-1] < kills * 100:
                numbers.append(int(reader.stdout.readline()))
            reader.send_signal(signal.SIGKILL)
            numbers += [int(line) for line in reader.stdout.read().split()]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
    assert len(numbers) - len(set(numbers)) <= 4


@pytest.mark.parametrize("text", ["", "{}x", '{"version": 9}', '{"places": {"events.jsonl": 7}}'])
def test_a_damaged_position_is_said_and_not_overwritten(tmp_path, text):
    path, kept = write(tmp_path / "events.jsonl", *seen(2)), tmp_path / "position"
    kept.write_text(text)
    with pytest.raises(SightlineError, match="position.*(begin anew|same version)"):
        read(path, position=kept)
    assert kept.read_text() == text


def test_a_position_that_cannot_be_written_is_said(tmp_path, small_disk):
    path, disk = write(tmp_path / "events.jsonl", *seen(2)), small_disk("size=4k")
    (disk / "full").write_bytes(b" " * 4096)
    with pytest.raises(SightlineError, match="position: cannot be written, No space left on device"):
        read(path, position=disk / "position")
    assert [file.name for file in disk.iterdir()] == ["full"]


def following(path, count, **options):
    """The numbers of the next events of a log that grows, read by a thread."""
    numbers, loop = [], subscribe(path, **options)

    def follow():
        for event in loop:
            numbers.append(event.sequence)
            if len(numbers) == count:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    return thread, numbers


def ended(thread):
    thread.join(60)
    assert not thread.is_alive()


def test_follows_the_folder_of_a_run_that_is_still_to_begin(tmp_path):
    three, numbers = seen(3), []
    loop = subscribe(tmp_path / "run", idle_s=5)
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / "events.jsonl", *three)
    for event in loop:
        numbers.append(event.sequence)
        if len(numbers) == 3:
            break
    assert numbers == [1, 2, 3]


def test_a_log_that_turns_out_to_be_a_folder_is_said(tmp_path):
    loop = subscribe(tmp_path / "run.1", idle_s=5)
    (tmp_path / "run.1").mkdir()
    with pytest.raises(SightlineError, match=r"run.1: was no folder when reading began; begin again"):
        next(loop)


def test_follows_a_log_that_is_not_there_yet_and_half_lines(tmp_path):
    path, (one, two, three) = tmp_path / "events.jsonl", seen(3)
    thread, numbers = following(path, 3)
    write(path, one)
    with path.open("ab", buffering=0) as file:
        file.write(two[:40])
        file.write(two[40:] + b"\n" + three[:100])
        file.truncate(file.tell() - 100)  # as a log does that cannot write a whole line
        file.write(three + b"\n")
    ended(thread)
    assert numbers == [1, 2, 3]


def test_follows_a_log_into_the_file_that_takes_its_place(tmp_path):
    path, five = tmp_path / "events.jsonl", seen(5)
    thread, numbers = following(write(path, *five[:2]), 5)
    append(path, five[2])
    path.rename(tmp_path / "events.jsonl.1")
    write(path, *five[3:])
    ended(thread)
    assert numbers == [1, 2, 3, 4, 5]


def test_ends_where_nothing_has_come_for_as_long_as_was_asked(tmp_path):
    loop = subscribe(write(tmp_path / "events.jsonl", *seen(2)), idle_s=0.2)
    assert [event.sequence for event in loop] == [1, 2]


def test_begins_at_the_end_where_that_is_asked(tmp_path):
    path, five = tmp_path / "events.jsonl", seen(5)
    write(path, *five[:3])
    thread, numbers = following(path, 2, start="end")
    append(path, *five[3:])
    ended(thread)
    assert numbers == [4, 5]


def test_half_a_line_at_the_end_is_left_and_said(tmp_path, caplog):
    path = write(tmp_path / "events.jsonl", *seen(2))
    path.write_bytes(path.read_bytes()[:-1])
    assert read(path)[0] == [1]
    assert "ends with half a line" in caplog.text


def test_another_log_under_the_name_of_the_old_one_is_read_from_its_beginning(tmp_path, caplog):
    path, kept = write(tmp_path / "events.jsonl", *seen(4)), tmp_path / "position"
    read(path, position=kept)
    write(path, *seen(5, who="P-2"))
    assert read(path, position=kept)[0] == [1, 2, 3, 4, 5]
    assert "is another log than the one that was read" in caplog.text


def test_a_damaged_line_is_said_with_its_place_or_counted(tmp_path):
    one, two = seen(2)
    path = write(tmp_path / "events.jsonl", one, b"{damaged", two)
    with pytest.raises(
        SightlineError, match=rf"events.jsonl: at byte {len(one) + 1}: is no event: .*skip_damaged"
    ):
        read(path)
    numbers, loop = read(path, skip_damaged=True)
    assert (numbers, loop.damaged) == ([1, 2], 1)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    one, two = seen(2)
    path = write(tmp_path / "events.jsonl", one, b" " * 5_000_000, two)
    numbers, loop = read(path, skip_damaged=True)
    assert (numbers, loop.damaged) == ([1, 2], 1)


WRONG = {
    "there/events.jsonl": "events.jsonl: there is no such log; is it the folder of a run?",
    "mqtt://localhost:1/x": "is none of kafka://HOST:PORT/SITE",
    "kafka://localhost:9092": "names no site; use kafka://HOST:PORT/SITE",
    "kafka://localhost/lobby": "'localhost' is no HOST:PORT",
    "kafka://me:secret@localhost:9092/lobby": "has a password in it; put it into SIGHTLINE_KAFKA_PASSWORD",
    "kafka://localhost:9092/lobby?colour=red": "has no option 'colour'; there are security, user",
    "kafka://localhost:9092/lobby?security=tsl": "security must be one of plain, tls, sasl, sasl_tls, got 'tsl'",
    "kafka://me@localhost:9092/lobby": "needs a password; put it into SIGHTLINE_KAFKA_PASSWORD",
    "kafka://nowhere.invalid:9092/lobby": "host 'nowhere.invalid' is not known",
    "kafka://localhost:1/lobby": "localhost:1 cannot be reached, connection refused",
    "kafka://localhost:9092/lobby?ca=nothing.pem": "nothing.pem: cannot be used, no such file or directory",
    "zmq://localhost:5556": "ZeroMQ only says what comes next",
}


@pytest.mark.parametrize("source", WRONG)
def test_a_mistake_in_an_address_is_one_line(source, tmp_path, monkeypatch):
    monkeypatch.delenv("SIGHTLINE_KAFKA_PASSWORD", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SightlineError) as caught:
        subscribe(source, follow=False)
    assert WRONG[source] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_memory_stays_as_it_is_however_much_comes(tmp_path):
    loop = subscribe(write(tmp_path / "events.jsonl", *seen(3)), follow=False)
    loop._seen = type(loop._seen)(most=2)
    assert len(list(loop)) == 3
    assert (len(loop._seen), json.dumps(loop.position.ids) != "[]") == (2, True)


def test_a_correction_of_several_ids_is_one_event(tmp_path):
    path = write(tmp_path / "events.jsonl", *lines(correction("merged", ("P-2",), ("P-1",), 4)))
    (event,) = subscribe(path, follow=False)
    assert (event.from_ids, event.to_ids) == (("P-2",), ("P-1",))
