"""The gate against a judge that shares no code with it: whole logs and single verdicts."""

from __future__ import annotations

import pickle
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duecall.core.gate_types import Explanation, Snapshot, Stop
from duecall.core.local_day import to_us
from duecall.core.verdict import Allowed, Denied
from tests.core.rule_judge import Facts, Made, faults
from tests.core.rule_world import (
    EVENINGS_OFF,
    FATES,
    HANOI,
    SHORT_WEEKENDS,
    Memory,
    World,
    capped,
    gate_of,
    person,
    plain_pack,
    proposed,
    small_pack,
    utc,
    words,
)

PEOPLE = {
    "vn": [person("a"), person("b"), person("b", number="+b2"), person("c", number="+a")],
    "ru": [
        person("a", "Europe/Kaliningrad", consents={"mass_call_consent_126fz"}),
        person("b", "Asia/Kamchatka", consents={"mass_call_consent_126fz"}),
        person("b", "Asia/Kamchatka", "+b2", consents={"mass_call_consent_126fz"}),
        person("c", "Europe/Moscow", channels={"agent"}),
        person("d", "Europe/Moscow"),
        {
            **person("e", consents={"mass_call_consent_126fz"}),
            "zones": ("Europe/Kaliningrad", "Asia/Vladivostok"),
        },
    ],
    "cn": [
        person("a", "Asia/Shanghai"),
        person("b", "Asia/Shanghai", channels={"ai_agent"}),
        person("c", "Asia/Shanghai", consents={"consent_time_agreed"}),
    ],
    "us": [
        person("a", "America/New_York", channels={"agent"}, regions={"US-NY"}),
        person("b", "America/Los_Angeles", consents={"prior_express_consent"}),
        person("c", "America/Denver", line="landline", regions={"US-CO"}),
        person("d", "America/Denver", line="mobile"),
        person("e", "America/New_York", regions={"US-MA"}, channels={"agent"}),
    ],
    "gb": [person("a", "Europe/London"), person("b", "Europe/London", flags={"breathing_space"})],
}


@pytest.mark.parametrize("name", sorted(PEOPLE))
@pytest.mark.parametrize("start", ["2026-10-10", "2026-03-01"])
def test_no_pack_is_broken_in_weeks_of_calls(name: str, start: str) -> None:
    world = World(plain_pack(name), PEOPLE[name], utc(start), days=40, step_s=(60, 5_000))
    assert world.run(seed=1) == []
    assert world.needless == []
    assert len(world.log) > 25, "a gate that allows nothing proves nothing"


def answer(
    pack: dict[str, Any], made: Made, memory: Memory | None = None, **facts: Any
) -> Explanation:
    memory = memory or Memory()
    chosen = gate_of(pack, Facts(**facts) if facts else words(pack))
    told = chosen.explain(proposed(made), memory, memory, made.at)
    assert chosen.check(proposed(made), memory, memory, made.at) == told.verdict
    return told


def in_hanoi(at: str, **changes: Any) -> Made:
    return Made(at=utc(at), **{**person("a"), **changes})


def test_why_names_every_rule_in_order_with_its_values() -> None:
    pack = plain_pack("vn")
    memory = Memory()
    for hour in (2, 5):
        made = in_hanoi(f"2026-11-23 0{hour}:00")
        made.events, made.became, made.ended = {"attempt"}, {"prerecorded"}, made.at
        memory.add(made)
    told = answer(pack, in_hanoi("2026-11-23 06:00"), memory)
    assert told.deciding is not None
    assert told.deciding.rule == "vn.gap"
    assert told.verdict == Denied(
        "vn.gap: too soon after the last call, by contact", utc("2026-11-23 07:00"), "vn.gap"
    )
    by_rule = {one.rule: one for one in told.findings}
    assert dict(by_rule["vn.calls-day"].values) == {"by": "contact", "used": "2", "of": "3"}
    assert dict(by_rule["vn.hours"].values)["local time"] == f"Mon 2026-11-23 13:00:00 {HANOI}"
    assert by_rule["vn.ads-day"].reason == "only for marketing"
    assert not by_rule["vn.ads-day"].applies
    every = {rule["id"] for name in pack for rule in pack[name] if isinstance(pack[name], list)}
    silent = {"retention", "duties"}
    untold = {rule["id"] for name in silent for rule in pack[name]}
    assert set(by_rule) == every - untold - {"vn.abandoned"} | {"review_by"}


