"""Whole numbers in four languages: golden words, and a round trip through another's parser."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from duecall.speech import words_ru
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Count
from duecall.speech.words import SPOKEN_MAX, words
from tests.speech.numerals import parse

LANGUAGES = ("vi", "ru", "zh", "en")

# Random integers are nearly all of fifteen digits and hold few zeros; people's debts do not.
GROUPS = st.lists(
    st.sampled_from([0, 0, 0, 1, 2, 4, 5, 10, 11, 12, 14, 15, 20, 21, 24, 25, 99, 100, 101, 104,
                     105, 110, 111, 115, 121, 200, 202, 222, 500, 505, 999]),
    min_size=1,
    max_size=5,
)  # fmt: skip
AMOUNTS = st.one_of(
    st.integers(-SPOKEN_MAX, SPOKEN_MAX),
    st.integers(0, 20_000),
    GROUPS.map(lambda groups: sum(g * 1000**i for i, g in enumerate(groups))),
    st.integers(0, 15).map(lambda power: 10**power),
)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=600, deadline=None)
@given(number=AMOUNTS)
@example(number=10_015)  # num2words reads these two wrong in Vietnamese
@example(number=1_000_050)
@example(number=SPOKEN_MAX)
@example(number=-SPOKEN_MAX)
def test_words_lead_back_to_the_number(language, number):
    assert parse(words(Count(number), language), language) == number


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_to_ten_thousand_and_two_thousand_around_the_scales(language):
    near = [10**power + offset for power in (4, 5, 6, 8, 9, 12) for offset in range(-250, 250)]
    for number in [*range(10_001), *near]:
        assert parse(words(Count(number), language), language) == number


@given(number=AMOUNTS)
@settings(max_examples=300, deadline=None)
def test_russian_feminine_bends_only_the_last_one_or_two(number):
    masculine = words_ru.integer(number).split()
    feminine = words_ru.integer(number, feminine=True).split()
    expected = [*masculine[:-1], {"один": "одна", "два": "две"}.get(masculine[-1], masculine[-1])]
    assert feminine == expected


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
