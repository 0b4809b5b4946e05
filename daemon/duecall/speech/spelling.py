"""Numbers that are read digit by digit: phones in the groups of their country, contracts, cards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import phonenumbers

from duecall.core.campaign import Language
from duecall.speech.faults import Unspeakable
from duecall.speech.scripts import readable
from duecall.speech.values import Digits, Phone, ascii_digits

# Whose groups a number without plus is read in; English numbers with a leading 0 are British.
REGIONS: Mapping[Language, str] = MappingProxyType({"vi": "VN", "ru": "RU", "zh": "CN", "en": "US"})


class Speller(Protocol):
    """The part of a reader that spelling needs."""

    @property
    def DIGIT_WORDS(self) -> tuple[str, ...]: ...
    @property
    def GROUP_PAUSE(self) -> str: ...
    @property
    def DIGIT_GAP(self) -> str: ...
    @property
    def PLUS(self) -> str: ...
    @property
    def LETTERS(self) -> Mapping[str, str]: ...
    @property
    def PHONE_GROUPS(self) -> Mapping[int, tuple[int, ...]]: ...


def phone_words(phone: Phone, reader: Speller, language: Language) -> str:
    """Digit by digit. Groups: as given; else as the number's country writes them; else even."""
    plus = phone.number.startswith("+")
    groups = phone.number.lstrip("+").split()
    if len(groups) == 1:
        digits = groups[0]
        region = "GB" if language == "en" and digits.startswith("0") else REGIONS[language]
        groups = _country_groups(phone.number, None if plus else region)
        if not groups:
            sizes = None if plus else reader.PHONE_GROUPS.get(len(digits))
            groups = _groups(digits, sizes) if sizes else _even_groups(digits)
    spoken = _spelled(groups, reader)
    return f"{reader.PLUS}{reader.DIGIT_GAP}{spoken}" if plus else spoken


def digits_words(value: Digits, reader: Speller, language: Language) -> str:
    """Digit by digit, letter by letter. Unspeakable where characters are hidden."""
    if "*" in value.text:
        raise Unspeakable("part of this number is hidden (*): say its end, {{ … | last4 }}")
    groups = readable(value.text, language).split()
    return _spelled(groups if len(groups) > 1 else _even_groups(groups[0]), reader)


def digits_as_words(text: str, reader: Speller) -> str:
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


def _country_groups(number: str, region: str | None) -> list[str]:
    """+84912345678 -> 84, 912, 345, 678, as that country groups it; empty where unknown."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return []
    if region is not None and not phonenumbers.is_valid_number(parsed):
        return []
    international = region is None
    layout = phonenumbers.PhoneNumberFormat
    shown = phonenumbers.format_number(
        parsed, layout.INTERNATIONAL if international else layout.NATIONAL
    )
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


def _spelled(groups: Sequence[str], reader: Speller) -> str:
    """Digit by digit, letter by letter, with a pause between groups."""
    spelled = (
        reader.DIGIT_GAP.join(_character(char, reader) for char in group) for group in groups
    )
    return reader.GROUP_PAUSE.join(re.sub(r"\s+", " ", group).strip() for group in spelled)


def _character(char: str, reader: Speller) -> str:
    if char in "0123456789":
        return reader.DIGIT_WORDS[int(char)]
    # A lone capital is read by its name. Without a gap (Chinese) letters would become a word.
    letter = reader.LETTERS.get(char.upper(), char.upper())
    return letter if reader.DIGIT_GAP else f" {letter} "
