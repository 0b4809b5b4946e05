"""Message templates: pieces, comparisons, faults with their places, and no way out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.speech.faults import TemplateFault
from duecall.speech.planner import plan
from duecall.speech.template import MessageTemplate, text_of
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

VALUES = {
    "name": Name("An"),
    "balance": Money(123456, "USD"),
    "euros": Money(123456, "EUR"),
    "dpd": DaysCount(31),
    "due": Day(date(2025, 4, 19)),
    "segment": Text("3"),
    "card": Text("9704 1234 5678 9012"),
    "rate": Percent(Decimal("0.1")),
    "empty": Text(" "),
    "free": Text("0"),
    "opens": TimeOfDay(9, 0),
}


def pieces(source, values=VALUES):
    return MessageTemplate(source, "en").render(values)


def test_static_text_and_values_alternate():
    assert pieces("Dear {{ name }},\n you owe {{balance}}.") == [
        "Dear ",
        Name("An"),
        ", you owe ",
        Money(123456, "USD"),
        ".",
    ]


def test_the_same_value_may_be_said_twice_and_sources_are_nfc():
    assert pieces("{{ name }}{{ name }}") == [Name("An"), Name("An")]
    assert pieces("e\u0301") == ["é"]


@pytest.mark.parametrize(
    ("filtered", "value"),
    [
        ("card | digits", Digits("9704 1234 5678 9012")),
        ("card | last4", Digits("9012")),
        ("segment | count", Count(3)),
        ("segment | days", DaysCount(3)),
        ("segment | percent", Percent(Decimal(3))),
        ("segment | money('RUB')", Money(300, "RUB")),
        ("balance | money", Money(123456, "USD")),
        ("dpd | count", Count(31)),
        ("segment | name", Name("3")),
        ("'2025-04-19' | date", Day(date(2025, 4, 19))),
        ("'19001234' | phone", Phone("19001234", personal=False)),
        ("19001234 | phone", Phone("19001234", personal=False)),
        ("'12.5' | money('USD')", Money(1250, "USD")),
        ("12.5 | money('USD')", Money(1250, "USD")),
        ("segment | digits | last4 if false else 5 | count", Count(5)),
        ("due | without_year", Day(date(2025, 4, 19), with_year=False)),
        ("due | relative('2025-04-18')", Day(date(2025, 4, 19), today=date(2025, 4, 18))),
        ("due | relative(due)", Day(date(2025, 4, 19), today=date(2025, 4, 19))),
        (
            "due | without_year | relative('2025-04-18')",
            Day(date(2025, 4, 19), with_year=False, today=date(2025, 4, 18)),
        ),
        ("'9:05' | time", TimeOfDay(9, 5)),
        ("opens | time", TimeOfDay(9, 0)),
        ("segment | ordinal", Ordinal(3)),
        ("rate | yearly", Percent(Decimal("0.1"), yearly=True)),
        ("'18.5' | yearly", Percent(Decimal("18.5"), yearly=True)),
        ("name | titled('Mr')", Name("An", title="Mr")),
        ("name | titled(empty)", Name("An", title=" ")),
        ("'1 234.50' | money('USD')", Money(123450, "USD")),
    ],
)
def test_filters(filtered, value):
    assert pieces("{{ " + filtered + " }}") == [value]


@pytest.mark.parametrize(
    ("filtered", "value"),
    [
        ("balance | form('genitive')", Inflected(Money(123456, "USD"), "genitive")),
        ("dpd | form('dative')", Inflected(DaysCount(31), "dative")),
        ("2 | count | form('feminine')", Inflected(Count(2), gender="feminine")),
        (
            "3 | ordinal | form('feminine', 'dative')",
            Inflected(Ordinal(3), "dative", "feminine"),
        ),
        (
            "3 | ordinal | form('feminine') | form('dative')",
            Inflected(Ordinal(3), "dative", "feminine"),
        ),
    ],
)
def test_russian_forms(filtered, value):
    assert MessageTemplate("{{ " + filtered + " }}", "ru").render(VALUES) == [value]


@pytest.mark.parametrize(
    ("filtered", "part"),
    [
        ("balance | form", "needs a case or a gender"),
        ("balance | form('vocative')", "nominative, genitive"),
        ("balance | form('feminine')", "have a gender"),
        ("name | form('dative')", "takes a typed value"),
        ("balance | form('dative') > euros", "different currencies"),
    ],
)
def test_forms_that_are_none(filtered, part):
    if ">" in filtered:
        source = "{% if (" + filtered.replace(" >", ") >") + " %}a{% endif %}"
    else:
        source = "{{ " + filtered + " }}"
    with pytest.raises(TemplateFault, match=part):
        MessageTemplate(source, "ru").render(VALUES)


def test_a_form_compares_as_its_value():
    template = MessageTemplate("{% if (dpd | form('dative')) == 31 %}yes{% endif %}", "ru")
    assert template.render(VALUES) == ["yes"]


def test_filtered_contact_data_stays_personal():
    assert pieces("{{ card | last4 }}")[0].personal
    assert not pieces("{{ '1234' | last4 }}")[0].personal


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("dpd > 30", True),
        ("dpd > 31", False),
        ("dpd >= 31", True),
        ("30 < dpd < 32", True),
        ("dpd == 31", True),
        ("dpd != 31", False),
        ("dpd > -5", True),
        ("balance >= 1234.56", True),
        ("balance > 1234.56", False),
        ("rate == 0.1", True),
        ("due < '2025-05-01'", True),
        ("due == due", True),
        ("segment == '3'", True),
        ("segment in ['2', '3']", True),
        ("segment not in ['2', '3']", False),
        ("(segment | count) > 2", True),
        ("card == '9704 1234 5678 9012'", True),
        ("(card | digits) == '9704123456789012'", True),
        ("name and not empty", True),
        ("dpd > 3 and (rate > 1 or segment == '3')", True),
        ("nothing is defined", False),
        ("nothing is undefined or nothing > 3", True),
        ("name is defined", True),
        ("dpd == (segment | days)", False),
        ("(segment | ordinal) == 3", True),
        ("opens < '14:30' and opens == '9:00'", True),
        ("due == (due | relative(due))", True),
    ],
)
def test_conditions(condition, true):
    assert pieces(f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}") == [
        "yes" if true else "no"
    ]


def test_elif_and_inline_if():
    source = "{% if dpd < 10 %}a{% elif dpd < 90 %}b{% else %}c{% endif %}"
    assert pieces(source) == ["b"]
    assert pieces("{{ name if dpd > 30 else balance }}") == [Name("An")]


@pytest.mark.parametrize(
    ("source", "line", "column", "part"),
    [
        ("a\n {{ nobody }}", 2, 5, "variable nobody is not defined; there are: balance, card"),
        ("a\n{{ nobody | phone }}", 2, 4, "variable nobody"),
        ("{% if nobody > 3 %}{% endif %}", 1, 7, "variable nobody"),
        ("x\n{{ name | upper }}", 2, 11, "no filter upper; count, date"),
        ("{{ name", 1, 1, "unexpected end of template"),
        ("\n{% if name %}", 2, 1, "Unexpected end of template"),
        ("\n{{ dpd + 1 }}", 2, 1, "cannot calculate"),
        ("{{ -dpd }}", 1, 1, "cannot calculate"),
        ("{% if dpd * 2 > 3 %}{% endif %}", 1, 1, "cannot calculate"),
        ("{{ name ~ 'x' }}", 1, 1, "~ is not allowed"),
        ("{{ name.text }}", 1, 1, "no parts"),
        ("{{ name[0] }}", 1, 1, "no parts"),
        ("{{ name.__class__ }}", 1, 1, "no parts"),
        ("{{ ''.__class__.__mro__ }}", 1, 1, "no parts"),
        ("{{ name() }}", 1, 1, "cannot call"),
        ("{{ range(3) }}", 1, 1, "cannot call"),
        ("{% for x in name %}{% endfor %}", 1, 1, "For is not part"),
        ("{% set x = name %}", 1, 1, "Assign is not part"),
        ("{% include 'x' %}", 1, 1, "Include is not part"),
        ("{% macro m() %}{% endmacro %}", 1, 1, "Macro is not part"),
        ("{% filter phone %}1{% endfilter %}", 1, 1, "FilterBlock is not part"),
        ("{{ 5 }}", 1, 1, "bare number"),
        ("{{ true }}", 1, 1, "bare number"),
        ("{{ dpd > 3 }}", 1, 1, "only a variable"),
        ("{{ name if dpd > 3 }}", 1, 1, "needs an else"),
        ("{% if dpd is odd %}{% endif %}", 1, 1, "no test odd"),
        ("{% if name > 3 %}{% endif %}", 1, 1, "Name cannot be compared with a number"),
        ("{% if name < 'B' %}{% endif %}", 1, 1, "no greater or less"),
        ("{% if segment == 3 %}{% endif %}", 1, 1, "Text cannot be compared with a number"),
        ("{% if dpd == '31' %}{% endif %}", 1, 1, "DaysCount cannot be compared with text"),
        ("{% if dpd == true %}{% endif %}", 1, 1, "cannot be compared with true/false"),
        ("{% if due > 'soon' %}{% endif %}", 1, 1, "a date is compared with"),
        ("{% if balance > euros %}{% endif %}", 1, 1, "different currencies"),
        ("\n\n{% if dpd > 1 %}\n{{ name | date }}{% endif %}", 4, 1, "date needs a date"),
        ("{{ name | count }}", 1, 1, "this is no number"),
        ("{{ segment | money }}", 1, 1, "needs the currency: money('VND')"),
        ("{{ balance | money('VND') }}", 1, 1, "does not convert"),
        ("{{ '1.234' | money('USD') }}", 1, 1, "two readings"),
        ("{{ 1.234 | money('USD') }}", 1, 1, "2 decimal places"),
        ("{{ '1.5' | count }}", 1, 1, "whole number"),
        ("{{ dpd | form('genitive') }}", 1, 10, "only Russian"),
        ("{{ due | relative }}", 1, 1, "arguments"),
        ("{{ due | relative('soon') }}", 1, 1, "date needs a date"),
        ("{{ '25:00' | time }}", 1, 1, "from 00:00 to 23:59"),
        ("{{ due | titled('Mr') }}", 1, 1, "cannot be made of"),
        ("{{ 0 | ordinal }}", 1, 1, "1 or more"),
        ("{% if opens < '9 o`clock' %}{% endif %}", 1, 1, "written '14:30'"),
        ("{{ balance | days }}", 1, 1, "cannot be made of a value of type Money"),
        ("{{ name | phone(1, 2) }}", 1, 1, "arguments"),
        ("{{ name | money(currency='VND') }}", 1, 1, "plain arguments"),
        ("{{ 1e999 | percent }}", 1, 1, "cannot be read aloud"),
        ("{{ " + "(" * 4000 + "dpd" + ")" * 4000 + " }}", 1, 1, "nested too deeply"),
        ("x" * 10_001, 1, 1, "at most 10000 characters"),
        ("a\nb\ue000", 2, 2, "private-use"),
        ("{{ '\\U000f0000' }}", 1, 1, "cannot be read aloud"),
    ],
)
def test_faults_say_what_and_where(source, line, column, part):
    with pytest.raises(TemplateFault) as caught:
        pieces(source)
    assert part in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


def test_faults_do_not_repeat_contact_data():
    secret = {"secret": Text("0912345678 Nguyen")}
    for source in ("{{ secret | date }}", "{{ secret | count }}", "{{ secret | phone }}"):
        with pytest.raises(TemplateFault) as caught:
            pieces(source, secret)
        assert "0912" not in str(caught.value)


def test_variables_and_undefined_faults():
    template = MessageTemplate("{{ a }} {% if b > 3 %}\n{{ c | last4 }}{% endif %}", "vi")
    assert template.variables() == {"a", "b", "c"}
    faults = template.undefined_faults({"b"})
    assert [(f.line, f.column, f.message) for f in faults] == [
        (1, 4, "variable a is not defined; there are: b"),
        (2, 4, "variable c is not defined; there are: b"),
    ]
    assert template.undefined_faults({"a", "b", "c", "d"}) == []


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("Call {{ '19001234' | phone }}", []),
        ("Call 1900 1234", [(1, 6), (1, 11)]),
        ("Today\n{{ name }} owes 5%", [(2, 17)]),
        ("{# 12 #}{% if dpd > 30 %}x{% endif %}", []),
        ("{{ '12' }}", [(1, 5)]),
        ("{% if segment in ['12', '34'] %}x{% endif %}", []),
        ("{{ 3 | count }}{{ '5' | money('VND') }}", []),
        ("{% if dpd > 1 %}a\r\nb 7{% endif %}", [(2, 3)]),
        ("٣ ３", [(1, 1), (1, 3)]),
    ],
)
def test_numbers_in_the_text_are_found(source, places):
    faults = MessageTemplate(source, "en").static_number_faults()
    assert [(fault.line, fault.column) for fault in faults] == places


HOSTILE = ["\U000f0000", "\U000f0001{{ balance }}", "{% raw %}", "${system id}", "\0", "a" * 10_000]


@pytest.mark.parametrize("text", HOSTILE)
def test_contact_text_cannot_break_out(text):
    values = {"name": Name(text), "balance": Money(1, "USD"), "note": Text(text)}
    assert pieces("{{ name }}, {{ note }}: {{ balance }}", values) == [
        Name(text),
        ", ",
        Text(text),
        ": ",
        Money(1, "USD"),
    ]


@given(st.text(max_size=100), st.text(max_size=100))
@settings(max_examples=200)
def test_any_contact_text_stays_in_its_piece(name, note):
    found = pieces("a {{ name }} b {{ note }}", {"name": Name(name), "note": Text(note)})
    assert found == ["a ", Name(name), " b ", Text(note)]


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_source_is_a_template_or_a_fault(source):
    try:
        assert isinstance(pieces(source), list)
    except TemplateFault as fault:
        assert fault.line >= 1
        assert fault.column >= 1


def test_a_raw_text_is_not_a_value():
    with pytest.raises(TypeError, match="not a typed value"):
        pieces("{{ name }}", {"name": "An"})


def test_renderings_share_nothing():
    template = MessageTemplate("{{ name }} {{ dpd }}", "en")
    first = template.render({"name": Name("A"), "dpd": DaysCount(1)})
    second = template.render({"name": Name("B"), "dpd": DaysCount(2)})
    assert first == [Name("A"), " ", DaysCount(1)]
    assert second == [Name("B"), " ", DaysCount(2)]


def test_regions_have_their_words():
    pieces = [Count(1105)]
    assert text_of(pieces, "vi", "south") == "một ngàn một trăm lẻ năm"
    assert text_of(pieces, "vi", "north") == "một nghìn một trăm linh năm"
    said = " ".join(utterance.text for utterance in plan(pieces, "vi", "south"))
    assert said == "một ngàn một trăm lẻ năm"


def test_text_of_is_the_message_in_words():
    assert (
        text_of(pieces("Dear {{ name }}, you owe {{ balance }}."), "en")
        == "Dear An, you owe one thousand, two hundred and thirty-four dollars"
        " and fifty-six cents."
    )
    chinese = [Name("王伟"), "，您欠", Money(200, "CNY"), "。"]
    assert text_of(chinese, "zh") == "王伟，您欠两元。"
    assert text_of([Count(1), Count(2)], "en") == "one two"
