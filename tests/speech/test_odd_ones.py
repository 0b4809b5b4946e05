"""Whom to hear first, of many."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from duecall.speech.odd_ones import Choice, Heard, OddOnes
from duecall.speech.template import Piece
from duecall.speech.values import DaysCount, Inflected, Money, Name, Text


def chosen(messages: Iterable[list[Piece]], size: int) -> list[Choice[int]]:
    odd: OddOnes[int] = OddOnes(size)
    for number, pieces in enumerate(messages):
        odd.add(number, Heard(pieces, "x" * (50 + number), 10, 2), seed=str(number))
    return odd.chosen()


def reasons(choices: Iterable[Choice[int]]) -> dict[str, int]:
    return {why: choice.key for choice in choices for why in choice.why}


def plain(count: int = 30) -> list[list[Piece]]:
    return [["Hello ", Name("Carol Ann"), Money(50_000 + n * 10_000, "EUR")] for n in range(count)]


def test_nobody_is_chosen_of_nobody() -> None:
    assert chosen([], 20) == []


def test_all_are_chosen_where_there_are_few_and_each_once() -> None:
    found = chosen(plain(4), 20)
    assert sorted(choice.key for choice in found) == [0, 1, 2, 3]


def test_the_size_is_kept_and_filled_up() -> None:
    found = chosen(plain(1000), 20)
    assert len({choice.key for choice in found}) == 20
    drawn = [choice.key for choice in found if not choice.why]
    assert len(drawn) > 5
    assert max(drawn) - min(drawn) > 300  # from all over the file
    assert found == chosen(plain(1000), 20)


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        (["Hello ", Name("Carol Ann"), Money(10**12, "EUR")], "the largest sum"),
        (["Hello ", Name("Carol Ann"), Money(-5_00, "EUR")], "a sum below zero"),
        (["Hello ", Name("Carol Ann"), Money(0, "EUR")], "a sum of zero"),
        (["Hello ", Name("Carol Ann"), Money(50_001, "EUR")], "minor units of EUR"),
        (["Hello ", Name("Carol Ann"), Money(7, "EUR")], "minor units alone"),
        (["Hello ", Name("Carol Ann"), Inflected(Money(2100, "EUR"), "genitive")], "the number 21"),
        (["Hello ", Name("Carol Ann"), DaysCount(11)], "the number 11"),
        (["Hello ", Name("Carol Ann"), DaysCount(711)], "a number that ends in 11"),
        (["Hello ", Name("Carol Ann" * 9), DaysCount(7)], "the longest name"),
        (["Hello ", Name("Carol Añn"), DaysCount(7)], "the rare letter ñ"),
        (["Hello ", Name("Carol Ann", title="prof"), DaysCount(7)], "the title prof"),
        (["Hello ", Name("Carol Ann"), Text("Leeds")], "the word Leeds"),
        (["Good day ", Name("Carol Ann"), Money(50_000, "EUR")], "words that 1 of 61 hear"),
    ],
)
def test_an_odd_one_is_found_for_its_reason(pieces: list[Piece], why: str) -> None:
    messages = [*plain(), pieces, *plain()]
    found = reasons(chosen(messages, 20))
    assert found.get(why) == 30, found


def test_what_the_campaign_says_to_all_is_no_rare_word() -> None:
    messages: list[list[Piece]] = [["From ", Text("Harbour", personal=False)] for _ in range(9)]
    assert not any(why.startswith("the word") for why in reasons(chosen(messages, 20)))
