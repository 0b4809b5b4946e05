"""Words -> number for the four languages: the reverse of the readers, written on its own.

Strict on purpose: a word out of place is a ValueError, so a reader cannot pass by being vague.
"""

from __future__ import annotations

from itertools import pairwise

VI = {"không": 0, "một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7, "tám": 8,
      "chín": 9}  # fmt: skip
VI_AFTER_TENS = {"mốt": 1, "hai": 2, "ba": 3, "tư": 4, "lăm": 5, "sáu": 6, "bảy": 7, "tám": 8,
                 "chín": 9}  # fmt: skip
VI_AFTER_TEN = {**VI_AFTER_TENS, "một": 1, "bốn": 4}
del VI_AFTER_TEN["mốt"], VI_AFTER_TEN["tư"]

RU_SMALL = {
    "один": 1, "одна": 1, "два": 2, "две": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6,
    "семь": 7, "восемь": 8, "девять": 9, "десять": 10, "одиннадцать": 11, "двенадцать": 12,
    "тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17,
    "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20, "тридцать": 30, "сорок": 40,
    "пятьдесят": 50, "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80, "девяносто": 90,
    "сто": 100, "двести": 200, "триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600,
    "семьсот": 700, "восемьсот": 800, "девятьсот": 900,
}  # fmt: skip
RU_SCALES = {
    10**3: ("тысяча", "тысячи", "тысяч"),
    10**6: ("миллион", "миллиона", "миллионов"),
    10**9: ("миллиард", "миллиарда", "миллиардов"),
    10**12: ("триллион", "триллиона", "триллионов"),
    10**15: ("квадриллион", "квадриллиона", "квадриллионов"),
}

EN_SMALL = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
EN_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
           "eighty": 80, "ninety": 90}  # fmt: skip
EN_SCALES = {"quadrillion": 10**15, "trillion": 10**12, "billion": 10**9, "million": 10**6,
             "thousand": 10**3}  # fmt: skip

ZH = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"两": 2}


def parse(text: str, language: str) -> int:
    sign, word = 1, {"vi": "âm ", "ru": "минус ", "zh": "负", "en": "minus "}[language]
    if text.startswith(word):
        sign, text = -1, text[len(word) :]
    zero = {"vi": "không", "ru": "ноль", "zh": "零", "en": "zero"}[language]
    if text == zero:
        return 0
    value = {"vi": _vi, "ru": _ru, "zh": _zh, "en": _en}[language](text)
    if value <= 0:
        raise ValueError(text)
    return sign * value


def _vi(text: str) -> int:
    tokens = text.split(" ")
    if "tỷ" in tokens:
        at = len(tokens) - 1 - tokens[::-1].index("tỷ")
        rest = tokens[at + 1 :]
        return _vi(" ".join(tokens[:at])) * 10**9 + _vi_groups(rest, first=False)
    return _vi_groups(tokens, first=True)


def _vi_groups(tokens: list[str], *, first: bool) -> int:
    total = 0
    for word, scale in (("triệu", 10**6), ("nghìn", 1000), ("", 1)):
        if word in tokens or (not word and tokens):
            at = tokens.index(word) if word else len(tokens)
            total += _vi_group(tokens[:at], first=first) * scale
            tokens, first = tokens[at + 1 :], False
    if tokens:
        raise ValueError(tokens)
    return total


def _vi_group(tokens: list[str], *, first: bool) -> int:
    """first: nothing stands before, so that hundreds of zero are not said."""
    match tokens:
        case [hundreds, "trăm", *rest]:
            if first and hundreds == "không":
                raise ValueError(tokens)
            total = VI[hundreds] * 100
            tail = _vi_tens(rest, after_hundreds=True)
            if not total + tail:
                raise ValueError(tokens)
            return total + tail
        case _ if first:
            return _vi_tens(tokens, after_hundreds=False)
    raise ValueError(tokens)


