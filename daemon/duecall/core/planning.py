"""Who would be called in the time to come: many verdicts of the gate, put together.

Each target is judged as if it were the only one that is called: what the calls to come will block
for each other is not known yet. Memory does not grow with the number of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from duecall.core.campaign import OrderBy
from duecall.core.contact import Account, Contact
from duecall.core.ranking import OrderKey, order_keys
from duecall.core.site import Trunk
from duecall.core.verdict import Allowed, Verdict

ROUNDS = 2_000  # looks at the gate for one target: two months, each hour
SLICES = 86_400  # of the time that is planned: seconds, up to a day
RETRY = "campaign.retry"  # held back: it waits for its next try
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opening:
    """When a call may start. start: None where none may within the time that was looked at.

    rule, reason: what denied first, empty where nothing did. until: where start is None, when the
    gate wants to be asked again; None: never.
    """

    start: datetime | None
    rule: str = ""
    reason: str = ""
    until: datetime | None = None

    @property
    def never(self) -> bool:
        """Nothing that is known today will ever let it be called."""
        return self.start is None and self.until is None


def opening(check: Callable[[datetime], Verdict], at: datetime, by: datetime) -> Opening:
    """The first moment from `at` up to `by` at which `check` allows; both aware, both included.

    A gate says when to look again. What it then denies for may be something else.
    """
    rule = reason = ""
    for _ in range(ROUNDS):
        verdict = check(at)
        if isinstance(verdict, Allowed):
            return Opening(at, rule, reason)
        if not reason:
            rule, reason = verdict.rule, verdict.reason
        until = verdict.until
        if until is None or until > by or until <= at:
            return Opening(None, rule, reason, until)
        at = until
    return Opening(None, rule, reason, at)


def opening_of_waiting(
    check: Callable[[datetime], Verdict],
    at: datetime,
    by: datetime,
    due: datetime | None,
    reason: str,
) -> Opening:
    """The same for a target that is not looked at before `due`. reason: why it waits.

    What the gate says today goes before the wait: a retry in an hour of somebody who is stopped is
    held back by the stop.
    """
    if due is None or due <= at:
        return opening(check, at, by)
    today = opening(check, at, by)
    if today.start is None:
        again = today.until and max(today.until, due)
        return Opening(None, today.rule, today.reason, again)
    if due > by:
        return Opening(None, RETRY, reason, due)
    found = opening(check, due, by)
    if found.reason or found.start is None:
        return found
    if today.start < due:
        return Opening(due, RETRY, reason)
    return Opening(due, today.rule, today.reason)


def held_by(opening_: Opening) -> str:
    """The rule that held it back; of the campaign's own matters, which: `not selected`."""
    return opening_.rule or opening_.reason.partition(":")[0]


class Place:
    """A target's place by a campaign's order: less is called first, as core/ranking.ranked has it.

    tie: among equals, the one that was imported first.
    """

    __slots__ = ("_descending", "_keys", "_tie")

    def __init__(self, keys: Sequence[OrderKey], order: Sequence[OrderBy], tie: int) -> None:
        self._keys = keys
        self._descending = tuple(entry.descending for entry in order)
        self._tie = tie

    @classmethod
    def of(cls, contact: Contact, account: Account, order: Sequence[OrderBy], tie: int) -> Place:
        """By this order, whatever the store has it ranked by."""
        return cls(order_keys(contact, account, order), order, tie)

    def __lt__(self, other: Place) -> bool:
        for mine, theirs, down in zip(self._keys, other._keys, self._descending, strict=True):
            if mine == theirs:
                continue
            if mine is None or theirs is None:
                return theirs is None
            return mine > theirs if down else mine < theirs
        return self._tie < other._tie

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and not self < other and not other < self

    def __hash__(self) -> int:
        return hash(self._tie)


@dataclass(frozen=True, slots=True)
class Planned(Generic[T]):
    """One call to come. place: comparable with those of the same campaign."""

    opening: Opening
    place: Any
    row: T


