"""Ten thousand damaged events, records and messages between processes: an answer or an error with a name for each,
and little memory.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MIB = 256
PROGRAM = """
import json, random, sys
from pathlib import Path
from test_wire import MESSAGES
from published import correction, lines, person, records, tracklet_seen
from builders import GAP
from pipeline.order import Step
from pipeline.publish._state import state_records
from pipeline.wire import WireError, decode as unwire, encode as wire
from sightline_client import SightlineError, Site, decode, encode
from sightline_client._position import Position
from sightline_client.codec import decode_record, decoded
from sightline_client.site import Person

ODD = [b"", b"\\0", b"\\xff", b"[" * 5000, b"{" * 5000, b"9" * 5000, b"-1", b"1e999", b"null", b'"', b"\\\\u0000", b"NaN"]


def mutated(data, chance):
    for _ in range(chance.randint(1, 4)):
        at, to = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
        match chance.randint(0, 5):
            case 0:
                data = data[:at] + bytes([chance.randint(0, 255)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + chance.randint(0, 9) :]
            case 2:
                data = data[:at] + chance.choice(ODD) + data[at:]
            case 3:
                data = data[:at]
            case 4:
                data = data[:at] + data[at:to][:200] + data[at:]
            case 5:
                data = data[:at] + bytes(chance.randint(0, 255) for _ in range(4)) + data[at + 4 :]
    return data


def event(data):
    read = decode(data)
    assert decode(encode(read)) == read
    Site().apply(read)


def record(data):
    headers = [("ce_id", b"1"), ("ce_source", data[:9]), ("ce_type", b"sightline.identity.observed.v1")]
    decode_record([*headers, ("ce_sequence", b"3")], data[:5], data)


said = lines(
    tracklet_seen("flat", 1), person("appeared", "P-1", 2), correction("split", ("P-1",), ("P-1", "P-2"), 3, ("T-1",)), GAP
)
kinds = [
    (event, said, SightlineError),
    (record, [json.dumps(json.loads(line)["data"]).encode() for line in said], SightlineError),
    (lambda data: decoded(data, Person), list(records(said[1:3]).values()), SightlineError),
    (lambda data: decoded(data, Position), [b'{"version":1,"places":{"a":[1,"b"]},"sequences":[["a","b",3]],"ids":["a"]}'], SightlineError),
    (unwire, [wire(Step((40, "east", 3), (message,))) for message in MESSAGES], WireError),
]
chance, refused, count = random.Random(7), 0, 0
while count < 10_000:
    for read, good, error in kinds:
        data = mutated(chance.choice(good), chance)
        count += 1
        try:
            read(data)
        except error as told:
            refused += 1
            assert "\\n" not in str(told)[:200]
said = Path("/proc/self/status").read_text()  # ru_maxrss begins with the parent's
peak_kib = next(line for line in said.splitlines() if line.startswith("VmHWM")).split()[1]
print(count, refused, int(peak_kib) // 1024)
"""


def test_ten_thousand_damaged_messages_are_refused_by_name_in_little_memory():
    path = f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests/pipeline'}:{ROOT / 'clients/python'}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    count, refused, mib = map(int, done.stdout.split())
    assert count >= 10_000
    assert refused > count / 2
    assert mib < MOST_MIB
