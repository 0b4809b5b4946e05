"""English words -> values. Strict: a word out of place is a ValueError."""

from __future__ import annotations

from decimal import Decimal

from duecall.speech.hearing.heard import HeardDay, decimal_of

_SMALL = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
         "eighty": 80, "ninety": 90}  # fmt: skip
_SCALES = {"quadrillion": 10**15, "trillion": 10**12, "billion": 10**9, "million": 10**6,
           "thousand": 10**3}  # fmt: skip
_ORDINALS = {"first": "one", "second": "two", "third": "three", "fifth": "five",
             "eighth": "eight", "ninth": "nine", "twelfth": "twelve"}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_NEAR = {"the day before yesterday": -2, "yesterday": -1, "today": 0, "tomorrow": 1,
         "the day after tomorrow": 2}  # fmt: skip
_MONEY = {  # singular, plural of the major unit and of the minor one
    "USD": (("dollar", "dollars"), ("cent", "cents")),
    "EUR": (("euro", "euros"), ("cent", "cents")),
    "RUB": (("ruble", "rubles"), ("kopeck", "kopecks")),
    "CNY": (("yuan", "yuan"), ("fen", "fen")),
    "VND": (("dong", "dong"), None),
}
_DIGITS = {word: str(n) for n, word in enumerate(["zero", *list(_SMALL)[:9]])}


def integer(text: str) -> int:
    if text.startswith("minus "):
        return -_positive(text.removeprefix("minus "))
    return 0 if text == "zero" else _positive(text)


def ordinal(text: str) -> int:
    at = max(text.rfind(" "), text.rfind("-")) + 1
    head, last = text[:at], text[at:]
    if last in _ORDINALS:
        return _positive(head + _ORDINALS[last])
    if last.endswith("ieth"):
        return _positive(head + last.removesuffix("ieth") + "y")
    if not last.endswith("th"):
        raise ValueError(text)
    cardinal = last.removesuffix("th")
    if cardinal in _ORDINALS.values() or cardinal.endswith("y"):
        raise ValueError(text)
    return _positive(head + cardinal)


def money(text: str, currency: str) -> int:
    """Minor units of this currency."""
    sign = -1 if text.startswith("minus ") else 1
    text = text.removeprefix("minus ")
    major, minor = _MONEY[currency]
    if minor is None:
        return sign * _amount(text, major)
    for word in minor:
        if text.endswith(" " + word):
            for unit in major:
                head, found, tail = text.partition(f" {unit} and ")
                if found:
                    return sign * (_amount(f"{head} {unit}", major) * 100 + _few(tail, minor))
            return sign * _few(text, minor)
    return sign * _amount(text, major) * 100


def day(text: str) -> HeardDay:
    if text in _NEAR:
        return HeardDay(near=_NEAR[text])
    words, _, year = text.partition(", ")
    month, _, day_word = words.partition(" ")
    return HeardDay(_year(year) if year else 0, _MONTHS.index(month) + 1, ordinal(day_word))


def time(text: str) -> tuple[int, int]:
    if text in ("midnight", "twelve noon"):
        return (0 if text == "midnight" else 12), 0
    words, half = text[:-3], {" AM": 0, " PM": 12}[text[-3:]]
    hour, _, minute = words.partition(" ")
    clock = integer(hour)
    if not 1 <= clock <= 12 or (clock == 12 and not minute):
        raise ValueError(text)
    minutes = 0
    if minute.startswith("oh "):
        minutes = _below(minute.removeprefix("oh "), 10)
    elif minute:
        minutes = _below(minute, 60)
        if minutes < 10:
            raise ValueError(text)
    return clock % 12 + half, minutes


def days(text: str) -> int:
    number, _, word = text.rpartition(" ")
    value = integer(number)
    if word != ("day" if abs(value) == 1 else "days"):
        raise ValueError(text)
    return value


def percent(text: str) -> tuple[Decimal, bool]:
    yearly = text.endswith(" a year")
    text = text.removesuffix(" a year")
    if not text.endswith(" percent"):
        raise ValueError(text)
    whole, point, decimals = text.removesuffix(" percent").partition(" point ")
    sign = -1 if whole.startswith("minus ") else 1
    number = abs(integer(whole.removeprefix("minus ")))
    return decimal_of(sign, number, "".join(_DIGITS[d] for d in decimals.split()), point), yearly


def spelled(text: str) -> str:
    """Groups parted by spaces; a plus and letters as they are."""
    plus = "+" if text.startswith("plus ") else ""
    groups = text.removeprefix("plus ").split(", ")
    return plus + " ".join("".join(_letter(word) for word in group.split(" ")) for group in groups)


def _letter(word: str) -> str:
    if word in _DIGITS:
        return _DIGITS[word]
    if word == "ay":
        return "A"
    if len(word) != 1 or word == "A" or not word.isalpha():
        raise ValueError(word)
    return word


def _year(text: str) -> int:
    head, _, tail = text.partition(" ")
    if "thousand" in text or not tail:
        return _positive(text)
    if tail == "hundred" and head not in _DIGITS:
        return _below(head, 100) * 100
    if tail.split(" ")[0] == "hundred":  # years before 1000
        return _positive(text)
    rest = _below(tail.removeprefix("oh-"), 100)
    if tail.startswith("oh-") != (rest < 10):
        raise ValueError(text)
    return _below(head, 100) * 100 + rest


def _below(text: str, bound: int) -> int:
    value = _positive(text)
    if value >= bound:
        raise ValueError(text)
    return value


def _amount(text: str, forms: tuple[str, str]) -> int:
    number, _, word = text.rpartition(" ")
    value = integer(number)
    if word != forms[0 if value == 1 else 1]:
        raise ValueError(text)
    return value


def _few(text: str, forms: tuple[str, str]) -> int:
    value = _amount(text, forms)
    if not 1 <= value <= 99:
        raise ValueError(text)
    return value


def _positive(text: str) -> int:
    total, rest, joined_by_and = 0, text, False
    for word, scale in _SCALES.items():
        head, found, tail = rest.partition(f" {word}")
        if found:
            total += _group(head) * scale
            joined_by_and = tail.startswith(" and ")
            rest = tail.removeprefix(",").removeprefix(" and").strip()
    if rest:
        value = _group(rest)
        if total and joined_by_and != (value < 100):
            raise ValueError(text)
        total += value
    return total


def _group(text: str) -> int:
    """1 to 999."""
    head, found, tail = text.partition(" hundred")
    if found:
        if tail and not tail.startswith(" and "):
            raise ValueError(text)
        return _SMALL[head] * 100 + (_group(tail[5:]) if tail else 0)
    tens, dash, unit = text.partition("-")
    if dash:
        if _SMALL[unit] > 9:
            raise ValueError(text)
        return _TENS[tens] + _SMALL[unit]
    return _TENS[text] if text in _TENS else _SMALL[text]
