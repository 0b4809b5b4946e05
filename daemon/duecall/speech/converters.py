"""The filters of message templates: `{{ card | last4 }}`, `{{ fee | money('VND') }}` …

Each takes a typed value or a literal of the template and answers a typed value, or raises
Unspeakable with the remedy and without the value. A literal is the operator's, so not personal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from duecall.core.currency import AmountError, parse_amount
from duecall.core.money import minor_units
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import CASES, GENDERS
from duecall.speech.values import (
    BENDING,
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
    Value,
    is_personal,
    parse_decimal,
    parse_whole,
)

Source: TypeAlias = "Value | str | int | float"


def to_money(source: Source, currency: str = "") -> Value:
    """Text as a balance is written in the contacts file; literal numbers in major units.

    currency: needed for all but sums of money.
    """
    if isinstance(source, Money):
        if currency not in ("", source.currency):
            raise Unspeakable(f"this sum is in {source.currency}; Duecall does not convert money")
        return source
    if not isinstance(currency, str) or not currency:
        raise Unspeakable("money needs the currency: money('VND')")
    if isinstance(source, (str, Text)):
        try:
            return Money(parse_amount(_text(source, "money"), currency), currency)
        except AmountError as error:
            raise Unspeakable(f"{error.problem}: {error.remedy}") from None
    major = _decimal(source, "money")
    try:
        return Money(minor_units(major, currency), currency)
    except ValueError as error:
        raise Unspeakable(str(error)) from None


def to_date(source: Source) -> Value:
    if isinstance(source, Day):
        return source
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", _text(source, "date").strip())
    if not found:
        raise Unspeakable("date needs a date written 2025-04-19")
    year, month, day = map(int, found.groups())
    try:
        return Day(date(year, month, day))
    except ValueError:
        raise Unspeakable("there is no such day: look at day, month and year") from None


def to_without_year(source: Source) -> Value:
    day = to_date(source)
    assert isinstance(day, Day)
    return replace(day, with_year=False)


def to_relative(source: Source, today: Source) -> Value:
    """today: what "today" is, as a rule the variable of this name."""
    day, now = to_date(source), to_date(today)
    assert isinstance(day, Day)
    assert isinstance(now, Day)
    return replace(day, today=now.date)


def to_time(source: Source) -> Value:
    if isinstance(source, TimeOfDay):
        return source
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", _text(source, "time").strip())
    if not found:
        raise Unspeakable("time needs a time of day written 14:30")
    return TimeOfDay(int(found.group(1)), int(found.group(2)))


def to_days(source: Source) -> Value:
    return source if isinstance(source, DaysCount) else DaysCount(_whole(source, "days"))


def to_count(source: Source) -> Value:
    return source if isinstance(source, Count) else Count(_whole(source, "count"))


def to_ordinal(source: Source) -> Value:
    return source if isinstance(source, Ordinal) else Ordinal(_whole(source, "ordinal"))


def to_yearly(source: Source) -> Value:
    """Per cent a year: an interest rate."""
    rate = to_percent(source)
    assert isinstance(rate, Percent)
    return replace(rate, yearly=True)


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


def to_text(source: Source) -> Value:
    """Free words. A value that has another type is not made text: it would lose its reading."""
    if isinstance(source, Text):
        return source
    if isinstance(source, str):
        return Text(source, personal=False)
    raise Unspeakable("text takes a column or words in quotes; all else has a type already")


def to_name(source: Source) -> Value:
    return source if isinstance(source, Name) else Name(_text(source, "name"))


def to_titled(source: Source, title: Source) -> Value:
    """title: a column or words of the template; empty is none."""
    name = to_name(source)
    assert isinstance(name, Name)
    return replace(name, title=_text(title, "titled"))


def to_form(source: Source, *forms: str) -> Value:
    """Case, gender or both, in words: form('genitive'), form('feminine', 'dative')."""
    made = source if isinstance(source, Inflected) else None
    if made is None:
        if not isinstance(source, BENDING):
            raise Unspeakable("form takes a typed value: {{ 3 | ordinal | form('feminine') }}")
        made = Inflected(source)
    if not forms:
        raise Unspeakable("form needs a case or a gender: form('genitive')")
    for form in forms:
        if form in CASES:
            made = replace(made, case=form)
        elif form in GENDERS:
            made = replace(made, gender=form)
        else:
            raise Unspeakable("form takes " + ", ".join((*CASES, *GENDERS)))
    return made


FILTERS: Mapping[str, Callable[..., Value]] = MappingProxyType(
    {
        "count": to_count,
        "date": to_date,
        "days": to_days,
        "digits": to_digits,
        "form": to_form,
        "last4": to_last4,
        "money": to_money,
        "name": to_name,
        "ordinal": to_ordinal,
        "percent": to_percent,
        "phone": to_phone,
        "relative": to_relative,
        "text": to_text,
        "time": to_time,
        "titled": to_titled,
        "without_year": to_without_year,
        "yearly": to_yearly,
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
    if isinstance(source, Ordinal):
        return source.number
    return parse_whole(_text(source, what))


def _kind(source: Source) -> str:
    return f"a value of type {type(source).__name__}"
