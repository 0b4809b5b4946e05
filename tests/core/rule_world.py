"""A small world of contacts and calls in memory, in which a gate decides and a judge looks on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import duecall
from duecall.core.call_events import CHANNELS, EVENTS, CallKey, PastCall
from duecall.core.gate import Gate
from duecall.core.gate_types import Conduct, ProposedCall, Stop, Tally
from duecall.core.local_day import to_us
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import RulePack
from duecall.core.verdict import Allowed, Verdict
from tests.core.rule_judge import EVERY_CHANNEL, EVERY_EVENT, Facts, Made, faults

HANOI = "Asia/Ho_Chi_Minh"
PACKS = Path(duecall.__file__).parent / "rules"
COMMON = {"level": "policy", "source": "a test", "certainty": "low", "valid_from": "2020-01-01"}
FATES = [
    (set(), 0),
    ({"attempt"}, 0),
    ({"attempt"}, 0),
    ({"attempt", "live", "message"}, 1),
    ({"attempt", "live", "message", "conversation"}, 9),
    ({"attempt", "live", "abandon"}, 0),
    ({"attempt", "live", "machine"}, 0),
    (EVERY_EVENT, 0),  # unknown
]


@cache
def plain_pack(name: str) -> dict[str, Any]:
    """The pack's file as plain text values; to be looked at only."""
    text = (PACKS / f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    return data


def small_pack(**sections: Any) -> dict[str, Any]:
    """A pack of a few rules, each filled up with what every rule needs."""
    filled = {
        name: [{**COMMON, "id": f"t.{name}-{n}", **rule} for n, rule in enumerate(rules)]
        if isinstance(rules, list)
        else rules
        for name, rules in sections.items()
    }
    return {"schema": "duecall-rules/1", "jurisdiction": "test", "name": "Test", **filled}


def words(pack: dict[str, Any]) -> Facts:
    """All that the pack asks to be declared, and nothing that it forbids."""
    return Facts(
        attested={rule["attested"] for rule in pack.get("require", []) if "attested" in rule},
        says={rule["say"] for rule in pack.get("content", []) if "say" in rule},
        number_shown={word for rule in pack.get("caller_id", []) for word in rule.get("needs", [])},
    )


def gate_of(pack: dict[str, Any], facts: Facts) -> Gate:
    changes: dict[str, Any] = {
        "attested": sorted(facts.attested),
        "says": sorted(facts.says),
        "number_shown": sorted(facts.number_shown),
    }
    if facts.off or facts.working:
        changes["days"] = {"off": [*facts.off], "working": [*facts.working], "source": "a decree"}
    return Gate(merge(RulePack.model_validate(pack), RuleChanges.model_validate(changes)))


class Memory:
    """History: what was done, by key. Also the stops: numbers never to be called."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], list[PastCall]] = {}
        self.stopped: dict[str, Stop] = {}
        self.asked = 0

    def since(self, key: CallKey, from_us: int) -> Sequence[PastCall]:
        self.asked += 1
        return [call for call in self.calls.get(key, []) if call.at_us >= from_us]

    def of(self, call: ProposedCall) -> Sequence[Stop]:
        return [self.stopped[key.value] for key in call.keys if key.value in self.stopped]

    def add(self, made: Made) -> None:
        past = PastCall(
            to_us(made.at),
            to_us(made.ended or made.at),
            sum(EVENTS[name] for name in made.events),
            sum(CHANNELS[name] for name in made.became),
        )
        for key in made.keys:
            self.calls.setdefault(key, []).append(past)


def proposed(made: Made, campaign: str = "c") -> ProposedCall:
    conduct = Conduct(
        campaign,
        sum(CHANNELS[name] for name in made.channels),
        made.ring_s,
        "UTC",
        made.purpose,  # type: ignore[arg-type]
        made.label,
    )
    return ProposedCall(
        conduct,
        tuple(CallKey(kind, value) for kind, value in sorted(made.keys)),  # type: ignore[arg-type]
        made.zones,
        made.line,  # type: ignore[arg-type]
        frozenset(made.regions),
        frozenset(made.consents),
        frozenset(made.flags),
        tuple(Tally(rule, *counts) for rule, counts in made.abandoned.items()),
    )


@dataclass
class World:
    """people: how each call to one of them looks, without time and fate."""

    pack: dict[str, Any]
    people: list[dict[str, Any]]
    start: datetime
    days: int
    step_s: tuple[int, int] = (60, 3_000)
    facts: Facts | None = None
    stops: dict[str, Stop] = field(default_factory=dict)

    def run(self, seed: int) -> list[tuple[str, str]]:
        """All violations of the calls that the gate allowed. Sets `log` and `needless`, the
        denials that nothing asks for."""
        chance = random.Random(seed)
        facts = self.facts or words(self.pack)
        gate, memory = gate_of(self.pack, facts), Memory()
        memory.stopped = dict(self.stops)
        self.log: list[Made] = []
        self.needless: list[tuple[Made, Verdict]] = []
        found: list[tuple[str, str]] = []
        at = self.start
        while at < self.start + timedelta(days=self.days):
            at += timedelta(seconds=chance.randint(*self.step_s))
            made = Made(at=at, **chance.choice(self.people))
            made.stopped = any(value in self.stops for _, value in made.keys)
            wrong = list(faults(self.pack, facts, made, self.log))
            verdict = gate.check(proposed(made), memory, memory, at)
            if not wrong and not isinstance(verdict, Allowed):
                self.needless.append((made, verdict))
            if isinstance(verdict, Allowed):
                found += wrong
                events, minutes = chance.choice(FATES)
                made.events = set(events)
                made.became = EVERY_CHANNEL if events == EVERY_EVENT else set(made.channels)
                made.ended = at + timedelta(minutes=minutes)
                self.log.append(made)
                memory.add(made)
        return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def person(name: str, zone: str = HANOI, number: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "keys": {("number", number or f"+{name}"), ("contact", name), ("account", f"A-{name}")},
        "zones": (zone,) if zone else (),
        "channels": {"prerecorded", "agent"},
        **changes,
    }


SHORT_WEEKENDS = small_pack(
    hours=[
        {"days": "workday", "spans": [{"from": "08:00", "to": "20:00"}]},
        {"days": ["weekend", "holiday"], "spans": [{"from": "10:00", "to": "14:00"}]},
    ],
    calendar={"week_start": "mon", "weekend": ["sat", "sun"], "holidays": "VN"},
)
EVENINGS_OFF = small_pack(hours=[{"days": "all", "spans": [{"from": "08:00", "to": "21:00"}]}])


def capped(most: int = 2, per: Any = "contact", **window: Any) -> dict[str, Any]:
    rule = {"counts": ["attempt"], "per": per, "window": window, "max": str(most)}
    return small_pack(caps=[rule])
