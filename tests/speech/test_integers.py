"""Whole numbers in four languages: golden words, and their bounds."""

from __future__ import annotations

import pytest

from duecall.speech import words_ru
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Count
from duecall.speech.words import SPOKEN_MAX, words

LANGUAGES = ("vi", "ru", "zh", "en")


@pytest.mark.parametrize(
    ("number", "ending"),
    [(1, "одна"), (2, "две"), (21, "двадцать одна"), (1_000_002, "один миллион две"),
     (2_001_000, "два миллиона одна тысяча"), (11, "одиннадцать")],
)  # fmt: skip
def test_russian_feminine_bends_only_the_last_one_or_two(number, ending):
    assert words_ru.integer(number, gender="feminine") == ending


GOLDEN = [
    # number, vi, ru, zh, en
    (0, "không", "ноль", "零", "zero"),
    (1, "một", "один", "一", "one"),
    (2, "hai", "два", "二", "two"),
    (4, "bốn", "четыре", "四", "four"),
    (5, "năm", "пять", "五", "five"),
    (10, "mười", "десять", "十", "ten"),
    (11, "mười một", "одиннадцать", "十一", "eleven"),
    (14, "mười bốn", "четырнадцать", "十四", "fourteen"),
    (15, "mười lăm", "пятнадцать", "十五", "fifteen"),
    (20, "hai mươi", "двадцать", "二十", "twenty"),
    (21, "hai mươi mốt", "двадцать один", "二十一", "twenty-one"),
    (24, "hai mươi tư", "двадцать четыре", "二十四", "twenty-four"),
    (25, "hai mươi lăm", "двадцать пять", "二十五", "twenty-five"),
    (100, "một trăm", "сто", "一百", "one hundred"),
    (105, "một trăm lẻ năm", "сто пять", "一百零五", "one hundred and five"),
    (110, "một trăm mười", "сто десять", "一百一十", "one hundred and ten"),
    (200, "hai trăm", "двести", "二百", "two hundred"),
    (1000, "một nghìn", "одна тысяча", "一千", "one thousand"),
    (2000, "hai nghìn", "две тысячи", "两千", "two thousand"),
    (5000, "năm nghìn", "пять тысяч", "五千", "five thousand"),
    (20_000, "hai mươi nghìn", "двадцать тысяч", "两万", "twenty thousand"),
    (12_000, "mười hai nghìn", "двенадцать тысяч", "一万二千", "twelve thousand"),
    (10_015, "mười nghìn không trăm mười lăm", "десять тысяч пятнадцать", "一万零一十五",
     "ten thousand and fifteen"),
    (1_000_005, "một triệu không trăm lẻ năm", "один миллион пять", "一百万零五",
     "one million and five"),
    (1_000_000_004, "một tỷ không trăm lẻ bốn", "один миллиард четыре", "十亿零四",
     "one billion and four"),
    (200_000_000, "hai trăm triệu", "двести миллионов", "两亿", "two hundred million"),
    (200_001_000, "hai trăm triệu không trăm lẻ một nghìn", "двести миллионов одна тысяча",
     "两亿零一千", "two hundred million, one thousand"),  # cn2an leaves the 零 out
    (10**15, "một triệu tỷ", "один квадриллион", "一千万亿", "one quadrillion"),
    (-21, "âm hai mươi mốt", "минус двадцать один", "负二十一", "minus twenty-one"),
]  # fmt: skip


@pytest.mark.parametrize("row", GOLDEN, ids=[str(row[0]) for row in GOLDEN])
def test_golden(row):
    assert tuple(words(Count(row[0]), language) for language in LANGUAGES) == row[1:]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [SPOKEN_MAX + 1, -SPOKEN_MAX - 1, 10**40])
def test_beyond_the_bound_is_refused(language, number):
    with pytest.raises(Unspeakable, match="up to"):
        words(Count(number), language)
