"""Golden words of typed values: money, dates, days, percent, phones, digits, names."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from duecall.speech.faults import Unspeakable
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
    (Day(date(2026, 4, 5), with_year=False), {
        "vi": "ngày mùng năm tháng tư", "ru": "пятого апреля", "zh": "四月五日",
        "en": "April fifth"}),
    (Day(date(2026, 4, 20), today=date(2026, 4, 19)), {
        "vi": "ngày mai", "ru": "завтра", "zh": "明天", "en": "tomorrow"}),
    (Day(date(2026, 4, 19), today=date(2026, 4, 19)), {
        "vi": "hôm nay", "ru": "сегодня", "zh": "今天", "en": "today"}),
    (Day(date(2026, 4, 17), today=date(2026, 4, 19)), {
        "vi": "hôm kia", "ru": "позавчера", "zh": "前天", "en": "the day before yesterday"}),
    (Day(date(2026, 4, 22), with_year=False, today=date(2026, 4, 19)), {
        "en": "April twenty-second"}),
    (TimeOfDay(14, 30), {
        "vi": "mười bốn giờ ba mươi phút", "ru": "четырнадцать часов тридцать минут",
        "zh": "十四点三十分", "en": "two thirty PM"}),
    (TimeOfDay(9, 5), {
        "vi": "chín giờ năm phút", "ru": "девять часов пять минут", "zh": "九点零五分",
        "en": "nine oh five AM"}),
    (TimeOfDay(2, 0), {"vi": "hai giờ", "ru": "два часа", "zh": "两点", "en": "two AM"}),
    (TimeOfDay(21, 1), {"ru": "двадцать один час одна минута", "en": "nine oh one PM"}),
    (TimeOfDay(0, 0), {"vi": "không giờ", "ru": "ноль часов", "zh": "零点", "en": "midnight"}),
    (TimeOfDay(12, 0), {"en": "twelve noon"}),
    (TimeOfDay(0, 30), {"en": "twelve thirty AM"}),
    (Ordinal(1), {"vi": "thứ nhất", "ru": "первый", "zh": "第一", "en": "first"}),
    (Ordinal(2), {"vi": "thứ hai", "ru": "второй", "zh": "第二", "en": "second"}),
    (Ordinal(3), {"vi": "thứ ba", "ru": "третий", "zh": "第三", "en": "third"}),
    (Ordinal(4), {"vi": "thứ tư", "ru": "четвёртый", "zh": "第四", "en": "fourth"}),
    (Ordinal(21), {
        "vi": "thứ hai mươi mốt", "ru": "двадцать первый", "zh": "第二十一",
        "en": "twenty-first"}),
    (Ordinal(2000), {"ru": "двухтысячный", "en": "two thousandth", "zh": "第两千"}),
    (Ordinal(21_000), {"ru": "двадцатиоднотысячный"}),
    (Ordinal(1_000_000), {"ru": "миллионный", "en": "one millionth"}),
    (Percent(Decimal("18.5"), yearly=True), {
        "vi": "mười tám phẩy năm phần trăm một năm",
        "ru": "восемнадцать целых пять десятых процента годовых",
        "zh": "年利率百分之十八点五", "en": "eighteen point five percent a year"}),
    (Percent(Decimal("24"), yearly=True), {"ru": "двадцать четыре процента годовых"}),
    (Inflected(Money(123456789, "VND"), "genitive"), {
        "ru": "ста двадцати трёх миллионов четырёхсот пятидесяти шести тысяч семисот "
              "восьмидесяти девяти донгов"}),
    (Inflected(Money(2101, "RUB"), "genitive"), {
        "ru": "двадцати одного рубля одной копейки"}),
    (Inflected(Money(500_000, "RUB"), "dative"), {"ru": "пяти тысячам рублей"}),
    (Inflected(Money(102, "RUB"), "accusative"), {"ru": "один рубль две копейки"}),
    (Inflected(Money(1_000_01, "RUB"), "accusative"), {"ru": "одну тысячу рублей одну копейку"}),
    (Inflected(Money(250_00, "USD"), "instrumental"), {
        "ru": "двумястами пятьюдесятью долларами"}),
    (Inflected(Money(300, "CNY"), "prepositional"), {"ru": "трёх юанях"}),
    (Inflected(Money(4000, "EUR"), "dative"), {"ru": "сорока евро"}),
    (Inflected(Day(date(2026, 4, 19)), "nominative"), {
        "ru": "девятнадцатое апреля две тысячи двадцать шестого года"}),
    (Inflected(Day(date(2026, 4, 19), with_year=False), "dative"), {
        "ru": "девятнадцатому апреля"}),
    (Inflected(Day(date(2026, 4, 20), today=date(2026, 4, 19)), "dative"), {"ru": "завтра"}),
    (Inflected(DaysCount(21), "genitive"), {"ru": "двадцати одного дня"}),
    (Inflected(DaysCount(3), "instrumental"), {"ru": "тремя днями"}),
    (Inflected(TimeOfDay(9, 15), "dative"), {"ru": "девяти часам пятнадцати минутам"}),
    (Inflected(Count(2), gender="feminine"), {"ru": "две"}),
    (Inflected(Count(1), gender="neuter"), {"ru": "одно"}),
    (Inflected(Ordinal(3), gender="feminine"), {"ru": "третья"}),
    (Inflected(Ordinal(3), "prepositional", "neuter"), {"ru": "третьем"}),
    (Inflected(Percent(Decimal("18.5")), "instrumental"), {
        "ru": "восемнадцатью целыми пятью десятыми процента"}),
    (Name("王伟", title="先生"), {"zh": "王伟先生"}),
    (Name("Nguyễn Văn An", title="Anh"), {"vi": "anh Nguyễn Văn An"}),
    (Name("SMITH", title="Mr."), {"en": "Mister Smith"}),
    (Name("Анна Соколова", title="г-жа"), {"ru": "госпожа Анна Соколова"}),
    (Name("An", title=" "), {"vi": "An"}),
    (Name("Phạm Thị Ươm"), {"en": "Pham Thi Uom", "vi": "Phạm Thị Ươm", "zh": "Pham Thi Uom"}),
    (Name("Қайрат Әлиев"), {"ru": "Кайрат Алиев"}),
    (Name("Łukasz Müller"), {"en": "Łukasz Müller", "vi": "Łukasz Müller", "ru": "Łukasz Müller"}),
    (Phone("02438251234"), {"vi": "không hai bốn, ba tám hai năm, một hai ba bốn"}),
    (Phone("02079460000"), {"en": "zero two zero, seven nine four six, zero zero zero zero"}),
    (Phone("4008001234"), {"zh": "四零零，八零零，幺二三四"}),
    (Digits("A12"), {"en": "ay one two", "vi": "A một hai"}),
    (Digits("970436******2210").last4, {"vi": "hai hai một không"}),
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
    for value, table in VALUES:
        if language in table:
            assert not any(char.isdecimal() for char in words(value, language)), value


REGIONAL = [
    # value, no region, north, south
    (Count(1105), "một nghìn một trăm lẻ năm", "một nghìn một trăm linh năm",
     "một ngàn một trăm lẻ năm"),
    (Money(2_003_000, "VND"), "hai triệu không trăm lẻ ba nghìn đồng",
     "hai triệu không trăm linh ba nghìn đồng", "hai triệu không trăm lẻ ba ngàn đồng"),
    (Day(date(2026, 4, 21), today=date(2026, 4, 19)), "ngày kia", "ngày kia", "ngày mốt"),
    (Ordinal(101), "thứ một trăm lẻ một", "thứ một trăm linh một", "thứ một trăm lẻ một"),
]  # fmt: skip


@pytest.mark.parametrize("row", REGIONAL, ids=lambda row: repr(row[0]))
def test_vietnamese_regions(row):
    """linh and nghìn in the north, lẻ and ngàn in the south."""
    assert tuple(words(row[0], "vi", region) for region in ("", "north", "south")) == row[1:]


def test_other_languages_have_no_regions():
    for language in ("ru", "zh", "en"):
        assert words(Count(1105), language, "south") == words(Count(1105), language)


@pytest.mark.parametrize("language", ["vi", "zh", "en"])
def test_only_russian_has_forms(language):
    with pytest.raises(Unspeakable, match="only Russian"):
        words(Inflected(Count(1), "dative"), language)
