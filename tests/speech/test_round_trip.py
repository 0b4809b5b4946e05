"""Words of every type, in every language, region and form, lead back to their value, and to no
other: the parsers in duecall.speech.hearing are strict and were written apart from the readers.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duecall.speech import hearing, proof, words_en, words_ru, words_vi, words_zh
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import CASES, REGIONS
from duecall.speech.proof import Misread, is_proven, prove, prove_all
from duecall.speech.values import (
    VALUE_TYPES,
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
from duecall.speech.words import SPOKEN_MAX, words
from tests.speech.some_values import CURRENCIES, NUMBERS, VALUES, inflected

SPEECH = Path(hearing.__file__).resolve().parents[1]
SPOKEN = [("vi", region) for region in REGIONS] + [("ru", ""), ("zh", ""), ("en", "")]
SPOKEN_IDS = ["-".join(filter(None, pair)) for pair in SPOKEN]


def test_every_type_with_a_value_has_its_strategy():
    assert set(VALUES) | {Name, Text, Inflected} == set(VALUE_TYPES)


@pytest.mark.parametrize("kind", list(VALUES), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("language", "region"), SPOKEN, ids=SPOKEN_IDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_words_lead_back_to_the_value(kind, language, region, data):
    value = data.draw(VALUES[kind])
    assert prove(value, language, region) == words(value, language, region)


@settings(max_examples=1000, deadline=None)
@given(value=inflected())
def test_russian_forms_lead_back(value):
    prove(value, "ru")


@pytest.mark.parametrize("language", ["vi", "ru", "zh", "en"])
def test_every_number_to_ten_thousand_and_around_the_scales(language):
    near = [10**power + offset for power in (4, 5, 6, 8, 9, 12) for offset in range(-250, 250)]
    for number in [*range(10_001), *near, SPOKEN_MAX, -SPOKEN_MAX]:
        prove(Count(number), language)
        if number > 0:
            prove(Ordinal(number), language)


@pytest.mark.parametrize("language", ["vi", "ru", "zh", "en"])
def test_every_minor_unit_every_day_and_every_minute(language):
    for minor in range(1, 2300):
        for currency in CURRENCIES:
            prove(Money(minor, currency), language)
    first = date(2027, 12, 1)
    for ahead in range(2 * 366):
        day = first + timedelta(ahead)
        prove(Day(day), language)
        prove(Day(day, with_year=False), language)
    for year in range(1, 10_000):
        prove(Day(date(year, 2, 28)), language)
    for minute in range(24 * 60):
        prove(TimeOfDay(*divmod(minute, 60)), language)


def test_every_russian_form_of_every_small_number():
    for number in [*range(1100), 2000, 5000, 21_000, 1_000_000]:
        for case in CASES:
            prove(Inflected(DaysCount(number), case), "ru")
            prove(Inflected(Money(number * 101, "RUB"), case), "ru")
            prove(Inflected(Percent(Decimal(number) / 100), case), "ru")
            for gender in ("masculine", "feminine", "neuter"):
                prove(Inflected(Count(number), case, gender), "ru")
                if number:
                    prove(Inflected(Ordinal(number), case, gender), "ru")


def test_russian_ordinals_of_whole_thousands_and_of_a_leading_one():
    for thousands in range(1, 1000):
        prove(Ordinal(thousands * 1000), "ru")
    golden = {
        90_000: "девяностотысячный",
        100_000: "стотысячный",
        1_001_000: "миллион тысячный",
        1_000_001: "миллион первый",
        1_999: "тысяча девятьсот девяносто девятый",
    }
    assert {number: words(Ordinal(number), "ru") for number in golden} == golden


# ---- the proof can fail


def bare(said):
    """Without pauses: they group the digits of a number and do not change it."""
    return said.replace(",", "").replace("，", "")


@pytest.mark.parametrize("kind", list(VALUES), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("language", ["vi", "ru", "zh", "en"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_words_of_one_value_do_not_lead_to_another(kind, language, data):
    one, other = data.draw(VALUES[kind]), data.draw(VALUES[kind])
    said = words(one, language)
    if bare(said) != bare(words(other, language)):
        with suppress(ValueError, LookupError, StopIteration):
            assert not is_proven(said, other, language)


@settings(max_examples=300, deadline=None)
@given(
    number=NUMBERS,
    at=st.integers(0, 40),
    word=st.sampled_from(["năm", "mươi", "lăm", "tư", "lẻ", "trăm", "không"]),
)
def test_a_vietnamese_word_out_of_place_is_noticed(number, at, word):
    tokens = words(Count(number), "vi").split()
    changed = [*tokens[:at], word, *tokens[at + 1 :]]
    if changed != tokens and at < len(tokens):
        try:
            heard = hearing.vi.integer(" ".join(changed))
        except (ValueError, LookupError):
            return
        assert heard != number


BROKEN = [
    # what is broken, the value that shows it, its language
    (words_vi.Vietnamese, "money", lambda self, value: self.integer(value.minor) + " đô la Mỹ",
     Money(12_345, "USD"), "vi"),
    (words_vi.Vietnamese, "_group", lambda self, number, *, padded: ["một"], Count(205), "vi"),
    (words_vi.Vietnamese, "day", lambda self, value: "ngày mai", Day(date(2026, 4, 5)), "vi"),
    (words_ru.n, "noun_beside", lambda number, noun, case: noun.plural[1], Money(2100, "RUB"),
     "ru"),
    (words_ru.n, "_joined", lambda group: "", Ordinal(2000), "ru"),
    (words_ru, "_sign", lambda number: "", Money(-5, "RUB"), "ru"),
    (words_zh, "_rest", lambda number, full: words_zh._whole(number, first=False) if number else "",
     Count(105), "zh"),
    (words_zh, "counted", words_zh.integer, DaysCount(2), "zh"),
    (words_en, "ordinal", lambda number: words_en.integer(number) + "th", Ordinal(21), "en"),
    (words_en, "time", lambda value: f"{words_en.integer(value.hour)} AM", TimeOfDay(14, 0), "en"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "broken", "value", "language"), BROKEN, ids=[row[1] for row in BROKEN]
)
def test_a_reader_that_reads_wrongly_is_found(monkeypatch, owner, name, broken, value, language):
    prove(value, language)
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(Misread) as caught:
        prove(value, language)
    assert "report" in str(caught.value)
    with pytest.raises(Misread):
        prove_all(["You owe ", value], language)


def test_proof_of_phones_and_digits_finds_a_lost_one(monkeypatch):
    monkeypatch.setattr(proof, "words", lambda *given: "một hai ba")
    for value in (Phone("1234"), Digits("1234")):
        with pytest.raises(Misread):
            prove(value, "vi")


def test_what_has_no_words_is_told_as_ever():
    with pytest.raises(Unspeakable, match="up to"):
        prove(Count(SPOKEN_MAX + 1), "en")
    assert prove(Name("An"), "vi") == "An"


# ---- the proof stands apart


def test_parsers_and_readers_share_nothing():
    def imported(path: Path) -> set[str]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return found

    parsers = sorted((SPEECH / "hearing").glob("*.py"))
    assert len(parsers) >= 6
    for path in parsers:
        own = {name for name in imported(path) if name.startswith("duecall")}
        assert own <= {"duecall.speech.hearing", "duecall.speech.hearing.heard"}, path
    for path in [*SPEECH.glob("words*.py"), *SPEECH.glob("numerals*.py"), SPEECH / "spelling.py"]:
        assert not any("hearing" in name or "proof" in name for name in imported(path)), path
