"""The bound on abandoned calls: of a campaign's answered calls, counted by the lender's days."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date

from duecall.audit.made import Made
from duecall.audit.rules import EVENTS, Rule, Window
from duecall.audit.wall import SECOND_US, day_in, weekday

LAG_US = 60 * SECOND_US  # what was settled later, another daemon may not have known


class _Settled:
    """Calls in the order of their ends: when, on which of the lender's days, and which."""

    def __init__(self, calls: list[tuple[int, Made]], zone: str) -> None:
        self.times = [at for at, _ in calls]
        self.days = [day_in(zone, at) for at in self.times]
        self.calls = [made for _, made in calls]

    def within(self, first_day: int, until_us: int) -> slice:
        """Of this day and later, settled by then."""
        return slice(bisect_left(self.days, first_day), bisect_right(self.times, until_us))


class Bounds:
    """All answered calls of a log."""

    def __init__(self, calls: Iterable[Made], lag_us: int = LAG_US) -> None:
        self._lag_us = lag_us
        self._calls: dict[tuple[str, str], list[tuple[int, Made]]] = {}
        for one in calls:
            if one.ended_us is None:
                continue
            for name in ("live", "abandon"):
                if one.events & EVENTS[name]:
                    key = one.attempt.campaign, name
                    self._calls.setdefault(key, []).append((one.ended_us, one))
        for mine in self._calls.values():
            mine.sort(key=lambda pair: pair[0])
        self._settled: dict[tuple[str, str, str], _Settled] = {}

    def broken(self, rule: Rule, made: Made, zone: str, week_start: int) -> str:
        """What is wrong; empty for nothing. Doubts about who knew what are in the call's favour."""
        share, window, _ = rule.terms
        first = _first_day(window, day_in(zone, made.moment_us), week_start)
        dropped = self._of(made.attempt.campaign, "abandon", zone)
        those = dropped.within(first, made.moment_us - self._lag_us)
        if those.stop <= those.start:
            return ""
        everyone = self._of(made.attempt.campaign, "live", zone)
        answered = everyone.within(first, made.moment_us)
        live = answered.stop - answered.start
        if those.stop - those.start < share * live:
            return ""
        # By the clocks it was too many. Clocks may have been put back: the chain tells.
        lost = sum(_known(one, made) is not False for one in dropped.calls[those])
        since = slice(answered.start, None)
        live = sum(
            at <= made.moment_us or _known(one, made) is True
            for at, one in zip(everyone.times[since], everyone.calls[since], strict=True)
        )
        if lost == 0 or lost < share * live:
            return ""
        return f"{lost} of {live} answered calls were abandoned by then, the bound is {share:.1%}"

    def _of(self, campaign: str, name: str, zone: str) -> _Settled:
        key = campaign, name, zone
        found = self._settled.get(key)
        if found is None:
            found = self._settled[key] = _Settled(self._calls.get(key[:2], []), zone)
        return found


def _known(ended: Made, made: Made) -> bool | None:
    """Whether this end was known when the call was decided on, whatever clocks showed; None: they
    stand in two chains, and only clocks tell."""
    if not ended.end_chain or ended.end_chain != made.chain:
        return None
    return ended.end_seq < made.seq


def _first_day(window: Window, today: int, week_start: int) -> int:
    if window.kind == "hours":
        return today - -(-window.n // 24)
    if window.kind == "days":
        return today - window.n + 1
    if window.kind == "week":
        return today - (weekday(today) - week_start) % 7
    if window.kind == "month":
        return date.fromordinal(today).replace(day=1).toordinal()
    return today
