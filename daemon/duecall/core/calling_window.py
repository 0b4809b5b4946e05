"""When may a callee's phone ring: the campaign's hours, told by the clock on the callee's wall.

A callee may live in one of several zones (a number does not always tell). Then only the moments
that lie inside the hours in *every* candidate zone are open (design: law L2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as number_timezone

from duecall.core.campaign import Calendar
from duecall.core.verdict import Allowed, Denied, Verdict

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS = 62  # how far ahead a next opening is sought
UNKNOWN_ZONE = "Etc/Unknown"

Interval = tuple[datetime, datetime]  # UTC; start included, end excluded


@lru_cache(maxsize=10_000)
def candidate_zones(phone: str, contact_zone: str) -> tuple[str, ...]:
    """The zones the callee may be in: the contact's own, else all that the number admits.

    Empty where nothing is known: such a number is not called.
    """
    if contact_zone:
        return (contact_zone,)
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return ()
    zones = number_timezone.time_zones_for_number(number)
    return tuple(sorted(zone for zone in zones if zone != UNKNOWN_ZONE))


class CallingWindow:
    """A campaign's calendar, ready to be asked. Answers are cached for each set of zones."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._open: dict[tuple[str, ...], tuple[date, list[Interval]]] = {}

    def check(self, zones: tuple[str, ...], at: datetime, needed_s: int = 0) -> Verdict:
        """May it ring at `at` (UTC) and for `needed_s` seconds more, in all of these zones?"""
        if not zones:
            return Denied("time zone unknown: give the contact a zone", None)
        first, end = self._calendar.start, self._calendar.end
        if first is not None and first > at.date() + timedelta(days=HORIZON_DAYS - 2):
            again = datetime.combine(first - timedelta(days=2), time(), timezone.utc)
            return Denied(f"the campaign begins on {first.isoformat()}", again)
        try:
            intervals = self._intervals(zones, at)
        except (ZoneInfoNotFoundError, ValueError):
            # The number's tables know zones that this machine's may lack.
            again = at + timedelta(days=1)
            return Denied("a time zone of the number is not known here: install tzdata", again)
        for start, close in intervals:
            if close - at <= timedelta(seconds=needed_s):
                continue
            if start <= at:
                return Allowed()
            return Denied("outside calling hours", start)
        if end is not None and at.date() >= end:
            return Denied(f"the campaign ended on {end.isoformat()}", None)
        if len(zones) > 1:
            return Denied(
                f"no hour fits all {len(zones)} zones this number may be in: "
                "give the contact a zone",
                None,
            )
        again = at + timedelta(days=HORIZON_DAYS // 2)
        return Denied("no calling hour in the next two months", again)

    def _intervals(self, zones: tuple[str, ...], at: datetime) -> list[Interval]:
        today = at.date()
        cached = self._open.get(zones)
        if cached is None or cached[0] != today:
            if len(self._open) > 1_000:
                self._open.clear()
            cached = self._open[zones] = (today, _open_intervals(self._calendar, zones, today))
        return cached[1]


@lru_cache(maxsize=1_000)  # each new version of a campaign asks anew, mostly for the same calendar
def _open_intervals(calendar: Calendar, zones: tuple[str, ...], today: date) -> list[Interval]:
    """Those of the next HORIZON_DAYS in which all zones are open. The caller must not change it."""
    open_: list[Interval] | None = None
    for zone in zones:
        mine = list(_merge(_zone_intervals(calendar, ZoneInfo(zone), today)))
        open_ = mine if open_ is None else list(_intersect(open_, mine))
    return open_ or []


def _zone_intervals(calendar: Calendar, zone: ZoneInfo, today: date) -> Iterator[Interval]:
    # From the day before: local dates run up to a day behind and ahead of UTC.
    for offset in range(-1, HORIZON_DAYS):
        day = today + timedelta(days=offset)
        if calendar.start is not None and day < calendar.start:
            continue
        if calendar.end is not None and day > calendar.end:
            return
        if WEEKDAYS[day.weekday()] not in calendar.weekdays or day in calendar.except_dates:
            continue
        for hours in calendar.hours:
            last_day = day if hours.to > hours.from_ else day + timedelta(days=1)
            start = max(_instants(day, hours.from_, zone))
            end = min(_instants(last_day, hours.to, zone))
            if start < end:
                yield start, end


def _instants(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The one or two instants this local time may mean (two where clocks are put back or on)."""
    local = datetime.combine(day, at.replace(tzinfo=None), zone)
    first, second = local.replace(fold=0), local.replace(fold=1)
    return first.astimezone(timezone.utc), second.astimezone(timezone.utc)


def _merge(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Sorted, and those that touch made one: 08-24 and 00-08 are one night without a gap."""
    current: Interval | None = None
    for start, end in sorted(intervals):
        if current is not None and start <= current[1]:
            current = current[0], max(end, current[1])
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current


def _intersect(left: list[Interval], right: list[Interval]) -> Iterator[Interval]:
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            yield start, end
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
