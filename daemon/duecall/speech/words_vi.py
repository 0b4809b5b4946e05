"""Vietnamese: values to words. Own reader: num2words drops the hundreds of inner groups.

Northern `nghìn` with `lẻ` (as in "một trăm lẻ năm"), understood everywhere; `linh` and `ngàn` are
the other regions' words and would be set here.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Money, decimal_parts

DIGIT_WORDS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
GROUP_PAUSE = ", "
DIGIT_GAP = " "
PLUS = "cộng"
PHONE_GROUPS = {7: (3, 4), 8: (4, 4), 9: (3, 3, 3), 10: (4, 3, 3), 11: (4, 4, 3)}

_ZERO_TENS = "lẻ"
_THOUSAND, _MILLION, _BILLION = "nghìn", "triệu", "tỷ"
_CURRENCIES = {  # major, minor
    "VND": ("đồng", ""),
    "RUB": ("rúp", "kô-pếch"),
    "CNY": ("nhân dân tệ", "xu"),
    "USD": ("đô la Mỹ", "xu"),
    "EUR": ("ơ-rô", "xu"),
}


def integer(number: int) -> str:
    if number < 0:
        return "âm " + integer(-number)
    if number == 0:
        return DIGIT_WORDS[0]
    billions, rest = divmod(number, 10**9)
    words = [integer(billions), _BILLION] if billions else []
    return " ".join(words + _under_billion(rest, padded=bool(billions)))


def money(value: Money) -> str:
    """123456789 VND -> "… bảy trăm tám mươi chín đồng"; minor units follow where not zero."""
    if value.currency not in _CURRENCIES:
        raise Unspeakable(f"no Vietnamese words for {value.currency}")
    major_word, minor_word = _CURRENCIES[value.currency]
    major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
    words = ["âm"] if value.minor < 0 else []
    if major or not minor:
        words += [integer(major), major_word]
    if minor:
        words += [integer(minor), minor_word]
    return " ".join(words)


def day(value: date) -> str:
    """2025-04-19 -> ngày mười chín tháng tư năm hai nghìn không trăm hai mươi lăm."""
    day_word = integer(value.day) if value.day > 10 else "mùng " + integer(value.day)
    month_word = "tư" if value.month == 4 else integer(value.month)
    return f"ngày {day_word} tháng {month_word} năm {integer(value.year)}"


def days(number: int) -> str:
    return integer(number) + " ngày"


def percent(value: Decimal) -> str:
    """18.25 -> mười tám phẩy hai mươi lăm phần trăm; 18.05 -> … phẩy không năm …"""
    negative, whole, decimals = decimal_parts(value)
    words = ["âm"] if negative else []
    words.append(integer(whole))
    if decimals:
        words.append("phẩy")
        if len(decimals) == 2 and decimals[0] != "0":
            words.append(integer(int(decimals)))
        else:
            words += [DIGIT_WORDS[int(digit)] for digit in decimals]
    return " ".join(words) + " phần trăm"


def _under_billion(number: int, *, padded: bool) -> list[str]:
    """padded: something stands before, so the first group names its hundreds even when zero."""
    words: list[str] = []
    for scale, name in ((10**6, _MILLION), (10**3, _THOUSAND), (1, "")):
        group = number // scale % 1000
        if group:
            words += _group(group, padded=padded or bool(words))
            words += [name] if name else []
    return words


def _group(number: int, *, padded: bool) -> list[str]:
    hundreds, tens, units = number // 100, number // 10 % 10, number % 10
    words: list[str] = []
    if hundreds or padded:
        words += [DIGIT_WORDS[hundreds], "trăm"]
    if tens == 0:
        if units:
            words += ([_ZERO_TENS] if words else []) + [DIGIT_WORDS[units]]
        return words
    words += ["mười"] if tens == 1 else [DIGIT_WORDS[tens], "mươi"]
    if units == 5:
        words.append("lăm")
    elif units == 1 and tens > 1:
        words.append("mốt")
    elif units == 4 and tens > 1:
        words.append("tư")
    elif units:
        words.append(DIGIT_WORDS[units])
    return words
