"""The crowd's run with its events on a real broker, and what has arrived there as kcat reads it."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition
from crowded import command, conduct, judged, judgement, kill, walkers, write_crowd
from kcat import seen
from outbox_rows import waiting

LIMIT_S = 300.0
TOPICS = ("identities", "tracklets")
QUICK = "{segment.ms: 1000, max.compaction.lag.ms: 1000, min.cleanable.dirty.ratio: 0.01}"  # compacted soon


@dataclass
class Crowd:
    """One run in a folder, which is started and killed; it publishes as its site."""

    folder: Path
    servers: str
    site: str
    frames: int = 400
    client: str = "kafka-python"
    east: str = ""  # a camera's settings, in place of walkers

    def __post_init__(self):
        self.out = self.folder / "run"
        settings = f'servers: ["{self.servers}"], client: {self.client}, acknowledged_within_s: 2'
        publish = f", kafka: {{{settings}, topics: {{identity-state: {QUICK}}}}}"
        cameras = self.east or walkers(self.frames), walkers(self.frames)
        self.graph = write_crowd(self.folder, *cameras, self.site, publish)

    def whole(self):
        """What is judged of the run that nobody disturbs, and that sends nothing."""
        out = self.folder / "whole"
        assert conduct(out, self.graph, to=("log",)) == 0
        return judged(out)

    def start(self, mutant="", before=()):
        line = [*map(str, before), *command(self.out, self.graph, "threads", mutant)]
        return subprocess.Popen(
            line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )

    def finish(self, mutant=""):
        """Go on until everything has arrived; gives how often it had to be started."""
        for turn in range(1, 20):
            run = self.start(mutant)
            try:
                _, said = run.communicate(timeout=LIMIT_S)
            finally:
                kill(run)
            assert run.returncode == 0, said.decode()
            if not self.waiting():
                return turn
        raise AssertionError(f"{self.waiting()} rows still wait: {said.decode()}")

    def waiting(self):
        """How many rows are in the outbox of a run that does not go on."""
        return len(waiting(self.out / "site.db"))

    def arrived(self, servers=""):
        """The events on the broker, in the order of their topic."""
        rows = [row for topic in TOPICS for row in seen(servers or self.servers, f"{self.site}.{topic}.v1")]
        return [event(row) for row in rows]

    def judged(self, servers=""):
        return judgement(self.arrived(servers))


class Arriving:
    """Counts the identity events of a site on a broker, by its offsets."""

    def __init__(self, servers, site):
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": "counts", "log_level": 0})
        self._of = TopicPartition(f"{site}.identities.v1", 0)

    def count(self):
        try:
            return self._consumer.get_watermark_offsets(self._of, timeout=5, cached=False)[1]
        except KafkaException:  # there is no such topic yet, or nobody to ask
            return 0

    def wait_for(self, count, run):
        """Until so many are there; False where the run has ended before."""
        until_s = time.monotonic() + LIMIT_S
        while self.count() < count:
            assert time.monotonic() < until_s
            if run.poll() is not None:
                return False
            time.sleep(0.002)
        return True

    def close(self):
        self._consumer.close()


def write_video(path, frames):
    """So many pictures, 25 a second, of 32 by 32."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuvj420p"
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number % 256, np.uint8), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def event(row):
    attributes = {name.removeprefix("ce_"): value for name, value in row.headers.items()}
    assert attributes["partitionkey"] == row.key
    return {**attributes, "data": json.loads(row.value)}
