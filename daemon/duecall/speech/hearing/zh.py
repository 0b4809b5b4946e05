"""Mandarin words -> values. Strict: a character out of place is a ValueError."""

from __future__ import annotations

from decimal import Decimal

from duecall.speech.hearing.heard import HeardDay, decimal_of

_PLAIN = "零一二三四五六七八九"
_SPELLED = "零幺二三四五六七八九"
_UNITS = {"千": 1000, "百": 100, "十": 10}
_NEAR = {"前天": -2, "昨天": -1, "今天": 0, "明天": 1, "后天": 2}
_MONEY = {
    "USD": ("美元", "美分"),
    "EUR": ("欧元", "欧分"),
    "RUB": ("卢布", "戈比"),
    "VND": ("越南盾", None),
}


def integer(text: str) -> int:
    """两 stands at the head before 千, 万 and 亿, where 二 does not."""
    if text == "零":
        return 0
    sign, text = (-1, text[1:]) if text.startswith("负") else (1, text)
    head = text[:2]
    if "两" in text[1:] or text == "两" or (head in ("二千", "二万", "二亿")):
        raise ValueError(text)
    if head[:1] == "两" and head[1:] not in ("千", "万", "亿"):
        raise ValueError(text)
    return sign * _whole(text.replace("两", "二"))


def counted(text: str) -> int:
    """Before a measure word: 两, never 二."""
    if text in ("二", "负二"):
        raise ValueError(text)
    return {"两": 2, "负两": -2}.get(text) or integer(text)


def ordinal(text: str) -> int:
    if not text.startswith("第"):
        raise ValueError(text)
    value = integer(text[1:])
    if value < 1:
        raise ValueError(text)
    return value


def money(text: str, currency: str) -> int:
    """Minor units of this currency."""
    sign, text = (-1, text[1:]) if text.startswith("负") else (1, text)
    if currency == "CNY":
        return sign * _yuan(text)
    major, minor = _MONEY[currency]
    if minor is None:
        return sign * counted(_without(text, major))
    whole, found, rest = text.rpartition(major)
    if not found:
        return sign * _few(text, minor)
    return sign * (counted(whole) * 100 + (_few(rest, minor) if rest else 0))


def day(text: str) -> HeardDay:
    if text in _NEAR:
        return HeardDay(near=_NEAR[text])
    year, found, rest = text.rpartition("年")
    month, _, day_word = rest.partition("月")
    value = int("".join(str(_PLAIN.index(char)) for char in year)) if found else 0
    return HeardDay(value, integer(month), integer(_without(day_word, "日")))


def time(text: str) -> tuple[int, int]:
    hour, found, minute = text.partition("点")
    if not found:
        raise ValueError(text)
    if not minute:
        return counted(hour), 0
    number = _without(minute, "分")
    value = integer(number.removeprefix("零"))
    if number.startswith("零") != (value < 10) or not value:
        raise ValueError(text)
    return counted(hour), value


def days(text: str) -> int:
    return counted(_without(text, "天"))


def percent(text: str) -> tuple[Decimal, bool]:
    yearly = text.startswith("年利率")
    text = text.removeprefix("年利率")
    sign = -1 if text.startswith("负") else 1
    text = text.removeprefix("负")
    if not text.startswith("百分之"):
        raise ValueError(text)
    whole, point, decimals = text.removeprefix("百分之").partition("点")
    digits = "".join(str(_PLAIN.index(char)) for char in decimals)
    return decimal_of(sign, integer(whole), digits, point), yearly


def spelled(text: str) -> str:
    plus = "+" if text.startswith("加") else ""
    groups = text.removeprefix("加").split("，")
    return plus + " ".join("".join(_letter(c) for c in group if c != " ") for group in groups)


def _letter(char: str) -> str:
    if char in _SPELLED:
        return str(_SPELLED.index(char))
    if char == "一" or not char.isalpha():
        raise ValueError(char)
    return char


def _without(text: str, unit: str) -> str:
    if not text.endswith(unit):
        raise ValueError(text)
    return text[: -len(unit)]


def _few(text: str, unit: str) -> int:
    value = counted(_without(text, unit))
    if not 1 <= value <= 99:
        raise ValueError(text)
    return value


def _yuan(text: str) -> int:
    """元角分: 零 stands for no jiao between yuan and fen; a lone 2 is 两, after a unit 二."""
    whole, found, rest = text.rpartition("元")
    total = counted(whole) * 100 if found else 0
    if not rest:
        if not found:
            raise ValueError(text)
        return total
    jiao, has_jiao, fen = rest.rpartition("角")
    if has_jiao:
        total += _digit(jiao, alone=not found) * 10
        return total + (_digit(_without(fen, "分"), alone=False) if fen else 0)
    if found:
        if not rest.startswith("零"):
            raise ValueError(text)
        rest = rest[1:]
    value = (
        counted(_without(rest, "分")) if not found else _digit(_without(rest, "分"), alone=False)
    )
    if not 1 <= value <= 9:
        raise ValueError(text)
    return total + value


def _digit(char: str, *, alone: bool) -> int:
    value = counted(char) if alone else integer(char)
    if not 1 <= value <= 9:
        raise ValueError(char)
    return value


def _whole(text: str) -> int:
    head, found, tail = text.rpartition("亿")
    if found:
        return _whole(head) * 10**8 + (_tail(tail, 10**7) if tail else 0)
    head, found, tail = text.rpartition("万")
    if found:
        return _section(head) * 10**4 + (_tail(tail, 10**3) if tail else 0)
    return _section(text)


def _tail(text: str, full: int) -> int:
    """What follows 亿 or 万: 零 stands before it exactly where a digit is left out."""
    value = _whole(text.removeprefix("零"))
    if text.startswith("零") != (value < full):
        raise ValueError(text)
    return value


def _section(text: str) -> int:
    """1 to 9999."""
    total, digit, last_unit, gap = 0, 0, 10**5, False
    for char in text:
        unit = _UNITS.get(char)
        if unit:
            if not digit and not (unit == 10 and not total and not gap):
                raise ValueError(text)
            if unit >= last_unit or (total and gap != (last_unit > unit * 10)):
                raise ValueError(text)
            total += (digit or 1) * unit
            digit, last_unit, gap = 0, unit, False
        elif char == "零":
            if digit or gap or not total:
                raise ValueError(text)
            gap = True
        else:
            if digit:
                raise ValueError(text)
            digit = _PLAIN.index(char)
    if digit:
        if total and gap != (last_unit > 10):
            raise ValueError(text)
        return total + digit
    if gap or not total:
        raise ValueError(text)
    return total