def test_a_stop_comes_first_and_is_for_ever_unless_it_ends() -> None:
    memory = Memory()
    at = in_hanoi("2026-11-23 20:00")
    memory.stopped["+a"] = Stop("dnc", "all campaigns", None, "file dnc.csv")
    told = answer(EVENINGS_OFF, at, memory)
    assert told.verdict == Denied("stopped for all campaigns: dnc (file dnc.csv)", None, "stop.dnc")
    memory.stopped["+a"] = Stop("dispute", "contract C-1", to_us(utc("2026-11-25 18:00")), "Anna")
    told = answer(EVENINGS_OFF, at, memory)
    assert told.verdict == Denied(
        "stopped for contract C-1: dispute (Anna)", utc("2026-11-26 01:00"), "stop.dispute"
    ), "the stop ends in the night: hours decide then"
    memory.stopped["+a"] = Stop("dispute", "contract C-1", to_us(at.at), "Anna")
    told = answer(EVENINGS_OFF, at, memory)
    assert told.verdict == Denied(
        "t.hours-0: outside calling hours", utc("2026-11-24 01:00"), "t.hours-0"
    )
    assert told.findings[0].reason.endswith("expired")


def test_a_pack_past_its_review_does_not_dial_and_says_so() -> None:
    pack = {**EVENINGS_OFF, "review_by": "2026-11-22"}
    told = answer(pack, in_hanoi("2026-11-23 03:00"))
    assert isinstance(told.verdict, Denied)
    assert told.verdict.reason == (
        "the rules of test were to be reviewed by 2026-11-22: have them checked by a lawyer"
    )
    assert told.verdict.until == utc("2026-11-24 03:00")
    assert answer(pack, in_hanoi("2026-11-22 03:00")).verdict == Allowed()


def test_a_clock_before_the_law_does_not_dial() -> None:
    told = answer(EVENINGS_OFF, in_hanoi("2019-12-31 03:00"))
    assert isinstance(told.verdict, Denied)
    assert told.verdict.reason == (
        "the rules of test begin on 2020-01-01, and it is 2019-12-31: is the clock right?"
    )


def test_a_number_without_a_zone_is_not_called_and_why_says_so() -> None:
    told = answer(plain_pack("vn"), in_hanoi("2026-11-23 03:00", zones=()))
    assert told.verdict == Denied("time zone unknown: give the contact a zone", None, "zone")


def test_a_zone_that_this_machine_lacks_is_looked_at_again() -> None:
    told = answer(EVENINGS_OFF, in_hanoi("2026-11-23 03:00", zones=("Mars/Olympus",)))
    assert told.verdict == Denied(
        "a time zone of the number is not known here: install tzdata",
        utc("2026-11-24 03:00"),
        "zone",
    )


def test_a_stop_that_ends_in_a_zone_that_is_not_known() -> None:
    memory, made = Memory(), in_hanoi("2026-11-23 03:00", zones=("Mars/Olympus",))
    memory.stopped["+a"] = Stop("dispute", "C-1", to_us(utc("2026-11-30 18:00")), "Anna")
    told = answer(EVENINGS_OFF, made, memory)
    assert told.verdict == Denied(
        "stopped for C-1: dispute (Anna)", utc("2026-11-30 18:00"), "stop.dispute"
    )


def test_a_call_without_the_key_that_a_cap_counts_by_is_not_made() -> None:
    made = in_hanoi("2026-11-23 03:00", keys={("number", "+a")})
    told = answer(capped(calendar="day"), made)
    assert told.verdict == Denied(
        "t.caps-0: the call names no contact, by which this rule counts",
        utc("2026-11-24 03:00"),
        "t.caps-0",
    )


def test_the_operators_table_of_days_decides() -> None:
    sunday = in_hanoi("2026-11-22 01:30")  # 08:30 in Hanoi
    told = answer(SHORT_WEEKENDS, sunday)
    assert told.verdict == Denied(
        "t.hours-1: outside calling hours", utc("2026-11-22 03:00"), "t.hours-1"
    )
    assert answer(SHORT_WEEKENDS, sunday, working={date(2026, 11, 22)}).verdict == Allowed()
    monday = in_hanoi("2026-11-23 01:30")
    assert answer(SHORT_WEEKENDS, monday).verdict == Allowed()
    told = answer(SHORT_WEEKENDS, monday, off={date(2026, 11, 23)})
    assert told.verdict == Denied(
        "t.hours-1: outside calling hours", utc("2026-11-23 03:00"), "t.hours-1"
    )


