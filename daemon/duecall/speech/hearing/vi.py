"""Vietnamese words -> values, of any region. Strict: a word out of place is a ValueError."""

from __future__ import annotations

from decimal import Decimal

from duecall.speech.hearing.heard import HeardDay, decimal_of

_DIGITS = {"không": 0, "một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7,
           "tám": 8, "chín": 9}  # fmt: skip
_AFTER_MUOI = {"một": 1, "hai": 2, "ba": 3, "bốn": 4, "lăm": 5, "sáu": 6, "bảy": 7, "tám": 8,
               "chín": 9}  # fmt: skip
_AFTER_TENS = {"mốt": 1, "hai": 2, "ba": 3, "tư": 4, "bốn": 4, "lăm": 5, "sáu": 6, "bảy": 7,
               "tám": 8, "chín": 9}  # fmt: skip
_NEAR = {"hôm kia": -2, "hôm qua": -1, "hôm nay": 0, "ngày mai": 1, "ngày kia": 2, "ngày mốt": 2}
_MONEY = {
    "VND": ("đồng", None),
    "RUB": ("rúp", "kô-pếch"),
    "CNY": ("nhân dân tệ", "xu"),
    "USD": ("đô la Mỹ", "xu"),
    "EUR": ("ơ-rô", "xu"),
}
_MONTHS = ("một", "hai", "ba", "tư", "năm", "sáu", "bảy", "tám", "chín", "mười", "mười một",
           "mười hai")  # fmt: skip
_THOUSANDS = ("nghìn", "ngàn")
_ZERO_TENS = ("lẻ", "linh")


def integer(text: str) -> int:
    if text.startswith("âm "):
        value = -_positive(text.removeprefix("âm ").split(" "))
    elif text == "không":
        return 0
    else:
        value = _positive(text.split(" "))
    if not value:
        raise ValueError(text)
    return value


def ordinal(text: str) -> int:
    head, _, rest = text.partition(" ")
    if head != "thứ" or rest in ("một", "bốn", "không"):
        raise ValueError(text)
    return {"nhất": 1, "tư": 4}.get(rest) or integer(rest)


def money(text: str, currency: str) -> int:
    """Minor units of this currency."""
    sign = -1 if text.startswith("âm ") else 1
    text = text.removeprefix("âm ")
    major, minor = _MONEY[currency]
    if minor is None:
        return sign * integer(_without(text, major))
    whole, found, rest = text.partition(" " + major)
    if not found:
        return sign * _few(text, minor)
    return sign * (integer(whole) * 100 + (_few(rest.removeprefix(" "), minor) if rest else 0))


def day(text: str) -> HeardDay:
    if text in _NEAR:
        return HeardDay(near=_NEAR[text])
    day_word, _, rest = text.removeprefix("ngày ").partition(" tháng ")
    early = day_word.startswith("mùng ")
    number = integer(day_word.removeprefix("mùng "))
    if early != (number <= 10) or not text.startswith("ngày "):
        raise ValueError(text)
    if rest in _MONTHS:
        return HeardDay(0, _MONTHS.index(rest) + 1, number)
    for month, name in enumerate(_MONTHS, 1):  # năm is both five and year
        year = rest.removeprefix(name + " năm ")
        if year != rest:
            return HeardDay(integer(year), month, number)
    raise ValueError(text)


def time(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(" giờ")
    minutes = integer(_without(minute.strip(), "phút")) if minute else 0
    if minute and not minutes:
        raise ValueError(text)
    return integer(hour), minutes


def days(text: str) -> int:
    return integer(_without(text, "ngày"))


def percent(text: str) -> tuple[Decimal, bool]:
    yearly = text.endswith(" một năm")
    number = _without(text.removesuffix(" một năm"), "phần trăm")
    sign = -1 if number.startswith("âm ") else 1
    whole, point, decimals = number.removeprefix("âm ").partition(" phẩy ")
    tokens = decimals.split()
    if not all(token in _DIGITS for token in tokens):
        value = integer(decimals)  # two decimals are read as one number
        if not 10 <= value <= 99:
            raise ValueError(text)
        digits = str(value)
    else:
        digits = "".join(str(_DIGITS[token]) for token in tokens)
    return decimal_of(sign, integer(whole), digits, point), yearly


def spelled(text: str) -> str:
    plus = "+" if text.startswith("cộng ") else ""
    groups = text.removeprefix("cộng ").split(", ")
    return plus + " ".join("".join(map(_letter, group.split(" "))) for group in groups)


def _letter(word: str) -> str:
    if word in _DIGITS:
        return str(_DIGITS[word])
    if len(word) != 1 or not word.isalpha():
        raise ValueError(word)
    return word


def _without(text: str, unit: str) -> str:
    if not text.endswith(" " + unit):
        raise ValueError(text)
    return text.removesuffix(" " + unit)


def _few(text: str, unit: str) -> int:
    value = integer(_without(text, unit))
    if not 1 <= value <= 99:
        raise ValueError(text)
    return value


def _positive(tokens: list[str]) -> int:
    if "tỷ" in tokens:
        at = len(tokens) - 1 - tokens[::-1].index("tỷ")
        return _positive(tokens[:at]) * 10**9 + _groups(tokens[at + 1 :], first=False)
    return _groups(tokens, first=True)


def _groups(tokens: list[str], *, first: bool) -> int:
    total = 0
    for names, scale in ((("triệu",), 10**6), (_THOUSANDS, 1000), ((), 1)):
        at = next((n for n, token in enumerate(tokens) if token in names), -1)
        if not names and tokens:
            at = len(tokens)
        if at >= 0:
            total += _group(tokens[:at], first=first) * scale
            tokens, first = tokens[at + 1 :], False
    return total


def _group(tokens: list[str], *, first: bool) -> int:
    """first: nothing stands before, so that hundreds of zero are not said."""
    if len(tokens) > 1 and tokens[1] == "trăm":
        if first and tokens[0] == "không":
            raise ValueError(tokens)
        value = _DIGITS[tokens[0]] * 100 + _tens(tokens[2:], after_hundreds=True)
    elif first:
        value = _tens(tokens, after_hundreds=False)
    else:
        raise ValueError(tokens)
    if not value:
        raise ValueError(tokens)
    return value


def _tens(tokens: list[str], *, after_hundreds: bool) -> int:
    if after_hundreds and not tokens:
        return 0
    if after_hundreds and len(tokens) == 2 and tokens[0] in _ZERO_TENS:
        return _DIGITS[tokens[1]] or _refuse(tokens)
    if tokens[0] == "mười" and len(tokens) <= 2:
        return 10 + (_AFTER_MUOI[tokens[1]] if len(tokens) == 2 else 0)
    if len(tokens) == 1 and not after_hundreds:
        return _DIGITS[tokens[0]]
    if len(tokens) in (2, 3) and tokens[1] == "mươi" and _DIGITS[tokens[0]] > 1:
        return _DIGITS[tokens[0]] * 10 + (_AFTER_TENS[tokens[2]] if len(tokens) == 3 else 0)
    return _refuse(tokens)


def _refuse(tokens: list[str]) -> int:
    raise ValueError(tokens)
