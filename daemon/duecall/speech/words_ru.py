"""Russian: values to words.

Sums stand in the nominative where the template asks for no other case ("Сумма долга:
{{ balance }}"), days of the calendar in the genitive of "when" ("девятнадцатого апреля").
"""

from __future__ import annotations

from decimal import Decimal

from duecall.core.money import exponent
from duecall.speech import numerals_ru as n
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import Case, Gender
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Inflected,
    Money,
    Ordinal,
    Percent,
    TimeOfDay,
    decimal_parts,
)

DIGIT_WORDS = (
    "ноль",
    "один",
    "два",
    "три",
    "четыре",
    "пять",
    "шесть",
    "семь",
    "восемь",
    "девять",
)
GROUP_PAUSE = ", "
DIGIT_GAP = " "
PLUS = "плюс"
LETTERS: dict[str, str] = {}
PHONE_GROUPS = {
    6: (2, 2, 2),
    7: (3, 2, 2),
    8: (4, 4),
    10: (3, 3, 2, 2),
    11: (1, 3, 3, 2, 2),
}

_MONTHS = (
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
)
_NEAR = {-2: "позавчера", -1: "вчера", 0: "сегодня", 1: "завтра", 2: "послезавтра"}
_CURRENCIES: dict[str, tuple[n.Noun, n.Noun | None]] = {  # major, minor
    "RUB": (n.RUBLE, n.KOPECK),
    "USD": (n.DOLLAR, n.CENT),
    "EUR": (n.EURO, n.EURO_CENT),
    "CNY": (n.YUAN, n.FEN),
    "VND": (n.DONG, None),
}
_DENOMINATORS = ("десят", "сот", "тысячн", "десятитысячн", "стотысячн", "миллионн")


def integer(number: int, case: Case = "nominative", gender: Gender = "masculine") -> str:
    return _sign(number) + n.cardinal(abs(number), case, gender)


def ordinal(number: int, case: Case = "nominative", gender: Gender = "masculine") -> str:
    return n.ordinal(number, case, gender)


def money(value: Money, case: Case = "nominative") -> str:
    """2101 RUB -> двадцать один рубль одна копейка; genitive: двадцати одного рубля …"""
    if value.currency not in _CURRENCIES:
        raise Unspeakable(f"no Russian words for {value.currency}")
    major_noun, minor_noun = _CURRENCIES[value.currency]
    major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
    words = []
    if major or not minor:
        words.append(n.counted(major, major_noun, case))
    if minor and minor_noun is not None:
        words.append(n.counted(minor, minor_noun, case))
    return _sign(value.minor) + " ".join(words)


def day(value: Day, case: Case = "genitive") -> str:
    """2025-04-19 -> девятнадцатого апреля две тысячи двадцать пятого года (genitive: "when")."""
    near = value.days_from_today
    if near is not None:
        return _NEAR[near]
    words = f"{n.ordinal(value.date.day, case, 'neuter')} {_MONTHS[value.date.month - 1]}"
    if not value.with_year:
        return words
    return f"{words} {n.ordinal(value.date.year, 'genitive')} года"


def time(value: TimeOfDay, case: Case = "nominative") -> str:
    """14:30 -> четырнадцать часов тридцать минут; 9:00 -> девять часов."""
    words = n.counted(value.hour, n.HOUR, case)
    return f"{words} {n.counted(value.minute, n.MINUTE, case)}" if value.minute else words


def days(number: int, case: Case = "nominative") -> str:
    return _sign(number) + n.counted(abs(number), n.DAY, case)


def percent(value: Decimal, *, yearly: bool = False, case: Case = "nominative") -> str:
    """18.5 -> восемнадцать целых пять десятых процента; yearly: … процента годовых."""
    negative, whole, decimals = decimal_parts(value)
    if decimals:
        parts = int(decimals)
        words = (
            f"{n.cardinal(whole, case, 'feminine')} {n.beside_number('цел', whole, case)} "
            f"{n.cardinal(parts, case, 'feminine')} "
            f"{n.beside_number(_DENOMINATORS[len(decimals) - 1], parts, case)} процента"
        )
    else:
        words = n.counted(whole, n.PERCENT, case)
    return ("минус " if negative else "") + words + (" годовых" if yearly else "")


def inflected(form: Inflected) -> str:
    """The value in the case and gender that the template asks for."""
    value, case = form.value, form.case
    if isinstance(value, Money):
        return money(value, case)
    if isinstance(value, Day):
        return day(value, case)
    if isinstance(value, TimeOfDay):
        return time(value, case)
    if isinstance(value, DaysCount):
        return days(value.days, case)
    if isinstance(value, Count):
        return integer(value.number, case, form.gender)
    if isinstance(value, Ordinal):
        return ordinal(value.number, case, form.gender)
    assert isinstance(value, Percent)
    return percent(value.value, yearly=value.yearly, case=case)


def _sign(number: int) -> str:
    return "минус " if number < 0 else ""
