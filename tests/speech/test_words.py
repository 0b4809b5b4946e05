"""Golden words of typed values: money, dates, days, percent, phones, digits, names."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from duecall.speech.faults import Unspeakable
from duecall.speech.values import Day, DaysCount, Digits, Money, Name, Percent, Phone, Text
from duecall.speech.words import words

LANGUAGES = ("vi", "ru", "zh", "en")

VALUES = [
    (Money(123456789, "VND"), {
        "vi": "một trăm hai mươi ba triệu bốn trăm năm mươi sáu nghìn bảy trăm tám mươi chín đồng",
        "ru": "сто двадцать три миллиона четыреста пятьдесят шесть тысяч семьсот восемьдесят девять"
              " донгов",
        "zh": "一亿二千三百四十五万六千七百八十九越南盾",
        "en": "one hundred and twenty-three million, four hundred and fifty-six thousand, "
              "seven hundred and eighty-nine dong"}),
    (Money(12345678900, "RUB"), {
        "vi": "một trăm hai mươi ba triệu bốn trăm năm mươi sáu nghìn bảy trăm tám mươi chín rúp",
        "ru": "сто двадцать три миллиона четыреста пятьдесят шесть тысяч семьсот восемьдесят девять"
              " рублей"}),
    (Money(12345678900, "CNY"), {"zh": "一亿二千三百四十五万六千七百八十九元"}),
    (Money(1234567, "RUB"), {
        "vi": "mười hai nghìn ba trăm bốn mươi lăm rúp sáu mươi bảy kô-pếch",
        "ru": "двенадцать тысяч триста сорок пять рублей шестьдесят семь копеек",
        "zh": "一万二千三百四十五卢布六十七戈比",
        "en": "twelve thousand, three hundred and forty-five rubles and sixty-seven kopecks"}),
    (Money(1234567, "CNY"), {
        "zh": "一万二千三百四十五元六角七分",
        "ru": "двенадцать тысяч триста сорок пять юаней шестьдесят семь фэней",
        "vi": "mười hai nghìn ba trăm bốn mươi lăm nhân dân tệ sáu mươi bảy xu",
        "en": "twelve thousand, three hundred and forty-five yuan and sixty-seven fen"}),
    (Money(1234567, "USD"), {
        "en": "twelve thousand, three hundred and forty-five dollars and sixty-seven cents",
        "vi": "mười hai nghìn ba trăm bốn mươi lăm đô la Mỹ sáu mươi bảy xu",
        "ru": "двенадцать тысяч триста сорок пять долларов шестьдесят семь центов",
        "zh": "一万二千三百四十五美元六十七美分"}),
    (Money(101, "USD"), {"en": "one dollar and one cent", "ru": "один доллар один цент"}),
    (Money(102, "EUR"), {
        "vi": "một ơ-rô hai xu", "ru": "один евро два евроцента", "zh": "一欧元两欧分",
        "en": "one euro and two cents"}),
    (Money(100, "RUB"), {"ru": "один рубль", "en": "one ruble"}),
    (Money(2101, "RUB"), {"ru": "двадцать один рубль одна копейка"}),
    (Money(2202, "RUB"), {"ru": "двадцать два рубля две копейки"}),
    (Money(1111, "RUB"), {"ru": "одиннадцать рублей одиннадцать копеек"}),
    (Money(11_200, "RUB"), {"ru": "сто двенадцать рублей"}),
    (Money(21, "RUB"), {"ru": "двадцать одна копейка"}),
    (Money(100_000_00, "RUB"), {"ru": "сто тысяч рублей"}),
    (Money(1_000_000_00, "RUB"), {"ru": "один миллион рублей"}),
    (Money(0, "RUB"), {
        "vi": "không rúp", "ru": "ноль рублей", "zh": "零卢布", "en": "zero rubles"}),
    (Money(0, "VND"), {"vi": "không đồng", "en": "zero dong"}),
    (Money(0, "CNY"), {"zh": "零元"}),
    (Money(200, "CNY"), {"zh": "两元"}),
    (Money(222, "CNY"), {"zh": "两元二角二分"}),
    (Money(507, "CNY"), {"zh": "五元零七分"}),
    (Money(570, "CNY"), {"zh": "五元七角"}),
    (Money(20, "CNY"), {"zh": "两角"}),
    (Money(22, "CNY"), {"zh": "两角二分"}),
    (Money(2, "CNY"), {"zh": "两分"}),
    (Money(1000, "CNY"), {"zh": "十元"}),
    (Money(-150, "USD"), {
        "vi": "âm một đô la Mỹ năm mươi xu", "ru": "минус один доллар пятьдесят центов",
        "zh": "负一美元五十美分", "en": "minus one dollar and fifty cents"}),
    (Money(10**15, "VND"), {"vi": "một triệu tỷ đồng", "zh": "一千万亿越南盾"}),
    (Day(date(2025, 4, 19)), {
        "vi": "ngày mười chín tháng tư năm hai nghìn không trăm hai mươi lăm",
        "ru": "девятнадцатого апреля две тысячи двадцать пятого года",
        "zh": "二零二五年四月十九日", "en": "April nineteenth, twenty twenty-five"}),
    (Day(date(2026, 2, 2)), {
        "vi": "ngày mùng hai tháng hai năm hai nghìn không trăm hai mươi sáu",
        "ru": "второго февраля две тысячи двадцать шестого года",
        "zh": "二零二六年二月二日", "en": "February second, twenty twenty-six"}),
    (Day(date(2000, 10, 10)), {
        "vi": "ngày mùng mười tháng mười năm hai nghìn",
        "ru": "десятого октября двухтысячного года",
        "zh": "二零零零年十月十日", "en": "October tenth, two thousand"}),
    (Day(date(1999, 12, 31)), {
        "vi": "ngày ba mươi mốt tháng mười hai năm một nghìn chín trăm chín mươi chín",
        "ru": "тридцать первого декабря тысяча девятьсот девяносто девятого года",
        "zh": "一九九九年十二月三十一日", "en": "December thirty-first, nineteen ninety-nine"}),
    (DaysCount(1), {"vi": "một ngày", "ru": "один день", "zh": "一天", "en": "one day"}),
    (DaysCount(2), {"vi": "hai ngày", "ru": "два дня", "zh": "两天", "en": "two days"}),
    (DaysCount(5), {"ru": "пять дней"}),
    (DaysCount(11), {"ru": "одиннадцать дней", "zh": "十一天"}),
    (DaysCount(12), {"ru": "двенадцать дней", "zh": "十二天"}),
    (DaysCount(21), {"vi": "hai mươi mốt ngày", "ru": "двадцать один день"}),
    (DaysCount(0), {"vi": "không ngày", "ru": "ноль дней", "zh": "零天", "en": "zero days"}),
    (DaysCount(-2), {"ru": "минус два дня", "zh": "负两天", "en": "minus two days"}),
    (Percent(Decimal("18.5")), {
        "vi": "mười tám phẩy năm phần trăm", "ru": "восемнадцать целых пять десятых процента",
        "zh": "百分之十八点五", "en": "eighteen point five percent"}),
    (Percent(Decimal("1.21")), {
        "vi": "một phẩy hai mươi mốt phần trăm",
        "ru": "одна целая двадцать одна сотая процента", "zh": "百分之一点二一",
        "en": "one point two one percent"}),
    (Percent(Decimal("18.05")), {
        "vi": "mười tám phẩy không năm phần trăm",
        "ru": "восемнадцать целых пять сотых процента", "zh": "百分之十八点零五",
        "en": "eighteen point zero five percent"}),
    (Percent(Decimal("2.0")), {
        "vi": "hai phần trăm", "ru": "два процента", "zh": "百分之二", "en": "two percent"}),
    (Percent(Decimal("0.125")), {"ru": "ноль целых сто двадцать пять тысячных процента"}),
    (Percent(Decimal("-1")), {
        "vi": "âm một phần trăm", "ru": "минус один процент", "zh": "负百分之一",
        "en": "minus one percent"}),
    (Percent(Decimal("21")), {"ru": "двадцать один процент"}),
    (Phone("1900 1234"), {
        "vi": "một chín không không, một hai ba bốn",
        "ru": "один девять ноль ноль, один два три четыре", "zh": "幺九零零，幺二三四",
        "en": "one nine zero zero, one two three four"}),
    (Phone("19001234"), {"vi": "một chín không không, một hai ba bốn"}),
    (Phone("0912345678"), {"vi": "không chín một hai, ba bốn năm, sáu bảy tám"}),
    (Phone("13912345678"), {"zh": "幺三九，幺二三四，五六七八"}),
    (Phone("88001234567"), {
        "ru": "восемь, восемь ноль ноль, один два три, четыре пять, шесть семь"}),
    (Phone("+84912345678"), {
        "vi": "cộng tám bốn, chín một hai, ba bốn năm, sáu bảy tám",
        "zh": "加八四，九幺二，三四五，六七八"}),
    (Phone("+7 (495) 123-45-67"), {
        "ru": "плюс семь, четыре девять пять, один два три, четыре пять, шесть семь"}),
    (Phone("٠١٢٣"), {"en": "zero one two three"}),
    (Digits("HD-2024/001"), {
        "vi": "H D, hai không hai bốn, không không một", "zh": "H D，二零二四，零零幺",
        "ru": "H D, два ноль два четыре, ноль ноль один"}),
    (Digits("9704123456781234"), {
        "en": "nine seven zero four, one two three four, five six seven eight, "
              "one two three four"}),
    (Digits("9704123456781234").last4, {"vi": "một hai ba bốn", "zh": "幺二三四"}),
    (Digits("1234567"), {"en": "one two three, four five six seven"}),
    (Digits("۱۲۳４"), {"en": "one two three four"}),
    (Name("Nguyễn Văn An"), {"vi": "Nguyễn Văn An"}),
    (Name("NGUYỄN VĂN A"), {"vi": "Nguyễn Văn A"}),
    (Name("${system rm -rf /}|\0{{ balance }}"), {"en": "system rm -rf / balance"}),
    (Name("李明🙂"), {"zh": "李明"}),
    (Text("Bank 24h"), {
        "vi": "Bank hai bốn h", "ru": "Bank два четыре h", "zh": "Bank 二四 h",
        "en": "Bank two four h"}),
    (Text("Phòng ٣"), {"vi": "Phòng ba"}),
]  # fmt: skip
CASES = [(value, lang, text) for value, table in VALUES for lang, text in table.items()]


@pytest.mark.parametrize(("value", "language", "expected"), CASES)
def test_golden(value, language, expected):
    assert words(value, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "value",
    [
        Money(100, "JPY"),
        Money(10**15 + 1, "VND"),
        Money(-(10**17) - 100, "USD"),
        DaysCount(10**16),
        Percent(Decimal(10) ** 20),
        Name("🙂 {}|"),
        Name(""),
        Text("\0\n"),
    ],
    ids=repr,
)
def test_what_has_no_words_is_refused(value, language):
    with pytest.raises(Unspeakable):
        words(value, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_digit_reaches_a_synthesiser(language):
    for value, _ in VALUES:
        assert not any(char.isdecimal() for char in words(value, language)), value
