"""Texts as voices without a reading of their own take them. No engine is needed for these."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.engine import Engine
from duecall.speech.engines.english_letters import english_letters, with_letter_a
from duecall.speech.engines.festival import FestivalEngine
from duecall.speech.engines.festival_child import quoted
from duecall.speech.engines.kokoro import KokoroEngine, chinese_letters
from duecall.speech.engines.russian_letters import LETTERS, russian_letters
from duecall.speech.faults import Unspeakable
from duecall.speech.prompts import PromptBook, TextPart
from duecall.speech.template import MessageTemplate
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Digits,
    Money,
    Name,
    Ordinal,
    Percent,
    Phone,
    TimeOfDay,
)
from duecall.speech.words import words

MARKS = ".,;:!?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Здравствуйте, Иван!", "здравствуйте, иван!"),
        ("«Ромашка» — НДС № пять…", "ромашка, эн дэ эс номер пять."),
        ("О П, семь ноль", "о, пэ, семь ноль"),
        ("А один два", "а, один два"),
        ("H D, два", "аш, дэ, два"),
        ("П", "пэ"),
        ("Ъ", "твёрдый знак"),
        ("В рублях", "в рублях"),
        ("К", "к"),
        ("к", "к"),
        ("В, один два", "вэ, один два"),
        ("В один", "вэ, один"),
        ("к оплате", "к оплате"),
        ("сумма с процентами", "сумма с процентами"),
        ("Иванов В. И.", "иванов вэ. и."),
        ("О'Нил, Салтыков-Щедрин", "онил, салтыков-щедрин"),
        ("Е\u0308лкин", "ёлкин"),
        ("(да) [нет]\x00\n\u200bтак", "да нет так"),
        ("ООО СМС МФО", "ооо эс эм эс мфо"),
        ("...привет!!!", "привет!"),
    ],
)
def test_russian(text: str, said: str) -> None:
    assert russian_letters(text) == said


@pytest.mark.parametrize("text", ["Nguyen", "Aнна", "Қайрат", "王", "12 рублей", "", "!?", "🙂"])
def test_russian_refused(text: str) -> None:
    with pytest.raises(Unspeakable) as told:
        russian_letters(text)
    assert not text.strip("!? ") or text not in str(told.value)


@given(st.text())
def test_nothing_but_letters_and_marks_reaches_the_russian_voice(text: str) -> None:
    try:
        said = russian_letters(text)
    except Unspeakable:
        return
    assert set(said) <= LETTERS | set(MARKS + " -")
    assert not said.startswith(tuple(MARKS)) and "  " not in said


def values(language: Language) -> list[object]:
    currency = {"ru": "RUB", "zh": "CNY", "en": "USD"}[language]
    names = {"ru": "Иванов Иван", "zh": "王小明", "en": "Nguyễn Văn Đức"}
    return [
        Money(123456789, currency),
        Money(-205, currency),
        Day(date(2026, 4, 19)),
        DaysCount(31),
        Count(1_002_003),
        Ordinal(21),
        Percent(Decimal("18.5")),
        TimeOfDay(14, 5),
        Phone("+84 912 345 678"),
        Digits("HD-2024/001"),
        Name(names[language]),
    ]


def test_every_reading_is_taken() -> None:
    for language, taken in (
        ("ru", russian_letters),
        ("zh", chinese_letters),
        ("en", english_letters),
    ):
        for value in values(language):  # type: ignore[arg-type]  # the three of the loop
            said = words(value, language)  # type: ignore[arg-type]  # as above
            assert taken(said), value


def test_russian_letters_of_a_contract_have_names() -> None:
    assert russian_letters(words(Digits("ОП-77100"), "ru")).startswith("о, пэ, семь")
    assert russian_letters(words(Digits("HD-2024"), "ru")).startswith("аш, дэ, два")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello [a](/b/) there", "Hello a ( b ) there"),
        ("Đặng Łukasz José", "Dang Lukasz José"),
        ("a\x00b\u202ec", "a b c"),
    ],
)
def test_english(text: str, said: str) -> None:
    assert english_letters(text) == said


@pytest.mark.parametrize("text", ["Иван", "王", "!!", "", "🙂"])
def test_english_refused(text: str) -> None:
    with pytest.raises(Unspeakable):
        english_letters(text)


def test_the_letter_a_is_not_read_as_eye() -> None:
    assert with_letter_a("ay, one. Bay") == "[A](/ˈA/), one. Bay"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("《合同》——好…", "合同，，好。"),
        ("APP登录", "A P P 登录"),
        ("H D，二", "H D ，二"),
        ("é", "É"),
        ("阿不都·热西提", "阿不都热西提"),
    ],
)
def test_chinese(text: str, said: str) -> None:
    assert chinese_letters(text) == said


@pytest.mark.parametrize(
    "text", ["Иван", "𠮷野", "一12", "", "。", "مح", "Pham 先生", "App", "COMPANY"]
)
def test_chinese_refused(text: str) -> None:
    with pytest.raises(Unspeakable):
        chinese_letters(text)


@given(st.text())
@example("\\")
@example('\\"')
@example('") (quit) ("')
def test_a_string_of_scheme_ends_where_the_text_ends(text: str) -> None:
    """Read back as Scheme does: one string, nothing after it, no character of control in it."""
    scheme = quoted(text)
    assert scheme[0] == '"'
    read, at = "", 1
    while scheme[at] != '"':
        at += scheme[at] == "\\"
        read += scheme[at]
        at += 1
    assert at == len(scheme) - 1
    assert read == "".join(char if char.isprintable() else " " for char in text)
    assert not any(unicodedata.category(char) == "Cc" for char in scheme)


@pytest.mark.parametrize(
    ("engine", "language", "said", "refused"),
    [
        (FestivalEngine("ru", VoiceChoice()), "ru", "Иван", "Nguyen"),
        (KokoroEngine("zh", VoiceChoice()), "zh", "王伟", "Nguyen"),
    ],
)
def test_a_row_in_letters_that_the_voice_cannot_read_is_refused_before_any_sound(
    engine: Engine, language: Language, said: str, refused: str, tmp_path: Path
) -> None:
    """What `duecall check` does; the engine need not be installed for it."""
    book = PromptBook(tmp_path / "cache", language, engine=engine)
    parts = (TextPart(MessageTemplate("{{ name }}.", language)),)
    assert said in book.proven(parts, {"name": Name(said)})
    with pytest.raises(Unspeakable, match=r"Latin|other than Russian"):
        book.proven(parts, {"name": Name(refused)})
    espeak = PromptBook(tmp_path / "cache", language)
    assert refused in espeak.proven(parts, {"name": Name(refused)})
