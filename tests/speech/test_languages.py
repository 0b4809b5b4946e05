"""A language is whole: a reader, a parser, letters, titles, a country for its phones, a voice."""

from __future__ import annotations

from typing import get_args

import pytest

from duecall.core.campaign import Language
from duecall.speech import spelling
from duecall.speech.engines.espeak import ESPEAK_VOICES
from duecall.speech.proof import PARSERS
from duecall.speech.scripts import NAMES, READABLE
from duecall.speech.titles import TITLES
from duecall.speech.words import READERS
from tests.speech import test_integers, test_words

LANGUAGES = get_args(Language)


@pytest.mark.parametrize(
    "registry",
    [READERS, PARSERS, READABLE, NAMES, TITLES, spelling.REGIONS, ESPEAK_VOICES],
    ids=["READERS", "PARSERS", "READABLE", "NAMES", "TITLES", "REGIONS", "ESPEAK_VOICES"],
)
def test_every_language_is_registered(registry):
    assert set(registry) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_golden_words(language):
    types = {type(value) for value, table in test_words.VALUES if language in table}
    assert len(types) >= 9, types
    assert language in test_integers.LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_reader_where_no_region_is_given(language):
    assert "" in READERS[language]
    for reader in READERS[language].values():
        assert len(reader.DIGIT_WORDS) == 10
        assert all(sum(sizes) == total for total, sizes in reader.PHONE_GROUPS.items())
