"""Calls that are made one after the other, whatever the gate says: for each, what the gate said of
every rule; and the log of it, as the audit gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from duecall.audit.log import Attempt, Log
from duecall.audit.log import Stop as Row
from duecall.core.call_events import CHANNELS, CallKey, PastCall, channels_of, events_of
from duecall.core.campaign import Calendar
from duecall.core.eligibility import _tally
from duecall.core.gate import Gate
from duecall.core.gate_types import Conduct, ProposedCall, Snapshot, Stop, Tally
from duecall.core.local_day import from_us, local_date
from duecall.core.outcome import Outcome
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import RulePack

SECOND = 1_000_000
NEVER = 1 << 62
CHAIN = "d1"


@dataclass
class Planned:
    """One call. after_s: since the one before it was saved. fate: outcome, empty: it stays open."""

    person: int = 0
    after_s: int = 120
    sent_after_us: int = 0
    lasts_s: int = 30
    fate: str = "no_answer"
    heard_ms: int = 0
    rang: bool = True


@dataclass
class Person:
    """Who is called, and what is known of them."""

    number: str
    contact: str = ""
    account: str = ""
    zones: tuple[str, ...] = ("Asia/Ho_Chi_Minh",)
    line: str = ""
    regions: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


CONDUCT = Conduct("overdue", CHANNELS["prerecorded"], 30, "UTC")


@dataclass
class Conditions:
    """What holds for all calls of a story. pack: as a YAML file has it, all text."""

    pack: dict[str, Any]
    changes: dict[str, Any] = field(default_factory=dict)
    calendar: dict[str, Any] | None = None
    conduct: Conduct = CONDUCT
    start_us: int = 1_779_000_000 * SECOND


@dataclass
class _Row:
    attempt: Attempt
    outcome: Outcome | None
    rang: bool


class Story:
    """said: attempt id -> rules that the gate denied by, those of hours all called `hours`."""

    def __init__(self, conditions: Conditions, people: Sequence[Person]) -> None:
        self.conditions = conditions
        self.people = people
        changes = RuleChanges.model_validate(conditions.changes)
        self.rules = merge(RulePack.model_validate(conditions.pack), changes)
        calendar = conditions.calendar
        own = None if calendar is None else Calendar.model_validate(calendar)
        self.gate = Gate(self.rules, own)
        self.log = Log()
        self.said: dict[str, set[str]] = {}
        self.stops: list[dict[str, Any]] = []
        self._rows: list[_Row] = []
        self._ends: list[tuple[int, int]] = []
        self._at_us = conditions.start_us
        self._seq = 0
        self.campaign_digest = self._document(calendar)
        self.log.documents[self.rules.digest] = self.rules.text
        self.log.packs[self.rules.pack.jurisdiction] = [yaml.safe_dump(conditions.pack)]
        self._entry("rules", self._at_us, 0, "", self._rules_body())

    def _document(self, calendar: dict[str, Any] | None) -> str:
        if calendar is None:
            return ""
        text = yaml.safe_dump({"calendar": calendar})
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.log.documents[digest] = text
        return digest

    def _rules_body(self) -> dict[str, Any]:
        names = ("origin", "kind", "rule", "level", "reason", "approved_by", "before", "after")
        return {
            "campaign": self.conditions.conduct.campaign,
            "campaign_digest": self.campaign_digest,
            "pack": self.rules.pack.jurisdiction,
            "rules": self.rules.digest,
            "changes": [{n: getattr(one, n) for n in names} for one in self.rules.changes],
        }

    def _entry(self, kind: str, at_us: int, target: int, attempt: str, body: Any) -> None:
        self._seq += 1
        self.log.take(CHAIN, self._seq, at_us, kind, target, attempt, body)

    def stop(self, person: int, key_kind: str, lasts_s: int | None = None, **more: Any) -> None:
        """From now on."""
        key = getattr(self.people[person], key_kind)
        body = {
            "key_kind": key_kind,
            "key": key,
            "campaign": "",
            "kind": "dnc",
            "expires": None if lasts_s is None else self._at_us + lasts_s * SECOND,
            "source": "a test",
            "lifted": False,
            **more,
        }
        self.stops.append(body)
        self._entry("stop", self._at_us, 0, "", body)
        row = Row(key_kind, key, body["campaign"], body["kind"], self._at_us, body["expires"])
        old = [one for one in self.log.stops if one[:4] == row[:4]]
        if any(
            one.expires_us is None or (row.expires_us or 1 << 62) <= one.expires_us for one in old
        ):
            return
        self.log.stops = [one for one in self.log.stops if one not in old] + [row]

    def call(self, planned: Planned) -> None:
        """Ask the gate, and call, whatever it says."""
        self._at_us += planned.after_s * SECOND
        self._settle_until(self._at_us)
        sent = self._at_us + planned.sent_after_us
        asked = self._asked(self.people[planned.person], sent)
        self.said[self._made(planned).id] = asked

    def made(self, planned: Planned) -> Attempt:
        """The gate was asked by others: call."""
        self._at_us += planned.after_s * SECOND
        self._settle_until(self._at_us)
        return self._made(planned)

    def _made(self, planned: Planned) -> Attempt:
        saved = self._at_us
        sent = saved + planned.sent_after_us
        name = f"a{len(self._rows)}"
        person = self.people[planned.person]
        self._entry("call", saved, planned.person, name, self._call_body(person))
        outcome = Outcome(planned.fate) if planned.fate else None
        ended = None if outcome is None else saved + planned.lasts_s * SECOND
        attempt = Attempt(
            name,
            planned.person,
            self.conditions.conduct.campaign,
            person.number,
            person.contact,
            person.account,
            len(self._rows),
            saved,
            sent,
            sent if planned.rang else None,
            None,
            None,
            ended,
            outcome.value if outcome else "",
            "CAUSE" if outcome else "",
            planned.heard_ms,
            *self._bits(outcome, planned.rang, planned.heard_ms),
        )
        self._rows.append(_Row(attempt, outcome, planned.rang))
        if ended is not None:
            self._ends.append((ended, len(self._rows) - 1))
        return attempt

    def finish(self) -> Log:
        """What is not open for ever ends; the log."""
        self._settle_until(1 << 62)
        self.log.attempts = [row.attempt for row in self._rows]
        return self.log

    def _bits(self, outcome: Outcome | None, rang: bool, heard_ms: int) -> tuple[int, int]:
        events = events_of(outcome, rang=rang, heard_ms=heard_ms)
        return events, channels_of(self.conditions.conduct.channels, outcome)

    def _settle_until(self, now_us: int) -> None:
        for ended, number in sorted(self._ends):
            if ended <= now_us:
                row = self._rows[number]
                one = row.attempt
                body = {
                    "outcome": one.outcome,
                    "cause": one.cause,
                    "events": one.events,
                    "channels": one.channels,
                    "rang": row.rang,
                    "answered": False,
                    "heard_ms": one.heard_ms,
                    "next_due": None,
                    "reason": "",
                }
                self._entry("ended", ended, one.target, one.id, body)
                self._ends.remove((ended, number))

    def _call_body(self, person: Person) -> dict[str, Any]:
        conduct = self.conditions.conduct
        return {
            "campaign": conduct.campaign,
            "campaign_digest": self.campaign_digest,
            "contacts_digest": "",
            "rules": self.rules.digest,
            "number": person.number,
            "contact": person.contact,
            "account": person.account,
            "zones": list(person.zones),
            "line": person.line,
            "regions": sorted(person.regions),
            "consents": sorted(person.consents),
            "flags": sorted(person.flags),
            "conduct": {
                "channels": conduct.channels,
                "ring_s": conduct.ring_s,
                "zone": conduct.zone,
                "purpose": conduct.purpose,
                "label": conduct.label,
            },
            "try": len(self._rows),
        }

    # ---- what the gate says

    def proposed(self, person: Person, now_us: int) -> ProposedCall:
        """A call to this person, as the gate is asked about it."""
        keys = [CallKey("number", person.number)]
        keys += [CallKey("contact", person.contact)] if person.contact else []
        keys += [CallKey("account", person.account)] if person.account else []
        return ProposedCall(
            self.conditions.conduct,
            tuple(keys),
            person.zones,
            person.line,  # type: ignore[arg-type]
            frozenset(person.regions),
            frozenset(person.consents),
            frozenset(person.flags),
            self._tallies(now_us),
        )

    def _tallies(self, now_us: int) -> tuple[Tally, ...]:
        pack, answered = self.rules.pack, self._answered(now_us)
        if not answered or not pack.abandonment:
            return ()
        today = local_date(self.conditions.conduct.zone, now_us)
        start = pack.calendar.week_start
        return tuple(_tally(bound, answered, today, start) for bound in pack.abandonment)

    def _asked(self, person: Person, now_us: int) -> set[str]:
        call = self.proposed(person, now_us)
        past = {key: self._past(key, now_us) for key in call.keys}
        known = Snapshot(past, self._stopping(person))
        told = self.gate.explain(call, known, known, from_us(now_us))
        denied = {
            "hours" if one.kind == "hours" else one.rule for one in told.findings if one.denies
        }
        assert bool(denied) == (told.deciding is not None)
        return denied

    def _past(self, key: CallKey, now_us: int) -> tuple[PastCall, ...]:
        found = []
        for row in self._rows:
            one = row.attempt
            if getattr(one, key.kind) != key.value:
                continue
            if one.settled_us is not None and one.settled_us <= now_us:
                events, channels = one.events, one.channels
                found.append(PastCall(one.saved_us, one.settled_us, events, channels))
            else:
                found.append(PastCall(one.saved_us, now_us, 63, 15))
        return tuple(found)

    def _stopping(self, person: Person) -> tuple[Stop, ...]:
        found = [
            Stop(body["kind"], "", body["expires"], body["source"])
            for body in self.stops
            if getattr(person, body["key_kind"]) == body["key"]
            and body["campaign"] in ("", self.conditions.conduct.campaign)
        ]
        for row in self._rows:
            one = row.attempt
            mine = row.outcome is Outcome.OPTED_OUT and one.number == person.number
            if mine and one.settled_us is not None and one.settled_us <= self._at_us:
                found.append(Stop("opted_out", "", None, one.id))
        return tuple(found)

    def _answered(self, now_us: int) -> dict[date, tuple[int, int]]:
        found: dict[date, tuple[int, int]] = {}
        for row in self._rows:
            one = row.attempt
            if one.settled_us is not None and one.settled_us <= now_us and one.events & 2:
                day = local_date(self.conditions.conduct.zone, one.settled_us)
                live, lost = found.get(day, (0, 0))
                found[day] = live + 1, lost + bool(one.events & 16)
        return found
