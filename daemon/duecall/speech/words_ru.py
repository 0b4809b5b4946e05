"""Russian: values to words. Numerals by num2words; genders and the three plural forms are ours.

Sums stand in the nominative, so templates should ask for it: "Сумма долга: {{ balance }}".
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from num2words import num2words

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Money, decimal_parts

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
# one, two to four, five and more
Forms = tuple[str, str, str]
_RUBLE: Forms = ("рубль", "рубля", "рублей")
_KOPECK: Forms = ("копейка", "копейки", "копеек")
_CURRENCIES: dict[str, tuple[Forms, Forms, bool]] = {  # major, minor, minor is feminine
    "RUB": (_RUBLE, _KOPECK, True),
    "USD": (("доллар", "доллара", "долларов"), ("цент", "цента", "центов"), False),
    "EUR": (("евро", "евро", "евро"), ("евроцент", "евроцента", "евроцентов"), False),
    "CNY": (("юань", "юаня", "юаней"), ("фэнь", "фэня", "фэней"), False),
    "VND": (("донг", "донга", "донгов"), ("", "", ""), False),
}
_DAY: Forms = ("день", "дня", "дней")
_PERCENT: Forms = ("процент", "процента", "процентов")
_DENOMINATORS = ("десят", "сот", "тысячн", "десятитысячн", "стотысячн", "миллионн")


def integer(number: int, *, feminine: bool = False) -> str:
    """feminine: одна, две. num2words 0.5.14 also bends "миллион" then, so it sees the end only."""
    if not feminine or abs(number) < 1000:
        return str(num2words(number, lang="ru", gender="f" if feminine else "m"))
    sign = "минус " if number < 0 else ""
    head, tail = divmod(abs(number), 1000)
    words = str(num2words(head * 1000, lang="ru"))
    return sign + (f"{words} {integer(tail, feminine=True)}" if tail else words)


def plural(number: int, forms: Forms) -> str:
    """The form that goes with the number: 1 рубль, 2 рубля, 5 рублей, 11 рублей, 21 рубль."""
    last_two = abs(number) % 100
    last = last_two % 10
    if 11 <= last_two <= 14 or last == 0 or last >= 5:
        return forms[2]
    return forms[0] if last == 1 else forms[1]


def money(value: Money) -> str:
    if value.currency not in _CURRENCIES:
        raise Unspeakable(f"no Russian words for {value.currency}")
    major_forms, minor_forms, feminine = _CURRENCIES[value.currency]
    major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
    words = ["минус"] if value.minor < 0 else []
    if major or not minor:
        words += [integer(major), plural(major, major_forms)]
    if minor:
        words += [integer(minor, feminine=feminine), plural(minor, minor_forms)]
    return " ".join(words)


def day(value: date) -> str:
    """2025-04-19 -> девятнадцатого апреля две тысячи двадцать пятого года (genitive: "when")."""
    day_word = num2words(value.day, lang="ru", to="ordinal", case="g", gender="n")
    year_word = num2words(value.year, lang="ru", to="ordinal", case="g", gender="m")
    return f"{day_word} {_MONTHS[value.month - 1]} {year_word} года"


def days(number: int) -> str:
    return f"{integer(number)} {plural(number, _DAY)}"


def percent(value: Decimal) -> str:
    """18.5 -> восемнадцать целых пять десятых процента; 21 -> двадцать один процент."""
    negative, whole, decimals = decimal_parts(value)
    sign = "минус " if negative else ""
    if not decimals:
        return f"{sign}{integer(whole)} {plural(whole, _PERCENT)}"
    parts = int(decimals)
    whole_word = "целая" if plural(whole, _PERCENT) == _PERCENT[0] else "целых"
    ending = "ая" if plural(parts, _PERCENT) == _PERCENT[0] else "ых"
    return (
        f"{sign}{integer(whole, feminine=True)} {whole_word} "
        f"{integer(parts, feminine=True)} {_DENOMINATORS[len(decimals) - 1]}{ending} процента"
    )
