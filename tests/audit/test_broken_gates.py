"""For every kind of rule a gate that is broken on purpose: its log is written, and the audit, which
shares no code with it, catches it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from duecall.audit.log import Log
from duecall.audit.proofs import prove
from duecall.core.call_events import CHANNELS, PastCall
from duecall.core.gate_types import Conduct, Stop
from duecall.core.local_day import from_us, to_us
from duecall.core.verdict import Allowed
from tests.audit.story import SECOND, Conditions, Person, Planned, Story
from tests.core.rule_judge import Facts
from tests.core.rule_world import Memory, utc, words
from tests.core.test_gate_broken import BROKEN

FATES = (  # outcome, share of the message heard, seconds
    ("busy", 0, 5),
    ("no_answer", 0, 30),
    ("no_answer", 0, 30),
    ("delivered", 9_000, 60),
    ("promised", 9_000, 540),
    ("script_error", 0, 10),
    ("hung_up", 0, 20),
    ("unknown", 0, 30),
)
START = to_us(utc("2026-04-20"))


class Daemon:
    """Calls whom the gate allows, as it stands, for so many days."""

    def __init__(self, pack: dict[str, Any], changes: dict[str, Any], days: int) -> None:
        changes = dict(changes)
        facts: Facts = changes.pop("facts", None) or words(pack)
        stops: dict[str, Stop] = changes.pop("stops", {})
        ring_s, label = changes.pop("ring_s", 30), changes.pop("label", "")
        changes.pop("abandoned", None)  # here they are counted
        zones = changes.pop("zones", ("Asia/Ho_Chi_Minh",))
        conduct = Conduct(
            "overdue",
            CHANNELS["prerecorded"] | CHANNELS["agent"],
            ring_s,
            "UTC",
            "collection",
            label,
        )
        declared = {
            "attested": sorted(facts.attested),
            "says": sorted(facts.says),
            "number_shown": sorted(facts.number_shown),
        }
        known = {name: tuple(value) for name, value in changes.items()}
        people = [
            Person("+a", "a", "1", zones, **known),
            Person("+a", "b", "2", zones, **known),
        ]
        self.story = Story(Conditions(pack, declared, None, conduct, START), people)
        self._memory = Memory()
        self._memory.stopped = stops
        self._days = days
        for key, stop in stops.items():
            person = next(n for n, one in enumerate(people) if one.number == key)
            self.story.stop(person, "number", kind=stop.kind)

    def run(self, step_s: tuple[int, int], seed: int) -> Log:
        chance = random.Random(seed)
        now, last = START, START
        while now < START + self._days * 86_400 * SECOND:
            now += chance.randint(*step_s) * SECOND
            person = chance.randrange(2)
            call = self.story.proposed(self.story.people[person], now)
            verdict = self.story.gate.check(call, self._memory, self._memory, from_us(now))
            if not isinstance(verdict, Allowed):
                continue
            outcome, heard_ms, lasts_s = chance.choice(FATES)
            after_s = (now - last) // SECOND
            planned = Planned(person, after_s, 0, lasts_s, outcome, heard_ms, outcome != "busy")
            made = self.story.made(planned)
            last = now
            past = PastCall(now, now + lasts_s * SECOND, made.events, made.channels)
            for key in call.keys:
                self._memory.calls.setdefault((key.kind, key.value), []).append(past)
            now += lasts_s * SECOND  # one at a time: what is asked next knows how this one ended
        return self.story.finish()


def laws_broken(pack: dict[str, Any], changes: dict[str, Any], seed: int) -> set[str]:
    """By section, as the broken gates are told apart."""
    changes = dict(changes)
    step_s, days = changes.pop("step_s", (60, 4_000)), changes.pop("days", 24)
    log = Daemon(pack, changes, days).run(step_s, seed)
    found = set()
    for one in prove(log).violations:
        section = one.rule.removeprefix("t.").rpartition("-")[0]
        named = {"zone": "zone", "review_by": "review", "stop.opt_out": "stop"}
        found.add(named.get(one.rule) or section or f"{one.law} {one.rule}")
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_the_log_of_a_broken_gate_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks, pack, changes, section = BROKEN[name]
    assert laws_broken(pack, changes, seed=3) == set(), "the log of the whole gate is lawful"
    breaks(monkeypatch)
    assert section in laws_broken(pack, changes, seed=3)
