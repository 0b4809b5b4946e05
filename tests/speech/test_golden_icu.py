"""Numerals against ICU 78.3 (Unicode CLDR 48, common/rbnf/*.xml), which were made by others.

golden/icu.csv is what ICU says, unchanged. These are left out, where ICU is wrong or another word
is as right: Russian prepositional (двадцать for двадцати), dative masculine of третий, ordinals of
200 to 900 and from 1000 (двести for двухсотый, одна тысяча второй), ноля beside нуля; Vietnamese
above a million where an inner group has no hundreds (một triệu năm mươi, here một triệu không trăm
năm mươi); thứ nhì; Chinese 兆, which means a million to some.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from duecall.speech.grammar import CASES, GENDERS
from duecall.speech.values import Count, Inflected, Ordinal
from duecall.speech.words import words

with (Path(__file__).parent / "golden" / "icu.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
RULES = sorted({(row["language"], row["rule"]) for row in ROWS})


def plain(text):
    """Without what differs by custom: е for ё, commas, 〇 for 零, 二 where 两 is as right."""
    return text.replace("ё", "е").replace(",", "").replace("〇", "零").replace("两", "二")


def value_of(language, rule, number):
    kind = Ordinal if "ordinal" in rule else Count
    if language != "ru":
        return kind(number)
    case = next((case for case in CASES if rule.endswith(case)), "nominative")
    gender = next(gender for gender in GENDERS if gender in rule)
    return Inflected(kind(number), case, gender)


def test_the_table_is_whole():
    assert len(ROWS) == 1945
    assert len(RULES) == 28
    assert {language for language, _ in RULES} == {"vi", "ru", "zh", "en"}


@pytest.mark.parametrize(("language", "rule"), RULES)
def test_as_icu_says(language, rule):
    for row in ROWS:
        if (row["language"], row["rule"]) == (language, rule):
            value = value_of(language, rule, int(row["number"]))
            assert plain(words(value, language)) == plain(row["words"]), row
