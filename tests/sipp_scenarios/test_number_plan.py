"""numbers.csv is sound, and the plan finds in it what a reader would."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest

from duecall.core.outcome import Outcome
from sipp_scenarios.number_plan import (
    NumberPlan,
    NumberPlanError,
    Row,
    callees_of,
    normal_number,
    read_rows,
)
from sipp_scenarios.sipp import scenario_names

ROWS = read_rows()
SUBSCRIBER_DIGITS = {"+84": 9, "+7": 10, "+44": 10, "+86": 11}


def _filled(pattern: str) -> str:
    """A number that fits the pattern, as long as that country's mobile numbers are."""
    if "*" not in pattern:
        return pattern
    head, _, tail = pattern.partition("*")
    code = next(code for code in SUBSCRIBER_DIGITS if head.startswith(code))
    length = len(code) + SUBSCRIBER_DIGITS[code]
    return head + "123456789"[: length - len(head) - len(tail)] + tail


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_each_row_is_a_mobile_number_a_callee_and_an_outcome(row: Row) -> None:
    number = phonenumbers.parse(_filled(row.number))
    assert phonenumbers.is_valid_number(number)
    assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    assert set(row.callees) <= scenario_names()
    assert Outcome(row.expected_outcome)
    assert row.what_it_does


def test_every_callee_can_be_met_and_most_by_several_numbers() -> None:
    people = {name for name in scenario_names() if not name.startswith("agent-")}
    assert callees_of(ROWS) == people
    vietnamese = [row for row in ROWS if row.number.startswith("+84") and not row.is_pattern]
    assert len(vietnamese) >= 26
    for name in people - {"soak-listens", "bench-answer"}:
        assert sum(name in row.callees for row in vietnamese) >= 2, name


def test_the_most_digits_win() -> None:
    plan = NumberPlan(
        [
            Row("+84911*", ("a",), "", ""),
            Row("+84911*7", ("b",), "", ""),
            Row("+8491*", ("c",), "", ""),
            Row("+84911000007", ("d",), "", ""),
        ]
    )
    found = [
        plan.next_callee(number)
        for number in ("+84911000001", "+84911000017", "+84912000007", "+84911000007", "+7911")
    ]
    assert found == ["a", "b", "c", "d", None]


def test_a_pattern_does_not_use_a_digit_twice() -> None:
    plan = NumberPlan([Row("+84911*117", ("a",), "", "")])
    assert plan.row_of("+8491117") is None
    assert plan.row_of("+84911117") is not None


def test_the_callee_changes_with_the_calls_and_the_last_one_stays() -> None:
    plan = NumberPlan([Row("+84900000001", ("busy", "no-answer", "listens"), "", "")])
    found = [plan.next_callee("+84900000001") for _ in range(4)]
    assert found == ["busy", "no-answer", "listens", "listens"]


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("+84900000101", "+84900000101"),
        ("%2B84900000101", "+84900000101"),
        ("84900000101", "+84900000101"),
        ("0900000101", "+84900000101"),
        ("0084900000101", "+84900000101"),
        ("+84900000101;phone-context=x", "+84900000101"),
    ],
)
def test_all_number_formats_of_a_trunk_lead_to_the_same_number(user: str, number: str) -> None:
    assert normal_number(user, "84") == number


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("number,callee\n", "row 1: the columns"),
        ("+84,busy,x\n", "row 2: not 4 columns"),
        ("84,busy,x,busy\n", "row 2: '84'"),
        ("+84*1*,busy,x,busy\n", "row 2: "),
        ("+84,busy|,x,busy\n", "row 2: callee is empty"),
        ("+84,busy,x,busy\n+84,busy,x,busy\n", "row 3: +84 stands twice"),
    ],
)
def test_a_bad_file_is_refused_with_its_row(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "numbers.csv"
    head = "" if text.startswith("number") else "number,callee,what_it_does,expected_outcome\n"
    path.write_text(head + text)
    with pytest.raises(NumberPlanError, match=r"numbers\.csv") as error:
        read_rows(path)
    assert complaint in str(error.value)
