"""Typed values: immutable, and strict about what they hold."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.speech.faults import Unspeakable
from duecall.speech.values import (
    VALUE_TYPES,
    Count,
    Day,
    DaysCount,
    Digits,
    Inflected,
    Money,
    Name,
    Ordinal,
    Percent,
    Phone,
    Text,
    TimeOfDay,
    decimal_parts,
    is_personal,
    parse_decimal,
    parse_whole,
)

ONE_EACH = [
    Money(1, "VND"),
    Day(date(2025, 4, 19)),
    DaysCount(1),
    Count(1),
    Percent(Decimal(1)),
    TimeOfDay(1, 1),
    Ordinal(1),
    Inflected(Count(1), "dative"),
    Phone("123"),
    Digits("1"),
    Name("An"),
    Text("a"),
]


def test_there_is_one_of_each_type():
    assert {type(value) for value in ONE_EACH} == set(VALUE_TYPES)


@pytest.mark.parametrize("value", ONE_EACH, ids=repr)
def test_values_cannot_be_changed(value):
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, 5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Money(1.5, "VND"),
        lambda: Money(True, "VND"),
        lambda: Money(1, "vnd"),
        lambda: Money(1, "VND\n"),
        lambda: Day(datetime(2025, 4, 19, tzinfo=timezone.utc)),
        lambda: Day("2025-04-19"),
        lambda: DaysCount("1"),
        lambda: Count(1.0),
        lambda: Percent(1.5),
        lambda: Percent(Decimal("NaN")),
        lambda: Percent(Decimal("Infinity")),
        lambda: Percent(Decimal("0.1234567")),
        lambda: Percent(Decimal("1e99999")),
        lambda: Phone(""),
        lambda: Phone("1900 ABC"),
        lambda: Phone("12;34"),
        lambda: Phone("1" * 21),
        lambda: Phone("++84"),
        lambda: Digits("--"),
        lambda: Digits("1" * 65),
        lambda: Digits("AB123").last4,
        lambda: Digits("****"),
        lambda: Digits("9704******22").last4,  # two of the last four are hidden
        lambda: Day(date(2025, 4, 19), today="2025-04-18"),
        lambda: Day(None),
        lambda: TimeOfDay(24, 0),
        lambda: TimeOfDay(9, 60),
        lambda: TimeOfDay(-1, 0),
        lambda: TimeOfDay(9.0, 0),
        lambda: Ordinal(0),
        lambda: Ordinal(-1),
        lambda: Inflected(Name("An"), "dative"),
        lambda: Inflected(Count(1), "vocative"),
        lambda: Inflected(Count(1), gender="plural"),
        lambda: Inflected(DaysCount(1), gender="feminine"),
    ],
)
def test_what_is_no_such_value_is_refused(make):
    with pytest.raises(Unspeakable):
        make()


@pytest.mark.parametrize("text", ["0912 345 678 x", "12\N{SNOWMAN}34567"])
def test_a_refusal_does_not_repeat_the_value(text):
    with pytest.raises(Unspeakable) as caught:
        Phone(text)
    assert "345" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_text", "number"),
    [
        ("1900-1234", "1900 1234"),
        ("+84 (912) 345.678", "+84 912 345 678"),
        ("  0912345678 ", "0912345678"),
        ("０１２３", "0123"),
        ("٠١٢ ٣٤٥", "012 345"),
    ],
)
def test_phone_is_brought_into_one_form(given_text, number):
    assert Phone(given_text).number == number
    assert Phone(Phone(given_text).number) == Phone(given_text)


def test_last4_takes_digits_only():
    assert Digits("9704-1234 HD 56X78").last4 == Digits("5678")
    assert Digits("12345", personal=False).last4.personal is False


def test_money_knows_its_minor_unit():
    assert Money(123456, "USD").major == Decimal("1234.56")
    assert Money(123456, "VND").major == Decimal(123456)


def test_what_tells_who_the_contact_is_is_personal():
    assert [type(value).__name__ for value in ONE_EACH if is_personal(value)] == [
        "Phone",
        "Digits",
        "Name",
        "Text",
    ]
    assert not is_personal(Text("An Binh Bank", personal=False))


@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=6))
def test_decimal_parts_lose_nothing(value):
    negative, whole, decimals = decimal_parts(value)
    assert Decimal(f"{whole}.{decimals or 0}") * (-1 if negative else 1) == value


@pytest.mark.parametrize(
    "text", ["", "1,5", "1e5", "0x10", "NaN", "1 000", "1" * 41, ".5", "5.", "١٢٣", "１２", "1_000"]
)
def test_parse_decimal_does_not_guess(text):
    with pytest.raises(Unspeakable):
        parse_decimal(text)
    with pytest.raises(Unspeakable):
        parse_whole(text)


@pytest.mark.parametrize("text", ["1.000", "1.5", "1.001", "-1.0001"])
def test_a_whole_number_has_no_thousands_mark_that_looks_like_a_point(text):
    with pytest.raises(Unspeakable):
        parse_whole(text)


def test_spreadsheets_write_whole_numbers_with_a_point():
    assert [parse_whole(text) for text in ("3", "3.0", "-3.00", "+3", "007")] == [3, 3, -3, 3, 7]


def test_a_hidden_part_stays_hidden():
    assert Digits("970436******2210").text == "970436******2210"
    assert Digits("970436******2210").last4 == Digits("2210")
    assert Digits("9704 36** **** 2210").last4 == Digits("2210")


@pytest.mark.parametrize(("away", "near"), [(-3, None), (-2, -2), (0, 0), (2, 2), (3, None)])
def test_a_day_knows_how_far_it_is_from_today(away, near):
    assert Day(date(2026, 4, 19), today=date(2026, 4, 19 - away)).days_from_today == near
    assert Day(date(2026, 4, 19)).days_from_today is None
