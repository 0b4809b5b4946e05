"""Caps, gaps and cool-offs: how often, over everything that was ever done about these keys.

All three are one thing. A past call that a rule counts blocks until it *expires* for the rule: at
the end of its calendar period, so many hours or local days after it, or a gap after its end. A rule
denies while `max` of its calls (gaps and cool-offs: one) are not expired. As later calls expire
later, the rule frees exactly when the `max`-th newest of them expires: one look at a short list, no
search. Past calls that lie ahead of the clock (another daemon's runs faster) are counted too.

A rule is kept for each key by itself, within one lender. In the zones a callee may be in, days
begin at different moments: the call waits for the last.

Cost. `History.since` is asked once a key, not once a rule, for the longest window of all rules.
For a store that is one range scan of the index (lender, key, saved_at), whatever the table's size:
lawful caps keep a key's month to some dozens of rows, so 10,000,000 past attempts cost three
descents of a B-tree. Store the bits of core/call_events.py beside the attempt (set anew when it is
settled) and put them into the index, so that the scan never leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from duecall.core.call_events import (
    CHANNELS,
    EVENTS,
    CallKey,
    History,
    PastCall,
    mask,
)
from duecall.core.local_day import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    day_start,
    from_us,
    local_date,
    local_dates,
)
from duecall.core.model import Weekday
from duecall.core.rule_pack import (
    WEEKDAYS,
    CapRule,
    CoolOffRule,
    GapRule,
    KeyKind,
    RuleSections,
    Window,
)
from duecall.core.verdict import Allowed, Denied, Verdict

Counted = CapRule | GapRule | CoolOffRule
Past = dict[CallKey, Sequence[PastCall]]  # what the history said of each key
_NEVER = 1 << 62
_ROUNDS = 100  # of looking whether a rule that begins later denies; each ends one denial


@dataclass(frozen=True, slots=True)
class Count:
    """What one rule says of one key. until_us: from when on it allows; 0 where nothing blocks.

    used: calls not expired. of: how many may be. missing: the call has no key of this kind.
    """

    rule: Counted
    key: CallKey
    used: int
    of: int
    until_us: int
    missing: bool = False


class Caps:
    """The counting rules of a pack that are about one sort of call.

    reach_us: by kind of key, how far back a call can still matter; 0 where no rule counts by it.
    """

    def __init__(self, rules: Iterable[Counted], week_start: Weekday = "mon") -> None:
        self._limits = [_Limit(rule, WEEKDAYS.index(week_start)) for rule in rules]
        self.reach_us: dict[KeyKind, int] = {"number": 0, "contact": 0, "account": 0}
        for limit in self._limits:
            for kind in limit.rule.per:
                self.reach_us[kind] = max(self.reach_us[kind], limit.reach_us)

    @classmethod
    def of(cls, pack: RuleSections, week_start: Weekday = "mon") -> Caps:
        """All counting rules of a pack, without a look at which calls they are about."""
        return cls((*pack.gaps, *pack.cool_offs, *pack.caps), week_start)

    def check(
        self, keys: Sequence[CallKey], zones: tuple[str, ...], history: History, at_us: int
    ) -> Verdict:
        """Allowed, or Denied until the first moment at which all of these rules allow."""
        past = self.past(keys, history, at_us)
        first = self.first_denial(keys, zones, past, at_us)
        if first is None:
            return Allowed()
        until = self.free_at(keys, zones, past, at_us)
        return Denied(reason_of(first), None if until is None else from_us(until))

    def past(self, keys: Sequence[CallKey], history: History, at_us: int) -> Past:
        """All that the rules need to know of these keys; one question to the history each."""
        found: Past = {}
        for key in keys:
            if reach := self.reach_us[key.kind]:
                found[key] = history.since(key, at_us - reach)
        return found

    def first_denial(
        self,
        keys: Sequence[CallKey],
        zones: tuple[str, ...],
        past: Past,
        at_us: int,
    ) -> Count | None:
        """The first rule, in the pack's order, that forbids a call at this moment."""
        days = local_dates(zones, at_us)
        for limit in self._limits:
            if limit.asleep(past) or not limit.valid(days):
                continue
            for key in limit.keys(keys):
                if key is None or limit.until(zones, past[key], at_us) > at_us:
                    return limit.count(key, zones, past, at_us)
        return None

    def counts(
        self,
        keys: Sequence[CallKey],
        zones: tuple[str, ...],
        past: Past,
        at_us: int,
    ) -> Iterator[Count]:
        """Every rule in force, for each of its keys, with its values."""
        days = local_dates(zones, at_us)
        for limit in self._limits:
            if limit.valid(days):
                for key in limit.keys(keys):
                    yield limit.count(key, zones, past, at_us)

    def free_at(
        self,
        keys: Sequence[CallKey],
        zones: tuple[str, ...],
        past: Past,
        at_us: int,
    ) -> int | None:
        """The first moment, at_us or later, at which all rules allow; None: a key is missing.

        A rule denies no longer than it is in force, and one that begins later may deny then: so
        the moment is moved on until nothing denies.
        """
        blocked: list[tuple[_Limit, int]] = []
        for limit in self._limits:
            for key in limit.keys(keys):
                until = _NEVER if key is None else limit.until(zones, past[key], at_us)
                if until > at_us:
                    blocked.append((limit, until))
        for _ in range(_ROUNDS if blocked else 0):
            latest, days = at_us, local_dates(zones, at_us)
            for limit, until in blocked:
                if until > latest and limit.valid(days):
                    if until == _NEVER:
                        return None
                    latest = max(latest, min(until, limit.ends_us(zones)))
            if latest == at_us:
                break
            at_us = latest
        return at_us


