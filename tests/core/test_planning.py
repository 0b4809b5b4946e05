"""Many verdicts put together: when each may be called, who is first, what fits, what changes."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.attempt import Target
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS, ATTEMPT, PRERECORDED, CallKey
from duecall.core.campaign import Campaign, OrderBy
from duecall.core.contact import Account, Consent, Contact
from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import Snapshot
from duecall.core.hindsight import AttemptThen, calls_then, past_then, rules_of_text
from duecall.core.local_day import to_us
from duecall.core.moment_text import MomentError, read_moment
from duecall.core.outcome import Outcome
from duecall.core.planning import (
    RETRY,
    Comparison,
    First,
    HeldBack,
    Opening,
    Place,
    Plan,
    Planned,
    Traffic,
    held_by,
    opening,
    opening_of_waiting,
    trunk_rate,
)
from duecall.core.proposal import keys_of
from duecall.core.ranking import order_keys, ranked
from duecall.core.rule_difference import campaign_differences, rule_differences
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import RulePack
from duecall.core.site import Trunk
from duecall.core.verdict import Allowed, Denied, Verdict
from fs_scripts.contract import Brief
from tests.core import building
from tests.core.rule_world import plain_pack, small_pack, words

AT = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BY = AT + 2 * HOUR
LEGAL = ("vn", "ru", "us", "cn", "gb")


def closed_until(*steps: tuple[str, datetime | None]) -> Any:
    """A check that denies for one rule after another, each until its moment; None: for ever."""

    def check(at: datetime) -> Verdict:
        for rule, until in steps:
            if until is None or at < until:
                return Denied(f"{rule}: closed", until, rule)
        return Allowed()

    return check


# ---- when one target may be called


def test_what_is_allowed_starts_at_once() -> None:
    assert opening(closed_until(), AT, BY) == Opening(AT)


def test_one_denial_after_another_and_the_first_is_the_reason() -> None:
    check = closed_until(("a", AT + MINUTE), ("b", AT + HOUR))
    assert opening(check, AT, BY) == Opening(AT + HOUR, "a", "a: closed")


def test_what_opens_at_the_very_end_is_within_the_time() -> None:
    assert opening(closed_until(("a", BY)), AT, BY).start == BY
    late = opening(closed_until(("a", BY + MINUTE)), AT, BY)
    assert (late.start, late.until, late.never) == (None, BY + MINUTE, False)


def test_a_denial_for_ever_is_never() -> None:
    found = opening(closed_until(("a", AT + MINUTE), ("b", None)), AT, BY)
    assert (found.start, found.rule, found.never) == (None, "a", True)


def test_a_gate_that_wants_to_be_asked_again_at_once_does_not_hang() -> None:
    found = opening(lambda at: Denied("again", at), AT, BY)
    assert found == Opening(None, "", "again", AT)


def test_a_gate_that_puts_off_for_ever_is_asked_a_bounded_number_of_times() -> None:
    asked = itertools.count()

    def check(at: datetime) -> Verdict:
        next(asked)
        return Denied("soon", at + timedelta(microseconds=1))

    assert opening(check, AT, BY).start is None
    assert next(asked) < 10_000


WAITS = {
    # (the gate's denials, due) -> (start, held back by)
    "not waiting": ((), None, AT, ""),
    "due already": ((), AT - HOUR, AT, ""),
    "a retry": ((), AT + HOUR, AT + HOUR, RETRY),
    "a retry too late": ((), BY + HOUR, None, RETRY),
    "put off by a rule": ((("h", AT + HOUR),), AT + HOUR, AT + HOUR, "h"),
    "a rule, then the retry": ((("h", AT + MINUTE),), AT + HOUR, AT + HOUR, RETRY),
    "the retry, then a rule": ((("h", AT + 2 * HOUR),), AT + HOUR, AT + 2 * HOUR, "h"),
    "a rule for longer": ((("h", BY + HOUR),), AT + HOUR, None, "h"),
    "stopped, and waits": ((("stop.dnc", None),), AT + HOUR, None, "stop.dnc"),
}


@pytest.mark.parametrize("name", WAITS)
def test_who_waits(name: str) -> None:
    denials, due, start, rule = WAITS[name]
    found = opening_of_waiting(closed_until(*denials), AT, BY, due, "retry after busy")
    assert (found.start, found.rule) == (start, rule)
    assert found.never == (name == "stopped, and waits")
    if rule == RETRY:
        assert found.reason == "retry after busy"


def test_what_is_held_back_by_the_campaign_is_told_without_its_numbers() -> None:
    assert held_by(Opening(None, "", "not selected: 45 days past due")) == "not selected"
    assert held_by(Opening(None, "vn.gap", "vn.gap: too soon")) == "vn.gap"


# ---- with the real gate, minute by minute


def campaign(pack: str, **changes: Any) -> Campaign:
    plain = plain_pack(pack)
    said = words(plain)
    rules = {
        "pack": pack,
        "pack_reason": "a test",
        "attested": sorted(said.attested),
        "says": sorted(said.says),
        "number_shown": sorted(said.number_shown),
    }
    calendar = {"hours": [{"from": "00:00", "to": "24:00"}]}
    return building.campaign(**{"rules": rules, "calendar": calendar, "ring": 60, **changes})


def eligibility(pack: str, **changes: Any) -> Eligibility:
    made = campaign(pack, **changes)
    return Eligibility(made, merge(RulePack.model_validate(plain_pack(pack)), None, made.rules))


def target(zone: str, **changes: Any) -> Target:
    account = Account("HD-1", 1_000_000, "VND", "18.5", date(2026, 1, 1))
    contact = Contact("Nguyễn Văn An", "+84912000001", zone, **changes)
    return Target(
        id=1,
        lender="bank",
        campaign="overdue",
        contact=contact,
        account=account,
        phone_hash="n",
        past=past_then([], 0),
        brief=Brief("", ()),
        contact_key="p",
        account_key="1",
    )


def all_consents(pack: str) -> tuple[Consent, ...]:
    """Whatever the pack wants on file."""
    wanted = [rule.get("on_file") for rule in plain_pack(pack).get("require", [])]
    return tuple(Consent(word) for word in wanted if word)


NIGHTS = [
    # pack, zone, a moment in the night before a change of clocks or a holiday
    ("us", "America/New_York", "2026-03-08T04:30:00+00:00"),  # on: 02:00 does not exist
    ("us", "America/New_York", "2026-11-01T04:30:00+00:00"),  # back: 01:00 comes twice
    ("us", "America/Phoenix", "2026-11-01T04:30:00+00:00"),  # never changed
    ("vn", "Asia/Ho_Chi_Minh", "2026-11-22T17:30:00+00:00"),
    ("ru", "Europe/Moscow", "2026-11-27T18:30:00+00:00"),  # Friday night: other hours on Saturday
    ("gb", "Europe/London", "2026-10-25T00:30:00+00:00"),  # back, on a Sunday
    ("cn", "Asia/Shanghai", "2026-10-01T15:30:00+00:00"),
]


@pytest.mark.parametrize(("pack", "zone", "text"), NIGHTS)
def test_the_next_start_is_the_first_minute_that_the_gate_allows(
    pack: str, zone: str, text: str
) -> None:
    """A call rang an hour ago; gaps and cool-offs of the pack count as well as its hours."""
    asked, person = eligibility(pack), target(zone, consents=all_consents(pack))
    at = datetime.fromisoformat(text)
    saved_us = to_us(at - HOUR)
    past = calls_then([AttemptThen(saved_us, saved_us, ATTEMPT, PRERECORDED)], to_us(at))
    known = Snapshot(dict.fromkeys(keys_of(person), past))

    def check(moment: datetime) -> Verdict:
        return asked.check(person, known, moment)

    found = opening(check, at, at + timedelta(days=7))
    assert found.start is not None
    minutes = (at + n * MINUTE for n in range(7 * 24 * 60))
    first = next(moment for moment in minutes if isinstance(check(moment), Allowed))
    assert first - MINUTE < found.start <= first
    assert isinstance(check(found.start), Allowed)
    before = found.start - timedelta(microseconds=1)
    assert before < at or isinstance(check(before), Denied)


def test_hours_by_the_callees_wall_across_a_change_of_clocks() -> None:
    """08:00 in New York is 13:00 UTC on the day before, 12:00 on the day itself."""
    person = target("America/New_York", consents=all_consents("us"))
    asked = eligibility("us")
    known = Snapshot(dict.fromkeys(keys_of(person), ()))
    for text, utc in (("2026-03-07T05:30", 13), ("2026-03-08T05:30", 12)):
        at = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        found = opening(lambda now: asked.check(person, known, now), at, at + 24 * HOUR)
        assert found.start is not None
        assert found.start.hour == utc
        assert found.start.astimezone(ZoneInfo("America/New_York")).hour == 8


# ---- order

ORDERS = st.lists(
    st.builds(
        OrderBy,
        field=st.sampled_from(["dpd", "balance", "name", "city", "zone"]),
        descending=st.booleans(),
    ),
    max_size=3,
)
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["An", "an", "Bình", ""]),
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from(["", "7", "x", "2026-01-01"]),
    ),
    max_size=12,
)


@given(ORDERS, PEOPLE)
def test_places_are_in_the_order_in_which_the_store_ranks(
    order: list[OrderBy], people: list[tuple[str, int, int, str]]
) -> None:
    rows = []
    for number, (name, balance, day, city) in enumerate(people):
        contact = Contact(name, "+84912000001")
        account = Account("C", balance, "VND", "1", date(2026, 1, day), fields={"city": city})
        rows.append((number, contact, account))
    wanted = ranked([(n, order_keys(c, a, order)) for n, c, a in rows], order)
    places = [(Place.of(c, a, order, n), n) for n, c, a in rows]
    places.reverse()  # equals must not be in order by chance
    assert [n for _, n in sorted(places, key=lambda one: one[0])] == wanted


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50))), st.integers(0, 8))
def test_the_first_of_many_are_those_of_all_of_them(
    many: list[tuple[int, int]], limit: int
) -> None:
    first: First[int] = First(limit)
    for number, (start, place) in enumerate(many * 40):
        first.add(Planned(Opening(AT + start * MINUTE), place, number))
    found = [(one.opening.start, one.place) for one in first]
    assert found == sorted((AT + start * MINUTE, place) for start, place in many * 40)[:limit]


# ---- what fits


@given(
    st.lists(st.integers(0, 599), max_size=200),
    st.sampled_from([0.1, 0.5, 0.667, 1.0, 2.5, 7.0]),
)
def test_what_fits_is_what_a_trunk_gets_through_call_by_call(
    starts: list[int], rate: float
) -> None:
    traffic = Traffic(AT, AT + timedelta(seconds=600))
    for second in starts:
        traffic.add(AT + timedelta(seconds=second))
    begun, free = 0, 0.0
    for second in sorted(starts):
        start = max(float(second), free)
        begun += start < 600
        free = start + 1 / rate
    assert abs(traffic.fits(rate) - begun) <= 1 + rate  # of one slice, a second
    assert traffic.total == len(starts)


def test_channels_or_calls_a_second_whichever_is_less() -> None:
    trunk = Trunk(proxy="127.0.0.1", channels=10, calls_per_second=2)
    assert trunk_rate(trunk, call_s=30) == pytest.approx(1 / 3)
    assert trunk_rate(trunk, call_s=2) == 2
    assert trunk_rate(trunk, call_s=0) == 2


# ---- a plan


def test_the_sums_of_a_plan_agree() -> None:
    traffic = Traffic(AT, BY)
    plan: Plan[str] = Plan(2, traffic)
    late = Opening(AT + HOUR, "vn.hours", "closed")
    for place, found in enumerate(
        [
            Opening(AT),
            late,
            late,
            Opening(None, "vn.hours", "closed", BY + HOUR),
            Opening(None, "stop.dnc", "stopped", None),
            Opening(None, "", "all 3 attempts used", None),
        ]
    ):
        plan.add(found, place, f"row {place}")
    plan.calling += 1
    assert (plan.open, plan.now, plan.later, plan.calling) == (7, 1, 2, 1)
    assert plan.held_back() == [
        ("vn.hours", HeldBack(2, 1, 0)),
        ("all 3 attempts used", HeldBack(0, 0, 1)),
        ("stop.dnc", HeldBack(0, 0, 1)),
    ]
    assert [one.row for one in plan.first] == ["row 0", "row 1"]
    assert traffic.total == 3


def test_a_comparison_counts_each_target_once() -> None:
    found: Comparison[str] = Comparison(3)
    yes, later = Opening(AT), Opening(AT + HOUR, "a", "a: closed")
    no, other = Opening(None, "a", "a: closed", BY), Opening(None, "b", "b: closed", BY)
    for name, before, after in [
        ("same", yes, yes),
        ("same no", no, no),
        ("more", no, yes),
        ("fewer", yes, other),
        ("earlier", later, yes),
        ("later", yes, later),
        ("otherwise", no, other),
    ]:
        found.add(name, before, after)
    assert (found.same, found.earlier, found.later) == (2, 1, 1)
    assert (found.more, found.fewer) == ({"a": 1}, {"b": 1})
    assert found.otherwise == {("a", "b"): 1}
    assert [one.row for one in found.examples] == ["more", "fewer", "earlier"]


# ---- what changed


def test_rule_sets_are_told_apart_rule_by_rule() -> None:
    pack = RulePack.model_validate(
        small_pack(
            gaps=[{"per": "number", "gap": "2h"}, {"id": "t.gone", "per": "contact", "gap": "1h"}]
        )
    )
    changes = RuleChanges.model_validate(
        {
            "gaps": [{"id": "own.gap", "per": "account", "gap": "4h"}],
            "override": [
                {"rule": "t.gaps-0", "reason": "a test", "set": {"gap": "3h"}},
                {"rule": "t.gone", "reason": "a test", "drop": True},
            ],
            "days": {"off": ["2026-12-24"], "source": "a decree"},
        }
    )
    old, new = merge(pack), merge(pack, changes)
    found = {(one.kind, one.rule): one.fields for one in rule_differences(old, new)}
    assert found == {
        ("changed", "t.gaps-0"): (("gap", "7200", "10800"),),
        ("dropped", "t.gone"): (),
        ("added", "own.gap"): (),
        ("changed", "off"): (("off", "[]", '["2026-12-24"]'),),
    }
    assert rule_differences(old, old) == []


def test_of_a_campaign_only_what_decides_who_is_called_is_told() -> None:
    old = campaign("vn")
    new = campaign("vn", ring=30, title="Another", retry={"max_attempts": 1})
    keys = [key for key, _, _ in campaign_differences(old, new)]
    assert "ring" in keys
    assert all(key == "ring" or key.startswith("retry.") for key in keys)


# ---- the past


@pytest.mark.parametrize("pack", LEGAL)
def test_rules_come_back_from_their_text(pack: str) -> None:
    rules = eligibility(pack).rules
    again = rules_of_text(rules.text)
    assert (again.pack, again.digest) == (rules.pack, rules.digest)
    for name in ("off", "working", "attested", "says", "number_shown"):
        assert getattr(again, name) == getattr(rules, name)
    assert rule_differences(rules, again) == []


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"rules": 3}'])
def test_what_is_no_text_of_rules_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rules_of_text(text)


def test_calls_as_they_were_known_then() -> None:
    """Saved at 100, settled at 200: before that it counted as everything, and went on."""
    one = AttemptThen(100, 200, ATTEMPT, PRERECORDED, Outcome.BUSY)
    opened = AttemptThen(150, None, ALL_EVENTS, ALL_CHANNELS)
    assert calls_then([one, opened], 100) == ()
    assert calls_then([one], 150) == ((100, 150, ALL_EVENTS, ALL_CHANNELS),)
    assert calls_then([one], 200) == ((100, 200, ATTEMPT, PRERECORDED),)
    assert calls_then([one, opened], 300)[1] == (150, 300, ALL_EVENTS, ALL_CHANNELS)


def test_the_campaigns_own_past_as_it_was_then() -> None:
    calls = [
        AttemptThen(300, 400, 0, 0, Outcome.CONGESTION),
        AttemptThen(100, 200, ATTEMPT, PRERECORDED, Outcome.BUSY),
    ]
    assert past_then(calls, 100).tries == 0
    assert (past_then(calls, 150).tries, past_then(calls, 150).counted) == (1, 0)
    later = past_then(calls, 1_000)
    assert (later.tries, later.counted) == (2, 1)
    assert later.by_outcome == {Outcome.BUSY: 1, Outcome.CONGESTION: 1}
    assert CallKey("number", "n") in keys_of(target("Asia/Ho_Chi_Minh"))


# ---- moments as they are typed

HANOI = ["Asia/Ho_Chi_Minh"]
MOMENTS = {
    "2026-11-22 10:15": ("2026-11-22T03:15:00", True),
    "2026-11-22T10:15:07": ("2026-11-22T03:15:07", False),
    "10:15": ("2026-11-23T03:15:00", True),
    "9:05": ("2026-11-23T02:05:00", True),
    "2026-11-22": ("2026-11-21T17:00:00", True),
    "2026-11-22T10:15Z": ("2026-11-22T10:15:00", True),
    "2026-11-22T10:15:00.5+03:00": ("2026-11-22T07:15:00.500000", False),
    "2026-11-22 10:15 -0500": ("2026-11-22T15:15:00", True),
}


@pytest.mark.parametrize("text", MOMENTS)
def test_a_moment_is_read(text: str) -> None:
    at, minute = read_moment(text, HANOI, AT)
    assert (at.replace(tzinfo=None).isoformat(), minute) == MOMENTS[text]


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2026-13-01", "2026-11-22 10", "10:15:99", "1763800000", "+07:00"]
)
def test_what_is_no_moment_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(MomentError, match="2026-11-22 10:15"):
        read_moment(text, HANOI, AT)


def test_a_local_time_of_several_books_needs_an_offset() -> None:
    both = ["Asia/Ho_Chi_Minh", "Europe/Moscow"]
    with pytest.raises(MomentError, match="Asia/Ho_Chi_Minh, Europe/Moscow: add an offset"):
        read_moment("10:15", both, AT)
    assert read_moment("2026-11-22T10:15+07:00", both, AT)[0].hour == 3


@pytest.mark.parametrize("text", ["2026-11-01 01:30", "2026-03-08 02:30"])
def test_a_time_that_comes_twice_or_never_is_not_guessed_at(text: str) -> None:
    with pytest.raises(MomentError, match=r"-0[45]00 or -0[45]00"):
        read_moment(text, ["America/New_York"], AT)
    assert read_moment(text + "-05:00", ["America/New_York"], AT)[0].minute == 30
