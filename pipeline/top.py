"""Shows a running graph in the terminal: cameras, stages, queues and people, by what its /metrics say."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Annotated
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from pipeline._tables import printed
from pipeline.stage import InputError

URL = "http://127.0.0.1:9464/metrics"
ANSWERS_WITHIN_S = 5.0
MOST_BYTES = 8 << 20
Labels = tuple[str, ...]


def top(
    url: Annotated[
        str, typer.Argument(help="Of a run that was started with --metrics.", metavar="[URL]")
    ] = URL,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1, metavar="N")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once.", metavar="")] = False,
) -> None:
    """Watch a running graph: cameras, frames a second, latency of each stage, queues, people in view."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: is no http://HOST:PORT/metrics")
    console, before = Console(highlight=False), _look(url)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the terminal is given back as it was
    with suppress(KeyboardInterrupt):
        if once or not console.is_terminal:
            time.sleep(every)
            console.print(shown(before, _look(url)))
            return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                try:
                    now = _look(url)
                except InputError as error:
                    live.update(Text(f"{error}\nlooking again; Ctrl-C ends"), refresh=True)
                    continue
                live.update(shown(before, now), refresh=True)
                before = now


@dataclass
class Look:
    """What /metrics said at one moment: the values of each sample by its labels, those in the order of their names."""

    at_s: float
    samples: dict[str, dict[Labels, float]] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[Labels, float]:
        return self.samples.get(name, {})


def shown(before: Look, now: Look) -> RenderableType:
    """The screen for what has happened between two looks."""
    passed_s = max(now.at_s - before.at_s, 1e-3)
    return Group(_cameras(before, now, passed_s), _stages(before, now), _queues(now), _waiting(now))


def _cameras(before: Look, now: Look, passed_s: float) -> RenderableType:
    people, behind = now.of("sightline_people"), now.of("sightline_behind_seconds")
    rows = []
    for (camera, node), frames in now.of("sightline_frames_received_total").items():
        if node != f"cameras.{camera}":
            continue
        fps = (frames - before.of("sightline_frames_received_total").get((camera, node), 0.0)) / passed_s
        dropped = _dropped(now, camera)
        age = f"{behind[camera,]:.2f} s" if (camera,) in behind else "-"
        rows.append((camera, f"{fps:.1f}", f"{frames:.0f}", dropped, f"{people.get((camera,), 0):.0f}", age))
    in_view = f"{sum(people.values()):.0f} people in view"
    return printed("Cameras", ("camera", "fps", "frames", "dropped", "people", "behind"), rows, in_view)


def _dropped(now: Look, camera: str) -> str:
    counts = {
        reason: count
        for (one, _, reason), count in now.of("sightline_frames_dropped_total").items()
        if one == camera
    }
    return ", ".join(f"{count:.0f} {reason}" for reason, count in counts.items()) or "0"


def _stages(before: Look, now: Look) -> RenderableType:
    count, spent = "sightline_step_seconds_count", "sightline_step_seconds_sum"
    rows = []
    for (node,), total in now.of(count).items():
        steps = total - before.of(count).get((node,), 0.0)
        busy_s = now.of(spent)[node,] - before.of(spent).get((node,), 0.0)
        mean = f"{busy_s / steps * 1e3:.2f} ms" if steps else "-"
        rows.append((node, f"{total:.0f}", mean, _quantile(before, now, node, 0.95)))
    return printed("Stages", ("stage", "steps", "mean", "95 % within"), rows)


def _quantile(before: Look, now: Look, node: str, share: float) -> str:
    """The bound of the bucket under which this share of the steps since the last look took."""
    name = "sightline_step_seconds_bucket"
    counted = sorted(
        (float(bound), count - before.of(name).get((bound, one), 0.0))
        for (bound, one), count in now.of(name).items()
        if one == node
    )
    within = [bound for bound, count in counted if count and count >= share * counted[-1][1]]
    return f"{min(within) * 1e3:.3g} ms" if within else "-"


def _queues(now: Look) -> RenderableType:
    sizes = now.of("sightline_queue_size")
    rows = []
    for edge, held in now.of("sightline_queue_steps").items():
        if held:
            rows.append((*edge, f"{held:.0f}" + (f" of {sizes[edge]:.0f}" if edge in sizes else "")))
    return printed("Queues", ("from", "to", "wait"), rows, None if rows else "nothing waits")


def _waiting(now: Look) -> Text:
    rows = [f"{rows:.0f} events wait for {name}" for (name,), rows in now.of("sightline_outbox_rows").items()]
    return Text("\n".join(rows))


def _look(url: str) -> Look:
    try:
        with urlopen(url, timeout=ANSWERS_WITHIN_S) as answer:  # noqa: S310, its scheme has been checked
            text = answer.read(MOST_BYTES).decode()
    except (URLError, OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", error))
        raise InputError(f"{url}: nobody answers, {reason}; start the run with --metrics PORT") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{url}: is no page of metrics; is it another program's?") from error
    try:
        return look_in(text, time.monotonic())
    except ValueError as error:
        raise InputError(f"{url}: is no page of metrics, {error}; is it another program's?") from error


def look_in(text: str, at_s: float) -> Look:
    """What a page of metrics says; raises ValueError where it is none."""
    from prometheus_client.parser import text_string_to_metric_families

    look = Look(at_s)
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = tuple(one.labels[name] for name in sorted(one.labels))
            look.samples.setdefault(one.name, {})[labels] = one.value
    return look
