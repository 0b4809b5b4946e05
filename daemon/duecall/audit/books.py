"""The books agree: attempts and stops are those that the ledger tells of, and say the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from duecall.audit.log import NOT_TOLD, Attempt, Call, Ended, Entry, Log, Stop, Violation
from duecall.audit.made import OUTCOMES, channels_of, events_of
from duecall.audit.stopped import of_entry

BOOKS = "books"


def faults(log: Log) -> Iterator[Violation]:
    """All that does not agree."""
    yield from _attempts(log)
    yield from _gone(log)
    yield from _stops(log)


def _attempts(log: Log) -> Iterator[Violation]:
    calls, twice = _by_attempt(log.calls)
    for call in twice:
        yield _of(call, "twice", "a second entry says that this attempt was decided")
    ended, twice_ended = _by_attempt(log.ended)
    for end in twice_ended:
        yield _of(end, "twice", "a second entry says how this attempt ended")
    tries: set[tuple[int, int]] = set()
    for one in log.attempts:
        if (one.target, one.try_no) in tries:
            text = f"try {one.try_no} of target {one.target} was made before"
            yield Violation("L5", "twice", one.id, "", text)
        tries.add((one.target, one.try_no))
        yield from _one(log, one, calls.get(one.id), ended.get(one.id))


def _one(log: Log, attempt: Attempt, call: Call | None, ended: Ended | None) -> Iterator[Violation]:
    if attempt.settled_us is not None and attempt.outcome not in OUTCOMES:
        text = f"it is settled, and {attempt.outcome!r} is no outcome"
        yield Violation("L6", "outcome", attempt.id, "", text)
    if attempt.settled_us is None and attempt.outcome:
        text = f"it has the outcome {attempt.outcome}, and is not settled"
        yield Violation("L6", "outcome", attempt.id, "", text)
    if call is None:
        if attempt.saved_us >= log.since_us:
            text = "the ledger has no decision to make this call"
            yield Violation(BOOKS, "no-call", attempt.id, "", text)
        return
    yield from _of_call(attempt, call)
    if ended is None:
        if attempt.settled_us is not None:
            text = "it is settled, and the ledger does not say how it ended"
            yield Violation(BOOKS, "no-ended", attempt.id, "", text)
        return
    if ended.chain == call.chain and ended.seq < call.seq:
        yield _of(ended, "order", "it ended before it was decided")
    if attempt.settled_us is None:
        yield _of(ended, "ended", "the ledger says how it ended, and it is not settled")
        return
    yield from _of_end(attempt, ended)
    yield from _derived(attempt, call, ended)


CALL_FACTS = ("target", "saved_at", "campaign", "number", "contact", "account", "try")
END_FACTS = (
    "target",
    "settled_at",
    "outcome",
    "cause",
    "events",
    "channels",
    "heard_ms",
    "sent_at",
    "rang_at",
    "answered_at",
)


def _of_call(one: Attempt, call: Call) -> Iterator[Violation]:
    row = (one.target, one.saved_us, one.campaign, one.number, one.contact, one.account, one.try_no)
    was = (
        call.target,
        call.at_us,
        call.grounds.campaign,
        call.number,
        call.contact,
        call.account,
        call.try_no,
    )
    if row != was:
        yield _differing(call, "call", CALL_FACTS, row, was)


def _of_end(one: Attempt, ended: Ended) -> Iterator[Violation]:
    answered = one.answered_us is not None
    row = (
        one.target,
        one.settled_us,
        one.outcome,
        one.cause,
        one.events,
        one.channels,
        one.heard_ms,
        NOT_TOLD if ended.sent_us == NOT_TOLD else one.sent_us,
        # The row may have missed what the end itself told; never the other way round.
        answered or one.rang_us is not None or ended.rang,
        answered or ended.answered,
    )
    was = (
        ended.target,
        ended.at_us,
        ended.outcome,
        ended.cause,
        ended.events,
        ended.channels,
        ended.heard_ms,
        ended.sent_us,
        ended.rang,
        ended.answered,
    )
    if row != was:
        yield _differing(ended, "ended", END_FACTS, row, was)
    if one.said and ended.said and one.said != ended.said:
        text = "action, keys, answers or the promised day are not those of its `ended` entry"
        yield _of(ended, "said", text)


def _differing(
    entry: Call | Ended, kind: str, names: Sequence[str], row: Sequence[Any], was: Sequence[Any]
) -> Violation:
    told = ", ".join(
        f"{name} is {new}, was {old}"
        for name, new, old in zip(names, row, was, strict=True)
        if new != old
    )
    return _of(entry, kind, f"the attempt differs from its `{kind}` entry: {told}")


def _derived(attempt: Attempt, call: Call, ended: Ended) -> Iterator[Violation]:
    """Whether what the caps were told is what came of it; more than that does no harm."""
    rang = ended.rang or ended.answered
    events = events_of(attempt.outcome, rang=rang, heard_ms=attempt.heard_ms)
    channels = channels_of(call.grounds.channels, attempt.outcome)
    for name, told, mine in (
        ("events", attempt.events, events),
        ("channels", attempt.channels, channels),
    ):
        if mine & ~told:
            yield _of(ended, name, f"{name} are {told}, and {attempt.outcome} means {mine}")


def _gone(log: Log) -> Iterator[Violation]:
    """Entries about attempts that are not there; retention and forgetting may have erased some."""
    there = {one.id for one in log.attempts}
    told = there | {one.attempt for one in log.calls}
    gone: list[Call | Ended] = [one for one in log.calls if one.attempt not in there]
    gone += [one for one in log.ended if one.attempt not in told]
    erased = _erased(log.entries)
    for one in sorted(gone, key=lambda entry: entry.at_us):
        for allowance in erased:
            if allowance.explains(one):
                allowance.left -= 1
                break
        else:
            yield _of(one, "gone", "the ledger tells of this attempt, and it is not there")


class _Allowance:
    """So many attempts were erased. until_us: those saved by then. campaign, contact: whose; empty
    for anybody's."""

    def __init__(self, entry: Entry, counts: Any, contact: str = "") -> None:
        self._until_us = entry.body.get("attempts_until") or entry.at_us
        self._campaign = str(entry.body.get("campaign") or "")
        self._contact = contact
        self.left = counts.get("attempts", 0)

    def explains(self, one: Call | Ended) -> bool:
        """Whether this may be one of them."""
        if self.left <= 0 or one.at_us > self._until_us:
            return False
        if isinstance(one, Ended):
            return True
        mine = self._contact in ("", one.contact)
        return mine and self._campaign in ("", one.grounds.campaign)


