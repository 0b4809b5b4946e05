"""Caps, gaps and cool-offs: each past call of a key is asked whether it still weighs on a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from duecall.audit.made import LONGEST_US, Keyed, Made
from duecall.audit.rules import ALL_CHANNELS, ALL_EVENTS, Rule, Window
from duecall.audit.wall import DAY_US, HOUR_US, SECOND_US, day_in, period

COUNTED = ("gaps", "cool_offs", "caps")
KINDS = ("number", "contact", "account")


Past = tuple[int, int, int, int]  # saved, ended, events, channels, as it stood at a moment


class Counted:
    """The counting rules that are about one sort of call."""

    def __init__(self, rules: Iterable[Rule], week_start: int) -> None:
        self._rules = [rule for rule in rules if rule.section in COUNTED]
        self._week_start = week_start
        self._reach = dict.fromkeys(KINDS, (0, 0))  # of caps; of what goes by a call's end
        for rule in self._rules:
            for kind in rule.terms[1]:
                by_start, by_end = self._reach[kind]
                if rule.section == "caps":
                    self._reach[kind] = max(by_start, _reach_us(rule)), by_end
                else:
                    self._reach[kind] = by_start, max(by_end, _reach_us(rule))

    def broken(
        self, made: Made, zones: tuple[str, ...], days: Sequence[int], pasts: dict[str, Keyed]
    ) -> Iterator[tuple[str, str]]:
        """(rule, what is wrong) of each rule that this call breaks."""
        known: dict[str, list[Past]] = {}
        for rule in self._rules:
            if not rule.in_force(days):
                continue
            most = rule.terms[3] if rule.section == "caps" else 1
            for kind in rule.terms[1]:
                past = known.get(kind)
                if past is None:
                    key = getattr(made.attempt, kind)
                    if not key:
                        yield rule.id, f"the call has no {kind}, by which this rule counts"
                        continue
                    past = known[kind] = _seen(made, pasts[kind], key, *self._reach[kind])
                if len(past) < most:
                    continue
                used = self._used(rule, past, made.moment_us, zones)
                if used >= most:
                    yield rule.id, f"by {kind}: {used} calls weigh on it, {most} may not be reached"

    def _used(self, rule: Rule, past: Sequence[Past], now_us: int, zones: tuple[str, ...]) -> int:
        """How many weigh on it still; in the zone in which they are most."""
        place = 0 if rule.section == "caps" else 1
        events, channels = rule.terms[0], rule.channels
        moments = [one[place] for one in past if one[2] & events and one[3] & channels]
        if not moments:
            return 0
        if rule.section == "gaps":
            return _later(moments, now_us - rule.terms[2] * SECOND_US)
        window: Window = rule.terms[2]
        if window.kind == "hours":
            return _later(moments, now_us - window.n * HOUR_US)
        return max(self._by_days(window, moments, now_us, zone) for zone in zones)

    def _by_days(self, window: Window, moments: list[int], now_us: int, zone: str) -> int:
        today = day_in(zone, now_us)
        if window.kind == "days":
            first = today - window.n
            return len([at for at in moments if day_in(zone, at) > first])
        start = self._week_start
        current = period(window.kind, today, start)
        return len(
            [at for at in moments if period(window.kind, day_in(zone, at), start) >= current]
        )


def _later(moments: list[int], than_us: int) -> int:
    return len([at for at in moments if at > than_us])


def _seen(made: Made, keyed: Keyed, key: str, by_start_us: int, by_end_us: int) -> list[Past]:
    """The key's past calls. One that went on was of all classes, and had not ended."""
    found: list[Past] = []
    moment = made.moment_us
    for one in keyed.before(key, made, by_start_us, by_end_us):
        at, ended = one.at_us, one.ended_us
        if ended is not None and (ended <= moment or one.over_before(made)):
            if one.events:
                found.append((at, min(ended, at + LONGEST_US), one.events, one.channels))
        else:
            ended = min(max(at, moment), at + LONGEST_US)
            found.append((at, ended, ALL_EVENTS, ALL_CHANNELS))
    return found


def _reach_us(rule: Rule) -> int:
    """How long a moment can weigh on it; a day that clocks make longer included."""
    if rule.section == "gaps":
        return int(rule.terms[2]) * SECOND_US
    window: Window = rule.terms[2]
    if window.kind == "hours":
        return window.n * HOUR_US
    days = {"days": window.n, "day": 1, "week": 7, "month": 31}
    return days[window.kind] * DAY_US + 3 * HOUR_US
