"""The commands of a gallery that is followed: `follow` keeps a copy of it and answers, `who` asks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import msgspec
import typer
from rich.console import Console

from configs.build import ConfigError
from configs.known import known
from pipeline._replica_reading import Reading
from pipeline._replica_server import answering
from pipeline._tables import printed, short
from pipeline.gallery_key import GalleryKey
from pipeline.graphfile import GraphFile
from pipeline.publish._kafka_topics import settings_of, topics_of
from pipeline.publish.kafka import Kafka
from pipeline.replica import Likeness, Person, Replica
from pipeline.stage import InputError

PORT = 9465
URL = f"http://127.0.0.1:{PORT}"
WAITS_S, MOST_BYTES = 10.0, 64 << 20
VECTOR = ".npy"
out = Console(highlight=False)


def follow(
    graph: Annotated[Path, typer.Argument(help="Whose gallery; as its writer has it.", metavar="GRAPH")],
    folder: Annotated[
        Path | None, typer.Option("--out", help="Else var/SITE-replica.", metavar="DIR")
    ] = None,
    port: Annotated[int, typer.Option(help="Of answers; 0: any.", min=0, max=65535, metavar="PORT")] = PORT,
) -> None:
    """Follow the gallery that a site shares on Kafka: keep a copy, and answer who is there and who is like whom."""
    file = GraphFile.read(graph)
    kafka = file.publishers().get("kafka")
    if not isinstance(kafka, Kafka) or not kafka.gallery_key_file:
        text = "is missing; only a gallery that is shared can be followed, see docs/gallery.md"
        raise ConfigError(f"{graph}: publish.kafka.gallery_key_file: {text}")
    site, stopped = file.site.name, threading.Event()
    key, access = GalleryKey.read(kafka.gallery_key_file, site), kafka.access()
    lasts_s = float(settings_of("gallery", kafka.own_settings)["delete.retention.ms"]) / 1000
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    topic, folder = topics_of(site)["gallery"], folder or Path("var") / f"{site}-replica"
    with closing(Replica(folder, key)) as replica, answering(replica, port) as url:
        out.print(f"{topic} is followed; {url} answers", soft_wrap=True)
        Reading(replica, access, topic, lasts_s).run(stopped)


def who(
    subject: Annotated[
        str, typer.Argument(help="P-..., or a vector in a .npy file; else who is here.", metavar="[WHO]")
    ] = "",
    url: Annotated[str, typer.Option(help="Where 'follow' answers.", metavar="URL")] = URL,
    most: Annotated[int, typer.Option(help="Who are like.", min=1, max=1000, metavar="N")] = 5,
    kind: Annotated[str, typer.Option(help="Of the vector, if there are several.", metavar="KIND")] = "",
) -> None:
    """Ask a followed gallery who is here, or whom somebody is like."""
    if subject.endswith(VECTOR):
        _print_likes(subject, _likes(_asked(url, "like", {"most": most, "kind": kind}, _read(subject))))
    elif subject:
        name = quote(subject, safe="")
        person = msgspec.convert(_asked(url, f"people/{name}", {}), known(Person))
        _print_people("Who that is", [person])
        _print_likes(subject, _likes(_asked(url, f"people/{name}/like", {"most": most})))
    else:
        _print_people("Who is here", msgspec.convert(_asked(url, "people", {}), known(list[Person])))


def _print_people(title: str, people: Sequence[Person]) -> None:
    rows = [_row(one) for one in people]
    out.print(printed(title, ("identity", "state", "camera", "last seen", "height"), rows))


def _print_likes(subject: str, likes: Sequence[Likeness]) -> None:
    rows = [(f"{one.similarity:.3f}", *_row(one.person)) for one in likes]
    headers = ("likeness", "identity", "state", "camera", "last seen", "height")
    out.print(printed(f"Like {short(subject) if subject.startswith('P-') else subject}", headers, rows))


def _row(one: Person) -> tuple[str, ...]:
    height = f"{one.height_m:.2f} m" if one.height_m is not None else "-"
    return one.identity_id, one.state, one.camera_id, f"{one.seen[:19]}Z", height


def _likes(answer: Any) -> list[Likeness]:
    return msgspec.convert(answer, known(list[Likeness]))


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: {str(error.strerror).lower()}; name a vector that NumPy has saved"
        ) from error


def _asked(url: str, path: str, said: Mapping[str, Any], body: bytes | None = None) -> Any:
    """The answer. Raises InputError with what the other side says, or that nobody is there."""
    if not url.startswith("http://"):
        raise InputError(f"--url: must be like {URL}, got {url!r}")
    query = urlencode({name: value for name, value in said.items() if value != ""})
    request = Request(f"{url.rstrip('/')}/{path}?{query}", data=body)  # noqa: S310, its scheme has been checked
    try:
        with urlopen(request, timeout=WAITS_S) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(MOST_BYTES))
    except HTTPError as error:
        raise InputError(f"{url}: {_message(error.read(MOST_BYTES))}") from error
    except (URLError, OSError) as error:
        text = f"nobody answers, {getattr(error, 'reason', error)}; start 'run.py follow GRAPH'"
        raise InputError(f"{url}: {text}") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{url}: is no gallery that is followed; is it another program's?") from error


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=known(dict[str, str]))["message"])
    except (msgspec.DecodeError, KeyError):
        return "does not answer as a gallery does; is it another program's?"