def reason_of(count: Count) -> str:
    """Why this rule denies, for people."""
    rule, kind = count.rule, count.key.kind
    if count.missing:
        return f"{rule.id}: the call names no {kind}, by which this rule counts"
    if isinstance(rule, CapRule):
        return f"{rule.id}: {count.used} of {rule.max} calls used, by {kind}, {window_text(rule)}"
    if isinstance(rule, GapRule):
        return f"{rule.id}: too soon after the last call, by {kind}"
    return f"{rule.id}: rest after {rule.after}, by {kind}"


def window_text(rule: CapRule) -> str:
    """`in a calendar day`, `in 24 hours`, `in 7 days`."""
    window = rule.window
    if window.calendar is not None:
        return f"in a calendar {window.calendar}"
    if window.rolling_hours is not None:
        return f"in {window.rolling_hours} hours"
    return f"in {window.rolling_days} days"


class _Limit:
    """One rule, made ready: which calls it counts, how many, when each expires."""

    def __init__(self, rule: Counted, week_start: int) -> None:
        self.rule = rule
        self.of = rule.max if isinstance(rule, CapRule) else 1
        self._week_start = week_start
        self._channels = mask(rule.channels, CHANNELS)
        self._by_end = not isinstance(rule, CapRule)
        counted = rule.counts if isinstance(rule, CapRule) else rule.after
        self._events = mask((counted,) if isinstance(counted, str) else counted, EVENTS)
        self.reach_us = self._reach_us()

    def _reach_us(self) -> int:
        """How far back a call may have been saved that is not expired now.

        Gaps and cool-offs run from a call's end: a day is more than any call lasts.
        """
        rule = self.rule
        if isinstance(rule, CapRule):
            return rule.window.longest_days * DAY_US + HOUR_US
        if isinstance(rule, GapRule):
            return rule.gap * SECOND_US + DAY_US
        if rule.hours is not None:
            return rule.hours * HOUR_US + DAY_US
        return ((rule.days or 0) + 3) * DAY_US

    def asleep(self, past: Past) -> bool:
        """Nothing was done about any key that the rule counts by, and none is missing."""
        kinds = [key.kind for key, calls in past.items()]
        return all(kind in kinds for kind in self.rule.per) and not any(
            calls for key, calls in past.items() if key.kind in self.rule.per
        )

    def valid(self, days: tuple[date, ...]) -> bool:
        """In force in any of the zones, where these are the days."""
        valid_on = self.rule.valid_on
        return any(valid_on(day) for day in days)

    def ends_us(self, zones: tuple[str, ...]) -> int:
        """The moment from which the rule is in force nowhere."""
        if self.rule.valid_to is None:
            return _NEVER
        return max(day_start(zone, self.rule.valid_to + timedelta(days=1)) for zone in zones)

    def keys(self, keys: Sequence[CallKey]) -> list[CallKey | None]:
        """The keys that the rule counts by; None for a kind of which the call has none."""
        found: list[CallKey | None] = []
        for kind in self.rule.per:
            mine = [key for key in keys if key.kind == kind]
            found += mine or [None]
        return found

    def until(self, zones: tuple[str, ...], calls: Sequence[PastCall], at_us: int) -> int:
        """From when on a key with these calls is free; 0 where it is free now."""
        if len(calls) < self.of:
            return 0
        moments = self._moments(calls)
        if len(moments) < self.of or moments[self.of - 1] + self.reach_us <= at_us:
            return 0
        return self._expires(moments[self.of - 1], zones)

    def count(self, key: CallKey | None, zones: tuple[str, ...], past: Past, at_us: int) -> Count:
        """The same with all its values."""
        if key is None:
            kind = next(k for k in self.rule.per if not any(one.kind == k for one in past))
            return Count(self.rule, CallKey(kind, ""), 0, self.of, 0, missing=True)
        moments = self._moments(past[key])
        used = 0
        for moment in moments:  # the older expire earlier
            if moment + self.reach_us <= at_us or self._expires(moment, zones) <= at_us:
                break
            used += 1
        return Count(self.rule, key, used, self.of, self.until(zones, past[key], at_us))

    def _moments(self, calls: Sequence[PastCall]) -> list[int]:
        """When the calls that count were, the newest first."""
        wanted, channels, by_end = self._events, self._channels, self._by_end
        found = [
            ended if by_end else at
            for at, ended, events, lines in calls
            if events & wanted and lines & channels
        ]
        found.sort(reverse=True)
        return found

    def _expires(self, moment_us: int, zones: tuple[str, ...]) -> int:
        rule = self.rule
        if isinstance(rule, GapRule):
            return moment_us + rule.gap * SECOND_US
        if isinstance(rule, CoolOffRule):
            if rule.hours is not None:
                return moment_us + rule.hours * HOUR_US
            days = (rule.days or 0) + (0 if rule.first_day_counts else 1)
            return max(_days_on(zone, moment_us, days) for zone in zones)
        window = rule.window
        if window.rolling_hours is not None:
            return moment_us + window.rolling_hours * HOUR_US
        if window.rolling_days is not None:
            return max(_days_on(zone, moment_us, window.rolling_days) for zone in zones)
        return max(self._period_end(zone, moment_us, window) for zone in zones)

    def _period_end(self, zone: str, moment_us: int, window: Window) -> int:
        day = local_date(zone, moment_us)
        if window.calendar == "day":
            after = day + timedelta(days=1)
        elif window.calendar == "week":
            after = day + timedelta(days=7 - (day.weekday() - self._week_start) % 7)
        else:
            after = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        return day_start(zone, after)


def _days_on(zone: str, moment_us: int, days: int) -> int:
    """The beginning of the local day that is so many days after the moment's own."""
    return day_start(zone, local_date(zone, moment_us) + timedelta(days=days))
