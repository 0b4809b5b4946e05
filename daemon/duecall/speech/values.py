"""Typed values: what a template variable is, so that it can be read aloud without guessing.

All are immutable, compare by content, and refuse at construction what is none of their kind
(`Unspeakable`, whose text never repeats the value). How each is read: words.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from duecall.core.money import major_units
from duecall.speech.faults import Unspeakable

PERCENT_DECIMALS_MAX = 6  # the Russian reader has denominators up to millionths
PHONE_DIGITS_MAX = 20
DIGITS_MAX = 64
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


@dataclass(frozen=True, slots=True)
class Money:
    """minor: whole minor units of `currency` (ISO 4217); see core/money.py for the exponents."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        _whole(self.minor, "an amount")
        if not _CURRENCY.match(self.currency):
            raise Unspeakable("a currency is three capital letters of ISO 4217, such as VND")

    @property
    def major(self) -> Decimal:
        return major_units(self.minor, self.currency)


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar date."""

    date: date

    def __post_init__(self) -> None:
        if not isinstance(self.date, date) or isinstance(self.date, datetime):
            raise Unspeakable("a Day holds a date without time of day")


@dataclass(frozen=True, slots=True)
class DaysCount:
    """A number of days; negative: before."""

    days: int

    def __post_init__(self) -> None:
        _whole(self.days, "a number of days")


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number of anything, read without a unit."""

    number: int

    def __post_init__(self) -> None:
        _whole(self.number, "a count")


@dataclass(frozen=True, slots=True)
class Percent:
    """value: per cent, so 18.5 is 18.5 %. At most six decimal places."""

    value: Decimal

    def __post_init__(self) -> None:
        if not isinstance(self.value, Decimal) or not self.value.is_finite():
            raise Unspeakable("a percentage is a finite decimal number, such as 18.5")
        if len(decimal_parts(self.value)[2]) > PERCENT_DECIMALS_MAX:
            raise Unspeakable(f"a percentage has at most {PERCENT_DECIMALS_MAX} decimal places")


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone number. `number`: optional plus, then ASCII digits, groups parted by one space.

    Digits of any script are taken; spaces, dashes, dots and brackets part the groups.
    personal: of a contact (the sound file is kept with the personal ones), not a hotline.
    """

    number: str
    personal: bool = True

    def __post_init__(self) -> None:
        text = ascii_digits(self.number.strip())
        plus = "+" if text.startswith("+") else ""
        groups = re.sub(r"[\s().\-\u2010-\u2015/]+", " ", text[len(plus) :]).strip()
        digits = groups.replace(" ", "")
        if not re.fullmatch(r"[0-9]+", digits) or not 2 <= len(digits) <= PHONE_DIGITS_MAX:
            raise Unspeakable(
                f"a phone number is 2 to {PHONE_DIGITS_MAX} digits, with a plus, spaces, dashes, "
                "dots or brackets between them"
            )
        object.__setattr__(self, "number", plus + groups)

    @property
    def digits(self) -> str:
        return self.number.replace(" ", "").lstrip("+")


@dataclass(frozen=True, slots=True)
class Digits:
    """A contract or card number, read character by character. Groups parted by one space.

    Digits of any script become ASCII; letters stay as they are; anything else parts the groups.
    """

    text: str
    personal: bool = True

    def __post_init__(self) -> None:
        plain = ascii_digits(unicodedata.normalize("NFC", self.text))
        groups = "".join(char if char.isalnum() else " " for char in plain).split()
        if not groups or len("".join(groups)) > DIGITS_MAX:
            raise Unspeakable(f"a number to be spelled has 1 to {DIGITS_MAX} digits or letters")
        object.__setattr__(self, "text", " ".join(groups))

    @property
    def last4(self) -> Digits:
        """The last four digits, letters left out; Unspeakable where there are fewer."""
        digits = [char for char in self.text if char in "0123456789"]
        if len(digits) < 4:
            raise Unspeakable("last4 needs a number of at least four digits")
        return Digits("".join(digits[-4:]), self.personal)


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, always personal. Any text: cleaning.py says what is left of it in speech."""

    text: str
    personal: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """Free words. personal: False for the campaign's own variables (the lender's name)."""

    text: str
    personal: bool = True


Value: TypeAlias = "Money | Day | DaysCount | Count | Percent | Phone | Digits | Name | Text"
VALUE_TYPES = (Money, Day, DaysCount, Count, Percent, Phone, Digits, Name, Text)
Values: TypeAlias = Mapping[str, Value]


def is_personal(value: Value) -> bool:
    """Whether the sound of this value tells who the contact is. Sums and dates alone do not."""
    return isinstance(value, (Phone, Digits, Name, Text)) and value.personal


def ascii_digits(text: str) -> str:
    """Decimal digits of every script (Arabic, full width …) as 0-9; all else unchanged."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() or not char.isdecimal() else str(unicodedata.decimal(char))
        for char in text
    )


def decimal_parts(value: Decimal) -> tuple[bool, int, str]:
    """(negative, whole part, decimals without trailing zeros): -18.50 -> (True, 18, "5").

    Unspeakable for an exponent so large that writing the number out would be absurd.
    """
    if abs(value.adjusted()) > 40:
        raise Unspeakable("a number of more than 40 digits cannot be read aloud")
    whole, _, decimals = format(abs(value), "f").partition(".")
    decimals = decimals.rstrip("0")
    whole_number = int(whole)
    return (value < 0 and bool(whole_number or decimals)), whole_number, decimals


def parse_decimal(text: str) -> Decimal:
    """A plain decimal number with a point, digits of any script; Unspeakable otherwise."""
    plain = ascii_digits(text.strip())
    if not re.fullmatch(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?", plain):
        raise Unspeakable("this is no number: write digits with a decimal point, such as 1234.56")
    try:
        return Decimal(plain)
    except InvalidOperation:  # pragma: no cover - the pattern above is narrower than Decimal
        raise Unspeakable("this is no number") from None


def _whole(number: object, what: str) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise Unspeakable(f"{what} is a whole number")
