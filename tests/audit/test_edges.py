"""The exact edges of rules: the last moment that is wrong, and the first that is right."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from duecall.audit.rules import Pack, RuleSet
from duecall.audit.wall import Days
from duecall.core.local_day import DayKinds, to_us
from duecall.core.rule_pack import PackCalendar
from tests.audit.test_proofs import SECOND, Small
from tests.core.rule_world import capped, small_pack, utc

HANOI_H = 7


def at(text: str) -> int:
    """Microseconds of a moment by the clock in Hanoi."""
    return to_us(utc(text)) - HANOI_H * 3_600 * SECOND


def breaks(pack: dict[str, Any], calls: list[tuple[int, str]], zones: tuple[str, ...] = ()) -> bool:
    """Whether the last of these calls of 20 s breaks a rule; no other may. (moment, outcome)"""
    small = Small(pack)
    for number, (moment, outcome) in enumerate(calls):
        small.call(f"a{number}", moment)
        if zones:
            call = small.log.calls[-1]
            call = call._replace(grounds=small.in_zones(zones))
            small.log.calls[-1] = call
        small.end(f"a{number}", moment + 20 * SECOND, outcome)
    found = {attempt for law, _, attempt in small.found() if law in ("L2", "L3", "L8")}
    assert found <= {f"a{len(calls) - 1}"}
    return bool(found)


DAYTIME = small_pack(hours=[{"days": "all", "spans": [{"from": "08:00", "to": "21:00"}]}])


@pytest.mark.parametrize(
    ("moment", "broken"),
    [
        ("2026-11-23 07:59:59.999999", True),
        ("2026-11-23 08:00:00", False),
        ("2026-11-23 20:59:29.999999", False),  # it rings for 30 s
        ("2026-11-23 20:59:30", True),
        ("2026-11-23 21:00:00", True),
    ],
)
def test_hours_end_when_the_phone_has_stopped_ringing(moment: str, broken: bool) -> None:
    assert breaks(DAYTIME, [(at(moment), "busy")]) == broken


def test_hours_that_end_between_two_minutes() -> None:
    pack = small_pack(hours=[{"days": "all", "spans": [{"from": "08:00:30", "to": "20:59:45"}]}])
    assert breaks(pack, [(at("2026-11-23 08:00:29"), "busy")])
    assert not breaks(pack, [(at("2026-11-23 08:00:30"), "busy")])
    assert not breaks(pack, [(at("2026-11-23 20:59:14"), "busy")])
    assert breaks(pack, [(at("2026-11-23 20:59:15"), "busy")])


@pytest.mark.parametrize(
    ("section", "rule", "first", "last_wrong"),
    [
        ("gaps", {"gap": "2h"}, "2026-11-23 10:00:00", "2026-11-23 12:00:19.999999"),
        ("cool_offs", {"after": "attempt", "hours": "5"}, "2026-11-23 10:00",
         "2026-11-23 15:00:19.999999"),
        ("cool_offs", {"after": "attempt", "days": "2"}, "2026-11-23 10:00",
         "2026-11-24 23:59:59.999999"),
        ("cool_offs", {"after": "attempt", "days": "2", "first_day_counts": "no"},
         "2026-11-23 10:00", "2026-11-25 23:59:59.999999"),
        ("cool_offs", {"after": "attempt", "days": "1"}, "2026-11-23 23:59:50",
         "2026-11-24 23:59:59.999999"),  # it ended after midnight
        ("caps", {"rolling_hours": "24"}, "2026-11-23 10:00", "2026-11-24 09:59:59.999999"),
        ("caps", {"rolling_days": "3"}, "2026-11-23 10:00", "2026-11-25 23:59:59.999999"),
        ("caps", {"calendar": "day"}, "2026-11-23 10:00", "2026-11-23 23:59:59.999999"),
        ("caps", {"calendar": "week"}, "2026-11-23 10:00", "2026-11-29 23:59:59.999999"),
        ("caps", {"calendar": "month"}, "2026-11-23 10:00", "2026-11-30 23:59:59.999999"),
        ("caps", {"calendar": "month"}, "2026-12-01 00:00", "2026-12-31 23:59:59.999999"),
    ],
)  # fmt: skip
def test_what_counts_is_free_at_the_very_microsecond(
    section: str, rule: dict[str, Any], first: str, last_wrong: str
) -> None:
    pack = (
        capped(1, per="number", **rule)
        if section == "caps"
        else small_pack(**{section: [{"per": "number", **rule}]})
    )
    calls = [(at(first), "no_answer")]
    assert breaks(pack, [*calls, (at(last_wrong), "busy")])
    assert not breaks(pack, [*calls, (at(last_wrong) + 1, "busy")])


def test_a_week_begins_when_the_pack_says() -> None:
    saturday, sunday, monday = (at(f"2026-11-{day} 10:00") for day in (28, 29, 30))
    pack = capped(1, per="number", calendar="week")
    assert breaks(pack, [(saturday, "no_answer"), (sunday, "busy")])
    assert not breaks(pack, [(sunday, "no_answer"), (monday, "busy")])
    american = {**pack, "calendar": {"week_start": "sun"}}
    assert not breaks(american, [(saturday, "no_answer"), (sunday, "busy")])
    assert breaks(american, [(sunday, "no_answer"), (monday, "busy")])


def test_a_day_is_over_when_it_is_over_in_every_zone() -> None:
    pack = capped(1, per="number", calendar="day")
    calls = [(at("2026-11-23 10:00"), "no_answer"), (at("2026-11-24 01:00"), "busy")]
    assert not breaks(pack, calls)
    assert breaks(pack, calls, ("Asia/Ho_Chi_Minh", "Europe/Berlin"))
    assert breaks(pack, calls, ("Europe/Berlin", "Asia/Ho_Chi_Minh"))


def test_a_bound_looks_back_as_many_days_as_it_says() -> None:
    """By the lender's days, which are those of UTC here."""
    rule = {"max_ratio": "0.5", "grace": "2s", "window": {"rolling_days": "3"}}
    pack = small_pack(abandonment=[rule])
    lost = (to_us(utc("2026-11-23 10:00")), "unknown")
    assert breaks(pack, [lost, (to_us(utc("2026-11-25 23:59:59")), "busy")])
    assert not breaks(pack, [lost, (to_us(utc("2026-11-26 00:00:00")), "busy")])
    assert not breaks(pack, [lost, (lost[0] + 70 * SECOND, "busy")]), "not everybody knew yet"
    assert breaks(pack, [lost, (lost[0] + 80 * SECOND, "busy")])


@pytest.mark.parametrize("country", ["VN", "RU", "CN", "US", "GB", ""])
@pytest.mark.parametrize("weekend", [("sat", "sun"), ("fri",)])
def test_every_day_of_three_years_is_of_the_kind_that_the_gate_takes_it_for(
    country: str, weekend: tuple[str, ...]
) -> None:
    off, working = date(2026, 5, 4), date(2026, 5, 9)
    table = PackCalendar.model_validate({"weekend": weekend, "holidays": country})
    gate = DayKinds(table, frozenset((off,)), frozenset((working,)))
    numbers = frozenset(["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(n) for n in weekend)
    rules = RuleSet(
        Pack("x", (), weekend=numbers, holidays=country),
        frozenset((off.toordinal(),)),
        frozenset((working.toordinal(),)),
    )
    days = Days(rules)
    for number in range(3 * 365):
        day = date(2025, 1, 1) + timedelta(days=number)
        assert days.kind(day.toordinal()) == gate.kind(day), day
