"""The filters of message templates: `{{ card | last4 }}`, `{{ fee | money('VND') }}` …

Each takes a typed value or a literal of the template and answers a typed value, or raises
Unspeakable with the remedy and without the value. A literal is the operator's, so not personal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from duecall.core.money import minor_units
from duecall.speech.faults import Unspeakable
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Digits,
    Money,
    Name,
    Percent,
    Phone,
    Text,
    Value,
    ascii_digits,
    is_personal,
    parse_decimal,
)

Source: TypeAlias = "Value | str | int | float"


def to_money(source: Source, currency: str = "") -> Value:
    """Major units with a decimal point. currency: needed for all but sums of money."""
    if isinstance(source, Money):
        if currency not in ("", source.currency):
            raise Unspeakable(f"this sum is in {source.currency}; Duecall does not convert money")
        return source
    if not isinstance(currency, str) or not currency:
        raise Unspeakable("money needs the currency: money('VND')")
    major = _decimal(source, "money")
    try:
        return Money(minor_units(major, currency), currency)
    except ValueError as error:
        raise Unspeakable(str(error)) from None


def to_date(source: Source) -> Value:
    if isinstance(source, Day):
        return source
    text = ascii_digits(_text(source, "date").strip())
    try:
        # Python 3.11 also takes 20250419 and 2025-W16-6; campaigns shall mean the same on 3.10.
        if len(text) != 10 or "W" in text:
            raise ValueError
        return Day(date.fromisoformat(text))
    except ValueError:
        raise Unspeakable("date needs a date written 2025-04-19") from None


def to_days(source: Source) -> Value:
    return source if isinstance(source, DaysCount) else DaysCount(_whole(source, "days"))


def to_count(source: Source) -> Value:
    return source if isinstance(source, Count) else Count(_whole(source, "count"))


def to_percent(source: Source) -> Value:
    return source if isinstance(source, Percent) else Percent(_decimal(source, "percent"))


def to_phone(source: Source) -> Value:
    if isinstance(source, Phone):
        return source
    return Phone(_text(source, "phone"), _personal(source))


def to_digits(source: Source) -> Value:
    return (
        source if isinstance(source, Digits) else Digits(_text(source, "digits"), _personal(source))
    )


def to_last4(source: Source) -> Value:
    spelled = to_digits(source)
    assert isinstance(spelled, Digits)
    return spelled.last4


def to_name(source: Source) -> Value:
    return source if isinstance(source, Name) else Name(_text(source, "name"))


FILTERS: Mapping[str, Callable[..., Value]] = MappingProxyType(
    {
        "count": to_count,
        "date": to_date,
        "days": to_days,
        "digits": to_digits,
        "last4": to_last4,
        "money": to_money,
        "name": to_name,
        "percent": to_percent,
        "phone": to_phone,
    }
)


def _personal(source: Source) -> bool:
    return is_personal(source) if not isinstance(source, (str, int, float)) else False


def _text(source: Source, what: str) -> str:
    if isinstance(source, Phone):
        return source.number
    if isinstance(source, (Digits, Name, Text)):
        return source.text
    if isinstance(source, str):
        return source
    if isinstance(source, int) and not isinstance(source, bool):
        return str(source)
    raise Unspeakable(f"{what} cannot be made of {_kind(source)}")


def _decimal(source: Source, what: str) -> Decimal:
    if isinstance(source, Percent):
        return source.value
    if isinstance(source, (Count, DaysCount)):
        return Decimal(_whole(source, what))
    if isinstance(source, float):
        return Decimal(repr(source))
    return parse_decimal(_text(source, what))


def _whole(source: Source, what: str) -> int:
    if isinstance(source, DaysCount):
        return source.days
    if isinstance(source, Count):
        return source.number
    number = parse_decimal(_text(source, what))
    if number != number.to_integral_value():
        raise Unspeakable(f"{what} needs a whole number")
    return int(number)


def _kind(source: Source) -> str:
    return f"a value of type {type(source).__name__}"
