"""The proofs: every call of a log was lawful when it was made, by rules that were in order.

`prove` is the whole audit of a Log; what the ledger's hashes say is proved where they are read
(chains.py). A call is judged at the moment at which it was sent. One of which nobody knows whether
it was sent is judged by all but what was done meanwhile: it may be the one that was held back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from duecall.audit import books, wall
from duecall.audit.bounds import Bounds
from duecall.audit.log import Grounds, Log, Violation
from duecall.audit.made import Keyed, Made, join
from duecall.audit.rule_sets import RULES, RuleSets
from duecall.audit.rules import Calendar, Unreadable, read_calendar
from duecall.audit.sorts import Ready, Sort
from duecall.audit.stopped import Stops


@dataclass(slots=True)
class Proof:
    """violations: empty where all is well. judged: calls that were proved, of `attempts` in the
    days asked for. unsent: those taken back before they were sent. doubtful: those of which nobody
    knows whether they were sent. older: those of before the ledger."""

    violations: list[Violation] = field(default_factory=list)
    attempts: int = 0
    judged: int = 0
    unsent: int = 0
    doubtful: int = 0
    older: int = 0


def prove(log: Log, from_us: int = 0, until_us: int = 1 << 62) -> Proof:
    """from_us, until_us: calls saved in this time are judged, by all that was done before them.
    Books and rule sets are looked at whole."""
    proof = Proof()
    proof.violations += books.faults(log)
    proof.violations += (judge := _Judge(log)).sets.faults()
    proof.attempts = sum(from_us <= one.saved_us < until_us for one in log.attempts)
    asked = [one for one in judge.calls if from_us <= one.at_us < until_us]
    proof.unsent = proof.attempts - len(asked)
    for one in asked:
        if one.call is None:
            proof.older += 1
        else:
            proof.judged += 1
            proof.doubtful += one.maybe
            proof.violations += judge.faults(one)
    proof.violations += _two_at_once(judge.numbers, from_us, until_us)
    return proof


class _Judge:
    """Knows the whole log; is asked about one call after the other."""

    def __init__(self, log: Log) -> None:
        self.calls = join(log)
        self.sets = RuleSets(log)
        self._documents = log.documents
        self.numbers = Keyed((one.attempt.number, one) for one in self.calls)
        self._pasts = {
            "number": self.numbers,
            "contact": Keyed((one.attempt.contact, one) for one in self.calls),
            "account": Keyed((one.attempt.account, one) for one in self.calls),
        }
        self._stops = Stops(log, self.calls)
        self._bounds = Bounds(self.calls)
        self._ready: dict[tuple[str, str], Ready | str] = {}
        self._sorts: dict[tuple[int, str], Sort | str] = {}
        self._days: dict[tuple[tuple[str, ...], int], tuple[int, ...]] = {}

    def faults(self, made: Made) -> Iterator[Violation]:
        """Everything that forbade this call."""
        call = made.call
        assert call is not None
        for held in self._stops.binding(made):
            stop = held.stop
            text = f"stopped by {stop.key_kind}: {stop.kind} ({stop.source})"
            yield _of(made, "L4", f"stop.{stop.kind}", text)
        grounds = call.grounds
        version = self.sets.noted(call)
        if version is None:
            text = f"{call.chain} never said that it takes up rule set {grounds.rules or '(none)'}"
            yield _of(made, RULES, "not-noted", text)
            version = grounds.campaign_digest
        sort = self._sort(grounds, version)
        if isinstance(sort, str):
            yield _of(made, RULES, "document", sort)
            return
        if not wall.known(grounds.zones):
            yield _of(made, "L2", "zone", "the callee's time zone is not known")
            return
        yield from self._by_rules(made, grounds, sort)

    def _by_rules(self, made: Made, grounds: Grounds, sort: Sort) -> Iterator[Violation]:
        moment = made.moment_us
        if wrong := sort.review(wall.day_in(grounds.zone, moment)):
            yield _of(made, RULES, "review_by", wrong)
        days = self._days_of(grounds.zones, moment)
        if sort.wrong:
            for rule, text in sort.declared(days):
                yield _of(made, RULES, rule.id, text)
        if name := sort.hours.broken(grounds.zones, moment, sort.ring_us):
            clocks = ", ".join(_clock(zone, moment) for zone in grounds.zones)
            yield _of(made, "L2", name, f"{clocks}, ringing for {grounds.ring_s} s")
        if made.maybe:
            return
        for name, text in sort.counted.broken(made, grounds.zones, days, self._pasts):
            yield _of(made, "L3", name, text)
        for rule in sort.abandonment:
            if rule.in_force(days):
                start = sort.ready.rules.pack.week_start
                if text := self._bounds.broken(rule, made, grounds.zone, start):
                    yield _of(made, "L8", rule.id, text)

    def _days_of(self, zones: tuple[str, ...], at_us: int) -> tuple[int, ...]:
        key = zones, at_us // wall.QUARTER_US
        found = self._days.get(key)
        if found is None:
            found = self._days[key] = tuple(wall.day_in(zone, at_us) for zone in zones)
        return found

    def _sort(self, grounds: Grounds, campaign_digest: str) -> Sort | str:
        """Kept by the object: equal grounds are one."""
        found = self._sorts.get((id(grounds), campaign_digest))
        if found is None:
            ready = self._prepared(grounds.rules, campaign_digest)
            found = ready if isinstance(ready, str) else ready.sort(grounds)
            self._sorts[id(grounds), campaign_digest] = found
        return found

    def _prepared(self, digest: str, campaign_digest: str) -> Ready | str:
        key = digest, campaign_digest
        found = self._ready.get(key)
        if found is None:
            found = self._ready[key] = self._prepare(*key)
        return found

    def _prepare(self, digest: str, campaign_digest: str) -> Ready | str:
        if not digest:
            return "it was judged by no rule set"
        rules = self.sets.get(digest)
        if isinstance(rules, Unreadable):
            return f"rule set {digest}: {rules}"
        calendar: Calendar | None = None
        if campaign_digest:
            text = self._documents.get(campaign_digest)
            if text is None:
                return f"campaign {campaign_digest}: its document is missing"
            try:
                calendar = read_calendar(text)
            except Unreadable as error:
                return f"campaign {campaign_digest}: {error}"
        return Ready(rules, calendar)


def _two_at_once(numbers: Keyed, from_us: int, until_us: int) -> Iterator[Violation]:
    """L1: a number has one live attempt at most."""
    for calls in numbers.groups():
        if len(calls) < 2:
            continue
        live: list[Made] = []
        for made in sorted(calls, key=lambda one: one.order):
            live = [one for one in live if one.ended_us is None or one.ended_us > made.moment_us]
            for one in live:
                first, second = (one, made) if one.before(made) else (made, one)
                asked = from_us <= second.at_us < until_us
                if asked and not first.over_before(second):
                    text = f"attempt {first.attempt.id} to the same number was still live"
                    yield _of(second, "L1", "live", text)
            live.append(made)


def _of(made: Made, law: str, rule: str, text: str) -> Violation:
    entry = f"{made.chain}:{made.seq}" if made.chain else ""
    return Violation(law, rule, made.attempt.id, entry, text)


def _clock(zone: str, at_us: int) -> str:
    day, since_us = wall.reading(zone, at_us)
    minutes, seconds = divmod(since_us // wall.SECOND_US, 60)
    return f"{wall.day_text(day)} {minutes // 60:02}:{minutes % 60:02}:{seconds:02} in {zone}"


def by_law(proof: Proof) -> Counter[tuple[str, str]]:
    """How many violations of each law and rule."""
    return Counter((one.law, one.rule) for one in proof.violations)
