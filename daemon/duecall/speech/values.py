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
from decimal import Decimal
from typing import TypeAlias

from duecall.core.money import major_units
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import CASES, GENDERS, Case, Gender

PERCENT_DECIMALS_MAX = 6  # the Russian reader has denominators up to millionths
PHONE_DIGITS_MAX = 20
DIGITS_MAX = 64
_Date: TypeAlias = date  # within a class that has a field of this name
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
    """A calendar date.

    with_year: the year is said. today: where given, the days from two before to two after it are
    said as "yesterday", "today", "tomorrow" …; other days as dates.
    """

    date: date
    with_year: bool = True
    today: _Date | None = None

    def __post_init__(self) -> None:
        for day in (self.date, self.today):
            if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
                raise Unspeakable("a Day holds a date without time of day")
        if self.date is None:
            raise Unspeakable("a Day holds a date")

    @property
    def days_from_today(self) -> int | None:
        """-2 to 2 where the day is said by its distance from `today`, else None."""
        away = (self.date - self.today).days if self.today is not None else 3
        return away if abs(away) <= 2 else None


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """Hours 0 to 23 and minutes, by the clock on the wall."""

    hour: int
    minute: int

    def __post_init__(self) -> None:
        _whole(self.hour, "an hour")
        _whole(self.minute, "a minute")
        if not (0 <= self.hour <= 23 and 0 <= self.minute <= 59):
            raise Unspeakable("a time of day is from 00:00 to 23:59")


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
class Ordinal:
    """A place in an order: 1 is the first."""

    number: int

    def __post_init__(self) -> None:
        _whole(self.number, "a place in an order")
        if self.number < 1:
            raise Unspeakable("a place in an order is 1 or more")


@dataclass(frozen=True, slots=True)
class Percent:
    """value: per cent, so 18.5 is 18.5 %. At most six decimal places. yearly: an interest rate."""

    value: Decimal
    yearly: bool = False

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

    Digits of any script become ASCII; letters stay as they are; so does `*`, which stands for
    characters left out: such a number can be spoken by its `last4` only. All else parts the groups.
    """

    text: str
    personal: bool = True

    def __post_init__(self) -> None:
        plain = ascii_digits(unicodedata.normalize("NFC", self.text))
        groups = "".join(c if c.isalnum() or c == "*" else " " for c in plain).split()
        spelled = "".join(groups)
        if not spelled.strip("*") or len(spelled) > DIGITS_MAX:
            raise Unspeakable(f"a number to be spelled has 1 to {DIGITS_MAX} digits or letters")
        object.__setattr__(self, "text", " ".join(groups))

    @property
    def last4(self) -> Digits:
        """The last four digits, letters left out; Unspeakable where there are fewer, or where
        some of the last four are hidden by `*`.
        """
        digits = [char for char in self.text.rpartition("*")[2] if char in "0123456789"]
        if len(digits) < 4:
            raise Unspeakable("last4 needs a number that ends with at least four digits")
        return Digits("".join(digits[-4:]), self.personal)


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, always personal. Any text: cleaning.py says what is left of it in speech.

    title: how the person is addressed, as the file has it ("chị", "Mr."); titles.py knows them.
    """

    text: str
    personal: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Free words. personal: False for the campaign's own variables (the lender's name)."""

    text: str
    personal: bool = True


Bending: TypeAlias = "Money | Day | TimeOfDay | DaysCount | Count | Ordinal | Percent"
BENDING = (Money, Day, TimeOfDay, DaysCount, Count, Ordinal, Percent)


@dataclass(frozen=True, slots=True)
class Inflected:
    """A value in a grammatical form; Russian only. gender: of what is counted or ordered."""

    value: Bending
    case: Case = "nominative"
    gender: Gender = "masculine"

    def __post_init__(self) -> None:
        if not isinstance(self.value, BENDING):
            raise Unspeakable(f"a {type(self.value).__name__} has no cases; it is said as it is")
        if self.case not in CASES or self.gender not in GENDERS:
            raise Unspeakable("a form is one of " + ", ".join((*CASES, *GENDERS)))
        if self.gender != "masculine" and not isinstance(self.value, (Count, Ordinal)):
            raise Unspeakable("only a count and an ordinal have a gender; all else has its own")


Value: TypeAlias = (
    "Money | Day | TimeOfDay | DaysCount | Count | Ordinal | Percent | Phone | Digits | Name | Text"
    " | Inflected"
)
VALUE_TYPES = (*BENDING, Phone, Digits, Name, Text, Inflected)
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
    """A plain decimal number with a point, digits 0-9; Unspeakable otherwise."""
    plain = text.strip()
    if any(char.isdecimal() and not char.isascii() for char in plain):
        raise Unspeakable("a number is written with the digits 0-9")
    if not re.fullmatch(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?", plain):
        raise Unspeakable("this is no number: write digits with a decimal point, such as 1234.56")
    return Decimal(plain)


def parse_whole(text: str) -> int:
    """A whole number. 3.0 and 3.00 are spreadsheets' way of writing 3; 1.000 has two readings."""
    number = parse_decimal(text)
    decimals = text.strip().partition(".")[2]
    if number != number.to_integral_value() or len(decimals) > 2:
        raise Unspeakable("this is no whole number: write digits alone, such as 1234")
    return int(number)


def _whole(number: object, what: str) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise Unspeakable(f"{what} is a whole number")
