"""Russian numerals and the nouns beside them: six cases, three genders, cardinal and ordinal.

Cases stand in the order of grammar.CASES everywhere here. What is counted has no soul (sums,
days), so the accusative is the nominative but for одну and тысячу. Sources of the forms:
tests/speech/test_golden_icu.py and test_golden_grammar.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from duecall.speech.grammar import CASES, Case, Gender

Six: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Noun:
    """singular and plural: by case. feminine: одна, две before it."""

    singular: Six
    plural: Six
    feminine: bool = False


def _six(stem: str, endings: str) -> Six:
    """endings: six, parted by spaces; - for none."""
    made = [stem + ending.replace("-", "") for ending in endings.split(" ")]
    return made[0], made[1], made[2], made[3], made[4], made[5]


def hard(stem: str) -> Noun:
    """доллар, процент, час."""
    return Noun(_six(stem, "- а у - ом е"), _six(stem, "ы ов ам ы ами ах"))


def soft(stem: str, base: str = "") -> Noun:
    """юань, день (base дн). рубль has ё under stress, as all soft nouns here but юань, фэнь."""
    base = base or stem
    tail = _six(base, "- я ю - ём е")
    return Noun((stem + "ь", *tail[1:3], stem + "ь", *tail[4:]), _six(base, "и ей ям и ями ях"))


RUBLE = soft("рубл")
DAY = soft("ден", "дн")
HOUR = hard("час")
PERCENT = hard("процент")
KOPECK = Noun(
    _six("копейк", "а и е у ой е"),
    ("копейки", "копеек", "копейкам", "копейки", "копейками", "копейках"),
    feminine=True,
)
MINUTE = Noun(_six("минут", "а ы е у ой е"), _six("минут", "ы - ам ы ами ах"), feminine=True)
DOLLAR, CENT, EURO_CENT, DONG = hard("доллар"), hard("цент"), hard("евроцент"), hard("донг")
EURO = Noun(("евро",) * 6, ("евро",) * 6)
YUAN = Noun(_six("юан", "ь я ю ь ем е"), _six("юан", "и ей ям и ями ях"))
FEN = Noun(_six("фэн", "ь я ю ь ем е"), _six("фэн", "и ей ям и ями ях"))

_THOUSAND = Noun(_six("тысяч", "а и е у ей е"), _six("тысяч", "и - ам и ами ах"), feminine=True)
_SCALES = (
    (10**15, hard("квадриллион"), "квадриллионн"),
    (10**12, hard("триллион"), "триллионн"),
    (10**9, hard("миллиард"), "миллиардн"),
    (10**6, hard("миллион"), "миллионн"),
    (1000, _THOUSAND, "тысячн"),
)

_ZERO = _six("н", "оль уля улю оль улём уле")
_ONE: dict[Gender, Six] = {
    "masculine": _six("од", "ин ного ному ин ним ном"),
    "feminine": _six("одн", "а ой ой у ой ой"),
    "neuter": _six("одн", "о ого ому о им ом"),
}
_TWO: dict[Gender, Six] = {
    "masculine": _six("дв", "а ух ум а умя ух"),
    "feminine": _six("дв", "е ух ум е умя ух"),
    "neuter": _six("дв", "а ух ум а умя ух"),
}


def _like_pyat(stem: str) -> Six:
    return _six(stem, "ь и и ь ью и")


_CARDINALS: dict[int, Six] = {
    3: _six("тр", "и ёх ём и емя ёх"),
    4: _six("четыр", "е ёх ём е ьмя ёх"),
    5: _like_pyat("пят"),
    6: _like_pyat("шест"),
    7: _like_pyat("сем"),
    8: _six("вос", "емь ьми ьми емь емью ьми"),
    9: _like_pyat("девят"),
    10: _like_pyat("десят"),
    11: _like_pyat("одиннадцат"),
    12: _like_pyat("двенадцат"),
    13: _like_pyat("тринадцат"),
    14: _like_pyat("четырнадцат"),
    15: _like_pyat("пятнадцат"),
    16: _like_pyat("шестнадцат"),
    17: _like_pyat("семнадцат"),
    18: _like_pyat("восемнадцат"),
    19: _like_pyat("девятнадцат"),
    20: _like_pyat("двадцат"),
    30: _like_pyat("тридцат"),
    40: _six("сорок", "- а а - а а"),
    90: _six("девяност", "о а а о а а"),
    100: _six("ст", "о а а о а а"),
    200: _six("дв", "ести ухсот умстам ести умястами ухстах"),
    300: _six("тр", "иста ёхсот ёмстам иста емястами ёхстах"),
    400: _six("четыр", "еста ёхсот ёмстам еста ьмястами ёхстах"),
}
for _digit in (5, 6, 7, 8):  # both halves bend: пятидесяти, пятьюдесятью
    _halves = _CARDINALS[_digit]
    _CARDINALS[_digit * 10] = (
        _halves[0] + "десят",
        _halves[1] + "десяти",
        _halves[2] + "десяти",
        _halves[3] + "десят",
        _halves[4] + "десятью",
        _halves[5] + "десяти",
    )
for _digit in (5, 6, 7, 8, 9):
    _halves = _CARDINALS[_digit]
    _CARDINALS[_digit * 100] = (
        _halves[0] + "сот",
        _halves[1] + "сот",
        _halves[2] + "стам",
        _halves[3] + "сот",
        _halves[4] + "стами",
        _halves[5] + "стах",
    )

# Stems of ordinals; those that end in "+" have the stressed ending -ой.
_ORDINALS = {
    1: "перв",
    2: "втор+",
    4: "четвёрт",
    5: "пят",
    6: "шест+",
    7: "седьм+",
    8: "восьм+",
    9: "девят",
    40: "сороков+",
    50: "пятидесят",
    60: "шестидесят",
    70: "семидесят",
    80: "восьмидесят",
    90: "девяност",
    100: "сот",
    **{n: _CARDINALS[n][0][:-1] for n in (*range(10, 21), 30)},
    **{n: _CARDINALS[n][1] for n in range(200, 1000, 100)},
}
_ADJECTIVE: dict[Gender, Six] = {
    "masculine": ("ый", "ого", "ому", "ый", "ым", "ом"),
    "feminine": ("ая", "ой", "ой", "ую", "ой", "ой"),
    "neuter": ("ое", "ого", "ому", "ое", "ым", "ом"),
}
_ADJECTIVE_PLURAL: Six = ("ых", "ых", "ым", "ых", "ыми", "ых")  # beside a number: двум целым
_THIRD: dict[Gender, Six] = {
    "masculine": _six("трет", "ий ьего ьему ий ьим ьем"),
    "feminine": _six("трет", "ья ьей ьей ью ьей ьей"),
    "neuter": _six("трет", "ье ьего ьему ье ьим ьем"),
}


def cardinal(number: int, case: Case = "nominative", gender: Gender = "masculine") -> str:
    """0 or more. 1234 genitive -> одной тысячи двухсот тридцати четырёх."""
    at = CASES.index(case)
    if not number:
        return _ZERO[at]
    words: list[str] = []
    rest = number
    for scale, noun, _ in _SCALES:
        head, rest = divmod(rest, scale)
        if head:
            words.append(counted(head, noun, case))
    return " ".join(words + [_simple(part, at, gender) for part in _parts(rest)])


def counted(number: int, noun: Noun, case: Case = "nominative") -> str:
    """21 рубль, 2 копейки, 5 дней, двумя рублями."""
    gender: Gender = "feminine" if noun.feminine else "masculine"
    return f"{cardinal(number, case, gender)} {noun_beside(number, noun, case)}"


def noun_beside(number: int, noun: Noun, case: Case) -> str:
    """The noun's form after the number: тысяча, миллион and ноль rule the genitive plural."""
    at = CASES.index(case)
    if number % 1000 == 0:
        return noun.plural[1]
    if is_one(number):
        return noun.singular[at]
    if at in (0, 3):
        few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
        return noun.singular[1] if few else noun.plural[1]
    return noun.plural[at]


