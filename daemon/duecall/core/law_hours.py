"""The lawful hours of a call: rules and the campaign's calendar, by the clocks on callees' walls.

A moment is open where every rule that covers the callee's day, and the campaign, hold it open, in
every zone that the callee may be in. "What the clock shows" is the only measure: in the night in
which clocks are put back an hour may come twice, and both are what they show.

The next opening is found from day to day, never by steps of a minute: a day is a few spans, laid
over each other; days are kept, since many contacts share a zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from duecall.core.campaign import Calendar
from duecall.core.local_day import DAY_US, SECOND_US, DayKinds, from_us, span_moments
from duecall.core.model import Hours
from duecall.core.rule_pack import WEEKDAYS, HoursRule

HORIZON_DAYS = 62  # how far ahead an opening is sought
_CHUNK_DAYS = 8
_KEPT = 20_000  # days and chunks of days kept, before all are forgotten

Span = tuple[int, int]  # start included, end excluded


class LawHours:
    """Hours that hold together: these rules and, where given, the campaign's calendar."""

    def __init__(
        self, rules: Iterable[HoursRule], kinds: DayKinds, calendar: Calendar | None = None
    ) -> None:
        self._rules = tuple(rules)
        self._kinds = kinds
        self._calendar = calendar
        self._campaign = _spans(calendar.hours) if calendar else []
        self._of_rule = {rule.id: _spans(rule.spans) for rule in self._rules}
        self._days: dict[tuple[str, date], list[Span]] = {}
        self._chunks: dict[tuple[tuple[str, ...], int], list[Span]] = {}

    def opening(self, zones: tuple[str, ...], at_us: int, needed_us: int = 0) -> int | None:
        """The first moment, at_us or later, at which it may ring for `needed_us` and still stop
        before the hours close; None where none is found within HORIZON_DAYS.

        zones: at least one; an unknown name raises ZoneInfoNotFoundError.
        """
        begin = self._calendar.start if self._calendar else None
        base = at_us // DAY_US
        if begin is not None:
            base = max(base, _number(begin) - 2)
        for chunk in range(base, base + HORIZON_DAYS, _CHUNK_DAYS):
            for start, end in self._intervals(zones, chunk):
                first = start if start > at_us else at_us
                if end - first > needed_us:
                    return first
        return None

    def is_open(self, zones: tuple[str, ...], at_us: int, needed_us: int = 0) -> bool:
        """Whether `opening` would be now."""
        for start, end in self._intervals(zones, at_us // DAY_US):
            if start > at_us:
                return False
            if end - at_us > needed_us:
                return True
        return False

    def _intervals(self, zones: tuple[str, ...], base: int) -> list[Span]:
        """Open at once in all zones, from two days before this day of UTC to ten after it."""
        key = (zones, base)
        found = self._chunks.get(key)
        if found is None:
            if len(self._chunks) > _KEPT:
                self._chunks.clear()
            for zone in zones:
                mine = list(_joined(self._zone(zone, base)))
                found = mine if found is None else _both(found, mine)
            found = self._chunks[key] = found or []
        return found

    def _zone(self, zone: str, base: int) -> Iterator[Span]:
        first = _day(base) - timedelta(days=2)
        for offset in range(_CHUNK_DAYS + 4):
            yield from self._day(zone, first + timedelta(days=offset))

    def _day(self, zone: str, day: date) -> list[Span]:
        key = (zone, day)
        found = self._days.get(key)
        if found is None:
            if len(self._days) > _KEPT:
                self._days.clear()
            found = [
                moment
                for start, end in self._wall_spans(day)
                for moment in span_moments(zone, day, start, end)
            ]
            self._days[key] = found = sorted(found)
        return found

    def _wall_spans(self, day: date) -> list[Span]:
        """What the wall clock may show on this day; since midnight, in microseconds."""
        spans: list[Span] = [(0, DAY_US)]
        calendar = self._calendar
        if calendar is not None:
            outside = (calendar.start is not None and day < calendar.start) or (
                calendar.end is not None and day > calendar.end
            )
            name = WEEKDAYS[day.weekday()]
            if outside or name not in calendar.weekdays or day in calendar.except_dates:
                return []
            spans = self._campaign
        kind = self._kinds.kind(day)
        for rule in self._rules:
            if rule.valid_on(day) and rule.covers(day.weekday(), kind):
                spans = _both(spans, self._of_rule[rule.id])
        return spans


def _day(number: int) -> date:
    return from_us(number * DAY_US).date()


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _spans(hours: Sequence[Hours]) -> list[Span]:
    """Since midnight, in order. 24:00 is stored as 00:00, an end only."""

    def us(hour: int, minute: int, second: int) -> int:
        return (hour * 3_600 + minute * 60 + second) * SECOND_US

    found = []
    for one in hours:
        start = us(one.from_.hour, one.from_.minute, one.from_.second)
        end = us(one.to.hour, one.to.minute, one.to.second) or DAY_US
        found.append((start, end))
    return list(_joined(found))


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Sorted, and those that touch made one: until midnight and from midnight on is one night."""
    current: Span | None = None
    for start, end in sorted(spans):
        if current is not None and start <= current[1]:
            current = current[0], max(end, current[1])
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current


def _both(left: list[Span], right: list[Span]) -> list[Span]:
    """What lies in both."""
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return found
