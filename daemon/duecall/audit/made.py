"""Calls as they were made: attempt, `call` entry and `ended` entry of each put together, and who
came before whom.

Which of two calls came first is told by their chain, where both stand in one: entries stand in the
order of their commits, and a daemon's look at the past follows its commit. Between chains only
times tell.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache

from duecall.audit.log import Attempt, Call, Ended, Log
from duecall.audit.rules import ALL_CHANNELS, ALL_EVENTS, CHANNELS, EVENTS
from duecall.audit.wall import DAY_US, SECOND_US

NOT_SENT = "NOT_SENT"  # cause of an attempt that was saved, and taken back before it was sent
CLOCKS_US = 2 * DAY_US  # calls that lie so far ahead of the clock are still looked at
SKEW_US = 2 * SECOND_US  # two machines' clocks may be so far apart
LONGEST_US = DAY_US  # no call lasts longer, whenever its end was learnt
_NEVER = 1 << 62

_TALKED = ("transferred", "opted_out", "claims_paid", "promised", "surveyed")
_ANSWERED = (*_TALKED, "agent_unavailable", "delivered", "hung_up", "script_error")
_RANG = ("no_answer", "rejected", "unreachable")
OUTCOMES = frozenset((*_ANSWERED, *_RANG, "busy", "invalid", "congestion", "technical", "unknown"))


def events_of(outcome: str, *, rang: bool, heard_ms: int) -> int:
    """The classes of a call, by docs/rules.md; one without a known end is of all."""
    return _events(outcome, rang, heard_ms > 0)


@lru_cache(maxsize=1_024)
def _events(outcome: str, rang: bool, heard: bool) -> int:
    if outcome not in OUTCOMES or outcome == "unknown":
        return ALL_EVENTS
    names = set()
    if outcome in _ANSWERED:
        names |= {"attempt", "live"}
        if heard:
            names.add("message")
        elif outcome == "script_error":
            names.add("abandon")
        if outcome in _TALKED:
            names.add("conversation")
    elif rang or outcome in _RANG:
        names.add("attempt")
    return sum(EVENTS[name] for name in names)


def channels_of(planned: int, outcome: str) -> int:
    """The channels that a call became, of those that it might have."""
    if outcome not in OUTCOMES or outcome == "unknown":
        return ALL_CHANNELS
    agent = CHANNELS["agent"]
    if outcome == "transferred":
        return planned | agent
    return planned & ~agent or planned


class Made:
    """One attempt that was made, or may have been.

    at_us: when it was saved, which is what caps go by. moment_us: when it was sent. maybe: nobody
    knows whether it was sent at all. ended_us: None while it is open. events, channels: of its end.
    """

    __slots__ = (
        "at_us",
        "attempt",
        "call",
        "chain",
        "channels",
        "end_chain",
        "end_seq",
        "ended_us",
        "events",
        "lasted_us",
        "maybe",
        "moment_us",
        "seq",
    )

    def __init__(self, attempt: Attempt, call: Call | None, ended: Ended | None) -> None:
        self.attempt = attempt
        self.call = call
        self.at_us = attempt.saved_us
        self.moment_us = attempt.saved_us if attempt.sent_us is None else attempt.sent_us
        self.ended_us = attempt.settled_us
        self.chain, self.seq = (call.chain, call.seq) if call else ("", 0)
        self.end_chain, self.end_seq = (ended.chain, ended.seq) if ended else ("", 0)
        rang = attempt.rang_us is not None or attempt.answered_us is not None
        if ended is not None:
            rang = rang or ended.rang or ended.answered
        self.maybe = attempt.sent_us is None and not rang and attempt.outcome in ("", "unknown")
        self.events = events_of(attempt.outcome, rang=rang, heard_ms=attempt.heard_ms)
        planned = call.grounds.channels if call else CHANNELS["prerecorded"]
        self.channels = channels_of(planned, attempt.outcome)
        end_us = LONGEST_US if self.ended_us is None else self.ended_us - self.at_us
        self.lasted_us = min(max(0, end_us), LONGEST_US)

    @property
    def order(self) -> tuple[int, int, str]:
        """By the clocks."""
        return self.moment_us, self.at_us, self.attempt.id

    def before(self, other: Made) -> bool:
        """Whether this one was there when the other was judged."""
        if self.chain and self.chain == other.chain:
            return self.seq < other.seq
        if self.maybe:  # it counts for those who could know of it
            return self.at_us < other.at_us
        return self.order < other.order

    def over_before(self, other: Made) -> bool:
        """Whether it had ended by then."""
        if self.ended_us is None:
            return False
        if self.end_chain and self.end_chain == other.chain:
            return self.ended_us <= other.moment_us or self.end_seq < other.seq
        return self.ended_us <= other.moment_us + SKEW_US


class Keyed:
    """Calls by one kind of key, in the order in which they were saved."""

    def __init__(self, calls: Iterable[tuple[str, Made]]) -> None:
        self._calls: dict[str, list[Made]] = {}
        for key, made in calls:
            if key:
                self._calls.setdefault(key, []).append(made)
        self._times: dict[str, list[int]] = {}
        self._longest: dict[str, int] = {}  # of the key's calls
        for key, mine in self._calls.items():
            if len(mine) > 1:
                mine.sort(key=lambda one: one.at_us)
                self._times[key] = [one.at_us for one in mine]
                self._longest[key] = max(one.lasted_us for one in mine)

    def before(self, key: str, made: Made, by_start_us: int, by_end_us: int) -> list[Made]:
        """Those of this key that were made before this call: those that were saved no longer ago
        than by_start_us, or ended no longer ago than by_end_us, and some more."""
        times = self._times.get(key)
        if times is None:
            return []
        reach_us = max(by_start_us, by_end_us + self._longest[key] if by_end_us else 0)
        first = bisect_left(times, made.moment_us - reach_us)
        last = bisect_right(times, max(made.moment_us, made.at_us) + CLOCKS_US)
        chain, seq = made.chain, made.seq
        return [
            one
            for one in self._calls[key][first:last]
            if (one.seq < seq if one.chain == chain and chain else one.before(made))
            and one is not made
        ]

    def groups(self) -> Iterator[list[Made]]:
        """The calls of each key."""
        return iter(self._calls.values())


def join(log: Log) -> list[Made]:
    """All calls that were made, or may have been; those that were taken back are none."""
    calls = {one.attempt: one for one in log.calls}
    ended = {one.attempt: one for one in log.ended}
    return [
        Made(one, calls.get(one.id), ended.get(one.id))
        for one in log.attempts
        if one.cause != NOT_SENT
    ]
