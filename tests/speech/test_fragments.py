"""The cuts of a value: what is cut is what was read, and a few thousand sounds say everything."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.speech.faults import Unspeakable
from duecall.speech.fragments import GROUP_MS, cuts, joined
from duecall.speech.template import MessageTemplate
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Digits,
    Inflected,
    Money,
    Name,
    Ordinal,
    Percent,
    Phone,
    Text,
    TimeOfDay,
)
from duecall.speech.words import READERS, words
from tests.speech.some_values import CURRENCIES, VALUES, inflected

LANGUAGES = ("vi", "ru", "zh", "en")
EVERY = st.one_of(*VALUES.values())
REGIONS = [(language, region) for language in LANGUAGES for region in READERS[language]]


def said(value, language, *, fine=False):
    return [cut.text for cut in cuts(value, words(value, language), language, fine=fine)]


def check(value, language, region, fine):
    try:
        spoken = words(value, language, region)
    except Unspeakable:
        return
    found = cuts(value, spoken, language, region, fine=fine)
    assert joined(found) == spoken
    for cut in found:
        assert cut.text == cut.text.strip(" ,，")
        assert any(char.isalnum() for char in cut.text)
        assert not cut.after.strip(" ,，")
    assert found[-1].after == ""
    assert found[-1].pause_ms == 0


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize(("language", "region"), REGIONS)
@settings(max_examples=400, deadline=None)
@given(value=EVERY)
def test_what_is_cut_is_what_was_read(language, region, fine, value):
    check(value, language, region, fine)


@pytest.mark.parametrize("fine", [False, True])
@settings(max_examples=600, deadline=None)
@given(value=inflected())
def test_in_every_form_of_russian(fine, value):
    check(value, "ru", "", fine)


@pytest.mark.parametrize(
    ("value", "language", "parts"),
    [
        (Money(1_230_045_789, "VND"), "vi",
         ["một tỷ", "hai trăm ba mươi triệu", "không trăm bốn mươi lăm nghìn",
          "bảy trăm tám mươi chín", "đồng"]),
        (Money(-123_450_000_00, "USD"), "en",
         ["minus", "one hundred and twenty-three million", "four hundred and fifty thousand",
          "dollars"]),
        (Money(2_005_06, "USD"), "en", ["two thousand", "and five", "dollars", "and six", "cents"]),
        (Money(2_002_002_02, "RUB"), "ru",
         ["два миллиона", "две тысячи", "два", "рубля", "две", "копейки"]),
        (Money(12_345_67, "CNY"), "zh",
         ["一万", "二千三百", "四十五", "元", "六", "角", "七", "分"]),
        (Count(1_2345_6789), "zh", ["一亿", "二千三百", "四十五万", "六千七百", "八十九"]),
        (Percent(Decimal("18.25"), yearly=True), "zh", ["年利率", "百分之", "十八", "点", "二五"]),
        (Percent(Decimal("18.25")), "vi", ["mười tám", "phẩy", "hai mươi lăm", "phần trăm"]),
        (Percent(Decimal("0.1234")), "en", ["zero", "point", "one two", "three four", "percent"]),
        (Percent(Decimal("18.5")), "ru", ["восемнадцать", "целых", "пять", "десятых", "процента"]),
        (Day(date(2026, 5, 5)), "vi",
         ["ngày mùng năm tháng năm", "năm hai nghìn không trăm hai mươi sáu"]),
        (Day(date(2026, 4, 19)), "zh", ["二零二六年", "四月十九日"]),
        (Day(date(2026, 4, 20), True, date(2026, 4, 19)), "en", ["tomorrow"]),
        (TimeOfDay(14, 31), "ru", ["четырнадцать часов", "тридцать одна минута"]),
        (TimeOfDay(14, 30), "en", ["two", "thirty PM"]),
        (DaysCount(31), "vi", ["ba mươi mốt", "ngày"]),
        (Ordinal(2_134), "ru", ["две тысячи", "сто тридцать четвёртый"]),
        (Inflected(Money(5_000_00, "RUB"), "dative"), "ru", ["пяти тысячам", "рублей"]),
        (Phone("0912345678"), "vi", ["không chín", "một hai", "ba bốn năm",
                                      "sáu bảy tám"]),
        (Digits("A-1234567"), "en", ["ay", "one two three", "four five", "six seven"]),
        (Name("Nguyễn Văn An", title="anh"), "vi", ["anh Nguyễn Văn An"]),
        (Text("Phòng 3, tầng 2"), "vi", ["Phòng ba , tầng hai"]),
    ],
)  # fmt: skip
def test_where_values_are_cut(value, language, parts):
    assert said(value, language) == parts


def test_the_table_of_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "speech.md").read_text(encoding="utf-8")
    table = text.partition("<!-- cuts -->")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    assert len(rows) >= 9
    for written, language, fragments in rows:
        source = written.strip("`").replace("\\|", "|")
        (value,) = MessageTemplate(source, language).render({})
        assert " · ".join(said(value, language)) == fragments


def test_groups_of_digits_are_parted_by_a_pause():
    spoken = words(Phone("0912345678"), "vi")
    pauses = [cut.pause_ms for cut in cuts(Phone("0912345678"), spoken, "vi")]
    assert pauses == [0, GROUP_MS, GROUP_MS, 0]


@pytest.mark.parametrize(
    ("value", "language", "parts"),
    [
        (Count(123_005), "vi", ["một trăm", "hai mươi ba", "nghìn", "không trăm", "lẻ năm"]),
        (Count(1_234), "en", ["one", "thousand", "two hundred", "and", "thirty-four"]),
        (Money(21_00, "RUB"), "ru", ["двадцать", "один", "рубль"]),
        (Count(1_2345), "zh", ["一", "万", "二千", "三百", "四十五"]),
        (Phone("113"), "vi", ["một", "một", "ba"]),
        (Day(date(2026, 4, 19), False), "ru", ["девятнадцатого", "апреля"]),
    ],
)
def test_fine_cuts_for_recorded_voices(value, language, parts):
    assert said(value, language, fine=True) == parts


def everything(language, case="nominative"):
    """Values in which every fragment of numbers, dates, times and digits stands: every group of
    three digits (of four in Chinese) at every scale, with and without something before it."""
    groups = range(10_000) if language == "zh" else range(1_000)
    size = 10_000 if language == "zh" else 1_000
    scales = [1, size, size**2] + ([] if language == "zh" else [1_000**3, 1_000**4])
    for scale in scales:
        for group in groups:
            for before in (0, 1):
                number = (before * size + group) * scale
                if number <= 10**15:
                    yield Count(number)
    yield from (Money(minor, money) for money in CURRENCIES for minor in range(-300, 300))
    yield from (DaysCount(number) for number in range(100))
    yield from (Day(date(2020, 1, 1) + timedelta(days=n)) for n in range(366 * 10))
    yield from (TimeOfDay(n // 60, n % 60) for n in range(1440))
    yield from (Percent(Decimal(n).scaleb(-2)) for n in range(3_000))
    yield from (Phone(f"{n:03} {n:03} {n % 100:02}") for n in range(1_000))
    yield from (Phone(f"{n:02} {n:02}") for n in range(100))


@pytest.mark.parametrize(("language", "most"), [("vi", 8_500), ("ru", 8_500), ("zh", 5_000),
                                                ("en", 9_000)])  # fmt: skip
def test_a_few_thousand_sounds_say_any_value(language, most):
    whole = {
        (cut.text, cut.pause_ms)
        for value in everything(language)
        for cut in cuts(value, words(value, language), language)
    }
    fine = {
        cut.text
        for value in everything(language)
        for cut in cuts(value, words(value, language), language, fine=True)
    }
    print(f"{language}: {len(whole)} fragments, {len(fine)} fine ones")
    assert len(whole) <= most
    assert len(fine) <= 800
    # Any other number is said of the same.
    for number in (987_654_321, 100_000_007, 20_304_050_607, 999_999_999_999):
        money = Money(number, "VND")
        assert {
            (cut.text, cut.pause_ms) for cut in cuts(money, words(money, language), language)
        } <= whole