def _erased(entries: Iterable[Entry]) -> list[_Allowance]:
    found = []
    for entry in entries:
        if entry.kind == "retention":
            found.append(_Allowance(entry, entry.body))
        elif entry.kind == "person" and entry.body.get("did") == "forgot":
            erased = entry.body.get("erased") or {}
            found.append(_Allowance(entry, erased, str(entry.body["contact"])))
    return found


def _stops(log: Log) -> Iterator[Violation]:
    """What was stopped, and not lifted, is stopped still, for as long."""
    entries = [one for one in log.entries if one.kind == "stop"]
    now_us = max((one.at_us for one in log.entries), default=0)
    now_us = max(now_us, max((one.at_us for one in log.calls), default=0))
    rows = {_name(one): one for one in log.stops}
    wanted: dict[tuple[str, ...], tuple[Entry, Stop]] = {}
    for entry in _in_order(entries):
        stop = of_entry(entry)
        if entry.body["lifted"]:
            wanted.pop(_name(stop), None)
        elif _name(stop) not in wanted or _later(stop, wanted[_name(stop)][1]):
            wanted[_name(stop)] = entry, stop
    for name, (entry, stop) in wanted.items():
        row = rows.get(name)
        if row is None:
            if stop.expires_us is None or stop.expires_us > now_us:
                yield _of(entry, "stop", f"this stop ({stop.kind}) is not in the list any more")
        elif _later(stop, row):
            yield _of(entry, "stop", f"this stop ({stop.kind}) ends earlier in the list")


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By time; those of a chain as they stand there, also where its clock was put back."""
    latest: dict[str, int] = {}
    timed = []
    for one in sorted(entries, key=lambda entry: (entry.chain, entry.seq)):
        latest[one.chain] = max(latest.get(one.chain, one.at_us), one.at_us)
        timed.append((latest[one.chain], one.chain, one.seq, one))
    return [one for *_, one in sorted(timed, key=lambda each: each[:3])]


def _name(stop: Stop) -> tuple[str, ...]:
    return stop.key_kind, stop.key, stop.campaign, stop.kind


def _later(one: Stop, other: Stop) -> bool:
    if one.expires_us is None or other.expires_us is None:
        return one.expires_us is None and other.expires_us is not None
    return one.expires_us > other.expires_us


def _by_attempt(entries: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """By attempt; and those that came after the first of theirs."""
    found: dict[str, Any] = {}
    twice = []
    for one in entries:
        if one.attempt in found:
            twice.append(one)
        else:
            found[one.attempt] = one
    return found, twice


def _of(entry: Any, rule: str, text: str) -> Violation:
    return Violation(BOOKS, rule, entry.attempt, f"{entry.chain}:{entry.seq}", text)
