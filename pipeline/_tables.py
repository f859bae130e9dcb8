"""How identities, times and tables are shown on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table


def short(identity_id: str) -> str:
    """The part of an identity that tells it from others on a screen."""
    return f"{identity_id[:2]}{identity_id[-6:]}"


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def printed(
    title: str, headers: Sequence[str], rows: Iterable[Sequence[str]], remark: str | None = None
) -> Table:
    """A table as this program prints them."""
    table = Table(*headers, title=title, caption=remark)
    for row in rows:
        table.add_row(*row)
    return table
