"""Contact text before it reaches a synthesiser."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.speech.cleaning import TEXT_MAX, person_name, speakable, static_text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Nguyễn Văn An", "Nguyễn Văn An"),
        (unicodedata.normalize("NFD", "Nguyễn Văn An"), "Nguyễn Văn An"),
        ("  Anna\t\n Maria ", "Anna Maria"),
        ("O'Brien-Smith, Jr.", "O'Brien-Smith, Jr."),
        ("An\0Bình|x", "An Bình x"),
        ("${system reboot}", "system reboot"),
        ("{{ 7*7 }}{% x %}", "7 7 x"),
        ("[[h@l@U]] <break/>", "h l U break/"),
        ("Мария 🙂🎉", "Мария"),
        ("An\u200bna\u202e", "Anna"),  # zero width space, right-to-left override
        ("\U000f0000An\ue000", "An"),
        ("王小明", "王小明"),
        ("محمد", "محمد"),
        ("🙂", ""),
        ("- . ,", ""),
        ("", ""),
        ("\ud800An", "An"),
    ],
)
def test_speakable(text, spoken):
    assert speakable(text) == spoken


def test_a_long_name_is_cut_at_a_word():
    spoken = speakable("Nguyễn " * 2000)
    assert len(spoken) <= TEXT_MAX
    assert set(spoken.split(" ")) == {"Nguyễn"}
    assert len(speakable("x" * 10_000)) == TEXT_MAX


def test_accents_heaped_on_a_letter_are_thinned():
    assert len(speakable("a" + "\u0301" * 5000)) <= 4


@given(st.text(max_size=500))
def test_whatever_comes_nothing_but_words_leaves(text):
    spoken = speakable(text)
    assert len(spoken) <= TEXT_MAX
    assert not set(spoken) & set('|{}[]<>\\$`"\0\n\r\t')
    assert {unicodedata.category(char)[0] for char in spoken} <= set("LMNPZ")
    assert speakable(spoken) == spoken


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NGUYỄN VĂN A", "Nguyễn Văn A"),
        ("ИВАНОВ Иван", "Иванов Иван"),
        ("McDonald", "McDonald"),
        ("王", "王"),
        ("", ""),
    ],
)
def test_names_in_capitals_are_written_as_names(text, name):
    assert person_name(text) == name


def test_static_text_keeps_its_ends():
    assert static_text("  a\r\n\tb\0 ") == " a b "
