"""Lawful hours: edges by hand, and every random opening against a judge that steps minutes."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core.callee_zones import line_of, zones_of
from duecall.core.campaign import Calendar
from duecall.core.law_hours import LawHours
from duecall.core.local_day import DayKinds, from_us, local_date, to_us
from duecall.core.rule_pack import RulePack
from tests.core.rule_judge import WEEK, Facts, Made, kind_of_day, wall_open
from tests.core.rule_world import COMMON, plain_pack, small_pack

UTC = timezone.utc
HANOI = "Asia/Ho_Chi_Minh"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def law(pack: dict[str, Any], calendar: Calendar | None = None, facts: Facts = Facts()) -> LawHours:
    model = RulePack.model_validate(pack)
    kinds = DayKinds(model.calendar, frozenset(facts.off), frozenset(facts.working))
    about_debts = [rule for rule in model.hours if rule.purpose is None]
    return LawHours(about_debts, kinds, calendar)


def opening(hours: LawHours, zones: tuple[str, ...], at: str, ring_s: int = 0) -> datetime | None:
    found = hours.opening(zones, to_us(utc(at)), ring_s * 1_000_000)
    at_once = hours.is_open(zones, to_us(utc(at)), ring_s * 1_000_000)
    assert at_once == (found == to_us(utc(at)))
    return None if found is None else from_us(found)


def daily(start: str, end: str, **changes: str) -> dict[str, Any]:
    return small_pack(hours=[{"days": "all", "spans": [{"from": start, "to": end}], **changes}])


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-22 23:59:59.999999", "2026-11-23 00:00"),  # 07:00 in Hanoi
        ("2026-11-23 00:00", "2026-11-23 00:00"),
        ("2026-11-23 13:59:29.999999", "2026-11-23 13:59:29.999999"),
        ("2026-11-23 13:59:30", "2026-11-24 00:00"),  # would ring at 21:00:00
    ],
)
def test_the_edges_and_the_ring_time(at: str, opens: str) -> None:
    assert opening(law(plain_pack("vn")), (HANOI,), at, ring_s=30) == utc(opens)


def test_russian_workdays_weekends_and_holidays() -> None:
    hours, moscow = law(plain_pack("ru")), ("Europe/Moscow",)
    assert opening(hours, moscow, "2026-11-21 05:30") == utc("2026-11-21 06:00")  # Saturday: 09:00
    assert opening(hours, moscow, "2026-11-23 05:00") == utc("2026-11-23 05:00")  # Monday: 08:00
    assert opening(hours, moscow, "2026-11-04 17:00") == utc("2026-11-05 05:00")  # a holiday: 20:00
    assert opening(hours, moscow, "2026-11-05 17:00") == utc("2026-11-05 17:00")


def test_a_moved_chinese_working_day_and_a_new_decree() -> None:
    pack = small_pack(
        hours=[
            {"days": "workday", "spans": [{"from": "08:00", "to": "20:00"}]},
            {"days": ["weekend", "holiday"], "spans": []},
        ],
        calendar={"holidays": "CN"},
    )
    shanghai = ("Asia/Shanghai",)
    assert opening(law(pack), shanghai, "2026-10-10 03:00") == utc("2026-10-10 03:00")  # Saturday
    assert opening(law(pack), shanghai, "2026-10-17 03:00") == utc("2026-10-19 00:00")
    decree = Facts(off={date(2026, 10, 19)}, working={date(2026, 10, 18)})
    hours = law(pack, facts=decree)
    assert opening(hours, shanghai, "2026-10-17 03:00") == utc("2026-10-18 00:00")
    assert opening(hours, shanghai, "2026-10-18 13:00") == utc("2026-10-20 00:00")


def test_the_night_the_clocks_change() -> None:
    hours, berlin = law(daily("02:30", "04:00")), ("Europe/Berlin",)
    # 2026-03-29: 02:00 becomes 03:00. What the clock shows first within the hours is 03:00.
    assert opening(hours, berlin, "2026-03-29 00:30") == utc("2026-03-29 01:00")
    # 2026-10-25: 02:00-03:00 comes twice, and 02:30 is within the hours both times.
    assert opening(hours, berlin, "2026-10-25 00:00") == utc("2026-10-25 00:30")
    assert opening(hours, berlin, "2026-10-25 01:00") == utc("2026-10-25 01:30")


def test_half_hours_quarters_and_the_date_line() -> None:
    hours = law(daily("08:00", "21:00"))
    assert opening(hours, ("Asia/Kathmandu",), "2026-11-23 00:00") == utc("2026-11-23 02:15")
    assert opening(hours, ("Asia/Kolkata",), "2026-11-23 00:00") == utc("2026-11-23 02:30")
    # Apia had no 30th of December 2011: Thursday 21:00 was UTC Friday 07:00.
    old = law(daily("08:00", "21:00", valid_from="2000-01-01"))
    assert opening(old, ("Pacific/Apia",), "2011-12-30 07:00") == utc("2011-12-30 18:00")


def test_without_hours_the_day_is_open_and_the_campaign_decides() -> None:
    none = plain_pack("none")
    assert opening(law(none), (HANOI,), "2026-11-23 20:00", 3_000) == utc("2026-11-23 20:00")
    calendar = Calendar.model_validate(
        {"hours": [{"from": "08:00", "to": "24:00"}], "weekdays": ["mon", "tue"]}
    )
    hours = law(none, calendar)
    assert opening(hours, (HANOI,), "2026-11-23 17:00") == utc("2026-11-24 01:00")
    assert opening(hours, (HANOI,), "2026-11-25 17:00") == utc("2026-11-30 01:00")


def test_a_campaign_is_narrower_than_the_law_and_never_wider() -> None:
    calendar = Calendar.model_validate(
        {"hours": [{"from": "05:00", "to": "07:30"}, {"from": "20:00", "to": "23:00"}]}
    )
    hours = law(plain_pack("vn"), calendar)
    assert opening(hours, (HANOI,), "2026-11-22 22:00") == utc("2026-11-23 00:00")  # 07:00
    assert opening(hours, (HANOI,), "2026-11-23 00:30") == utc("2026-11-23 13:00")  # 20:00
    assert opening(hours, (HANOI,), "2026-11-23 14:00") == utc("2026-11-24 00:00")


def test_a_campaign_that_begins_next_year_and_one_that_is_over() -> None:
    day = {"hours": [{"from": "08:00", "to": "20:00"}]}
    later = Calendar.model_validate({**day, "start": "2027-06-01"})
    assert opening(law(plain_pack("vn"), later), (HANOI,), "2026-11-23 00:00") == utc(
        "2027-06-01 01:00"
    )
    over = Calendar.model_validate({**day, "end": "2026-11-01"})
    assert opening(law(plain_pack("vn"), over), (HANOI,), "2026-11-23 00:00") is None


def test_new_hours_hold_from_their_day_on() -> None:
    pack = small_pack(
        hours=[
            {
                "days": "all",
                "spans": [{"from": "07:00", "to": "21:00"}],
                "valid_to": "2026-11-23",
            },
            {
                "days": "all",
                "spans": [{"from": "09:00", "to": "18:00"}],
                "valid_from": "2026-11-24",
            },
        ]
    )
    assert opening(law(pack), (HANOI,), "2026-11-23 13:00") == utc("2026-11-23 13:00")
    assert opening(law(pack), (HANOI,), "2026-11-23 14:00") == utc("2026-11-24 02:00")


def test_the_numbers_zone_put_right_by_the_pack() -> None:
    russia = RulePack.model_validate(plain_pack("ru")).zones
    assert zones_of("+74012555555", "", russia) == ("Europe/Kaliningrad",)
    mobile = zones_of("+79161234567", "", russia)
    assert "Europe/Kaliningrad" in mobile
    assert "Europe/Bucharest" not in mobile
    states = RulePack.model_validate(plain_pack("us")).zones
    assert zones_of("+18505550123", "", states) == ("America/Chicago", "America/New_York")
    assert zones_of("+12125550123", "", states) == ("America/New_York",)
    assert zones_of("+18505550123", "America/Chicago", states) == ("America/Chicago",)
    assert zones_of("+84241234567", "", ()) == ()


@pytest.mark.parametrize(
    ("phone", "line"),
    [
        ("+84901234567", "mobile"),
        ("+442071234567", "landline"),
        ("+12125550123", ""),
        ("nonsense", ""),
    ],
)
def test_what_a_number_says_of_its_line(phone: str, line: str) -> None:
    assert line_of(phone) == line


ZONES = [
    HANOI,
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Europe/London",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Nuuk",
    "Africa/Casablanca",
]
# Nights in which clocks change somewhere of these, New Year, and any day.
DAYS = st.one_of(
    st.sampled_from(
        [
            date(2026, 3, 8),
            date(2026, 3, 28),
            date(2026, 4, 4),
            date(2026, 4, 23),
            date(2026, 10, 3),
            date(2026, 10, 24),
            date(2026, 10, 29),
            date(2026, 11, 1),
            date(2026, 12, 31),
            date(2026, 2, 15),
        ]
    ),
    st.dates(date(2026, 1, 1), date(2027, 1, 10)),
)
MINUTES = st.integers(0, 24 * 60 - 1)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def spans(draw: st.DrawFn) -> list[dict[str, str]]:
    edges = sorted(draw(st.sets(MINUTES, min_size=2, max_size=4)))
    return [
        {"from": clock(start), "to": clock(end)}
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]


RULES = st.fixed_dictionaries(
    {"spans": spans()},
    optional={
        "valid_to": st.sampled_from(["2026-03-29", "2026-10-25"]),
    },
)


@settings(max_examples=120, deadline=None)
@given(
    day=DAYS,
    minute=MINUTES,
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True),
    workday=spans(),
    off=spans(),
    extra=st.none() | RULES,
    campaign=st.none() | st.tuples(st.sets(st.sampled_from(WEEK), min_size=1), spans()),
    ring=st.integers(0, 2),
)
def test_every_opening_against_a_judge_that_steps_minutes(
    day: date,
    minute: int,
    zones: list[str],
    workday: Any,
    off: Any,
    extra: Any,
    campaign: Any,
    ring: int,
) -> None:
    rules = [{"days": "workday", "spans": workday}, {"days": ["weekend", "holiday"], "spans": off}]
    if extra is not None:
        rules.append({"days": ["sun", "wed"], **extra})
    pack = small_pack(hours=rules, calendar={"holidays": "VN"})
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    calendar = None
    if campaign is not None:
        weekdays, hours = campaign
        calendar = Calendar.model_validate({"weekdays": sorted(weekdays), "hours": hours})
    both = law(pack, calendar)
    found = both.opening(tuple(zones), to_us(at), ring * 60_000_000)
    opens = None if found is None else from_us(found)
    assert both.is_open(tuple(zones), to_us(at), ring * 60_000_000) == (opens == at)
    if campaign is not None:  # to the judge a campaign is two more rules
        own = [
            {"days": sorted(weekdays), "spans": hours},
            {"days": sorted({*WEEK} - weekdays) or ["none"], "spans": []},
        ]
        pack = {**pack, "hours": [*pack["hours"], *({**COMMON, **rule, "id": "c"} for rule in own)]}
    call = Made(at, set(), tuple(zones), {"agent"})
    states: dict[datetime, bool] = {}

    def open_at(moment: datetime) -> bool:
        if moment not in states:
            states[moment] = not wall_open(pack, Facts(), call, moment)
        return states[moment]

    for step in range(3 * 24 * 60):
        moment = at + timedelta(minutes=step)
        if all(open_at(moment + timedelta(minutes=one)) for one in range(ring + 1)):
            assert opens == moment
            return
    assert opens is None or opens > moment


KINDS = {
    name: DayKinds(RulePack.model_validate(plain_pack(name)).calendar)
    for name in ("vn", "ru", "cn", "us", "gb")
}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["vn", "ru", "cn", "us", "gb"]), st.dates(date(2026, 1, 1), date(2027, 12, 31))
)
def test_kinds_of_day_against_the_judge(name: str, day: date) -> None:
    pack = plain_pack(name)
    assert KINDS[name].kind(day) == kind_of_day(pack, Facts(), day)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ZONES), DAYS, st.integers(0, 86_400 * 1_000_000 - 1))
def test_the_callees_date_is_what_the_zone_says(zone: str, day: date, us: int) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(microseconds=us)
    assert local_date(zone, to_us(at)) == at.astimezone(ZoneInfo(zone)).date()
