"""Mandarin: values to words. Own reader: cn2an 0.5.24 drops a 零 (两亿一千 for 200001000).

两 stands before measure words, and at the head of a number before 千, 万 and 亿; 二 in ordinals,
before 十, and here before 百 (两百 is as right). 幺 is 1 where digits are read one by one. 零
stands once for any run of places left out. Sources: tests/speech/test_golden_grammar.py.
"""

from __future__ import annotations

from decimal import Decimal

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Day, Money, TimeOfDay, decimal_parts

# Read out one by one, 1 is 幺 (it cannot be mistaken for 七); in dates and decimals it is 一.
DIGIT_WORDS = ("零", "幺", "二", "三", "四", "五", "六", "七", "八", "九")
GROUP_PAUSE = "，"
DIGIT_GAP = ""
PLUS = "加"
LETTERS: dict[str, str] = {}
PHONE_GROUPS = {7: (3, 4), 8: (4, 4), 10: (3, 3, 4), 11: (3, 4, 4), 12: (4, 4, 4)}

_PLAIN_DIGITS = "零一二三四五六七八九"
_NEAR = {-2: "前天", -1: "昨天", 0: "今天", 1: "明天", 2: "后天"}
_CURRENCIES = {  # major, minor; the yuan has two small units and is read in money()
    "CNY": ("元", ""),
    "USD": ("美元", "美分"),
    "EUR": ("欧元", "欧分"),
    "RUB": ("卢布", "戈比"),
    "VND": ("越南盾", ""),
}


def integer(number: int) -> str:
    """2000 -> 两千, 20000 -> 两万, 12000 -> 一万二千, 200 -> 二百, 2 -> 二."""
    words = _whole(abs(number), first=True)
    if len(words) > 1 and words[0] == "二" and words[1] in "千万亿":
        words = "两" + words[1:]
    return "负" + words if number < 0 else words


def counted(number: int) -> str:
    """Before a measure word: 两天, 两元; otherwise as `integer`."""
    return "负两" if number == -2 else "两" if number == 2 else integer(number)


def money(value: Money) -> str:
    """1234567 CNY -> 一万二千三百四十五元六角七分; 507 -> 五元零七分; 20 -> 两角."""
    if value.currency not in _CURRENCIES:
        raise Unspeakable(f"no Chinese words for {value.currency}")
    major_word, minor_word = _CURRENCIES[value.currency]
    major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
    words = "负" if value.minor < 0 else ""
    if major or not minor:
        words += counted(major) + major_word
    if value.currency == "CNY":
        return words + _jiao_fen(minor, after_yuan=bool(major))
    if minor:
        words += counted(minor) + minor_word
    return words


def ordinal(number: int) -> str:
    """2 -> 第二."""
    return "第" + integer(number)


def day(value: Day) -> str:
    """2025-04-19 -> 二零二五年四月十九日."""
    near = value.days_from_today
    if near is not None:
        return _NEAR[near]
    year = "".join(_PLAIN_DIGITS[int(digit)] for digit in str(value.date.year))
    words = f"{integer(value.date.month)}月{integer(value.date.day)}日"
    return f"{year}年{words}" if value.with_year else words


def time(value: TimeOfDay) -> str:
    """14:30 -> 十四点三十分; 9:05 -> 九点零五分; 2:00 -> 两点; 0:00 -> 零点."""
    words = counted(value.hour) + "点"
    if value.minute:
        words += ("零" if value.minute < 10 else "") + integer(value.minute) + "分"
    return words


def days(number: int) -> str:
    return counted(number) + "天"


def percent(value: Decimal, *, yearly: bool = False) -> str:
    """18.5 -> 百分之十八点五; yearly: 年利率百分之十八点五."""
    negative, whole, decimals = decimal_parts(value)
    words = ("年利率" if yearly else "") + ("负" if negative else "") + "百分之" + integer(whole)
    if decimals:
        words += "点" + "".join(_PLAIN_DIGITS[int(digit)] for digit in decimals)
    return words


def _whole(number: int, *, first: bool) -> str:
    """first: nothing stands before, so that 十五 needs no 一."""
    for unit, word in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            head, tail = divmod(number, unit)
            return _whole(head, first=first) + word + _rest(tail, unit // 10)
    for unit, word in ((1000, "千"), (100, "百"), (10, "十")):
        if number >= unit:
            head, tail = divmod(number, unit)
            digit = "" if unit == 10 and head == 1 and first else _PLAIN_DIGITS[head]
            return digit + word + _rest(tail, unit // 10)
    return _PLAIN_DIGITS[number]


def _rest(number: int, full: int) -> str:
    """What follows a unit: 零 stands for places left out, that is, below `full`."""
    if not number:
        return ""
    return ("零" if number < full else "") + _whole(number, first=False)


def _jiao_fen(minor: int, *, after_yuan: bool) -> str:
    """After a larger unit 2 stays 二 (两元二角); alone it is 两 (两角, 两分)."""
    jiao, fen = divmod(minor, 10)
    words = ""
    if jiao:
        words += (integer(jiao) if after_yuan else counted(jiao)) + "角"
    elif fen and after_yuan:
        words += "零"
    if fen:
        words += (integer(fen) if after_yuan or jiao else counted(fen)) + "分"
    return words
