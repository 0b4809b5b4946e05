"""English: values to words, British "and", dates the American way ("April nineteenth")."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from num2words import num2words

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Money, decimal_parts

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GROUP_PAUSE = ", "
DIGIT_GAP = " "
PLUS = "plus"
PHONE_GROUPS = {7: (3, 4), 8: (4, 4), 10: (3, 3, 4), 11: (1, 3, 3, 4)}

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
_CURRENCIES = {  # major one, major many, minor one, minor many
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "RUB": ("ruble", "rubles", "kopeck", "kopecks"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "VND": ("dong", "dong", "", ""),
}


def integer(number: int) -> str:
    return str(num2words(number, lang="en"))


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


def day(value: date) -> str:
    """2025-04-19 -> April nineteenth, twenty twenty-five."""
    day_word = num2words(value.day, lang="en", to="ordinal")
    year_word = num2words(value.year, lang="en", to="year")
    return f"{_MONTHS[value.month - 1]} {day_word}, {year_word}"


def days(number: int) -> str:
    return f"{integer(number)} {'day' if abs(number) == 1 else 'days'}"


def percent(value: Decimal) -> str:
    """18.25 -> eighteen point two five percent."""
    negative, whole, decimals = decimal_parts(value)
    words = ("minus " if negative else "") + integer(whole)
    if decimals:
        words += " point " + " ".join(DIGIT_WORDS[int(digit)] for digit in decimals)
    return words + " percent"
