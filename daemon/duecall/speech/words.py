"""Typed value -> the words that are spoken, per language. Pure; 3 to 160 µs a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

import phonenumbers

from duecall.core.campaign import Language
from duecall.core.money import exponent
from duecall.speech import words_en, words_ru, words_vi, words_zh
from duecall.speech.cleaning import person_name, speakable
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
    Value,
    ascii_digits,
)

SPOKEN_MAX = 10**15  # of whole units; no currency and no language here needs more


class Reader(Protocol):
    """What a language module offers. Numbers arrive within ±SPOKEN_MAX."""

    @property
    def DIGIT_WORDS(self) -> tuple[str, ...]: ...
    @property
    def GROUP_PAUSE(self) -> str: ...
    @property
    def DIGIT_GAP(self) -> str: ...
    @property
    def PLUS(self) -> str: ...
    @property
    def PHONE_GROUPS(self) -> Mapping[int, tuple[int, ...]]: ...
    def integer(self, number: int, /) -> str: ...
    def money(self, value: Money, /) -> str: ...
    def day(self, value: date, /) -> str: ...
    def days(self, number: int, /) -> str: ...
    def percent(self, value: Decimal, /) -> str: ...


READERS: Mapping[Language, Reader] = MappingProxyType(
    {"vi": words_vi, "ru": words_ru, "zh": words_zh, "en": words_en}
)


def words(value: Value, language: Language) -> str:
    """The value as it is read aloud. Unspeakable where it cannot be (too large, empty name)."""
    reader = READERS[language]
    if isinstance(value, Money):
        _within(abs(value.minor) // 10 ** exponent(value.currency))
        return reader.money(value)
    if isinstance(value, Day):
        return reader.day(value.date)
    if isinstance(value, DaysCount):
        return reader.days(_within(value.days))
    if isinstance(value, Count):
        return reader.integer(_within(value.number))
    if isinstance(value, Percent):
        _within(int(value.value))
        return reader.percent(value.value)
    if isinstance(value, Phone):
        return _phone(value, reader)
    if isinstance(value, Digits):
        groups = value.text.split()
        return _spelled(groups if len(groups) > 1 else _even_groups(groups[0]), reader)
    clean = person_name(value.text) if isinstance(value, Name) else speakable(value.text)
    if not clean:
        what = "name" if isinstance(value, Name) else "text"
        raise Unspeakable(f"this {what} holds no letter and no digit that could be spoken")
    return _digits_as_words(clean, reader)


def _within(number: int) -> int:
    if abs(number) > SPOKEN_MAX:
        raise Unspeakable(f"numbers are read aloud up to {SPOKEN_MAX}")
    return number


def _phone(phone: Phone, reader: Reader) -> str:
    plus = phone.number.startswith("+")
    groups = phone.number.lstrip("+").split()
    if len(groups) == 1 and plus:
        groups = _international_groups(phone.number) or _even_groups(groups[0])
    elif len(groups) == 1:
        sizes = reader.PHONE_GROUPS.get(len(groups[0]))
        groups = _groups(groups[0], sizes) if sizes else _even_groups(groups[0])
    spoken = _spelled(groups, reader)
    return f"{reader.PLUS}{reader.DIGIT_GAP}{spoken}" if plus else spoken


def _international_groups(number: str) -> list[str]:
    """+84912345678 -> 84, 912, 345, 678, as that country groups it; empty where unknown."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return []
    shown = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    groups = re.findall(r"[0-9]+", shown)
    # A number that the library cannot lay out without changing it is read as it was given.
    return groups if "".join(groups) == number.lstrip("+") else []


def _groups(text: str, sizes: Sequence[int]) -> list[str]:
    groups, at = [], 0
    for size in sizes:
        groups.append(text[at : at + size])
        at += size
    return groups


def _even_groups(text: str) -> list[str]:
    """Up to five together; longer in fours (16 of a card) or threes, the last one 2 to 4 long."""
    if len(text) <= 5:
        return [text]
    size = 4 if len(text) % 4 == 0 else 3
    groups = [text[at : at + size] for at in range(0, len(text), size)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def _spelled(groups: Sequence[str], reader: Reader) -> str:
    """Digit by digit, letter by letter, with a pause between groups."""
    spelled = (
        reader.DIGIT_GAP.join(_character(char, reader) for char in group) for group in groups
    )
    return reader.GROUP_PAUSE.join(re.sub(r"\s+", " ", group).strip() for group in spelled)


def _character(char: str, reader: Reader) -> str:
    if char in "0123456789":
        return reader.DIGIT_WORDS[int(char)]
    # A lone capital is read by its name. Without a gap (Chinese) letters would become a word.
    return char.upper() if reader.DIGIT_GAP else f" {char.upper()} "


def _digits_as_words(text: str, reader: Reader) -> str:
    """Digits within a name or text are read one by one: "24h" -> "hai bốn h"."""
    plain = ascii_digits(text)
    if not any(char in "0123456789" for char in plain):
        return plain
    gap = reader.DIGIT_GAP
    spoken = re.sub(
        r"[0-9]+",
        lambda run: " " + gap.join(reader.DIGIT_WORDS[int(d)] for d in run.group()) + " ",
        plain,
    )
    return re.sub(r"\s+", " ", spoken).strip()
