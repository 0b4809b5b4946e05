"""Days by the clock on the callee's wall: where they begin, which kind they are, in microseconds.

Moments are whole microseconds since 1970 (UTC), as the store keeps them: cheap to compare, exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from duecall.core.rule_pack import WEEKDAYS, KindOfDay, PackCalendar

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_US = timedelta(microseconds=1)
_EPOCH_DAY = EPOCH.date().toordinal()
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
_QUARTER_US = 15 * MINUTE_US  # zones change their day and their offset at whole quarters


def to_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return (at - EPOCH) // _US


def from_us(at_us: int) -> datetime:
    """The moment as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=at_us)


def local_date(zone: str, at_us: int) -> date:
    """The callee's day at this moment. Raises ZoneInfoNotFoundError for an unknown zone."""
    turn_us, before, after = _turn(zone, at_us // DAY_US)
    if turn_us is None:
        return _date_of_quarter(zone, at_us // _QUARTER_US)
    return before if at_us < turn_us else after


@lru_cache(maxsize=65_536)
def _turn(zone: str, utc_day: int) -> tuple[int | None, date, date]:
    """When the zone's date turns within this day of UTC, and the dates around it.

    None: the zone's clocks are changed on this day, which may move the date as well.
    """
    clock, start = ZoneInfo(zone), utc_day * DAY_US
    before = from_us(start).astimezone(clock).date()
    offset = _offset_us(clock, start)
    if offset != _offset_us(clock, start + DAY_US - 1):
        return None, before, before
    after = before + timedelta(days=1)
    return (after.toordinal() - _EPOCH_DAY) * DAY_US - offset, before, after


def local_dates(zones: tuple[str, ...], at_us: int) -> tuple[date, ...]:
    """The callee's day in each of these zones."""
    return _dates_of_quarter(zones, at_us // _QUARTER_US)


@lru_cache(maxsize=16_384)
def _dates_of_quarter(zones: tuple[str, ...], quarter: int) -> tuple[date, ...]:
    return tuple(_date_of_quarter(zone, quarter) for zone in zones)


@lru_cache(maxsize=65_536)
def _date_of_quarter(zone: str, quarter: int) -> date:
    return from_us(quarter * _QUARTER_US).astimezone(ZoneInfo(zone)).date()


def _offset_us(zone: ZoneInfo, at_us: int) -> int:
    offset = from_us(at_us).astimezone(zone).utcoffset()
    return (offset or timedelta()) // _US


@lru_cache(maxsize=65_536)
def day_start(zone: str, day: date) -> int:
    """The first moment of this local day; of one that a zone skipped, that of the next."""
    clock = ZoneInfo(zone)
    midnight = datetime.combine(day, time(), clock)
    early, late = sorted((to_us(midnight), to_us(midnight.replace(fold=1))))
    if early == late or from_us(early).astimezone(clock).date() >= day:
        return early  # the only midnight, or the first of two
    # There is no midnight on this day: it begins where the clocks were put on.
    return _change_between(clock, early, late)


def _change_between(clock: ZoneInfo, low: int, high: int) -> int:
    """The moment in (low, high] from which the offset is no longer that of low."""
    before = _offset_us(clock, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(clock, middle) == before:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=65_536)
def _stretches(zone: str, day: date) -> tuple[tuple[int, int, int], ...]:
    """(start, end, midnight) of the parts of a local day in which the offset stays the same.

    midnight: the moment that 00:00 would be, were the offset always that of the part.
    """
    clock = ZoneInfo(zone)
    start, end = day_start(zone, day), day_start(zone, day + timedelta(days=1))
    if start >= end:
        return ()
    naive = (day.toordinal() - _EPOCH_DAY) * DAY_US
    first, last = _offset_us(clock, start), _offset_us(clock, end - 1)
    if first == last:
        return ((start, end, naive - first),)
    change = _change_between(clock, start, end - 1)
    return ((start, change, naive - first), (change, end, naive - last))


def span_moments(zone: str, day: date, start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    """When the clock on the wall stands in [start, end) of this day: (from, to), in order.

    start_us, end_us: since local midnight. Where clocks are put back, a wall time may come twice;
    both count. Where they are put on, what is skipped does not exist.
    """
    for first, last, midnight in _stretches(zone, day):
        low, high = max(first, midnight + start_us), min(last, midnight + end_us)
        if low < high:
            yield low, high


@lru_cache(maxsize=64)
def _table(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


class DayKinds:
    """Workday, weekend or holiday: the library's table with the operator's over it."""

    def __init__(
        self,
        calendar: PackCalendar,
        off: frozenset[date] = frozenset(),
        working: frozenset[date] = frozenset(),
    ) -> None:
        self._weekend = {WEEKDAYS.index(name) for name in calendar.weekend}
        code = calendar.holidays
        self._holidays = _table(code) if code else None
        self._off = off
        self._working = working
        self._known: dict[date, KindOfDay] = {}

    def kind(self, day: date) -> KindOfDay:
        """A day off is a holiday, a moved working day a workday, whatever weekday it is."""
        kind = self._known.get(day)
        if kind is None:
            kind = self._known[day] = self._find(day)
        return kind

    def _find(self, day: date) -> KindOfDay:
        if day in self._off:
            return "holiday"
        if day in self._working:
            return "workday"
        table = self._holidays
        if table is not None:
            if day in table:
                return "holiday"
            if day in table.weekend_workdays:
                return "workday"
        return "weekend" if day.weekday() in self._weekend else "workday"
