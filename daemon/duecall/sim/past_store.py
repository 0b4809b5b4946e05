"""What was done before about those who are to be called: calls by key, answered calls by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from duecall.core.attempt import Target
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS, CallKey, PastCall
from duecall.core.gate_types import Horizon

ABANDON, LIVE = 16, 2  # bits of the shell's own look at a call that is settled


@dataclass(slots=True)
class Made:
    """A call that is durable. ended_us: None while it goes on."""

    attempt_id: str
    at_us: int
    ended_us: int | None = None
    events: int = ALL_EVENTS
    channels: int = ALL_CHANNELS


class PastStore:
    """Of all campaigns and daemons."""

    def __init__(self) -> None:
        self._by_key: dict[CallKey, list[Made]] = defaultdict(list)
        self._made: dict[str, Made] = {}
        self._answered: dict[str, dict[date, list[int]]] = defaultdict(dict)

    def save(self, attempt_id: str, target: Target, at_us: int) -> None:
        made = self._made[attempt_id] = Made(attempt_id, at_us)
        for key in keys(target):
            self._by_key[key].append(made)

    def settle(self, attempt_id: str, at_us: int, events: int, channels: int) -> None:
        made = self._made[attempt_id]
        made.ended_us, made.events, made.channels = at_us, events, channels

    def count(self, campaign: str, day: date | None, events: int) -> None:
        """One that was answered, on this day where the lender is."""
        if day is not None and events & LIVE:
            counts = self._answered[campaign].setdefault(day, [0, 0])
            counts[0] += 1
            counts[1] += bool(events & ABANDON)

    def answered(self, campaign: str) -> tuple[tuple[date, int, int], ...]:
        """(day, answered, abandoned)."""
        found = self._answered[campaign]
        return tuple((day, live, lost) for day, (live, lost) in sorted(found.items()))

    def calls(
        self, target: Target, horizon: Horizon, now_us: int, without: str = ""
    ) -> dict[CallKey, tuple[PastCall, ...]]:
        """Of the kinds of keys by which a rule counts. without: the attempt that is asked about.
        Calls that go on end now, for nobody knows when they will."""
        found = {}
        for key in keys(target):
            since_us = getattr(horizon, key.kind)
            if since_us is not None:
                found[key] = tuple(_past(self._by_key[key], since_us, now_us, without))
        return found


def keys(target: Target) -> tuple[CallKey, ...]:
    """By columns of the attempt, whatever the core thinks."""
    found = [CallKey("number", target.phone_hash)]
    if target.contact_key:
        found.append(CallKey("contact", target.contact_key))
    if target.account_key:
        found.append(CallKey("account", target.account_key))
    return tuple(found)


def _past(calls: Iterable[Made], since_us: int, now_us: int, without: str) -> Iterable[PastCall]:
    for made in calls:
        if made.at_us >= since_us and made.attempt_id != without:
            ended_us = made.ended_us
            if ended_us is None:
                ended_us = max(made.at_us, now_us)
            yield PastCall(made.at_us, ended_us, made.events, made.channels)
