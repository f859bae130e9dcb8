"""A page about how well people were followed: scores, plots, and the worst cases. One file that needs no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from engines.evaluate.clear import NOBODY
from engines.evaluate.evaluation import Evaluation, Sheet, SizePx
from engines.evaluate.lives import Life, lives_of, worst
from engines.evaluate.report_pictures import Album, Shots
from engines.evaluate.report_plots import (
    MISSED,
    NEW,
    OTHERS,
    OWN,
    curves_plot,
    floor_plot,
    ids_plot,
    kinds_of,
    legend,
    lives_plot,
    transitions_plot,
)
from engines.evaluate.tables import ScoreTable
from engines.evaluate.transitions import HandOver

MOST_CASES, MOST_SWITCHES, MOST_LOST = 6, 6, 12
MEANINGS = {"their own id": OWN, "another of their own": NEW, "somebody else's": OTHERS, "missed": MISSED}
STYLE = """
body{font:14px/1.45 system-ui,"DejaVu Sans",sans-serif;color:#1f2d3a;background:#fcfcfa;margin:0}
main{max-width:1100px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:24px;margin:0 0 2px}h2{font-size:18px;margin:34px 0 8px;border-bottom:1px solid #dfe5ea;padding-bottom:4px}
h3{font-size:14px;margin:14px 0 6px;font-weight:600}p{margin:4px 0 10px;color:#5c6a78;max-width:80ch}
.cards{display:flex;flex-wrap:wrap;gap:10px;margin:18px 0}
.card{background:#fff;border:1px solid #dfe5ea;border-radius:6px;padding:8px 14px;min-width:88px}
.card b{display:block;font-size:24px;font-weight:600}.card span{color:#5c6a78;font-size:12px}
.plots{display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start}svg{max-width:100%;height:auto}
.key{margin-right:18px;color:#5c6a78;font-size:13px}.key i{display:inline-block;width:12px;height:12px;margin-right:6px}
table{border-collapse:collapse;font-size:13px;margin:4px 0 10px}td,th{padding:3px 14px 3px 0;text-align:right}
td:first-child,th:first-child{text-align:left}th{color:#5c6a78;font-weight:500;border-bottom:1px solid #dfe5ea}
.tables{columns:2 440px}.tables section{break-inside:avoid}
.case{background:#fff;border:1px solid #dfe5ea;border-radius:6px;padding:10px 14px;margin:10px 0}
.strip{display:flex;flex-wrap:wrap;gap:14px}.shot{text-align:center;font-size:11.5px;color:#5c6a78}
.shot img{display:block;height:150px;border-top:5px solid;margin-bottom:2px}
"""


def write_report(  # noqa: PLR0913
    file: Path,
    title: str,
    evaluation: Evaluation,
    tables: Sequence[ScoreTable],
    pictures: Path | None,
    size_px: SizePx | None = None,
) -> None:
    """Write the page. People are shown only where a folder of their `pictures` is named; `size_px` is that of the
    picture for which the truth's boxes are. Raises ValueError where it cannot be.
    """
    cameras = sorted({camera.camera_id for sheet in evaluation.sheets for camera in sheet.seen})
    album = Album(pictures, cameras, size_px) if pictures is not None else None
    try:
        page = "".join(_page(title, evaluation, tables, album))
    finally:
        if album is not None:
            album.close()
    try:
        file.write_text(page, "utf-8")
    except OSError as error:
        raise ValueError(f"{file}: cannot be written, {error.strerror}; choose another place") from error


def _page(
    title: str, evaluation: Evaluation, tables: Sequence[ScoreTable], album: Album | None
) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
    yield f"<style>{STYLE}</style><main><h1>How well people were followed</h1><p>{escape(title)}</p>"
    for sheet in evaluation.sheets:
        lives = lives_of(sheet.sequence)
        yield f"<h2>{escape(sheet.name)}</h2>{_cards(sheet, lives)}"
        yield from _plots(sheet, lives)
        yield from _cases(sheet, lives, album)
    if evaluation.run is not None:
        yield from _transitions(evaluation.run.identities.transitions)
    yield "<h2>All scores</h2><div class=tables>" + "".join(map(_table, tables)) + "</div></main></html>"


def _cards(sheet: Sheet, lives: Sequence[Life]) -> str:
    scores = sheet.scores
    ids = sum(life.ids for life in lives)
    cards = {
        "HOTA": f"{scores.hota.score:.3f}",
        "IDF1": f"{scores.identity.idf1:.3f}",
        "MOTA": f"{scores.clear.mota:.3f}",
        "recall": f"{scores.clear.recall:.3f}",
        "precision": f"{scores.clear.precision:.3f}",
        "switches": str(scores.clear.switches),
        "people": str(len(lives)),
        "ids a person": f"{ids / len(lives):.2f}" if lives else "-",
    }
    return "".join(
        [
            "<div class=cards>",
            *(f"<div class=card><b>{v}</b><span>{k}</span></div>" for k, v in cards.items()),
            "</div>",
        ]
    )


def _plots(sheet: Sheet, lives: Sequence[Life]) -> Iterator[str]:
    ways = floor_plot(sheet, lives) if sheet.said is not None else ""
    yield "<div class=plots>"
    yield f"<div><h3>On the floor</h3>{ways}</div>" if ways else ""
    yield f"<div><h3>Over the similarity that is asked for</h3>{curves_plot(sheet.scores.hota)}</div>"
    yield f"<div><h3>Ids by which people went</h3>{ids_plot(lives)}</div></div>"
    yield f"<h3>Whom each person was taken for</h3>{legend(MEANINGS)}<div>{lives_plot(sheet, lives)}</div>"


def _cases(sheet: Sheet, lives: Sequence[Life], album: Album | None) -> Iterator[str]:
    cases = [life for life in worst(list(lives)) if life.switches or life.missed > 0.5][:MOST_CASES]
    if not cases:
        return
    yield "<h3>Worst cases</h3>"
    if album is None:
        yield "<p>People are not shown: name the folder of their videos or pictures with --pictures to see them.</p>"
    shots, kinds = Shots(sheet), kinds_of(lives)
    for life in cases:
        what = f"switches: {len(life.switches)}, ids: {life.ids}, missed: {life.missed:.0%} of the time"
        yield f"<div class=case><b>Person {life.person}</b> <span class=key>{what}</span>"
        if album is None:
            yield f"<div class=key>{escape(_told(sheet, life))}</div>"
        else:
            yield "<div class=strip>"
            frames = dict.fromkeys(frame for pair in life.switches[:MOST_SWITCHES] for frame in pair)
            said = dict(zip(life.frames.tolist(), life.said.tolist(), strict=True))
            asked = frames or dict.fromkeys(life.frames[:: max(1, len(life.frames) // 6)].tolist())
            for frame in asked:
                id = said[frame]
                color = MISSED if id == NOBODY else kinds[life.person, id]
                yield from _shots(sheet, shots.of(life.person, frame), (frame, id, color), album)
            yield "</div>"
        yield "</div>"


def _shots(
    sheet: Sheet, shots: Iterable[tuple[str, int, object]], what: tuple[int, int, str], album: Album
) -> Iterator[str]:
    frame, id, color = what
    name = "missed" if id == NOBODY else _short(sheet, id)
    for camera, index, box in shots:
        address = album.cut_out(camera, index, box)  # type: ignore[arg-type]
        if address:
            when = f"{camera}, frame {index}" if len(sheet.seen) > 1 else f"frame {index}"
            yield f'<div class=shot><img style="border-color:{color}" src="{address}" alt="">'
            yield f"{escape(name)}<br>{escape(when)}</div>"


def _told(sheet: Sheet, life: Life) -> str:
    """The stretches of a life in words."""
    parts = []
    for stretch in life.stretches[:14]:
        name = "missed" if stretch.said == NOBODY else _short(sheet, stretch.said)
        parts.append(f"{sheet.times_s[stretch.first]:g}-{sheet.times_s[stretch.last]:g}: {name}")
    return "   ".join(parts) + (" …" if len(life.stretches) > 14 else "")


def _transitions(hand_overs: Sequence[HandOver]) -> Iterator[str]:
    if not hand_overs:
        return
    yield "<h2>Hand-overs between cameras</h2>"
    yield "<p>Each cell: how many carried one identity, of all who went from one camera to the other.</p>"
    yield transitions_plot(hand_overs)
    lost = [one for one in hand_overs if one.outcome != "same identity"]
    if not lost:
        return
    began_ns = min(one.before.begun_ns for one in hand_overs)
    rows = tuple(
        (
            f"person {one.after.person}",
            f"{one.before.camera_id} to {one.after.camera_id}",
            f"{(one.after.begun_ns - began_ns) / 1e9:.1f} s",
            one.outcome + (f": person {one.taken_for}" if one.taken_for is not None else ""),
        )
        for one in lost[:MOST_LOST]
    )
    title = f"{len(lost)} that did not" + (f", the first {MOST_LOST}" if len(lost) > MOST_LOST else "")
    yield _table(ScoreTable(title, ("", "cameras", "after", "given to"), rows))


def _table(table: ScoreTable) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in table.headers)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<section><h3>{escape(table.title)}</h3><table><tr>{heads}</tr>{rows}</table></section>"


def _short(sheet: Sheet, said: int) -> str:
    name = sheet.names[said] if 0 <= said < len(sheet.names) else f"id {said}"
    return name if len(name) <= 12 else f"…{name[-6:]}"
