"""A campaign's own calendar at the gate, also against a slow second implementation."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core.callee_zones import candidate_zones
from duecall.core.campaign import Calendar
from duecall.core.gate import Gate
from duecall.core.gate_types import EMPTY, Conduct, ProposedCall
from duecall.core.rule_merge import merge
from duecall.core.rule_pack import NO_LAW
from duecall.core.verdict import Allowed, Denied, Verdict

DAY = {"hours": [{"from": "08:00", "to": "20:00"}]}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def gate(calendar: dict[str, object]) -> Gate:
    return Gate(merge(NO_LAW), Calendar.model_validate(calendar))


def ask(by: Gate, zones: tuple[str, ...], at: datetime, needed_s: int = 0) -> Verdict:
    call = ProposedCall(Conduct("overdue", 4, needed_s, "UTC"), (), zones)
    return by.check(call, EMPTY, EMPTY, at)


def check(
    calendar: dict[str, object], zones: tuple[str, ...], at: str, needed_s: int = 0
) -> Verdict:
    return ask(gate(calendar), zones, utc(at), needed_s)


def closed(until: datetime) -> Denied:
    return Denied("campaign.calendar: outside calling hours", until, "campaign.calendar")


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        ("2026-11-23 00:59:59", closed(utc("2026-11-23 01:00:00"))),
        ("2026-11-23 01:00:00", Allowed()),  # 08:00:00 in Hanoi
        ("2026-11-23 12:59:59", Allowed()),
        ("2026-11-23 13:00:00", closed(utc("2026-11-24 01:00:00"))),
    ],
)
def test_the_edge_second(at: str, verdict: Allowed | Denied) -> None:
    assert check(DAY, ("Asia/Ho_Chi_Minh",), at) == verdict


def test_a_call_that_would_ring_into_the_closing_hour_waits() -> None:
    verdict = check(DAY, ("Asia/Ho_Chi_Minh",), "2026-11-23 12:59:31", needed_s=30)
    assert verdict == closed(utc("2026-11-24 01:00:00"))
    assert check(DAY, ("Asia/Ho_Chi_Minh",), "2026-11-23 12:59:29", needed_s=30) == Allowed()


def test_weekdays_excepted_dates_start_and_end() -> None:
    calendar = {
        **DAY,
        "weekdays": ["mon", "tue"],
        "except_dates": [date(2026, 11, 24)],
        "start": date(2026, 11, 23),
        "end": date(2026, 12, 1),
    }
    zone = ("Asia/Ho_Chi_Minh",)
    assert check(calendar, zone, "2026-11-20 03:00") == closed(utc("2026-11-23 01:00"))
    assert check(calendar, zone, "2026-11-23 14:00") == closed(utc("2026-11-30 01:00"))
    assert check(calendar, zone, "2026-12-02 03:00") == Denied(
        "campaign.calendar: the campaign is over", None, "campaign.calendar"
    )


def test_several_zones_open_only_where_all_are_open() -> None:
    zones = ("Europe/Moscow", "Asia/Vladivostok")  # UTC+3 and UTC+10
    assert check(DAY, zones, "2026-11-23 04:00") == closed(
        utc("2026-11-23 05:00")
    )  # 07:00 in Moscow
    assert check(DAY, zones, "2026-11-23 09:59:59") == Allowed()
    assert check(DAY, zones, "2026-11-23 10:00") == closed(
        utc("2026-11-24 05:00")
    )  # 20:00 in Vladivostok


def test_no_common_hour_is_said_and_never_tried() -> None:
    short = {"hours": [{"from": "10:00", "to": "12:00"}]}
    verdict = check(short, ("Europe/Moscow", "Asia/Vladivostok"), "2026-11-23 09:00")
    assert isinstance(verdict, Denied)
    assert verdict.until is None
    assert "no hour fits all 2 zones" in verdict.reason


def test_an_unknown_zone_is_not_called() -> None:
    assert check(DAY, (), "2026-11-23 05:00") == Denied(
        "time zone unknown: give the contact a zone", None, "zone"
    )


def test_the_night_the_clocks_change() -> None:
    # 2026-03-29 in Berlin: 02:00 CET becomes 03:00 CEST; 02:30 does not exist.
    night = {"hours": [{"from": "02:30", "to": "04:00"}]}
    window = gate(night)
    zone = ("Europe/Berlin",)
    assert isinstance(ask(window, zone, utc("2026-03-29 00:45")), Denied)
    assert ask(window, zone, utc("2026-03-29 01:45")) == Allowed()  # 03:45 CEST
    # 2026-10-25: 03:00 CEST becomes 02:00 CET; 02:30 comes twice, and opens twice.
    assert ask(window, zone, utc("2026-10-25 00:45")) == Allowed()
    assert isinstance(ask(window, zone, utc("2026-10-25 01:15")), Denied)
    assert ask(window, zone, utc("2026-10-25 01:45")) == Allowed()


def test_candidate_zones() -> None:
    assert candidate_zones("+84901234567", "") == ("Asia/Ho_Chi_Minh",)
    assert candidate_zones("+84901234567", "Asia/Tokyo") == ("Asia/Tokyo",)
    assert len(candidate_zones("+79161234567", "")) > 5
    assert candidate_zones("not a number", "") == ()


def slow_check(hours: list[tuple[time, time]], zone: str, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(zone))
    if local.utcoffset() != (local + timedelta(hours=3)).utcoffset():
        return True  # nights in which clocks change are tested above
    return any(start <= local.time() < end for start, end in hours)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            "Asia/Ho_Chi_Minh",
            "Asia/Kathmandu",
            "America/St_Johns",
            "Pacific/Kiritimati",
            "Pacific/Pago_Pago",
            "Europe/Moscow",
        ]
    ),
    st.integers(0, 23),
    st.integers(1, 24),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_against_a_second_implementation(zone: str, opens: int, length: int, at: datetime) -> None:
    closes = min(23, opens + length)
    if closes <= opens:
        return
    calendar = {"hours": [{"from": f"{opens:02}:00", "to": f"{closes:02}:00"}]}
    moment = at.replace(tzinfo=timezone.utc)
    verdict = ask(gate(calendar), (zone,), moment)
    allowed = slow_check([(time(opens), time(closes))], zone, moment)
    if isinstance(verdict, Allowed):
        assert allowed
    elif allowed:
        # Only the nights in which clocks change may differ.
        local = moment.astimezone(ZoneInfo(zone))
        assert local.utcoffset() != (local + timedelta(hours=3)).utcoffset()
    else:
        assert verdict.until is not None
        assert verdict.until > moment
        before = verdict.until - timedelta(seconds=1)
        assert slow_check([(time(opens), time(closes))], zone, verdict.until)
        assert not slow_check([(time(opens), time(closes))], zone, before) or (
            before.astimezone(ZoneInfo(zone)).utcoffset()
            != (before + timedelta(hours=3)).astimezone(ZoneInfo(zone)).utcoffset()
        )
