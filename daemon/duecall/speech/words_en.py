"""English: values to words, British "and", dates the American way ("April nineteenth").

Without the "and" sums are easily misheard over a telephone. CLDR calls it "verbose".
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Day, Money, TimeOfDay, decimal_parts

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GROUP_PAUSE = ", "
DIGIT_GAP = " "
PLUS = "plus"
LETTERS = {"A": "ay"}  # alone it would be the article
PHONE_GROUPS = {7: (3, 4), 8: (4, 4), 10: (3, 3, 4), 11: (1, 3, 3, 4)}

_SMALL = (
    *DIGIT_WORDS,
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    (10**15, "quadrillion"),
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_NEAR = {
    -2: "the day before yesterday",
    -1: "yesterday",
    0: "today",
    1: "tomorrow",
    2: "the day after tomorrow",
}
_CURRENCIES = {  # major one, major many, minor one, minor many
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "RUB": ("ruble", "rubles", "kopeck", "kopecks"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "VND": ("dong", "dong", "", ""),
}


def integer(number: int) -> str:
    """1234567 -> one million, two hundred and thirty-four thousand, five hundred and …"""
    if number < 0:
        return "minus " + integer(-number)
    if number == 0:
        return DIGIT_WORDS[0]
    parts: list[str] = []
    for scale, name in _SCALES:
        head, number = divmod(number, scale)
        if head:
            parts.append(f"{_group(head)} {name}")
    if not number:
        return ", ".join(parts)
    if parts and number < 100:
        return ", ".join(parts) + " and " + _group(number)
    return ", ".join([*parts, _group(number)])


def ordinal(number: int) -> str:
    """21 -> twenty-first; 101 -> one hundred and first; 2000 -> two thousandth."""
    words = integer(number)
    at = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[at:]
    if last.endswith("y"):
        return words[:-1] + "ieth"
    return words[:at] + _ORDINALS.get(last, last + "th")


def money(value: Money) -> str:
    """123467 USD -> one thousand, two hundred and thirty-four dollars and sixty-seven cents."""
    if value.currency not in _CURRENCIES:
        raise Unspeakable(f"no English words for {value.currency}")
    one, many, minor_one, minor_many = _CURRENCIES[value.currency]
    major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
    parts = []
    if major or not minor:
        parts.append(f"{integer(major)} {one if major == 1 else many}")
    if minor:
        parts.append(f"{integer(minor)} {minor_one if minor == 1 else minor_many}")
    return ("minus " if value.minor < 0 else "") + " and ".join(parts)


def day(value: Day) -> str:
    """2025-04-19 -> April nineteenth, twenty twenty-five."""
    near = value.days_from_today
    if near is not None:
        return _NEAR[near]
    words = f"{_MONTHS[value.date.month - 1]} {ordinal(value.date.day)}"
    return f"{words}, {year(value.date)}" if value.with_year else words


def year(value: date) -> str:
    """1999 -> nineteen ninety-nine; 2005 -> two thousand and five; 1905 -> nineteen oh-five."""
    century, rest = divmod(value.year, 100)
    if value.year < 1000 or value.year % 1000 < 10:
        return integer(value.year)
    if not rest:
        return integer(century) + " hundred"
    return f"{integer(century)} {'oh-' if rest < 10 else ''}{integer(rest)}"


def time(value: TimeOfDay) -> str:
    """9:05 -> nine oh five AM; 12:00 -> twelve noon; 0:00 -> midnight."""
    if value.minute == 0 and value.hour % 12 == 0:
        return "twelve noon" if value.hour else "midnight"
    words = integer(value.hour % 12 or 12)
    if value.minute:
        words += (" oh " if value.minute < 10 else " ") + integer(value.minute)
    return words + (" AM" if value.hour < 12 else " PM")


def days(number: int) -> str:
    return f"{integer(number)} {'day' if abs(number) == 1 else 'days'}"


def percent(value: Decimal, *, yearly: bool = False) -> str:
    """18.25 -> eighteen point two five percent; yearly: … percent a year."""
    negative, whole, decimals = decimal_parts(value)
    words = ("minus " if negative else "") + integer(whole)
    if decimals:
        words += " point " + " ".join(DIGIT_WORDS[int(digit)] for digit in decimals)
    return words + (" percent a year" if yearly else " percent")


def _group(number: int) -> str:
    """1 to 999."""
    hundreds, rest = divmod(number, 100)
    words = f"{_SMALL[hundreds]} hundred" if hundreds else ""
    if not rest:
        return words
    small = _SMALL[rest] if rest < 20 else _TENS[rest // 10]
    if rest > 20 and rest % 10:
        small += "-" + _SMALL[rest % 10]
    return f"{words} and {small}" if words else small
