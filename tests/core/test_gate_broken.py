"""For every kind of rule a gate that is broken on purpose; the judge shares no code and sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from duecall.core import caps, gate, law_hours
from duecall.core.gate_types import Stop
from duecall.core.local_day import DayKinds
from duecall.core.rule_pack import Rule
from tests.core.rule_judge import Facts
from tests.core.rule_world import (
    EVENINGS_OFF,
    SHORT_WEEKENDS,
    Memory,
    World,
    capped,
    person,
    small_pack,
    utc,
)


def never_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate.Gate, "_at_once", lambda *_, **__: iter(()))


def broken(target: Any, name: str, change: Callable[..., Any]) -> Callable[[Any], None]:
    """Replace a function by one that is told the original too."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(target, name)
        monkeypatch.setattr(target, name, lambda *a, **k: change(original, *a, **k))

    return apply


def _late(original: Any, rule: Rule, day: date) -> Any:
    """Sees a change of the law five days late."""
    return original(rule, day - timedelta(days=5) if day.year > 2020 else day)


DAY_US = 86_400_000_000
BROKEN: dict[str, tuple[Callable[[Any], None], dict[str, Any], dict[str, Any], str]] = {
    "opens a minute early": (
        broken(law_hours, "_spans", lambda f, h: [(a - 60_000_000, b) for a, b in f(h)]),
        EVENINGS_OFF,
        {},
        "hours",
    ),
    "forgets the ring time": (
        broken(law_hours.LawHours, "is_open", lambda f, s, z, at, _=0: f(s, z, at, 0)),
        EVENINGS_OFF,
        {"ring_s": 120},
        "hours",
    ),
    "takes holidays for workdays": (
        broken(DayKinds, "kind", lambda f, s, day: "workday"),
        SHORT_WEEKENDS,
        {},
        "hours",
    ),
    "looks at one zone only": (
        broken(law_hours.LawHours, "is_open", lambda f, s, z, at, n=0: f(s, z[:1], at, n)),
        EVENINGS_OFF,
        {"zones": ("Europe/Moscow", "Asia/Kamchatka")},
        "hours",
    ),
    "calls where no zone is known": (never_denies, EVENINGS_OFF, {"zones": ()}, "zone"),
    "allows one more": (
        broken(caps._Limit, "until", lambda f, s, z, c, at: f(s, z, c[1:], at)),
        capped(calendar="day"),
        {},
        "caps",
    ),
    "begins the week on another day": (
        broken(caps._Limit, "__init__", lambda f, s, rule, week: f(s, rule, (week + 3) % 7)),
        capped(calendar="week"),
        {},
        "caps",
    ),
    "takes 30 days for a month": (
        broken(caps._Limit, "_period_end", lambda f, s, z, m, w: m + 15 * DAY_US),
        capped(4, calendar="month"),
        {"days": 41},
        "caps",
    ),
    "counts a day in UTC": (
        broken(caps._Limit, "_period_end", lambda f, s, z, m, w: f(s, "UTC", m, w)),
        capped(calendar="day"),
        {"zones": ("Pacific/Kiritimati",), "step_s": (7_200, 14_400)},
        "caps",
    ),
    "rolls 23 hours for 24": (
        broken(caps._Limit, "_expires", lambda f, s, m, z: f(s, m, z) - 3_600_000_000),
        capped(rolling_hours="24"),
        {},
        "caps",
    ),
    "rolls one day less": (
        broken(caps._Limit, "_expires", lambda f, s, m, z: f(s, m, z) - DAY_US),
        capped(rolling_days="7"),
        {},
        "caps",
    ),
    "forgets the number that two contacts share": (
        broken(Memory, "since", lambda f, s, k, at: [] if k.kind == "number" else f(s, k, at)),
        capped(per=["number", "contact"], calendar="day"),
        {},
        "caps",
    ),
    "does not count what it does not know": (
        broken(
            caps._Limit,
            "_moments",
            lambda f, s, c: f(s, [one for one in c if one.events != 63]),
        ),
        capped(calendar="day"),
        {},
        "caps",
    ),
    "does not keep the gap": (
        broken(caps._Limit, "until", lambda f, s, z, c, at: f(s, z, c, at) - 600_000_000),
        small_pack(gaps=[{"per": "contact", "gap": "2h"}]),
        {},
        "gaps",
    ),
    "measures the gap from the start of the call": (
        broken(
            caps._Limit,
            "_moments",
            lambda f, s, c: f(s, [one._replace(ended_us=one.at_us) for one in c]),
        ),
        small_pack(gaps=[{"per": "contact", "gap": "2h"}]),
        {},
        "gaps",
    ),
    "rests one day less": (
        broken(caps._Limit, "_expires", lambda f, s, m, z: f(s, m, z) - DAY_US),
        small_pack(
            cool_offs=[
                {
                    "after": "conversation",
                    "days": "3",
                    "first_day_counts": "true",
                    "per": "account",
                }
            ]
        ),
        {},
        "cool_offs",
    ),
    "forgets the rest after an abandoned call": (
        broken(caps._Limit, "until", lambda f, s, z, c, at: 0),
        small_pack(cool_offs=[{"after": "abandon", "hours": "72", "per": "number"}]),
        {},
        "cool_offs",
    ),
    "needs no consent": (
        broken(gate, "_missing", lambda f, rule, call: ""),
        small_pack(require=[{"on_file": "said_yes"}]),
        {},
        "require",
    ),
    "does not look at flags": (
        broken(gate, "_missing", lambda f, rule, call: ""),
        small_pack(require=[{"not_flagged": "bankrupt"}]),
        {"flags": {"bankrupt"}},
        "require",
    ),
    "needs nothing attested": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(require=[{"attested": "licence"}]),
        {"facts": Facts()},
        "require",
    ),
    "does not care what is said": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(content=[{"say": "who_calls"}]),
        {"facts": Facts()},
        "content",
    ),
    "lets a threat be said": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(content=[{"never_say": "threat"}]),
        {"facts": Facts(says={"threat"})},
        "content",
    ),
    "hides the number": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(caller_id=[{"needs": ["shown"]}]),
        {"facts": Facts()},
        "caller_id",
    ),
    "shows a label too long": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(caller_id=[{"label_max_chars": "10"}]),
        {"label": "A very long name"},
        "caller_id",
    ),
    "gives up too early": (
        broken(gate.Gate, "_conduct_fault", lambda f, s, r, c: iter(())),
        small_pack(ring=[{"min": "20s"}]),
        {"ring_s": 12},
        "ring",
    ),
    "abandons too many": (
        never_denies,
        small_pack(
            abandonment=[{"max_ratio": "0.03", "window": {"calendar": "day"}, "grace": "2s"}]
        ),
        {"abandoned": {"t.abandonment-0": (100, 4)}},
        "abandonment",
    ),
    "calls who is stopped": (
        broken(Memory, "of", lambda f, s, call: []),
        EVENINGS_OFF,
        {"stops": {"+a": Stop("opt_out", "all campaigns", None, "attempt 1")}},
        "stop",
    ),
    "trusts an old pack": (
        never_denies,
        {**EVENINGS_OFF, "review_by": "2026-05-05"},
        {},
        "review",
    ),
    "calls by the law of yesterday": (
        broken(Rule, "valid_on", _late),
        small_pack(
            hours=[
                {
                    "days": "all",
                    "spans": [{"from": "06:00", "to": "23:00"}],
                    "valid_to": "2026-05-08",
                },
                {
                    "days": "all",
                    "spans": [{"from": "08:00", "to": "18:00"}],
                    "valid_from": "2026-05-09",
                },
            ]
        ),
        {},
        "hours",
    ),
    "takes an unknown region for another": (
        broken(gate, "not_about", lambda f, r, c: "elsewhere" if r.region else f(r, c)),
        small_pack(
            caps=[
                {
                    "region": "US-MA",
                    "counts": ["attempt"],
                    "per": "contact",
                    "window": {"calendar": "day"},
                    "max": "1",
                }
            ]
        ),
        {},
        "caps",
    ),
    "takes an unknown line for a landline": (
        broken(gate, "not_about", lambda f, r, c: "no" if r.line == "mobile" else f(r, c)),
        small_pack(require=[{"on_file": "said_yes", "line": "mobile"}]),
        {},
        "require",
    ),
    "lets a consent lift every rule": (
        broken(gate, "not_about", lambda f, r, c: "lifted" if c.consents else f(r, c)),
        capped(calendar="day"),
        {"consents": {"said_yes"}},
        "caps",
    ),
}


def world_of(pack: dict[str, Any], changes: dict[str, Any]) -> World:
    changes = dict(changes)
    facts, stops = changes.pop("facts", None), changes.pop("stops", {})
    step_s, days = changes.pop("step_s", (60, 4_000)), changes.pop("days", 24)
    people = [{**person("a"), **changes}, {**person("b", number="+a"), **changes}]
    return World(pack, people, utc("2026-04-20"), days, step_s, facts, stops)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_gate_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks, pack, changes, section = BROKEN[name]
    assert world_of(pack, changes).run(seed=3) == [], "the whole gate is lawful"
    breaks(monkeypatch)
    found = world_of(pack, changes).run(seed=3)
    assert {one for one, _ in found} >= {section}
