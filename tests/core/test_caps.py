"""Caps, gaps and cool-offs: the edges by hand, random histories against the slow judge."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core.call_events import (
    ABANDON,
    AGENT,
    ALL_CHANNELS,
    ALL_EVENTS,
    ATTEMPT,
    CONVERSATION,
    LIVE,
    MESSAGE,
    PRERECORDED,
    CallKey,
    channels_of,
    events_of,
)
from duecall.core.caps import Caps
from duecall.core.local_day import from_us, to_us
from duecall.core.outcome import Outcome
from duecall.core.rule_pack import RulePack
from duecall.core.verdict import Allowed, Denied, Verdict
from tests.core.rule_judge import Made, counted_faults
from tests.core.rule_world import Memory, small_pack

UTC = timezone.utc
HANOI = "Asia/Ho_Chi_Minh"
WHO = {("number", "+1"), ("contact", "anna"), ("account", "C-1")}
KEYS = [CallKey(kind, value) for kind, value in sorted(WHO)]  # type: ignore[arg-type]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def check(
    pack: dict[str, Any], past: list[Made], at: str, zones: tuple[str, ...] = (HANOI,)
) -> Verdict:
    memory = Memory()
    for made in past:
        memory.add(made)
    model = RulePack.model_validate(pack)
    caps = Caps.of(model, model.calendar.week_start)
    return caps.check(KEYS, zones, memory, to_us(utc(at)))


def call(at: str, ended: str = "", **changes: Any) -> Made:
    made = Made(utc(at), WHO, (HANOI,), {"prerecorded"}, utc(ended or at))
    made.events, made.became = {"attempt"}, {"prerecorded"}
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def cap(most: int = 1, counts: str = "attempt", **changes: Any) -> dict[str, Any]:
    window = changes.pop("window", {"calendar": "day"})
    rule = {"counts": [counts], "per": "contact", "window": window, "max": str(most)}
    calendar = {"week_start": changes.pop("week_start", "mon")}
    return small_pack(caps=[{**rule, **changes}], calendar=calendar)


@pytest.mark.parametrize(
    ("window", "free"),
    [
        ({"calendar": "day"}, "2026-11-25 17:00"),  # midnight in Hanoi
        ({"calendar": "week"}, "2026-11-29 17:00"),  # Monday the 30th
        ({"calendar": "month"}, "2026-11-30 17:00"),
        ({"rolling_hours": "24"}, "2026-11-26 03:00"),
        ({"rolling_days": "1"}, "2026-11-25 17:00"),
        ({"rolling_days": "7"}, "2026-12-01 17:00"),  # the 25th is the first of seven days
    ],
)
def test_a_cap_frees_to_the_microsecond(window: dict[str, str], free: str) -> None:
    past = [call("2026-11-25 03:00")]
    pack = cap(window=window)
    assert check(pack, past, "2026-11-25 04:00").until == utc(free)  # type: ignore[union-attr]
    early = (utc(free) - timedelta(microseconds=1)).isoformat()[:-6]
    assert isinstance(check(pack, past, early), Denied)
    assert check(pack, past, free) == Allowed()


def test_a_week_begins_where_the_pack_says() -> None:
    past = [call("2026-11-25 03:00")]  # a Wednesday
    pack = cap(window={"calendar": "week"}, week_start="sun")
    verdict = check(pack, past, "2026-11-25 04:00")
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-11-28 17:00")  # Sunday in Hanoi


def test_the_reason_names_rule_count_key_and_window() -> None:
    past = [call("2026-11-25 03:00"), call("2026-11-25 03:30")]
    verdict = check(cap(2), past, "2026-11-25 04:00")
    assert isinstance(verdict, Denied)
    assert verdict.reason == "t.caps-0: 2 of 2 calls used, by contact, in a calendar day"


def test_it_is_the_newest_but_so_many_that_frees() -> None:
    past = [call(f"2026-11-25 0{hour}:00") for hour in range(6)]
    pack = cap(3, window={"rolling_hours": "24"})
    verdict = check(pack, past, "2026-11-25 06:00")
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-11-26 03:00")


def test_monday_talk_next_monday_call() -> None:
    talk = call("2026-11-23 03:00", events={"attempt", "live", "conversation"})
    for counts, free in (("true", "2026-11-29 17:00"), ("false", "2026-11-30 17:00")):
        rule = {"after": "conversation", "days": "7", "first_day_counts": counts}
        pack = small_pack(cool_offs=[{**rule, "per": "account"}])
        verdict = check(pack, [talk], "2026-11-24 03:00")
        assert verdict == Denied("t.cool_offs-0: rest after conversation, by account", utc(free))
        assert check(pack, [call("2026-11-23 03:00")], "2026-11-24 03:00") == Allowed()


def test_a_gap_runs_from_the_end_of_the_call() -> None:
    pack = small_pack(gaps=[{"per": "contact", "gap": "2h"}])
    past = [call("2026-11-25 03:00", "2026-11-25 03:40")]
    assert check(pack, past, "2026-11-25 05:00") == Denied(
        "t.gaps-0: too soon after the last call, by contact", utc("2026-11-25 05:40")
    )
    assert check(pack, past, "2026-11-25 05:40") == Allowed()


def test_a_call_ahead_of_the_clock_counts() -> None:
    past = [call("2026-11-25 03:05")]  # another daemon's clock is fast
    assert isinstance(check(cap(), past, "2026-11-25 03:00"), Denied)


def test_in_two_zones_the_later_midnight_frees() -> None:
    zones = ("Europe/Kaliningrad", "Asia/Kamchatka")  # UTC+2, UTC+12
    verdict = check(cap(), [call("2026-11-25 03:00")], "2026-11-25 04:00", zones)
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-11-25 22:00")


def test_a_rule_that_ends_frees_and_one_that_begins_denies() -> None:
    month = {"calendar": "month"}
    past = [call("2026-11-25 03:00")]
    ends = cap(window=month, valid_to="2026-11-26")
    verdict = check(ends, past, "2026-11-25 04:00")
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-11-26 17:00")
    begins = cap(window=month, valid_from="2026-11-26")
    begins["caps"].append({**ends["caps"][0], "id": "t.old", "window": {"calendar": "day"}})
    verdict = check(begins, past, "2026-11-25 04:00")
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-11-30 17:00"), "the new rule denies when the old one frees"


def test_no_midnight_on_the_day_the_clocks_go_on() -> None:
    # In Beirut 00:00 became 01:00 on 2026-03-29: the day begins at 22:00 UTC of the 28th.
    past = [call("2026-03-28 10:00")]
    verdict = check(cap(), past, "2026-03-28 12:00", ("Asia/Beirut",))
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2026-03-28 22:00")


def test_the_day_that_the_date_line_took_away() -> None:
    # Apia went from the 29th of December 2011 to the 31st.
    past = [call("2011-12-30 00:00")]
    pack = cap(valid_from="2000-01-01")
    verdict = check(pack, past, "2011-12-30 05:00", ("Pacific/Apia",))
    assert isinstance(verdict, Denied)
    assert verdict.until == utc("2011-12-30 10:00")


@pytest.mark.parametrize(
    ("outcome", "rang", "heard_ms", "events"),
    [
        (None, False, 0, ALL_EVENTS),
        (Outcome.UNKNOWN, False, 0, ALL_EVENTS),
        (Outcome.BUSY, False, 0, 0),
        (Outcome.BUSY, True, 0, ATTEMPT),
        (Outcome.NO_ANSWER, False, 0, ATTEMPT),
        (Outcome.REJECTED, False, 0, ATTEMPT),
        (Outcome.INVALID, False, 0, 0),
        (Outcome.CONGESTION, False, 0, 0),
        (Outcome.HUNG_UP, True, 900, ATTEMPT | LIVE | MESSAGE),
        (Outcome.DELIVERED, True, 9_000, ATTEMPT | LIVE | MESSAGE),
        (Outcome.TRANSFERRED, True, 9_000, ATTEMPT | LIVE | MESSAGE | CONVERSATION),
        (Outcome.PROMISED, True, 9_000, ATTEMPT | LIVE | MESSAGE | CONVERSATION),
        (Outcome.SCRIPT_ERROR, True, 0, ATTEMPT | LIVE | ABANDON),
    ],
)
def test_what_an_outcome_counts_as(
    outcome: Outcome | None, rang: bool, heard_ms: int, events: int
) -> None:
    assert events_of(outcome, rang=rang, heard_ms=heard_ms) == events


@pytest.mark.parametrize(
    ("planned", "outcome", "channels"),
    [
        (PRERECORDED | AGENT, Outcome.DELIVERED, PRERECORDED),
        (PRERECORDED | AGENT, Outcome.TRANSFERRED, PRERECORDED | AGENT),
        (PRERECORDED | AGENT, None, ALL_CHANNELS),
        (PRERECORDED, Outcome.UNKNOWN, ALL_CHANNELS),
        (AGENT, Outcome.NO_ANSWER, AGENT),
    ],
)
def test_which_channels_a_call_became(planned: int, outcome: Outcome | None, channels: int) -> None:
    assert channels_of(planned, outcome) == channels


def test_every_outcome_is_of_some_known_class() -> None:
    for outcome in Outcome:
        for rang in (False, True):
            assert 0 <= events_of(outcome, rang=rang) <= ALL_EVENTS


QUARTER = timedelta(minutes=15)
ZONES = [
    "Asia/Ho_Chi_Minh",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/London",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Nuuk",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
]
WINDOWS = st.one_of(
    st.sampled_from(["day", "week", "month"]).map(lambda unit: {"calendar": unit}),
    st.integers(1, 80).map(lambda n: {"rolling_hours": str(n)}),
    st.integers(1, 9).map(lambda n: {"rolling_days": str(n)}),
)
EVENTS = st.sampled_from(["attempt", "live", "conversation", "message", "abandon"])
PER = st.lists(
    st.sampled_from(["number", "contact", "account"]), min_size=1, max_size=2, unique=True
)
CAPS = st.fixed_dictionaries(
    {
        "counts": st.lists(EVENTS, min_size=1, max_size=2, unique=True),
        "per": PER,
        "window": WINDOWS,
        "max": st.integers(1, 4).map(str),
    },
    optional={"valid_to": st.sampled_from(["2026-03-27", "2026-10-26"])},
)
COOL_OFFS = st.one_of(
    st.fixed_dictionaries(
        {
            "after": EVENTS,
            "per": PER,
            "days": st.integers(1, 8).map(str),
            "first_day_counts": st.sampled_from(["true", "false"]),
        }
    ),
    st.fixed_dictionaries({"after": EVENTS, "per": PER, "hours": st.integers(1, 90).map(str)}),
)
GAPS = st.fixed_dictionaries({"per": PER, "gap": st.integers(1, 40).map(lambda n: f"{n * 15}m")})


@st.composite
def histories(draw: st.DrawFn) -> list[Made]:
    found = []
    for _ in range(draw(st.integers(0, 14))):
        at = draw(st.integers(-96 * 9, 4))
        keys = {pair for pair in sorted(WHO) if draw(st.booleans())} | {("contact", "other")}
        events = draw(st.sets(EVENTS))
        found.append((at, draw(st.integers(0, 5)), keys, events))
    return found  # type: ignore[return-value]


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from(["2026-03-27", "2026-10-23", "2026-04-24", "2026-11-30", "2026-12-31"]),
    quarter=st.integers(0, 96 * 3),
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True),
    caps=st.lists(CAPS, max_size=3),
    cool_offs=st.lists(COOL_OFFS, max_size=2),
    gaps=st.lists(GAPS, max_size=1),
    week_start=st.sampled_from(["mon", "sun", "sat"]),
    past=histories(),
)
def test_random_histories_against_the_judge(
    start: str,
    quarter: int,
    zones: list[str],
    caps: list[Any],
    cool_offs: list[Any],
    gaps: list[Any],
    week_start: str,
    past: list[Any],
) -> None:
    pack = small_pack(
        caps=caps, cool_offs=cool_offs, gaps=gaps, calendar={"week_start": week_start}
    )
    now = utc(start) + quarter * QUARTER
    memory, log = Memory(), []
    for at, length, keys, events in past:
        if at > 0:
            continue  # ahead of the clock: tested above
        made = Made(now + at * QUARTER, keys, tuple(zones), {"agent"})
        made.ended = made.at + length * QUARTER
        made.events, made.became = events, {"agent"}
        log.append(made)
        memory.add(made)
    model = RulePack.model_validate(pack)
    verdict = Caps.of(model, model.calendar.week_start).check(
        KEYS, tuple(zones), memory, to_us(now)
    )
    call = Made(now, WHO, tuple(zones), {"agent"})
    while list(counted_faults(pack, call, log)):
        call.at += QUARTER
    if call.at == now:
        assert verdict == Allowed()
    else:
        assert isinstance(verdict, Denied)
        assert verdict.until == call.at


def test_microseconds_survive() -> None:
    at = datetime(2026, 11, 25, 3, 4, 5, 678_901, tzinfo=UTC)
    assert from_us(to_us(at)) == at
    with pytest.raises(ValueError, match="without a zone"):
        to_us(at.replace(tzinfo=None))