def _vi_tens(tokens: list[str], *, after_hundreds: bool) -> int:
    match tokens:
        case [] if after_hundreds:
            return 0
        case ["lẻ", unit] if after_hundreds:
            return VI[unit]
        case [unit] if not after_hundreds and unit != "mười":
            return VI[unit]
        case ["mười"]:
            return 10
        case ["mười", unit]:
            return 10 + VI_AFTER_TEN[unit]
        case [tens, "mươi"] if VI[tens] > 1:
            return VI[tens] * 10
        case [tens, "mươi", unit] if VI[tens] > 1:
            return VI[tens] * 10 + VI_AFTER_TENS[unit]
    raise ValueError(tokens)


def _ru(text: str) -> int:
    total, group, last_scale = 0, [], 10**18
    for token in text.split(" "):
        if token in RU_SMALL:
            group.append(token)
            continue
        scale = next(s for s, forms in RU_SCALES.items() if token in forms)
        if scale >= last_scale:
            raise ValueError(text)
        number = _ru_group(group, feminine=scale == 1000)
        if token != RU_SCALES[scale][_ru_form(number)]:
            raise ValueError(f"{token} after {number}")
        total, group, last_scale = total + number * scale, [], scale
    return total + (_ru_group(group, feminine=None) if group else 0)


def _ru_form(number: int) -> int:
    if number % 100 in (11, 12, 13, 14):
        return 2
    return {1: 0, 2: 1, 3: 1, 4: 1}.get(number % 10, 2)


def _ru_group(tokens: list[str], *, feminine: bool | None) -> int:
    if feminine is not None:
        wrong = {"один", "два"} if feminine else {"одна", "две"}
        if wrong & set(tokens):
            raise ValueError(tokens)
    numbers = [RU_SMALL[token] for token in tokens]
    for left, right in pairwise(numbers):
        room = 100 if left >= 100 else 10 if left >= 20 else 1
        if right >= room:
            raise ValueError(tokens)
    if not numbers:
        raise ValueError("empty group")
    return sum(numbers)


def _en(text: str) -> int:
    total, rest, last = 0, text, False
    for word, scale in EN_SCALES.items():
        head, found, tail = rest.partition(f" {word}")
        if found:
            total += _en_group(head, leading=False) * scale
            last = tail.startswith(" and ")
            rest = tail.removeprefix(",").removeprefix(" and").strip()
    if rest:
        value = _en_group(rest, leading=False)
        if total and last != (value < 100):
            raise ValueError(text)
        total += value
    return total


def _en_group(text: str, *, leading: bool) -> int:
    head, found, tail = text.partition(" hundred")
    if found:
        if tail and not tail.startswith(" and "):
            raise ValueError(text)
        return EN_SMALL[head] * 100 + (_en_group(tail[5:], leading=False) if tail else 0)
    tens, dash, unit = text.partition("-")
    if dash:
        return EN_TENS[tens] + EN_SMALL[unit]
    return EN_TENS[text] if text in EN_TENS else EN_SMALL[text]


def _zh(text: str) -> int:
    head, found, tail = text.rpartition("亿")
    if found:
        return _zh(head) * 10**8 + (_zh_tail(tail, 10**7) if tail else 0)
    head, found, tail = text.rpartition("万")
    if found:
        return _zh_section(head) * 10**4 + (_zh_tail(tail, 10**3) if tail else 0)
    return _zh_section(text)


def _zh_tail(text: str, full: int) -> int:
    """What follows 亿 or 万: 零 stands before it exactly where a digit is left out."""
    value = _zh(text.removeprefix("零"))
    if text.startswith("零") != (value < full):
        raise ValueError(text)
    return value


def _zh_section(text: str) -> int:
    total, digit, last_unit, gap = 0, None, 10**5, False
    for char in text:
        unit = {"千": 1000, "百": 100, "十": 10}.get(char)
        if unit:
            if digit is None and not (unit == 10 and not total and not gap):
                raise ValueError(text)
            if unit >= last_unit or (total and gap != (last_unit > unit * 10)):
                raise ValueError(text)
            total += (1 if digit is None else digit) * unit
            digit, last_unit, gap = None, unit, False
        elif char == "零":
            if digit is not None or gap or not total:
                raise ValueError(text)
            gap = True
        else:
            if digit is not None or not ZH[char]:
                raise ValueError(text)
            digit = ZH[char]
    if digit is not None:
        if total and gap != (last_unit > 10):
            raise ValueError(text)
        return total + digit
    if gap:
        raise ValueError(text)
    return total
