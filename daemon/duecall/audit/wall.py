"""What clocks on callees' walls show: days, kinds of days, and whether a phone may ring.

The measure is the clock's own reading: a moment is open where every clock shows a time that every
rule and the campaign allow. So a call is judged by looking at the clocks, at its beginning and at
each minute of its ringing; nothing is worked out about when hours begin or end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from duecall.audit.rules import WEEK, Calendar, Rule, RuleSet

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
QUARTER_US = 15 * MINUTE_US  # clocks are changed at whole quarters of an hour
EPOCH_DAY = date(1970, 1, 1).toordinal()
RING_MAX_US = 120 * SECOND_US  # a quarter that is open is open for so much longer, too


@lru_cache(maxsize=262_144)
def _offset_us(zone: str, quarter: int) -> int:
    at = datetime.fromtimestamp(quarter * 900, timezone.utc).astimezone(ZoneInfo(zone))
    offset = at.utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def reading(zone: str, at_us: int) -> tuple[int, int]:
    """(ordinal of the day, microseconds since midnight) on a clock there."""
    day, rest = divmod(at_us + _offset_us(zone, at_us // QUARTER_US), DAY_US)
    return day + EPOCH_DAY, rest


def day_in(zone: str, at_us: int) -> int:
    """The ordinal of the day there."""
    return (at_us + _offset_us(zone, at_us // QUARTER_US)) // DAY_US + EPOCH_DAY


def day_text(day: int) -> str:
    """`Mon 2026-11-23` of an ordinal."""
    return f"{date.fromordinal(day):%a %Y-%m-%d}"


@lru_cache(maxsize=4_096)
def known(zones: tuple[str, ...]) -> bool:
    """Whether there is any zone, and this machine knows all of them."""
    try:
        for zone in zones:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(zones)


def period(kind: str, day: int, week_start: int) -> int:
    """A number of the calendar's day, week or month: equal within one, larger in the next."""
    if kind == "day":
        return day
    if kind == "week":
        return (day - 1 - week_start) // 7  # day 1 of all ordinals is a Monday
    at = date.fromordinal(day)
    return at.year * 12 + at.month


class Days:
    """Of which kind a day is: the library's holidays, the operator's table over them."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._table: Any = _holidays(rules.pack.holidays) if rules.pack.holidays else None
        self._kinds: dict[int, str] = {}

    def kind(self, day: int) -> str:
        """workday, weekend or holiday."""
        found = self._kinds.get(day)
        if found is None:
            found = self._kinds[day] = self._find(day)
        return found

    def _find(self, day: int) -> str:
        if day in self._rules.off:
            return "holiday"
        if day in self._rules.working:
            return "workday"
        if self._table is not None:
            at = date.fromordinal(day)
            if at in self._table:
                return "holiday"
            if at in self._table.weekend_workdays:
                return "workday"
        return "weekend" if weekday(day) in self._rules.pack.weekend else "workday"


def weekday(day: int) -> int:
    """0 is Monday."""
    return (day - 1) % 7


@lru_cache(maxsize=64)
def _holidays(country: str) -> Any:
    return holidays.country_holidays(country)


class Hours:
    """Some rules of hours and, where there is one, a campaign's calendar."""

    def __init__(self, rules: Sequence[Rule], days: Days, calendar: Calendar | None) -> None:
        self._rules = rules
        self._days = days
        self._calendar = calendar
        spans = [span for rule in rules for span in rule.terms[1]]
        spans += calendar.spans if calendar else ()
        # Where an edge is not at a whole minute, the clocks are looked at then as well.
        self._edges = sorted({edge % 60 for span in spans for edge in span} | {0})
        self._surely: dict[tuple[tuple[str, ...], int], bool] = {}
        self._plans: dict[int, list[tuple[str, Sequence[tuple[int, int]]]]] = {}

    def broken(self, zones: tuple[str, ...], at_us: int, ring_us: int) -> str:
        """The id of a rule that a phone which rings so long breaks; empty for none."""
        quarter = at_us // QUARTER_US
        if ring_us <= RING_MAX_US:
            key = (zones, quarter)
            sure = self._surely.get(key)
            if sure is None:
                start = quarter * QUARTER_US
                moments = self._looks(start, QUARTER_US + RING_MAX_US)
                sure = self._surely[key] = not self._closed(zones, moments)
            if sure:
                return ""
        return self._closed(zones, self._looks(at_us, ring_us))

    def _looks(self, at_us: int, long_us: int) -> Iterable[int]:
        """The moments at which the clocks are looked at."""
        yield at_us
        end = at_us + long_us
        minute = at_us - at_us % MINUTE_US
        while minute <= end:
            for edge in self._edges:
                moment = minute + edge * SECOND_US
                if at_us < moment <= end:
                    yield moment
            minute += MINUTE_US

    def _closed(self, zones: tuple[str, ...], moments: Iterable[int]) -> str:
        for moment in moments:
            for zone in zones:
                day, since_us = reading(zone, moment)
                plan = self._plans.get(day)
                if plan is None:
                    plan = self._plans[day] = self._plan(day)
                for name, spans in plan:
                    if not any(start <= since_us < end for start, end in spans):
                        return name
        return ""

    def _plan(self, day: int) -> list[tuple[str, Sequence[tuple[int, int]]]]:
        """(rule, spans in microseconds) of this day; all of them must hold."""
        kind, name = self._days.kind(day), WEEK[weekday(day)]
        found: list[tuple[str, Sequence[tuple[int, int]]]] = [
            (rule.id, _us(rule.terms[1]))
            for rule in self._rules
            if rule.first <= day <= rule.last and {"all", kind, name} & rule.terms[0]
        ]
        own = self._calendar
        if own is not None:
            over = not own.start <= day <= own.end
            shut = over or weekday(day) not in own.weekdays or day in own.off
            found.append(("campaign.calendar", () if shut else _us(own.spans)))
        return found


def _us(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start * SECOND_US, end * SECOND_US) for start, end in spans)
