"""Holds what was received against what was written down. Imports nothing of what it judges.

Laws are those of docs/architecture.md: L1 one live call a number, L3 caps, L4 nothing after an
opt-out, L5 durable first and sent once, L6 one true outcome, L7 channels and rate, L9 the books
agree, L10 everything comes to an end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.books import Aim, Books, Entry
from tests.chaos.ground_truth import Call, Press, Span, Truth

# A key counts as taken when the switch went on running for so long after its release. What was
# pressed in the moment of the switch's death, or while it stood still, nobody has heard.
KEY_TAKEN_S = 0.5

GIVEN_UP_S = 0.1  # between ACK and BYE, where the switch had given up

_SPOKE = """transferred agent_unavailable opted_out claims_paid promised surveyed delivered hung_up
    script_error"""
_NOT_ANSWERED = "busy no_answer unreachable invalid rejected congestion technical"
SPOKE, NOT_ANSWERED = frozenset(_SPOKE.split()), frozenset(_NOT_ANSWERED.split())
STATUS_OF = {"busy": {486, 600}, "rejected": {603}, "invalid": {404}, "unreachable": {480}}
NOT_COUNTED = frozenset({"congestion", "technical"})  # the trunk's fault, not the callee's
NOT_SENT = "NOT_SENT"  # cause of an attempt that was taken back before it was sent
MAYBE_NOT_RUNG = frozenset({"unknown", "technical", "congestion"})


@dataclass(frozen=True)
class Rules:
    """What the campaign and the trunk allow.

    jitter_s: calls that were sent within one second may arrive nearer to each other, for the switch
    makes each in a thread of its own. So the rate is judged in windows that are shorter by this.
    """

    max_attempts: int
    channels: int
    calls_per_second: float
    jitter_s: float = 0.25


@dataclass(frozen=True)
class Violation:
    law: str
    what: str  # static text, one a kind
    detail: str
    at: float = 0.0  # Unix seconds, 0 where it has no moment


@dataclass
class Verdict:
    """violations: none, or the run has failed. notes: what was counted apart, by kind."""

    violations: list[Violation] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def kinds(self) -> Counter[tuple[str, str]]:
        return Counter((v.law, v.what) for v in self.violations)


# Ids of the attempts that were open in the database when this call's INVITE came; None where the
# database could not be asked.
Witnessed = Mapping[str, "tuple[str, ...] | None"]


def judge(truth: Truth, books: Books, rules: Rules, witnessed: Witnessed) -> Verdict:
    """witnessed: by Call-ID; calls that are not in it were not asked about."""
    verdict = Verdict()
    found = verdict.violations
    owners = dict(_owners(truth.calls, books.entries, found))
    found += _durable_first(truth.calls, owners, witnessed, verdict.notes)
    found += _one_at_a_time(truth)
    found += _entries_apart(books.entries)
    found += _settled(books)
    found += _outcomes_true(truth, owners, books.entries)
    found += _opt_outs_kept(truth, books, verdict.notes)
    found += _no_call_after_opt_out(truth, books)
    found += _caps(truth.calls, books, rules)
    found += _rate(truth.calls, rules)
    found += _channels(truth, rules)
    found += _report(books)
    found += [
        Violation("L10", "a call is still up at the end", call.call_id, call.invited_at)
        for call in truth.calls
        if call.ended_at is None
    ]
    return verdict


def _by_number(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.saved_at):
        found[entry.number].append(entry)
    return found


def _owners(
    calls: list[Call], entries: list[Entry], found: list[Violation]
) -> Iterator[tuple[str, Entry]]:
    """Call-ID -> the attempt that it belongs to: the last one of its number saved before it."""
    by_number = _by_number(entries)
    rung: dict[str, Call] = {}
    for call in sorted(calls, key=lambda call: call.invited_at):
        mine = by_number.get(call.number, [])
        place = bisect_right([entry.saved_at for entry in mine], call.invited_at)
        if place == 0:
            found.append(_about(call, "L5", "rung without an attempt saved before"))
            continue
        entry = mine[place - 1]
        if entry.id in rung:
            detail = f"attempt {entry.id}: first {rung[entry.id].call_id}"
            found.append(_about(call, "L5", "rung twice for one attempt", detail))
            continue
        rung[entry.id] = call
        if entry.settled_at is not None and entry.settled_at < call.invited_at:
            detail = f"attempt {entry.id} settled {call.invited_at - entry.settled_at:.2f} s before"
            detail += f" as {entry.outcome} {entry.cause}"
            found.append(_about(call, "L6", "rung after its attempt was settled", detail))
        elif entry.cause == NOT_SENT:
            detail = f"attempt {entry.id}"
            found.append(_about(call, "L6", "rung, yet written down as not sent", detail))
        yield call.call_id, entry


def _about(call: Call, law: str, what: str, detail: str = "") -> Violation:
    text = f"{call.number} ({call.callee}) call {call.call_id} {detail}"
    return Violation(law, what, text.rstrip(), call.invited_at)


def _durable_first(
    calls: list[Call],
    owners: Mapping[str, Entry],
    witnessed: Witnessed,
    notes: Counter[str],
) -> Iterator[Violation]:
    for call in calls:
        entry = owners.get(call.call_id)
        if entry is None or call.call_id not in witnessed:
            continue
        there = witnessed[call.call_id]
        if there is None:
            notes["INVITEs that came while the database could not be asked"] += 1
        elif entry.id in there:
            notes["INVITEs whose attempt was seen in the database as they came"] += 1
        elif entry.settled_at is not None and entry.settled_at - call.invited_at < 0.5:
            notes["INVITEs whose attempt was settled before the database was asked"] += 1
        else:
            yield _about(call, "L5", "rung before its attempt was durable", f"attempt {entry.id}")


def _one_at_a_time(truth: Truth) -> Iterator[Violation]:
    by_number: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(truth.calls, key=lambda call: call.invited_at):
        by_number[call.number].append(call)
    for calls in by_number.values():
        for earlier, later in pairwise(calls):
            if earlier.ended_at is None or later.invited_at < earlier.ended_at:
                detail = f"{earlier.call_id} of {earlier.invited_at:.3f} was still up"
                yield _about(later, "L1", "two calls to one number at once", detail)


def _entries_apart(entries: list[Entry]) -> Iterator[Violation]:
    for number, mine in _by_number(entries).items():
        for earlier, later in pairwise(mine):
            if earlier.settled_at is None or later.saved_at < earlier.settled_at:
                detail = f"{number}: {earlier.id} and {later.id}"
                yield Violation(
                    "L1", "two open attempts to one number at once", detail, later.saved_at
                )


def _settled(books: Books) -> Iterator[Violation]:
    for entry in books.entries:
        if entry.settled_at is None or not entry.outcome:
            detail = f"{entry.number} attempt {entry.id}"
            yield Violation("L6", "an attempt without an outcome", detail, entry.saved_at)
    for aim in books.aims:
        if aim.state != "done":
            detail = f"{aim.number} target {aim.id}: {aim.state} {aim.reason}"
            yield Violation("L10", "a contact that is not done with", detail)


def _outcomes_true(
    truth: Truth, owners: Mapping[str, Entry], entries: list[Entry]
) -> Iterator[Violation]:
    pressed = {press.call_id for press in truth.presses}
    rung = set()
    for call in truth.calls:
        entry = owners.get(call.call_id)
        if entry is None:
            continue
        rung.add(entry.id)
        outcome = entry.outcome
        detail = f"attempt {entry.id}: {outcome} {entry.cause}; the carrier saw {call.status}"
        detail += f", ended by {call.ended_by or 'nobody'}"
        if outcome in SPOKE and call.answered_at is None:
            yield _about(call, "L6", "an answer in the books that never was", detail)
        elif outcome in NOT_ANSWERED and _stood(call):
            yield _about(call, "L6", "an answered call is written down as not answered", detail)
        elif outcome in STATUS_OF and call.status not in STATUS_OF[outcome]:
            yield _about(call, "L6", "an outcome that the carrier did not give", detail)
        elif outcome == "opted_out" and call.callee != "presses-9":
            yield _about(call, "L6", "an opt-out of somebody who pressed nothing", detail)
        elif (
            outcome == "delivered" and call.call_id in pressed and _was_heard(call, truth, pressed)
        ):
            yield _about(
                call, "L6", "a key was pressed and taken, yet is not in the outcome", detail
            )
    for entry in entries:
        if entry.id not in rung and entry.outcome and entry.outcome not in MAYBE_NOT_RUNG:
            detail = f"{entry.number} attempt {entry.id}: {entry.outcome} {entry.cause}"
            yield Violation(
                "L6", "an outcome of a call that the carrier never saw", detail, entry.saved_at
            )


def _stood(call: Call) -> bool:
    """It was answered. One that the switch ends in the breath in which it acknowledges the answer
    is none: it had given up before the answer reached it."""
    if call.acknowledged_at is None:
        return False
    end = call.ended_at if call.ended_by == "caller" else None
    return end is None or end - call.acknowledged_at >= GIVEN_UP_S


def _was_heard(call: Call, truth: Truth, pressed: set[str]) -> bool:
    press = next(press for press in truth.presses if press.call_id == call.call_id)
    return taken(press, call, truth)


def taken(press: Press, call: Call, truth: Truth) -> bool:
    """The switch ran from the answer until KEY_TAKEN_S after the key, and the call stood as long:
    so the key was heard. Else nobody can know, and it is counted apart."""
    begin = call.answered_at if call.answered_at is not None else call.invited_at
    until = press.at + KEY_TAKEN_S
    if any(begin <= death <= until for death in truth.deaths):
        return False
    if any(span.meets(Span(begin, until)) for span in truth.stood_still):
        return False
    # The switch hangs up when it has understood the key and said so: that, too, means heard.
    return call.ended_at is None or call.ended_by == "caller" or call.ended_at > until


def _opt_outs_kept(truth: Truth, books: Books, notes: Counter[str]) -> Iterator[Violation]:
    calls = {call.call_id: call for call in truth.calls}
    for press in truth.presses:
        call = calls[press.call_id]
        kept = press.number in books.stopped
        if taken(press, call, truth):
            notes["opt-out keys pressed and heard"] += 1
            if not kept:
                detail = f"pressed {press.at:.3f}"
                yield _about(call, "L4", "an opt-out is lost", detail)
        else:
            notes["opt-out keys pressed as the switch died or stood still"] += 1
            notes["… of them kept all the same"] += kept
    heard = {press.number for press in truth.presses}
    for number in books.stopped:
        if number not in heard and not any(
            call.number == number and call.callee == "presses-9" and call.answered_at is not None
            for call in truth.calls
        ):
            yield Violation("L6", "a stop-list entry that nobody asked for", number)


def _no_call_after_opt_out(truth: Truth, books: Books) -> Iterator[Violation]:
    calls = {call.call_id: call for call in truth.calls}
    heard: dict[str, float] = {}
    for press in truth.presses:
        if taken(press, calls[press.call_id], truth):
            heard[press.number] = min(press.at, heard.get(press.number, press.at))
    for call in truth.calls:
        stopped_at = books.stopped.get(call.number)
        if stopped_at is not None and call.invited_at > stopped_at:
            detail = f"on the stop list since {stopped_at:.3f}"
            yield _about(call, "L4", "rung after its opt-out was durable", detail)
        elif call.number in heard and call.invited_at > heard[call.number]:
            detail = f"key heard {heard[call.number]:.3f}"
            yield _about(call, "L4", "rung after the callee's opt-out was heard", detail)


def _caps(calls: list[Call], books: Books, rules: Rules) -> Iterator[Violation]:
    tries = Counter(e.target for e in books.entries if e.outcome not in NOT_COUNTED)
    for target, count in tries.items():
        if count > rules.max_attempts:
            yield Violation("L3", "more attempts than the campaign allows", f"target {target}")
    targets = Counter(aim.number for aim in books.aims)
    free = Counter(e.number for e in books.entries if e.outcome in NOT_COUNTED)
    for number, count in Counter(call.number for call in calls).items():
        if count > targets[number] * rules.max_attempts + free[number]:
            yield Violation("L3", "more calls than the campaign allows", f"{number}: {count}")


def _rate(calls: list[Call], rules: Rules) -> Iterator[Violation]:
    starts = sorted(call.invited_at for call in calls)
    allowed = max(1, int(rules.calls_per_second))
    last = 0.0
    for index in range(allowed, len(starts)):
        width = starts[index] - starts[index - allowed]
        if width < 1.0 - rules.jitter_s and starts[index] > last + 1.0:
            last = starts[index]
            detail = f"{allowed + 1} INVITEs in {width:.3f} s"
            yield Violation("L7", "more calls a second than the trunk allows", detail, last)


def _channels(truth: Truth, rules: Rules) -> Iterator[Violation]:
    moments = [(call.invited_at, 1) for call in truth.calls]
    moments += [(call.ended_at or truth.over, -1) for call in truth.calls]
    live = 0
    for at, step in sorted(moments):  # where both fall together the end comes first
        live += step
        if live > rules.channels and step > 0:
            detail = f"{live} calls at once"
            yield Violation("L7", "more calls at once than the trunk has channels", detail, at)


def _report(books: Books) -> Iterator[Violation]:
    report = books.report
    outcomes = Counter(entry.outcome or "open" for entry in books.entries)
    wanted = {
        "attempts": len(books.entries),
        "settled": sum(1 for entry in books.entries if entry.outcome),
        "by_outcome": dict(outcomes),
        "open": 0,
    }
    for name, value in wanted.items():
        if report.get(name) != value:
            detail = f"{name}: report {report.get(name)}, attempts {value}"
            yield Violation("L9", "the report and the attempts disagree", detail)
    sums = {
        "sum of outcomes": sum(report.get("by_outcome", {}).values()),
        "sum of numbers": sum(line["attempts"] for line in report.get("by_number", [])),
    }
    for name, value in sums.items():
        if value != len(books.entries):
            detail = f"{name}: {value}, attempts {len(books.entries)}"
            yield Violation("L9", "the report and the attempts disagree", detail)
    done = Counter(aim.reason for aim in books.aims if aim.state == "done")
    if report.get("done_reasons") != dict(done):
        yield Violation(
            "L9", "the report and the targets disagree", f"{report.get('done_reasons')}"
        )


__all__ = ["Aim", "Rules", "Verdict", "Violation", "judge", "taken"]