def is_one(number: int) -> bool:
    """Whether singular goes with it: 1, 21, 101, but not 11."""
    return number % 10 == 1 and number % 100 != 11


def ordinal(number: int, case: Case = "nominative", gender: Gender = "masculine") -> str:
    """1 or more. 2025 genitive -> две тысячи двадцать пятого; 21000 -> двадцатиоднотысячный."""
    scale, group, stem = 1, number % 1000, ""
    for above, _, named in reversed(_SCALES):
        if group:
            break
        scale, group, stem = above, number // above % 1000, named
    if not stem:
        group = _parts(group)[-1]
    last = _adjective(stem, group, case, gender)
    head = number - group * scale
    if not head:
        return last
    # тысяча девятьсот …, not одна тысяча девятьсот …
    return cardinal(head).removeprefix("одна ").removeprefix("один ") + " " + last


def beside_number(stem: str, number: int, case: Case) -> str:
    """A feminine adjective after a number: одна целая, двум целым, пяти десятых."""
    at = CASES.index(case)
    if is_one(number):
        return stem + _ADJECTIVE["feminine"][at]
    return stem + ("ых" if number % 1000 == 0 else _ADJECTIVE_PLURAL[at])


def _adjective(stem: str, group: int, case: Case, gender: Gender) -> str:
    """stem: of a scale ("тысячн"), which the group stands before; else the group's own."""
    at = CASES.index(case)
    if stem:
        stem = _joined(group) + stem
    elif group == 3:
        return _THIRD[gender][at]
    else:
        stem = _ORDINALS[group]
    ending = _ADJECTIVE[gender][at]
    if stem.endswith("+"):
        return stem[:-1] + ("ой" if ending == "ый" else ending)
    return stem + ending


def _joined(group: int) -> str:
    """What stands before -тысячный: двух, двадцатиодно, сто, девяносто; nothing for 1."""
    if group == 1:
        return ""
    special = {1: "одно", 90: "девяносто", 100: "сто"}
    return "".join(special.get(n) or _simple(n, 1, "masculine") for n in _parts(group))


def _parts(group: int) -> list[int]:
    """0 to 999 in the numbers that have words of their own: 234 -> 200, 30, 4; 12 -> 12."""
    hundreds, rest = group // 100 * 100, group % 100
    tens, units = (0, rest) if rest < 20 else (rest // 10 * 10, rest % 10)
    return [part for part in (hundreds, tens, units) if part]


def _simple(number: int, at: int, gender: Gender) -> str:
    if number == 1:
        return _ONE[gender][at]
    if number == 2:
        return _TWO[gender][at]
    return _CARDINALS[number][at]
