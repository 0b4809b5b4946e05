"""Amounts of money as people write them: read rightly or refused, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.currency import CURRENCIES, AmountError, parse_amount
from duecall.core.money import exponent


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1234567", "VND", 1_234_567),
        ("1 234 567", "VND", 1_234_567),
        ("1\u00a0234\u202f567", "VND", 1_234_567),
        ("1.234.567", "VND", 1_234_567),
        ("1,234,567", "VND", 1_234_567),
        ("1.234", "VND", 1_234),  # no fractions: only a thousand is meant
        ("1234567.00", "VND", 1_234_567),
        (" 0 ", "VND", 0),
        ("000123", "VND", 123),
        ("1234567", "USD", 123_456_700),
        ("1234567.89", "USD", 123_456_789),
        ("1234567.8", "USD", 123_456_780),
        ("1234,56", "RUB", 123_456),
        ("12 345,60", "RUB", 1_234_560),
        ("1.234.567", "USD", 123_456_700),
        ("0.05", "USD", 5),
        ("999999999999999", "VND", 999_999_999_999_999),
        ("1000000000000000", "VND", 10**15),
        ("1.000.000.000.000.000", "USD", 10**17),
    ],
)
def test_read(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "problem"),
    [
        ("", "VND", "empty"),
        ("   ", "VND", "empty"),
        ("NaN", "VND", "not a number"),
        ("-inf", "USD", "not a number"),
        ("1e6", "VND", "exponent"),
        ("1.5E+06", "USD", "exponent"),
        ("١٢٣", "VND", "digits other than 0-9"),
        ("１２３", "VND", "digits other than 0-9"),
        ("-5", "VND", "sign"),
        ("+5", "VND", "sign"),
        ("(500)", "USD", "sign"),
        ("500đ", "VND", "other characters"),
        ("$500", "USD", "other characters"),
        ("five", "USD", "other characters"),
        ("1_000", "USD", "other characters"),
        ("1,234.5", "USD", "both a dot and a comma"),
        ("1.234,5", "USD", "both a dot and a comma"),
        ("1.234.567,89", "RUB", "both a dot and a comma"),
        ("1.234", "USD", "two readings"),
        ("1,234", "USD", "two readings"),
        ("1234.567", "USD", "3 decimals"),
        ("1234567.000", "VND", "no fractions"),
        ("0.5", "VND", "no fractions"),
        ("12 34", "VND", "not an amount"),
        ("1 2345", "VND", "not an amount"),
        ("12.345.6", "VND", "not an amount"),
        ("1..5", "USD", "not an amount"),
        (".5", "USD", "not an amount"),
        ("5.", "USD", "not an amount"),
        ("1" * 16, "VND", "more than 15 digits"),
        ("1" + "0" * 16, "VND", "more than 15 digits"),
    ],
)
def test_refused(text: str, currency: str, problem: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, currency)
    assert problem in caught.value.problem
    assert caught.value.remedy


@given(st.integers(0, 10**14), st.sampled_from(sorted(CURRENCIES)), st.sampled_from("  ."))
def test_what_is_written_is_read_back(minor: int, currency: str, separator: str) -> None:
    digits = exponent(currency)
    whole, fraction = divmod(minor, 10**digits)
    plain = f"{whole}.{fraction:0{digits}}" if digits else f"{whole}"
    assert parse_amount(plain, currency) == minor
    grouped = f"{whole:,}".replace(",", separator)
    if separator == " " or grouped.count(separator) != 1:
        assert parse_amount(grouped, currency) == whole * 10**digits


@given(st.text(max_size=20), st.sampled_from(["VND", "USD"]))
def test_never_anything_but_a_sum_or_a_reason(text: str, currency: str) -> None:
    try:
        assert parse_amount(text, currency) >= 0
    except AmountError as error:
        assert error.problem and error.remedy
