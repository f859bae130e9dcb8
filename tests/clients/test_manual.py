"""The examples of docs/consumers.md that need a broker, with one."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from broker import JARS
from on_kafka import Publisher
from published import lines, person
from sightline_client import decode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "consumers.md").read_text()
NEEDS_A_BROKER = re.findall(r"<!-- needs a broker -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
JAVA = re.search(r"```java\n// (?P<name>\w+\.java)\n(?P<text>.*?)```", PAGE, re.DOTALL)
SAID = lines(person("appeared", "P-1", 1), person("lost", "P-1", 1))


@pytest.fixture
def site(broker):
    made = Publisher(broker)
    made.send(*SAID)
    made.keep(SAID)
    yield made
    made.close()


def done(block, site, folder):
    names = {"BROKER": site.url.split("/")[2], "SITE": site.name}
    command = ["bash", "-euo", "pipefail", "-c", block]
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, **names}, stdout=subprocess.PIPE, text=True, process_group=0
    )


def test_kcat_reads_states_and_events(site, tmp_path):
    with done(NEEDS_A_BROKER[0], site, tmp_path) as reading:
        said = reading.communicate(timeout=120)[0]
    assert reading.returncode == 0
    key, _, record = said.splitlines()[0].partition(" ")
    assert (key, json.loads(record)["state"]) == ("P-1", "lost")
    assert f"ce_id={decode(SAID[1]).id}" in said


def test_java_reads_events(site, tmp_path):
    (tmp_path / ".kafka").symlink_to(JARS)
    (tmp_path / JAVA["name"]).write_text(JAVA["text"])
    with done(NEEDS_A_BROKER[1], site, tmp_path) as reading:
        try:
            types = [reading.stdout.readline().split()[0] for _ in SAID]
        finally:
            os.killpg(reading.pid, signal.SIGKILL)
    assert types == [decode(line).type for line in SAID]
