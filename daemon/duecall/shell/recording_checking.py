"""`duecall recordings check`: every file looked at again, as the rows of the attempts name them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from duecall.shell.call_files import CallFiles
from duecall.shell.column_values import to_us
from duecall.shell.recording_index import Look, index, look_at
from duecall.shell.recording_search import Wanted
from duecall.shell.store_answers import Recorded
from duecall.shell.store_parts import StoreParts

PAGE = 100
NAMED = """SELECT x.saved_at, x.id, x.target_id, x.recording FROM attempt x
    WHERE x.campaign_id = ? AND (x.saved_at, x.id) > (?, ?) AND x.saved_at < ?
        AND x.recording <> '' AND x.settled_at IS NOT NULL{} ORDER BY x.saved_at, x.id LIMIT ?"""
CAMPAIGNS = "SELECT id, name FROM campaign WHERE lender_id = ? ORDER BY id"
END_US = 1 << 62


def check_files(
    parts: StoreParts, files: CallFiles, wanted: Wanted, at: datetime, daemon: str = ""
) -> Iterator[tuple[Recorded, str]]:
    """Each with its state now; of `wanted`, time and campaign count. daemon: only of its calls, for
    those of others are on other machines. OSError where a file is there and cannot be read."""
    sql = NAMED.format(" AND x.daemon = ?" if daemon else "")
    whose = (daemon,) if daemon else ()
    since = to_us(wanted.since) if wanted.since else 0
    until = to_us(wanted.until) if wanted.until else END_US
    for campaign, name in parts.database.run(CAMPAIGNS, (parts.lender,)).fetchall():
        if wanted.campaign not in ("", name):
            continue
        last = (since - 1, "~")
        while True:
            values = (campaign, *last, until, *whose, PAGE)
            rows = parts.database.run(sql, values).fetchall()
            yield from _looked_at(parts, files, [Recorded(*row[1:]) for row in rows], to_us(at))
            if len(rows) < PAGE:
                break
            last = (rows[-1][0], rows[-1][1])


def _looked_at(
    parts: StoreParts, files: CallFiles, some: list[Recorded], at_us: int
) -> list[tuple[Recorded, str]]:
    looks: list[tuple[Recorded, Look | None]] = []
    for one in some:
        try:
            looks.append((one, look_at(files.recording(one.name))))
        except FileNotFoundError:
            looks.append((one, None))

    def write() -> list[tuple[Recorded, str]]:
        with parts.database.writing():
            return [(one, index(parts, one, look, at_us)) for one, look in looks]

    return [(one, state) for one, state in parts.database.repeated(write) if state]
