"""A moment as an operator writes it: a time of day, a local time, or one with its offset."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, time, timezone, tzinfo
from zoneinfo import ZoneInfo

FORM = "2026-11-22 10:15, 10:15 for today, or with an offset: 2026-11-22T10:15+07:00"
_SHAPE = re.compile(
    r"(?:(?P<day>\d{4}-\d{2}-\d{2})(?:[T ]|$))?"
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<second>:\d{2}(?:\.\d{1,6})?)?)?"
    r" ?(?P<offset>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)


class MomentError(ValueError):
    """What is wrong, and what would be right."""


def read_moment(text: str, zones: Collection[str], now: datetime) -> tuple[datetime, bool]:
    """(the moment in UTC, whether it was given to the minute only). Raises MomentError.

    zones: where the lender keeps its books, of each campaign that is asked about; now: aware. A
    local time that comes twice, or never, as clocks are changed, is not guessed at.
    """
    match = _SHAPE.fullmatch(text.strip())
    if not match or not (match["day"] or match["hour"]):
        raise MomentError(f"not a moment; write {FORM}")
    if match["offset"] is None and len(zones) != 1:
        raise MomentError(
            f"the campaigns keep their books in {', '.join(sorted(zones))}: "
            "add an offset such as +07:00, or name one with --campaign"
        )
    offset = match["offset"]
    clock: tzinfo = timezone.utc if offset is not None else ZoneInfo(next(iter(zones)))
    try:
        if offset not in (None, "Z"):
            clock = datetime.strptime(offset.replace(":", ""), "%z").tzinfo or clock
        second = float((match["second"] or ":0")[1:])
        at = time(int(match["hour"] or 0), int(match["minute"] or 0), int(second))
        at = at.replace(microsecond=round(second % 1 * 1e6) % 1_000_000)
        day = date.fromisoformat(match["day"]) if match["day"] else now.astimezone(clock).date()
    except ValueError as error:
        raise MomentError(f"{error}; write {FORM}") from None
    first = datetime.combine(day, at, clock)
    moments = {one.astimezone(timezone.utc) for one in (first, first.replace(fold=1))}
    if len(moments) > 1:
        shown = " or ".join(f"{one.astimezone(clock):%z}" for one in sorted(moments))
        raise MomentError(
            f"clocks are changed then in {clock}: that time comes twice, or never; add an offset, "
            f"{shown}"
        )
    return moments.pop(), match["second"] is None
