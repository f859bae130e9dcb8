"""What a run knows of itself, for Prometheus: read when somebody asks, so that nobody waits for it in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline._presence import Presence
from pipeline.graph import Graph
from pipeline.run import Run
from pipeline.stage import InputError

HOST = "127.0.0.1"  # what is measured is nobody else's business; a proxy lets others in
MOST_LOG2_US = 26  # of a bucket: 67 s


def nothing() -> Mapping[str, int]:
    """Where nothing waits to be published."""
    return {}


@dataclass(eq=False)
class Metrics(Collector):
    """A collector of prometheus-client."""

    graph: Graph
    run: Callable[[], Run]
    presence: Callable[[], Presence]
    waiting: Callable[[], Mapping[str, int]] = nothing  # rows of the outbox, by publisher

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        yield from self._frames()
        yield from self._stages()
        yield from self._queues()
        yield from self._site()

    def _frames(self) -> Iterator[Metric]:
        where = ["node", "camera"]
        received = CounterMetricFamily(
            "sightline_frames_received", "Frames that came to a node.", labels=where
        )
        processed = CounterMetricFamily(
            "sightline_frames_processed", "Frames that a node has done.", labels=where
        )
        dropped = CounterMetricFamily(
            "sightline_frames_dropped", "Frames that a node let go.", labels=[*where, "reason"]
        )
        for row in self.run().watch.ledger(self.graph):
            place = [row.node, row.camera_id]
            received.add_metric(place, row.received)
            processed.add_metric(place, row.processed)
            for reason, count in row.dropped.items():
                dropped.add_metric([*place, reason], count)
        yield from (received, processed, dropped)

    def _stages(self) -> Iterator[Metric]:
        messages = CounterMetricFamily("sightline_messages", "Messages that a node took.", labels=["node"])
        spent = HistogramMetricFamily(
            "sightline_step_seconds", "What one step takes a node.", labels=["node"]
        )
        watch = self.run().watch
        for node in self.graph.nodes:
            total = watch.total(node.id)
            messages.add_metric([node.id], total.messages)
            if total.by_log2_us:
                spent.add_metric([node.id], _buckets(total.by_log2_us), total.busy_ns / 1e9)
        yield from (messages, spent)

    def _queues(self) -> Iterator[Metric]:
        between = ["from", "to"]
        steps = GaugeMetricFamily(
            "sightline_queue_steps", "Steps that wait between two parts.", labels=between
        )
        size = GaugeMetricFamily("sightline_queue_size", "Steps that may wait there.", labels=between)
        for (writer, reader), (held, most) in self.run().watch.fills().items():
            steps.add_metric([writer, reader or "log"], held)
            if most:
                size.add_metric([writer, reader or "log"], most)
        gates = GaugeMetricFamily(
            "sightline_admission", "Frames before and in the graph.", labels=["camera", "where"]
        )
        for camera_id, gate in list(self.run().gates.items()):
            gates.add_metric([camera_id, "queued"], gate.queued)
            gates.add_metric([camera_id, "in_flight"], gate.in_flight)
        yield from (steps, size, gates)

    def _site(self) -> Iterator[Metric]:
        run, counts = self.run(), self.presence().by_camera()
        people = GaugeMetricFamily("sightline_people", "People in view.", labels=["camera"])
        for camera_id in sorted({node.camera_id for node in self.graph.sources} | set(counts)):
            people.add_metric([camera_id], counts.get(camera_id, 0))
        out = CounterMetricFamily("sightline_frames_out", "Frames of which everything has come out.")
        out.add_metric([], run.frames)
        waiting = GaugeMetricFamily(
            "sightline_outbox_rows", "Events that wait for a publisher.", labels=["publisher"]
        )
        for name, rows in self.waiting().items():
            waiting.add_metric([name], rows)
        behind = GaugeMetricFamily(
            "sightline_behind_seconds", "Age of the latest frame that came out.", labels=["camera"]
        )
        for camera_id in list(run.gates):
            now_ns = run.clocks.now_ns(camera_id)
            if now_ns is not None and run.frames:
                behind.add_metric([camera_id], (now_ns - run.now_ns) / 1e9)
        yield from (people, out, waiting, behind)


@contextmanager
def served(metrics: Metrics, port: int) -> Iterator[None]:
    """While inside, http://127.0.0.1:port/metrics answers."""
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, HOST, registry)
    except OSError as error:
        text = f"nobody can listen on {HOST}:{port}, {error.strerror}; choose another port"
        raise InputError(f"--metrics: {text}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _buckets(by_log2_us: Mapping[int, int]) -> list[tuple[str, float]]:
    """How many steps took at most so many seconds."""
    counted, buckets = 0, []
    for power in range(MOST_LOG2_US + 1):
        counted += by_log2_us.get(power, 0)
        buckets.append((f"{2**power / 1e6:g}", float(counted)))
    return [*buckets, ("+Inf", float(sum(by_log2_us.values())))]
