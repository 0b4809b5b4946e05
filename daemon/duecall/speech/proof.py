"""Proof that a value is read right: its words are parsed again and must give the value back.

What is compared is the value itself: minor units and currency, the day, the digits. Names and free
text have no value apart from their letters; there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from duecall.core.campaign import Language
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import Case, Gender, Region
from duecall.speech.hearing import en, ru, vi, zh
from duecall.speech.hearing.heard import HeardDay
from duecall.speech.template import Piece
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
from duecall.speech.words import words


class Misread(Unspeakable):
    """The words of a value do not lead back to it: a fault of this program, not of the row."""


class Parser(Protocol):
    """Each raises ValueError, LookupError or StopIteration for other words than its own."""

    def integer(self, text: str, /) -> int: ...
    def ordinal(self, text: str, /) -> int: ...
    def money(self, text: str, currency: str, /) -> int: ...
    def day(self, text: str, /) -> HeardDay: ...
    def time(self, text: str, /) -> tuple[int, int]: ...
    def days(self, text: str, /) -> int: ...
    def percent(self, text: str, /) -> tuple[Decimal, bool]: ...
    def spelled(self, text: str, /) -> str: ...


PARSERS: Mapping[Language, Parser] = MappingProxyType({"vi": vi, "ru": ru, "zh": zh, "en": en})


def prove_all(pieces: Sequence[Piece], language: Language, region: Region = "") -> None:
    """Every value of a rendered template. Misread, or Unspeakable where a value has no words."""
    for piece in pieces:
        if not isinstance(piece, str):
            prove(piece, language, region)


def prove(value: Value, language: Language, region: Region = "") -> str:
    """The value's words, once they are known to lead back to it. Misread, or Unspeakable."""
    said = words(value, language, region)
    if isinstance(value, (Name, Text)):
        return said
    try:
        right = is_proven(said, value, language)
    except (ValueError, LookupError, StopIteration):
        right = False
    if not right:
        kind = type(value.value if isinstance(value, Inflected) else value).__name__
        raise Misread(
            f"the words for this {kind} do not lead back to it, so it would be read wrongly; "
            "say it as digits, and report this with the value"
        )
    return said


def is_proven(said: str, value: Value, language: Language) -> bool:
    """Whether these words are of this value. Errors as of Parser for words that are none."""
    parser = PARSERS[language]
    if isinstance(value, Inflected):
        return _inflected(said, value)
    if isinstance(value, Money):
        return parser.money(said, value.currency) == value.minor
    if isinstance(value, Day):
        return _same_day(parser.day(said), value)
    if isinstance(value, TimeOfDay):
        return parser.time(said) == (value.hour, value.minute)
    if isinstance(value, DaysCount):
        return parser.days(said) == value.days
    if isinstance(value, Count):
        return parser.integer(said) == value.number
    if isinstance(value, Ordinal):
        return parser.ordinal(said) == value.number
    if isinstance(value, Percent):
        return parser.percent(said) == (value.value, value.yearly)
    if isinstance(value, Phone):
        return parser.spelled(said).replace(" ", "") == value.number.replace(" ", "")
    assert isinstance(value, Digits)
    return parser.spelled(said).replace(" ", "") == value.text.replace(" ", "").upper()


def _inflected(said: str, form: Inflected) -> bool:
    value, case, gender = form.value, form.case, form.gender
    if isinstance(value, Money):
        return ru.money(said, value.currency, case) == value.minor
    if isinstance(value, Day):
        return _same_day(ru.day(said, case), value)
    if isinstance(value, TimeOfDay):
        return ru.time(said, case) == (value.hour, value.minute)
    if isinstance(value, DaysCount):
        return ru.days(said, case) == value.days
    if isinstance(value, Percent):
        return ru.percent(said, case) == (value.value, value.yearly)
    return _number(said, value, case, gender)


def _number(said: str, value: Count | Ordinal, case: Case, gender: Gender) -> bool:
    parse = ru.integer if isinstance(value, Count) else ru.ordinal
    return parse(said, case, gender) == value.number


def _same_day(heard: HeardDay, value: Day) -> bool:
    if value.today is not None and abs((value.date - value.today).days) <= 2:
        return heard == HeardDay(near=(value.date - value.today).days)
    year = value.date.year if value.with_year else 0
    return heard == HeardDay(year, value.date.month, value.date.day)