def test_hours_that_never_meet_are_said() -> None:
    zones = ("Europe/Moscow", "Pacific/Honolulu")
    short = small_pack(hours=[{"days": "all", "spans": [{"from": "10:00", "to": "12:00"}]}])
    told = answer(short, in_hanoi("2026-11-23 08:00", zones=zones))
    assert isinstance(told.verdict, Denied)
    assert told.verdict.until is None
    assert "no hour fits all 2 zones" in told.verdict.reason


QUARTER = timedelta(minutes=15)
MONDAY = utc("2026-10-19 00:00")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["vn", "ru", "cn", "us", "gb"]),
    who=st.integers(0, 5),
    now=st.integers(0, 96 * 9),
    past=st.lists(
        st.tuples(st.integers(-96 * 32, 0), st.integers(0, 7), st.integers(0, 5)), max_size=9
    ),
)
def test_until_is_the_first_moment_at_which_the_judge_agrees(
    name: str, who: int, now: int, past: list[tuple[int, int, int]]
) -> None:
    pack, people = plain_pack(name), PEOPLE[name]
    facts, memory, log = words(pack), Memory(), []
    at = MONDAY + now * QUARTER
    for back, fate, other in sorted(past):
        events, minutes = FATES[fate]
        made = Made(at=at + back * QUARTER, **people[other % len(people)])
        made.events, made.ended = set(events), made.at + timedelta(minutes=15 * bool(minutes))
        made.became = set(made.channels)
        log.append(made)
        memory.add(made)
    call = Made(at=at, **{**people[who % len(people)], "ring_s": 60 * 15 - 1})
    mine = gate_of(pack, facts)
    verdict = mine.check(proposed(call), memory, memory, at)
    told = mine.explain(proposed(call), memory, memory, at)
    assert told.verdict == verdict
    if isinstance(verdict, Allowed):
        assert not list(faults(pack, facts, call, log))
        return
    assert verdict.until is not None
    mendable = any(one.denies and one.kind == "require" for one in told.findings)
    if mendable:
        assert verdict.until >= at + timedelta(days=1)
        return
    while list(faults(pack, facts, call, log)):
        call.at += QUARTER
    assert verdict.until == call.at


def test_ten_questions_to_the_history_are_not_asked() -> None:
    memory = Memory()
    made = in_hanoi("2026-11-23 03:00")
    gate_of(plain_pack("vn"), words(plain_pack("vn"))).check(
        proposed(made), memory, memory, made.at
    )
    assert memory.asked == 2, "number and contact; no rule counts by account"


def test_a_snapshot_of_what_the_store_read_decides_the_same() -> None:
    pack, memory = plain_pack("vn"), Memory()
    chosen = gate_of(pack, words(pack))
    made = in_hanoi("2026-11-23 03:00")
    made.ended = made.at
    memory.add(made)
    call = proposed(in_hanoi("2026-11-23 03:30"))
    assert chosen.reach_us()["account"] == 0
    assert chosen.reach_us()["number"] > 24 * 3_600_000_000
    seen = Snapshot({key: tuple(memory.calls[key]) for key in call.keys})
    now = utc("2026-11-23 03:30")
    verdict = chosen.check(call, seen, seen, now)
    assert isinstance(verdict, Denied)
    assert verdict == chosen.check(call, memory, memory, now)
    stopped = Snapshot(seen.calls, (Stop("opt_out", "all campaigns", None, "attempt 1"),))
    assert chosen.check(call, stopped, stopped, now) == Denied(
        "stopped for all campaigns: opt_out (attempt 1)", None, "stop.opt_out"
    )


def test_a_gate_of_the_journal_decides_the_same() -> None:
    pack, memory = plain_pack("ru"), Memory()
    chosen = gate_of(pack, words(pack))
    again = pickle.loads(pickle.dumps(chosen))
    for hour in range(24):
        made = Made(utc(f"2026-11-21 {hour:02}:30"), **PEOPLE["ru"][0])
        told = chosen.explain(proposed(made), memory, memory, made.at)
        assert again.explain(proposed(made), memory, memory, made.at) == told
