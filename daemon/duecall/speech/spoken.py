"""`Spoken`: what a template holds in place of a typed value while Jinja runs.

Printing one leaves a marker (a private-use character) that stands for its place in a list, so the
words of a contact are never part of the text that Jinja builds. It can be compared and tested for
truth, and nothing else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeAlias

from duecall.speech.converters import to_date, to_time
from duecall.speech.faults import SpeechError, Unspeakable
from duecall.speech.values import (
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
)

MARK_FIRST, MARK_LAST = 0xF0000, 0xFFFFD  # Unicode's supplementary private use area A

_Comparable: TypeAlias = "Decimal | date | time | str"


class ComparisonFault(SpeechError):
    """Two things that cannot be compared. The text names types, never values."""


class Spoken:
    """One typed value within one rendering.

    slots: what was printed so far. name: the variable that it is or was made of; empty for words
    of the template.
    """

    __slots__ = ("_slots", "name", "value")

    def __init__(self, value: Value, slots: list[Spoken], name: str = "") -> None:
        self.value = value
        self.name = name
        self._slots = slots

    def __str__(self) -> str:
        if len(self._slots) > MARK_LAST - MARK_FIRST:
            raise SpeechError("a message holds too many values")
        self._slots.append(self)
        return chr(MARK_FIRST + len(self._slots) - 1)

    def __repr__(self) -> str:
        return f"<Spoken {type(self.value).__name__}>"  # shown in tracebacks: no contact data

    def __bool__(self) -> bool:
        plain = _plain(self.value)
        return bool(plain.strip()) if isinstance(plain, str) else bool(plain)

    def __eq__(self, other: object) -> bool:
        return self._compare(other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return self._compare(other, operator.ne)

    def __lt__(self, other: object) -> bool:
        return self._compare(other, operator.lt)

    def __le__(self, other: object) -> bool:
        return self._compare(other, operator.le)

    def __gt__(self, other: object) -> bool:
        return self._compare(other, operator.gt)

    def __ge__(self, other: object) -> bool:
        return self._compare(other, operator.ge)

    __hash__ = None  # type: ignore[assignment]

    def _compare(self, other: object, compare: Callable[[Any, Any], object]) -> bool:
        mine = _plain(self.value)
        if isinstance(other, Spoken):
            theirs = _plain(other.value)
            if (
                (mine_currency := _currency(self.value))
                and (their_currency := _currency(other.value))
                and mine_currency != their_currency
            ):
                raise ComparisonFault("two sums of different currencies cannot be compared")
        else:
            theirs = _literal(other, mine, self.value)
        if type(mine) is not type(theirs):
            raise _refusal(self.value, other)
        if isinstance(mine, str) and compare not in (operator.eq, operator.ne):
            raise ComparisonFault(
                f"{type(self.value).__name__} has no greater or less; "
                "convert it first, such as (segment | count) > 3"
            )
        return bool(compare(mine, theirs))


def _currency(value: Value) -> str:
    plain = value.value if isinstance(value, Inflected) else value
    return plain.currency if isinstance(plain, Money) else ""


def _plain(value: Value) -> _Comparable:
    """What a value is compared by: major units, days, per cent; a date; text."""
    if isinstance(value, Money):
        return value.major
    if isinstance(value, DaysCount):
        return Decimal(value.days)
    if isinstance(value, (Count, Ordinal)):
        return Decimal(value.number)
    if isinstance(value, Inflected):
        return _plain(value.value)
    if isinstance(value, TimeOfDay):
        return time(value.hour, value.minute)
    if isinstance(value, Percent):
        return value.value
    if isinstance(value, Day):
        return value.date
    if isinstance(value, Phone):
        return value.digits
    if isinstance(value, Digits):
        return value.text.replace(" ", "")
    assert isinstance(value, (Name, Text))
    return value.text


def _literal(other: object, mine: _Comparable, value: Value) -> _Comparable:
    if isinstance(other, int) and not isinstance(other, bool):
        return Decimal(other)
    if isinstance(other, float):
        return Decimal(repr(other))  # 0.1 as it is written, not its binary neighbour
    if isinstance(other, str):
        if isinstance(mine, time):
            try:
                clock = to_time(other)
                assert isinstance(clock, TimeOfDay)
                return time(clock.hour, clock.minute)
            except Unspeakable:
                raise ComparisonFault(
                    "a time of day is compared with one written '14:30'"
                ) from None
        if isinstance(mine, date):
            try:
                day = to_date(other)
                assert isinstance(day, Day)
                return day.date
            except Unspeakable:
                raise ComparisonFault("a date is compared with one written '2025-04-19'") from None
        return other
    raise _refusal(value, other)


def _refusal(value: Value, other: object) -> ComparisonFault:
    names = {"str": "text in quotes", "int": "a number", "float": "a number", "bool": "true/false"}
    if isinstance(other, Spoken):
        kind = type(other.value).__name__
    else:
        kind = names.get(type(other).__name__, type(other).__name__)
    return ComparisonFault(
        f"{type(value).__name__} cannot be compared with {kind}; "
        "convert one of them first, such as (segment | count) == 3"
    )
