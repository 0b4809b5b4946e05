"""What a campaign's template may say without a filter, and which variable a fault is about."""

from __future__ import annotations

from datetime import date

import pytest

from duecall.speech.faults import Unspeakable
from duecall.speech.proof import prove
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Count, Day, Digits, Money, Name, Text, Value

TYPED = {"name", "balance", "lender"}


def untyped(source: str) -> list[tuple[str, int, int]]:
    template = MessageTemplate(source, "en")
    return [
        (fault.message.split(" ")[0], fault.line, fault.column)
        for fault in template.untyped_faults(TYPED)
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ name }} {{ balance }} {{ lender }}", []),
        ("{{ street }}", [("street", 1, 4)]),
        ("{{ street | text }} {{ fee | money('EUR') }}", []),
        ("{% if street %}{{ street }}{% endif %}", [("street", 1, 19)]),
        ("{% if street == 'x' %}a{% elif fee %}b{% endif %}", []),
        ("{{ name | titled(title) }}", []),
        ("a\n{{ street if name else fee }}", [("street", 2, 4), ("fee", 2, 24)]),
        ("{{ 'x' if name else fee | text }}", []),
        ("{{ 'a' }}{{ street }}\n{{ street }}", [("street", 1, 13), ("street", 2, 4)]),
        ("{%- if a %}\n{{- street -}}\n{% endif %}", [("street", 2, 5)]),
    ],
)
def test_what_is_said_without_a_type_is_found(
    source: str, found: list[tuple[str, int, int]]
) -> None:
    assert untyped(source) == found


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("Press 1", [7]),
        ("24/7", [1, 4]),
        ("½ off, x² and Ⅳ", [1, 9, 15]),
        ("٣ and 三", [1]),
        ("{{ 3 | count }} {# 4 #}{% if balance > 5 %}a{% endif %}", []),
        ("{{ '6' }}{{ '7' | count }}", [5]),
    ],
)
def test_every_number_in_the_text_is_found(source: str, columns: list[int]) -> None:
    faults = MessageTemplate(source, "en").static_number_faults()
    assert [fault.column for fault in faults] == columns


def test_text_makes_nothing_text_that_has_a_type() -> None:
    template = MessageTemplate("{{ a | text }}", "en")
    assert template.render({"a": Text("Hue")}) == [Text("Hue")]
    assert MessageTemplate("{{ 'Hue' | text }}", "en").render({}) == [Text("Hue", personal=False)]
    for value in (Money(1, "EUR"), Count(2), Digits("12"), Name("An")):
        with pytest.raises(ValueError, match="text takes a column"):
            template.render({"a": value})


VALUES: dict[str, Value] = {
    "name": Name("Bo"),
    "title": Text("mr"),
    "fee": Text("12"),
    "day": Text("2026-04-19"),
    "today": Day(date(2026, 4, 19)),
}


@pytest.mark.parametrize(
    ("source", "changed", "variable"),
    [
        ("{{ name | titled(title) }} {{ fee | count }}", {}, None),
        ("{{ fee | count }}", {"fee": Text("x")}, "fee"),
        ("{{ fee | count | ordinal }}", {"fee": Text("0")}, "fee"),
        ("{{ name | titled(title) }}", {"title": Text("zz")}, "name, title"),
        ("{{ day | date | relative(today) }}", {"day": Text("x")}, "day"),
        ("{{ fee | text }}", {}, "fee"),
        ("{% if fee > 3 %}a{% endif %}", {}, ""),
        ("{{ 'x' | count }}", {}, ""),
        ("{% if name %}a{% else %}{{ fee | date }}{% endif %}", {}, None),
    ],
)
def test_a_fault_names_its_variable(
    source: str, changed: dict[str, Value], variable: str | None
) -> None:
    template = MessageTemplate(source, "en")
    found = template.fault({**VALUES, **changed}, lambda value: prove(value, "en"))
    assert (found[0] if found else None) == variable
    if found:
        assert found[1]


def test_the_first_fault_is_told_and_what_proves_is_asked_of_every_value() -> None:
    asked: list[Value] = []

    def refuse(value: Value) -> None:
        asked.append(value)
        if isinstance(value, Text):
            raise Unspeakable("no text here")

    template = MessageTemplate("{{ name }} {{ fee | text }} {{ title | text }}", "en")
    assert template.fault(VALUES, refuse) == ("fee", "no text here")
    assert asked == [Name("Bo"), Text("12")]