class First(Generic[T]):
    """The first few of many: by the moment from which each may be called, then by place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Planned[T]] = []

    def add(self, planned: Planned[T]) -> None:
        """It must have a start."""
        self._kept.append(planned)
        if len(self._kept) >= 2 * self._limit + 500:
            self._cut()

    def __iter__(self) -> Iterator[Planned[T]]:
        self._cut()
        return iter(self._kept)

    def _cut(self) -> None:
        # Two stable sorts: places of Place have no order beside moments in one tuple.
        self._kept.sort(key=lambda one: one.place)
        self._kept.sort(key=lambda one: _known(one.opening.start))
        del self._kept[self._limit :]


@dataclass(slots=True)
class HeldBack:
    """How many targets one rule holds back. later: they may be called within the time, after it.

    not_yet: not within the time. never: nothing that is known today will let them be called.
    """

    later: int = 0
    not_yet: int = 0
    never: int = 0

    @property
    def total(self) -> int:
        return self.later + self.not_yet + self.never


class Traffic:
    """How many calls may start when, in slices of the time: of all campaigns of one trunk."""

    def __init__(self, at: datetime, by: datetime) -> None:
        self._at = at
        self._slice_s = max(1.0, (by - at).total_seconds() / SLICES)
        self._starts = [0] * (int((by - at).total_seconds() / self._slice_s) + 1)

    def add(self, start: datetime) -> None:
        """start: within the time."""
        self._starts[int((start - self._at).total_seconds() / self._slice_s)] += 1

    @property
    def total(self) -> int:
        return sum(self._starts)

    def fits(self, per_second: float) -> int:
        """How many of them can start within the time, one after another at this rate."""
        waiting = started = 0
        each = per_second * self._slice_s
        idle = max(0.0, 1 - each)  # what a trunk keeps that rests: its next call need not wait
        turns = idle
        last = len(self._starts) - 1  # the very end, which has no length
        for number, free in enumerate(self._starts):
            waiting += free
            turns += each if number < last else 0.0
            now = min(waiting, int(turns + 1e-9))
            waiting -= now
            started += now
            turns -= now
            if not waiting:
                turns = min(turns, idle)
        return started


def trunk_rate(trunk: Trunk, call_s: float) -> float:
    """Calls that can start a second, on the whole. call_s: how long one holds its channel."""
    return min(trunk.calls_per_second, trunk.channels / max(call_s, 1.0))


class Plan(Generic[T]):
    """Of one campaign, from `at` to `by`. now: how many may be called at once. later: within the
    time, though not at once. first: the first `limit` of both. calling: have a call already."""

    def __init__(self, limit: int, traffic: Traffic) -> None:
        self.now = self.later = self.calling = 0
        self.held: dict[str, HeldBack] = {}
        self.first: First[T] = First(limit)
        self._traffic = traffic

    @property
    def open(self) -> int:
        """All that are not done with."""
        never = sum(held.not_yet + held.never for held in self.held.values())
        return self.now + self.later + self.calling + never

    def add(self, opening_: Opening, place: Any, row: T) -> None:
        """One target that is neither done nor being called."""
        if opening_.start is not None:
            self._traffic.add(opening_.start)
            self.first.add(Planned(opening_, place, row))
        if not opening_.reason:
            self.now += 1
            return
        held = self.held.setdefault(held_by(opening_), HeldBack())
        if opening_.start is not None:
            self.later += 1
            held.later += 1
        elif opening_.never:
            held.never += 1
        else:
            held.not_yet += 1

    def held_back(self) -> list[tuple[str, HeldBack]]:
        """(rule, how many), the most first."""
        return sorted(self.held.items(), key=lambda item: (-item[1].total, item[0]))


@dataclass(frozen=True, slots=True)
class Altered(Generic[T]):
    """One target that is judged otherwise than before."""

    row: T
    before: Opening
    after: Opening


class Comparison(Generic[T]):
    """What a change alters within the time. more, fewer: rule -> how many may, or may no longer, be
    called; more by the rule that held them back before, fewer by that which does now.

    earlier, later: how many may be called as before, but from another moment on. examples: the
    first few of all of these.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.same = self.earlier = self.later = 0
        self.more: dict[str, int] = {}
        self.fewer: dict[str, int] = {}
        self.otherwise: dict[tuple[str, str], int] = {}
        self.examples: list[Altered[T]] = []

    def add(self, row: T, before: Opening, after: Opening) -> None:
        if before.start == after.start:
            changed = before.start is None and held_by(before) != held_by(after)
            if not changed:
                self.same += 1
                return
            pair = held_by(before), held_by(after)
            self.otherwise[pair] = self.otherwise.get(pair, 0) + 1
            return
        if before.start is None:
            rule = held_by(before)
            self.more[rule] = self.more.get(rule, 0) + 1
        elif after.start is None:
            rule = held_by(after)
            self.fewer[rule] = self.fewer.get(rule, 0) + 1
        elif after.start < before.start:
            self.earlier += 1
        else:
            self.later += 1
        if len(self.examples) < self._limit:
            self.examples.append(Altered(row, before, after))


def _known(start: datetime | None) -> datetime:
    assert start is not None  # only what may be called is among the first
    return start
