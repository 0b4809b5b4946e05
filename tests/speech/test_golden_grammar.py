"""Numerals as lessons and grammars print them; each table names its page. Beside the larger table
of test_golden_icu.py these have what that lacks: regions, measure words, prepositional cases.
"""

from __future__ import annotations

import pytest

from duecall.speech.grammar import CASES
from duecall.speech.values import Count, Inflected, TimeOfDay
from duecall.speech.words import words

# spokenvietnamese.com, Lesson 4 (a southern course).
SOUTH = {
    15: "mười lăm", 21: "hai mươi mốt", 24: "hai mươi bốn", 25: "hai mươi lăm", 31: "ba mươi mốt",
    45: "bốn mươi lăm", 55: "năm mươi lăm", 101: "một trăm lẻ một", 110: "một trăm mười",
    111: "một trăm mười một", 150: "một trăm năm mươi", 201: "hai trăm lẻ một", 1000: "một ngàn",
    1010: "một ngàn không trăm mười", 1100: "một ngàn một trăm", 1500: "một ngàn năm trăm",
    2000: "hai ngàn", 10_000: "mười ngàn", 100_000: "một trăm ngàn", 1_000_000: "một triệu",
    1_500_000: "một triệu năm trăm ngàn",
}  # fmt: skip
# echineseonline.com, Beginner series 2, lesson 7; italki.com/en/article/720 (on 二 and 两).
CHINESE = {
    108: "一百零八", 320_045: "三十二万零四十五", 69_320_001: "六千九百三十二万零一",
    2647: "两千六百四十七", 28_916: "两万八千九百一十六", 256: "二百五十六", 20: "二十", 12: "十二",
    2000: "两千", 20_000: "两万", 200_000: "二十万", 2_000_000: "二百万", 20_000_000: "两千万",
    200_000_000: "两亿",
}  # fmt: skip
# allrefs.net/c15/3usrh/p29 and studopedia.org/6-79985, Склонение числительных; in the order of
# CASES. Where a page gives no form the place is empty.
RUSSIAN = {
    2: ("два", "двух", "двум", "два", "двумя", "двух"),
    3: ("три", "трёх", "трём", "три", "тремя", "трёх"),
    4: ("четыре", "четырёх", "четырём", "четыре", "четырьмя", "четырёх"),
    5: ("пять", "пяти", "пяти", "пять", "пятью", "пяти"),
    11: ("одиннадцать", "одиннадцати", "", "", "", ""),
    40: ("сорок", "сорока", "сорока", "сорок", "сорока", "сорока"),
    90: ("девяносто", "девяноста", "девяноста", "девяносто", "девяноста", "девяноста"),
    100: ("сто", "ста", "ста", "сто", "ста", "ста"),
    50: ("пятьдесят", "пятидесяти", "пятидесяти", "пятьдесят", "пятьюдесятью", "пятидесяти"),
    200: ("двести", "двухсот", "двумстам", "двести", "двумястами", "двухстах"),
    300: ("триста", "трёхсот", "трёмстам", "", "", ""),
    500: ("пятьсот", "пятисот", "пятистам", "пятьсот", "пятьюстами", "пятистах"),
}
# intmag24.ru/dlya-shkolnikov/sklonenie-chislitelnyh-po-padezham.
ONE = {
    "masculine": ("один", "одного", "одному", "один", "одним", "одном"),
    "feminine": ("одна", "одной", "одной", "одну", "одной", "одной"),
    "neuter": ("одно", "одного", "одному", "одно", "одним", "одном"),
}


def test_southern_vietnamese():
    assert {number: words(Count(number), "vi", "south") for number in SOUTH} == SOUTH


def test_northern_vietnamese():
    """vietnamese.nil.seattle.wa.us/numbers: lẻ, in the northern dialect linh."""
    assert words(Count(101), "vi", "north") == "một trăm linh một"
    assert words(Count(24), "vi", "north") == "hai mươi tư"


def test_chinese():
    assert {number: words(Count(number), "zh") for number in CHINESE} == CHINESE
    assert words(TimeOfDay(2, 22), "zh") == "两点二十二分"


@pytest.mark.parametrize("number", list(RUSSIAN))
def test_russian_cases(number):
    for case, form in zip(CASES, RUSSIAN[number], strict=True):
        if form:
            assert words(Inflected(Count(number), case), "ru") == form


@pytest.mark.parametrize("gender", list(ONE))
def test_russian_one(gender):
    assert ONE[gender] == tuple(words(Inflected(Count(1), c, gender), "ru") for c in CASES)
