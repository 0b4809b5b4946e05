"""What a contacts file should not hold: a reason for the row, or a reading that is stated here."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.speech.faults import TemplateFault, Unspeakable
from duecall.speech.scripts import READABLE, script_of
from duecall.speech.template import MessageTemplate, text_of
from duecall.speech.values import Digits, Name, Phone, Text
from duecall.speech.words import words

LANGUAGES = ("vi", "ru", "zh", "en")
AMOUNTS = [
    "1.234,5", "1,234.5", "١٢٣", "１２３", "1e6", "NaN", "inf", "1.234.56", "12,34,567",
    "1,2,3",
    "..", "", "-5", "+5", "(5)", "$5", "5 000 đ", "0x10", "1_000", "5%", "½", "²", "Ⅻ", "一百",
    "1.5e3",
]  # fmt: skip


def said(filtered: str, text: str, language: str = "vi") -> str:
    template = MessageTemplate("{{ cell | " + filtered + " }}", language)
    return text_of(template.render({"cell": Text(text)}), language)


@pytest.mark.parametrize("text", AMOUNTS)
@pytest.mark.parametrize("filtered", ["money('VND')", "money('USD')", "count", "days", "ordinal"])
def test_an_amount_with_two_readings_or_none_is_refused(filtered, text):
    if text in ("-5", "+5") and filtered in ("count", "days"):
        assert said(filtered, text).startswith("âm năm" if text == "-5" else "năm")
        return
    if text == "+5" and filtered == "ordinal":
        assert said(filtered, text) == "thứ năm"
        return
    with pytest.raises(TemplateFault) as caught:
        said(filtered, text)
    assert text == "" or text not in caught.value.message  # no contact data in the reason


@pytest.mark.parametrize("text", [a for a in AMOUNTS if a not in ("-5", "+5", "")])
def test_percentages_and_rates_likewise(text):
    for filtered in ("percent", "yearly"):
        with pytest.raises(TemplateFault):
            said(filtered, text)


@pytest.mark.parametrize(
    ("filtered", "text", "spoken"),
    [
        ("money('VND')", "1.234", "một nghìn hai trăm ba mươi tư đồng"),
        ("money('VND')", "1,234,567", "một triệu hai trăm ba mươi tư nghìn năm trăm sáu mươi bảy"
         " đồng"),
        ("money('VND')", "1 000", "một nghìn đồng"),
        ("money('VND')", "1000.00", "một nghìn đồng"),
        ("money('USD')", "1.5", "một đô la Mỹ năm mươi xu"),
        ("money('USD')", "1,50", "một đô la Mỹ năm mươi xu"),
        ("count", "3.0", "ba"),
        ("percent", "18.50", "mười tám phẩy năm phần trăm"),
        ("percent", "1.234", "một phẩy hai ba bốn phần trăm"),
        ("digits", "١٢٣", "một hai ba"),
        ("phone", "０９１２ ３４５ ６７８", "không chín một hai, ba bốn năm, sáu bảy tám"),
    ],
)  # fmt: skip
def test_stated_readings(filtered, text, spoken):
    """Money is read as balances are in the contacts file (core/currency.py)."""
    assert said(filtered, text) == spoken


@pytest.mark.parametrize("filtered", ["money('USD')", "count", "days", "ordinal"])
def test_a_point_before_three_digits_is_refused_where_it_could_be_either(filtered):
    for text in ("1.000", "1.234"):
        with pytest.raises(TemplateFault):
            said(filtered, text)


@pytest.mark.parametrize(
    ("filtered", "text", "part"),
    [
        ("date", "2026-02-31", "no such day"),
        ("date", "2026-13-01", "no such day"),
        ("date", "0000-01-01", "no such day"),
        ("date", "31/02/2026", "2025-04-19"),
        ("date", "2026-2-3", "2025-04-19"),
        ("date", "٢٠٢٦-٠١-٠١", "2025-04-19"),
        ("date", "20260101", "2025-04-19"),
        ("date", "2026-W16-6", "2025-04-19"),
        ("date", "tomorrow", "2025-04-19"),
        ("without_year", "2026-02-30", "no such day"),
        ("time", "24:00", "00:00 to 23:59"),
        ("time", "9:60", "00:00 to 23:59"),
        ("time", "9.30", "14:30"),
        ("time", "9:30 PM", "14:30"),
        ("time", "930", "14:30"),
        ("phone", "1900 CALL", "phone number"),
        ("phone", "1e9", "phone number"),
        ("digits", "***", "1 to 64"),
        ("digits", "970436******2210", "hidden"),
        ("last4", "123", "at least four digits"),
        ("last4", "9704********", "at least four digits"),
    ],
)
def test_days_times_and_numbers(filtered, text, part):
    with pytest.raises((TemplateFault, Unspeakable), match=part):
        said(filtered, text)


NUMBERS_IN_TEXT = [
    "1.234,5", "1,234.5", "١٢٣", "1e6", "500000", "12/04/2026", "-5", "5%", "Nợ 5%", "₫500",
    "500 ₫", "nợ -5 đồng", "½ ngày", "Ⅻ", "nhà 5²",
    "$ 5", "12/5 Lê Lợi", "№ 5", "phòng #5", "lãi 1.5", "09:30 sáng", "1-2 ngày", "gấp 1e6 lần",
    "５００", "5 , 6 và 7", "2 + 3 ngày",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS_IN_TEXT)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_number_in_free_text_is_refused_where_it_has_a_reading_of_its_own(text, language):
    with pytest.raises(Unspeakable, match=r"money\('VND'\)") as caught:
        words(Text(text), language)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [("Bank 24h", "Bank hai bốn h"), ("ngõ 5, phố Huế", "ngõ năm , phố Huế"),
     ("Tầng 12. Tòa B", "Tầng một hai . Tòa B")],
)  # fmt: skip
def test_plain_digits_beside_words_are_read_one_by_one(text, spoken):
    assert words(Text(text), "vi") == spoken


@pytest.mark.parametrize(
    ("name", "unreadable_in", "script"),
    [
        ("محمد", LANGUAGES, "Arabic"),
        ("สมชาย", LANGUAGES, "Thai"),
        ("Δημήτρης", LANGUAGES, "Greek"),
        ("王伟", ("vi", "ru", "en"), "Chinese"),
        ("Иван", ("vi", "zh", "en"), "Cyrillic"),
        ("さくら", LANGUAGES, "Hiragana"),
        ("김", LANGUAGES, "Hangul"),
        ("An Иван", ("vi", "zh", "en"), "Cyrillic"),
        ("Ꭰ", LANGUAGES, "Cherokee"),
    ],
)
def test_a_name_in_letters_that_the_voices_cannot_read(name, unreadable_in, script):
    for language in LANGUAGES:
        for value in (Name(name), Text(name)):
            if language in unreadable_in:
                with pytest.raises(Unspeakable, match=script) as caught:
                    words(value, language)
                assert name not in str(caught.value)
            else:
                assert words(value, language)


def test_letters_that_only_neighbours_write():
    assert words(Name("Nguyễn Thị Hồng"), "ru") == "Nguyen Thi Hong"
    assert words(Name("Đỗ"), "en") == "Đỗ".replace("ỗ", "o")  # Đ is in the letters of all voices
    assert words(Name("Ўткир Їжакевич"), "ru") == "Уткир Йижакевич"
    assert words(Name("ǅ"), "en") == "Dz"
    with pytest.raises(Unspeakable, match=r"U\+0250"):
        words(Name("ɐ"), "vi")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["🙂", "🇻🇳", "", "  ", "\0", "—", "…", "|||", "\u200b\u202e"])
def test_a_name_or_text_without_letters_is_never_silence(text, language):
    for value in (Name(text), Text(text)):
        with pytest.raises(Unspeakable, match="no letter"):
            words(value, language)


def test_emoji_and_signs_beside_letters_are_left_out():
    assert words(Name("An 🙂🎉"), "vi") == "An"
    assert words(Text("Ngân hàng ★ An Bình ™"), "vi") == "Ngân hàng An Bình"


@pytest.mark.parametrize("language", ["vi", "ru", "en"])
def test_a_street_of_500_characters_is_too_long_to_say(language):
    street = ("Nguyen Trai " * 50)[:500]
    assert words(Text(street[:199]), language)
    for value in (Text(street), Name(street), Text("x" * 201), Text("x" * 10_000_000)):
        with pytest.raises(Unspeakable, match="more than 200 characters"):
            words(value, language)


@pytest.mark.parametrize(
    ("title", "language"),
    [("M", "vi"), ("1", "vi"), ("Nam", "vi"), ("anh🙂", "vi"), ("Mr", "zh"), ("Mr", "ru"),
     ("он", "ru"), ("先", "zh"), ("Lord", "en"), ("{{ x }}", "en")],
)  # fmt: skip
def test_a_title_that_is_none_is_refused_with_those_there_are(title, language):
    name = {"ru": "Иван", "zh": "王伟"}.get(language, "An")
    with pytest.raises(Unspeakable, match="write one of"):
        words(Name(name, title=title), language)


def test_letters_of_contract_numbers_need_a_voice_too():
    assert words(Digits("ОП-77"), "ru") == "О П, семь семь"
    for text, language in (("ОП-77", "vi"), ("合同7", "en"), ("ث7", "vi")):
        with pytest.raises(Unspeakable, match="letters"):
            words(Digits(text), language)


@settings(max_examples=400, deadline=None)
@given(text=st.text(max_size=300), language=st.sampled_from(LANGUAGES))
def test_whatever_a_cell_holds_it_is_said_in_the_voices_letters_or_refused(text, language):
    for value in (Name(text), Text(text)):
        try:
            spoken = words(value, language)
        except Unspeakable:
            continue
        assert spoken.strip()
        assert not any(char.isdigit() for char in spoken)
        assert not any(unicodedata.combining(char) for char in spoken)
        scripts = {script_of(char) for char in spoken if char.isalpha()}
        assert scripts <= set(READABLE[language])


@settings(max_examples=200, deadline=None)
@given(text=st.text("0123456789.,:-+%$ ٣½", min_size=1, max_size=20))
def test_text_of_digits_and_marks_alone_is_never_said_untyped(text):
    with pytest.raises(Unspeakable):
        words(Text(text), "vi")


def test_phones_are_refused_or_read_whole():
    assert words(Phone("113"), "vi") == "một một ba"
    with pytest.raises(Unspeakable):
        Phone("0912;345")
