"""What a speaker has to record: enough for every value, in an order to read it in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core.campaign import Language
from duecall.speech.fragments import cuts
from duecall.speech.prompts import TextPart
from duecall.speech.record_list import Line, RecordList, studio_minutes
from duecall.speech.recording_folder import normal_form
from duecall.speech.template import MessageTemplate
from duecall.speech.values import (
    Day,
    DaysCount,
    Digits,
    Inflected,
    Money,
    Name,
    Percent,
    Text,
    Value,
)
from duecall.speech.words import words
from tests.speech import some_values

VI = "Kính chào {{ name }}. Quý khách còn nợ {{ balance }} của {{ lender }}, hạn {{ due_date }}."


def gathered(text: str, rows: Sequence[dict[str, Value]], language: Language = "vi") -> RecordList:
    found = RecordList(language)
    part = TextPart(MessageTemplate(text, language))
    for values in rows:
        found.add([part], values)
    return found


def row(minor: int, day: date = date(2026, 4, 19), name: str = "An") -> dict[str, Value]:
    return {
        "name": Name(name),
        "balance": Money(minor, "VND"),
        "lender": Text("Minh An", personal=False),
        "due_date": Day(day),
    }


def texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def test_clauses_come_in_their_order_then_fragments_from_small_to_large() -> None:
    found = gathered(VI, [row(21_500_000), row(4_000), row(1_000_000)])
    lines = found.lines()
    clauses = [line for line in lines if line.clause]
    assert texts(clauses) == [
        "Kính chào", "Quý khách còn nợ", "của", "Minh An", "hạn",
    ]  # fmt: skip
    assert lines[: len(clauses)] == clauses
    rest = texts(lines[len(clauses) :])
    assert rest.index("một") < rest.index("bốn") < rest.index("hai mươi mốt")
    assert {"nghìn", "triệu", "đồng", "năm trăm"} <= set(rest)
    assert (found.contacts, found.personal) == (3, 3)
    assert [line.contacts for line in clauses] == [3, 3, 3, 3, 3]
    assert next(line.contacts for line in lines if line.text == "triệu") == 2


def test_names_are_not_recorded() -> None:
    lines = gathered(VI, [row(1, name="Nguyễn Văn An")]).lines(complete=True)
    assert not any("Nguyễn" in line.text for line in lines)


def test_each_text_stands_there_once() -> None:
    lines = gathered(VI, [row(n * 37_111) for n in range(200)]).lines(complete=True)
    forms = [normal_form(line.text) for line in lines]
    assert len(forms) == len(set(forms))


def test_a_complete_list_says_what_no_contact_of_today_needs() -> None:
    found = gathered(VI, [row(1)])
    short, complete = found.lines(), found.lines(complete=True)
    assert len(short) < 15
    assert 150 < len(complete) < 400
    assert set(texts(short)) <= set(texts(complete))
    assert {line.contacts for line in complete if not line.clause} == {0, 1}
    # Only what the templates say: no fragment of another currency.
    assert not any("rúp" in line.text for line in complete)


def test_a_complete_list_has_every_branch_of_the_message() -> None:
    text = (
        "{% if title %}{{ title | text }}{% else %}quý khách{% endif %} nợ {{ balance }}. "
        "{% if balance > 5000000 %}Nhiều quá{% elif title %}Gấp {{ due_date }}"
        "{% else %}Ít{% endif %}."
    )
    found = gathered(text, [{**row(1_000), "title": Text("")}])
    assert texts(found.lines())[:2] == ["quý khách nợ", "Ít."]
    found.add_branches([MessageTemplate(text, "vi")])
    complete = found.lines(complete=True)
    clauses = {line.text: line.contacts for line in complete if line.clause}
    # "nợ" follows a title, which this contact has not: none of the values fits there.
    assert clauses == {"quý khách nợ": 1, "Ít.": 1, "Nhiều quá.": 0, "Gấp": 0}
    assert "năm hai nghìn không trăm hai mươi sáu" in texts(complete)
    assert "năm hai nghìn không trăm hai mươi sáu" not in texts(found.lines())
    with_title = gathered(text, [{**row(1_000), "title": Text("chị")}])
    with_title.add_branches([MessageTemplate(text, "vi")])
    assert "nợ" in texts(with_title.lines(complete=True))


def test_an_hour_or_so_is_enough_for_a_campaign() -> None:
    complete = texts(gathered(VI, [row(1)]).lines(complete=True))
    assert 10 < studio_minutes(complete, "vi") < 60


SHAPES: list[tuple[Language, Value]] = [
    ("vi", Money(0, "VND")),
    ("vi", Day(date(2026, 1, 1))),
    ("ru", Inflected(Money(0, "RUB"), "accusative")),
    ("ru", DaysCount(1)),
    ("zh", Money(0, "CNY")),
    ("zh", DaysCount(0)),
    ("en", Money(0, "USD")),
    ("en", Day(date(2026, 1, 1), with_year=False)),
    ("en", Digits("1")),
]


@pytest.mark.parametrize(("language", "shape"), SHAPES, ids=lambda one: str(one)[:30])
def test_a_complete_list_says_every_value_of_its_kind(language: Language, shape: Value) -> None:
    found = gathered("{{ value }}", [{"value": shape}], language)
    complete = {normal_form(line.text) for line in found.lines(complete=True)}

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def every(data: st.DataObject) -> None:
        number = data.draw(some_values.SIGNED)
        plain = shape.value if isinstance(shape, Inflected) else shape
        value: Value
        if isinstance(plain, Money):
            value = Money(number, plain.currency)
        elif isinstance(plain, DaysCount):
            value = DaysCount(number)
        elif isinstance(plain, Day):
            day = data.draw(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
            value = Day(day, with_year=plain.with_year)
        else:
            value = Digits(str(abs(number)), personal=False)
        if isinstance(shape, Inflected):
            value = Inflected(value, shape.case)  # type: ignore[arg-type]  # as its shape
        spoken = words(value, language)
        for cut in cuts(value, spoken, language, fine=True):
            assert normal_form(cut.text) in complete, (spoken, cut)

    every()


@pytest.mark.parametrize("language", ["vi", "ru", "zh", "en"])
def test_a_complete_list_says_numbers_with_empty_places(language: Language) -> None:
    found = gathered("{{ value }}", [{"value": DaysCount(1)}], language)
    complete = {normal_form(line.text) for line in found.lines(complete=True)}
    for number in (500_002_000, 100_020_000, 1_000_001, 10_002, 10**15, 20_000_000_030_005, -7):
        value = DaysCount(number)
        for cut in cuts(value, words(value, language), language, fine=True):
            assert normal_form(cut.text) in complete, (number, cut)


def test_decimals_are_complete_in_every_language() -> None:
    for language in ("vi", "ru", "zh", "en"):
        part = TextPart(MessageTemplate("{{ '5' | percent }}", language))
        found = RecordList(language)
        found.add([part], {})
        complete = {normal_form(line.text) for line in found.lines(complete=True)}
        for thousandths in range(0, 100_000, 97):
            value = Percent(Decimal(thousandths) / 1000)
            for cut in cuts(value, words(value, language), language, fine=True):
                assert normal_form(cut.text) in complete, (language, value, cut)
