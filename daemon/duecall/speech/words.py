"""Typed value -> the words that are spoken, per language. Pure; 2 to 60 µs a value.

How to add a language: docs/speech.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

from duecall.core.campaign import Language
from duecall.core.money import exponent
from duecall.speech import words_en, words_ru, words_zh
from duecall.speech.cleaning import TEXT_MAX, person_name, speakable
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import Region
from duecall.speech.scripts import readable
from duecall.speech.spelling import Speller, digits_as_words, digits_words, phone_words
from duecall.speech.titles import titled
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
    TimeOfDay,
    Value,
    ascii_digits,
)
from duecall.speech.words_vi import VIETNAMESE

SPOKEN_MAX = 10**15  # of whole units; no currency and no language here needs more
_SEPARATED = re.compile(r"[0-9]\s?[.,:;/\\–—-]\s?[0-9]")
_NEGATIVE = re.compile(r"(?<!\w)[–—-][0-9]")
_NO_NUMBER = (
    "; give it a type, such as {{ fee | money('VND') }} or {{ unit | digits }}, "
    "or write it in words"
)


class Reader(Speller, Protocol):
    """What a language offers. Numbers arrive within ±SPOKEN_MAX."""

    def integer(self, number: int, /) -> str: ...
    def ordinal(self, number: int, /) -> str: ...
    def money(self, value: Money, /) -> str: ...
    def day(self, value: Day, /) -> str: ...
    def time(self, value: TimeOfDay, /) -> str: ...
    def days(self, number: int, /) -> str: ...
    def percent(self, value: Decimal, /, *, yearly: bool = False) -> str: ...


READERS: Mapping[Language, Mapping[Region, Reader]] = MappingProxyType(
    {"vi": VIETNAMESE, "ru": {"": words_ru}, "zh": {"": words_zh}, "en": {"": words_en}}
)


def words(value: Value, language: Language, region: Region = "") -> str:
    """The value as it is read aloud. Unspeakable where it cannot be (too large, empty name).

    region: of the callees; languages without regional words take any.
    """
    readers = READERS[language]
    reader = readers.get(region) or readers[""]
    _check_bounds(value.value if isinstance(value, Inflected) else value)
    if isinstance(value, Inflected):
        if language != "ru":
            raise Unspeakable("only Russian has forms; leave `| form(…)` out")
        return words_ru.inflected(value)
    if isinstance(value, Money):
        return reader.money(value)
    if isinstance(value, Day):
        return reader.day(value)
    if isinstance(value, TimeOfDay):
        return reader.time(value)
    if isinstance(value, DaysCount):
        return reader.days(value.days)
    if isinstance(value, Count):
        return reader.integer(value.number)
    if isinstance(value, Ordinal):
        return reader.ordinal(value.number)
    if isinstance(value, Percent):
        return reader.percent(value.value, yearly=value.yearly)
    if isinstance(value, Phone):
        return phone_words(value, reader, language)
    if isinstance(value, Digits):
        return digits_words(value, reader, language)
    if isinstance(value, Name):
        name = readable(_clean(person_name(value.text, TEXT_MAX * 2), "name"), language)
        return titled(digits_as_words(name, reader), value.title, language)
    _refuse_numbers(value.text)
    text = readable(_clean(speakable(value.text, TEXT_MAX * 2), "text"), language)
    return digits_as_words(text, reader)


def _check_bounds(value: Value) -> None:
    number = 0
    if isinstance(value, Money):
        number = abs(value.minor) // 10 ** exponent(value.currency)
    elif isinstance(value, DaysCount):
        number = value.days
    elif isinstance(value, (Count, Ordinal)):
        number = value.number
    elif isinstance(value, Percent):
        number = int(value.value)
    if abs(number) > SPOKEN_MAX:
        raise Unspeakable(f"numbers are read aloud up to {SPOKEN_MAX}")


def _clean(text: str, what: str) -> str:
    if not text:
        raise Unspeakable(f"this {what} holds no letter and no digit that could be spoken")
    if len(text) > TEXT_MAX:
        raise Unspeakable(f"this {what} has more than {TEXT_MAX} characters; shorten it")
    return text


def _refuse_numbers(text: str) -> None:
    """A sum, date or phone in a column without a type would be read wrongly, not at all or twice.

    Digits beside letters ("24h", "Phòng 3") are read one by one.
    """
    plain = ascii_digits(text[:1000])
    if any(unicodedata.category(char) in ("No", "Nl") for char in plain):
        raise Unspeakable("this text holds a number that is no digit" + _NO_NUMBER)
    if not any(char in "0123456789" for char in plain):
        return
    if not any(char.isalpha() for char in plain):
        raise Unspeakable("this text is only a number" + _NO_NUMBER)
    if _SEPARATED.search(plain) or _NEGATIVE.search(plain):
        raise Unspeakable("this text holds a number with more than one reading" + _NO_NUMBER)
    compact = "".join(plain.split())
    for left, right in pairwise(compact):
        if (_is_symbol(left) and right.isdecimal()) or (left.isdecimal() and _is_symbol(right)):
            raise Unspeakable("this text holds a number with a sign of its own" + _NO_NUMBER)
    if re.search(r"[0-9][eE][+-]?[0-9]", compact):
        raise Unspeakable("this text holds a number written with an exponent" + _NO_NUMBER)


def _is_symbol(char: str) -> bool:
    """Currency signs, +, <, %, #, №: they change what the number is."""
    return char in "%‰#*" or unicodedata.category(char)[0] == "S"
