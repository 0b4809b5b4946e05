"""Russian words -> values, in a given case and gender. Strict: a word out of place or in another
form is a ValueError.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from duecall.speech.hearing import forms_ru as f
from duecall.speech.hearing.heard import HeardDay

_CASES = ("nominative", "genitive", "dative", "accusative", "instrumental", "prepositional")
_NEAR = {"позавчера": -2, "вчера": -1, "сегодня": 0, "завтра": 1, "послезавтра": 2}
_MONEY = {
    "RUB": ("рубль", "копейка"),
    "USD": ("доллар", "цент"),
    "EUR": ("евро", "евроцент"),
    "CNY": ("юань", "фэнь"),
    "VND": ("донг", None),
}
_DIGITS = ("ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять")


def integer(text: str, case: str = "nominative", gender: str = "masculine") -> int:
    if text.startswith("минус "):
        value = -_cardinal(text.removeprefix("минус "), case, gender)
        if not value:
            raise ValueError(text)
        return value
    return _cardinal(text, case, gender)


def ordinal(text: str, case: str = "nominative", gender: str = "masculine") -> int:
    head, _, last = text.rpartition(" ")
    value = _ordinal_word(last, case, gender)
    if not head:
        return value
    before = head.split(" ")[0]
    if before in f.SCALES[1000][0].split():
        head = "одна " + head  # тысяча девятьсот …
    elif any(before == f.SCALES[scale][0].split()[0] for scale in f.SCALES):
        head = "один " + head
    rest = _cardinal(head, "nominative", "masculine")
    scale = next(s for s in (10**15, 10**12, 10**9, 10**6, 1000, 100, 10, 1) if value >= s)
    room = scale * 1000 if scale >= 1000 else 100 if value < 20 and value > 9 else scale * 10
    if rest % room:
        raise ValueError(text)
    return rest + value


def money(text: str, currency: str, case: str = "nominative") -> int:
    """Minor units of this currency."""
    sign = -1 if text.startswith("минус ") else 1
    tokens = text.removeprefix("минус ").split(" ")
    major, minor = _MONEY[currency]
    forms = {form for words in f.NOUNS[major] for form in words.split(" ")}
    at = next((n for n, token in enumerate(tokens) if token in forms), -1)
    total = _counted(tokens[: at + 1], major, case) if at >= 0 else 0
    if minor is None:
        if at != len(tokens) - 1:
            raise ValueError(text)
        return sign * total
    total *= 100
    if tokens[at + 1 :]:
        small = _counted(tokens[at + 1 :], minor, case)
        if not 1 <= small <= 99:
            raise ValueError(text)
        total += small
    return sign * total


def day(text: str, case: str = "genitive") -> HeardDay:
    if text in _NEAR:
        return HeardDay(near=_NEAR[text])
    tokens = text.split(" ")
    at = next(n for n, token in enumerate(tokens) if token in f.MONTHS)
    number = ordinal(" ".join(tokens[:at]), case, "neuter")
    year = 0
    if tokens[at + 1 :]:
        if tokens[-1] != "года":
            raise ValueError(text)
        year = ordinal(" ".join(tokens[at + 1 : -1]), "genitive")
    return HeardDay(year, f.MONTHS.index(tokens[at]) + 1, number)


def time(text: str, case: str = "nominative") -> tuple[int, int]:
    tokens = text.split(" ")
    forms = {form for words in f.NOUNS["час"] for form in words.split(" ")}
    at = next(n for n, token in enumerate(tokens) if token in forms)
    minutes = 0
    if tokens[at + 1 :]:
        minutes = _counted(tokens[at + 1 :], "минута", case)
        if not minutes:
            raise ValueError(text)
    return _counted(tokens[: at + 1], "час", case), minutes


def days(text: str, case: str = "nominative") -> int:
    sign = -1 if text.startswith("минус ") else 1
    value = _counted(text.removeprefix("минус ").split(" "), "день", case)
    if sign < 0 and not value:
        raise ValueError(text)
    return sign * value


def percent(text: str, case: str = "nominative") -> tuple[Decimal, bool]:
    yearly = text.endswith(" годовых")
    text = text.removesuffix(" годовых")
    sign = -1 if text.startswith("минус ") else 1
    tokens = text.removeprefix("минус ").split(" ")
    wholes = {form for forms in f.WHOLES for form in forms.split(" ")}
    at = next((n for n, token in enumerate(tokens) if token in wholes), -1)
    if at < 0:
        return sign * Decimal(_counted(tokens, "процент", case)), yearly
    if tokens[-1] != "процента":
        raise ValueError(text)
    whole = _cardinal(" ".join(tokens[:at]), case, "feminine")
    parts = _cardinal(" ".join(tokens[at + 1 : -2]), case, "feminine")
    if tokens[at] != _beside(f.WHOLES[0], f.WHOLES[1], whole, case):
        raise ValueError(text)
    for places, name in enumerate(f.DENOMINATORS, 1):
        stem = name.removesuffix("ая")
        singular = " ".join(stem + ending for ending in f.ENDINGS["feminine"].split(" "))
        plural = " ".join(stem + ending for ending in ("ых", "ых", "ым", "ых", "ыми", "ых"))
        if tokens[-2] == _beside(singular, plural, parts, case):
            if not 0 < parts < 10**places:
                raise ValueError(text)
            return sign * Decimal(f"{whole}.{parts:0{places}d}"), yearly
    raise ValueError(text)


def spelled(text: str) -> str:
    plus = "+" if text.startswith("плюс ") else ""
    groups = text.removeprefix("плюс ").split(", ")
    return plus + " ".join("".join(map(_letter, group.split(" "))) for group in groups)


def _letter(word: str) -> str:
    if word in _DIGITS:
        return str(_DIGITS.index(word))
    if len(word) != 1 or not word.isalpha():
        raise ValueError(word)
    return word


@lru_cache(maxsize=100)
def _simple_words(case: str, gender: str) -> dict[str, int]:
    """Words of 1 to 900 in this form."""
    at = _CASES.index(case)
    words = {forms.split(" ")[at]: number for number, forms in f.NUMERALS.items() if number}
    for (number, of), forms in f.BY_GENDER.items():
        if of == gender:
            words[forms.split(" ")[at]] = number
    return words


@lru_cache(maxsize=1)
def _scale_words() -> dict[str, int]:
    """тысяча, тысячи, … -> 1000."""
    return {
        form: scale
        for scale, both in f.SCALES.items()
        for forms in both
        for form in forms.split(" ")
    }


def _cardinal(text: str, case: str, gender: str) -> int:
    if text == f.NUMERALS[0].split(" ")[_CASES.index(case)]:
        return 0
    scales = _scale_words()
    total, group, last_scale = 0, [], 10**18
    for token in text.split(" "):
        if token not in scales:
            group.append(token)
            continue
        scale = scales[token]
        number = _group(group, case, "feminine" if scale == 1000 else "masculine")
        if scale >= last_scale or token != _noun(f.SCALES[scale], number, case):
            raise ValueError(text)
        total, group, last_scale = total + number * scale, [], scale
    return total + (_group(group, case, gender) if group else 0)


def _group(tokens: list[str], case: str, gender: str) -> int:
    words = _simple_words(case, gender)
    total, room = 0, 1000
    for token in tokens:
        number = words[token]
        if number >= room:
            raise ValueError(tokens)
        total += number
        room = 100 if number >= 100 else 10 if number >= 20 else 1
    if not total:
        raise ValueError(tokens)
    return total


def _counted(tokens: list[str], noun: str, case: str) -> int:
    gender = "feminine" if noun in f.FEMININE else "masculine"
    value = _cardinal(" ".join(tokens[:-1]), case, gender)
    if tokens[-1] != _noun(f.NOUNS[noun], value, case):
        raise ValueError(tokens)
    return value


def _noun(forms: tuple[str, str], number: int, case: str) -> str:
    """один рубль, два рубля, пять рублей; двумя рублями; тысячей рублей, нулём рублей."""
    singular, plural = (words.split(" ") for words in forms)
    tail, at = number % 100, _CASES.index(case)
    if not number % 1000:
        return plural[1]
    if tail in range(11, 20) or tail % 10 in (0, 5, 6, 7, 8, 9):
        return plural[1] if case in ("nominative", "accusative") else plural[at]
    if tail % 10 == 1:
        return singular[at]
    return singular[1] if case in ("nominative", "accusative") else plural[at]


def _beside(singular: str, plural: str, number: int, case: str) -> str:
    """The adjective beside a number: одна целая, две целых, двум целым."""
    if number % 10 == 1 and number % 100 != 11:
        return singular.split(" ")[_CASES.index(case)]
    return plural.split(" ")[1 if not number % 1000 else _CASES.index(case)]


def _ordinal_word(word: str, case: str, gender: str) -> int:
    at = _CASES.index(case)
    if word == f.THIRD[gender].split(" ")[at]:
        return 3
    ending = f.ENDINGS[gender].split(" ")[at]
    for hard in ("ый", "ой"):
        own = hard if ending == "ый" else ending
        if not word.endswith(own):
            continue
        name = word.removesuffix(own) + hard
        if name in f.ORDINALS:
            return f.ORDINALS[name]
        for scale_name, scale in f.ORDINAL_SCALES.items():
            if hard == "ый" and name.endswith(scale_name):
                return _joined(name.removesuffix(scale_name)) * scale
    raise ValueError(word)


def _joined(text: str) -> int:
    """двадцатиодно -> 21, as in двадцатиоднотысячный; nothing is 1."""
    if not text:
        return 1
    parts = {forms.split(" ")[1]: number for number, forms in f.NUMERALS.items() if number}
    parts |= {"одно": 1, "двух": 2, "сто": 100, "девяносто": 90}
    del parts["ста"], parts["девяноста"]
    total, room = 0, 1000
    while text:
        part = next((p for p in sorted(parts, key=len, reverse=True) if text.startswith(p)), "")
        if not part or parts[part] >= room:
            raise ValueError(text)
        total += parts[part]
        room = 100 if parts[part] >= 100 else 10 if parts[part] >= 20 else 1
        text = text.removeprefix(part)
    if total == 1:
        raise ValueError("одно before the scale")
    return total
