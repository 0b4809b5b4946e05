"""The attempts of a campaign as CSV: one row an attempt."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TextIO

from duecall.core.report import AttemptRecord
from duecall.shell.vault import mask_phone

COLUMNS = (
    "time",
    "contract",
    "phone",
    "name",
    "outcome",
    "cause",
    "sip_status",
    "number",
    "ring_s",
    "talk_s",
    "keys",
    "answers",
    "share_heard",
    "promised_for",
    "recording",
    "error",
    "trunk",
    "voice",
    "voice_stands_in",
    "attempt",
)
# A spreadsheet takes such a cell for a formula, and a formula can run programs (OWASP: CSV
# injection). Leading blanks do not keep it from that.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(cell: str) -> str:
    """With an apostrophe in front where a spreadsheet would run it."""
    return "'" + cell if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell


def write_report(
    out: TextIO, attempts: Iterable[AttemptRecord], *, full_phones: bool = False
) -> int:
    """Write all rows; how many. Open `out` with newline="" (and utf-8-sig for spreadsheets)."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    rows = 0
    for attempt in attempts:
        writer.writerow([guarded(cell) for cell in _cells(attempt, full_phones)])
        rows += 1
    return rows


def _cells(attempt: AttemptRecord, full_phones: bool) -> list[str]:
    return [
        _time(attempt.saved_at),
        attempt.contract,
        attempt.phone if full_phones else mask_phone(attempt.phone),
        attempt.name,
        attempt.outcome.value if attempt.outcome else "open",
        attempt.cause,
        str(attempt.sip_status or ""),
        str(attempt.number),
        "" if attempt.ring_s is None else f"{attempt.ring_s:.1f}",
        f"{attempt.talk_s:.1f}",
        " ".join(f"{press.step}:{press.key}" for press in attempt.keys),
        " ".join(f"{question}={option}" for question, option in attempt.answers.items()),
        f"{attempt.share_heard:.2f}" if attempt.message_ms else "",
        attempt.promised_for.isoformat() if attempt.promised_for else "",
        attempt.recording,
        attempt.error,
        attempt.trunk,
        attempt.voice,
        "yes" if attempt.voice_turn else "",
        attempt.id,
    ]


def _time(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat(timespec="seconds")
