"""The recogniser that brings its own model, on real speech: yes, no, digits, and a whole call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duecall.core.recognition import RecogniserChoice
from duecall.speech.audio import RATE_HZ
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.pocketsphinx_child import jsgf
from duecall.speech.recognition.recogniser import Answer, Grammar, RecogniserError
from tests.speech.recognition.speakers import say

pytest.importorskip("pocketsphinx", reason="the extra `recognition` is not installed")

YES_OR_NO = Grammar(("yes", "yes please", "no", "no thank you"))
DIGITS = Grammar(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), longest=4
)
SURE = 0.6


@pytest.fixture(scope="module")
def recogniser():
    one = recogniser_of(RecogniserChoice(engine="pocketsphinx"), "en")
    yield one
    one.close()


@pytest.mark.parametrize("text", ["yes", "yes please", "no", "no thank you"])
def test_yes_and_no_are_told_apart(recogniser, tmp_path, text):
    answer = recogniser.recognise_short(say(text, tmp_path), RATE_HZ, "en", YES_OR_NO)
    assert answer.words[0].split()[0] == text.split()[0] and answer.sureness > SURE


def test_digits_in_a_row(recogniser, tmp_path):
    sound = say("one two three four", tmp_path)
    answer = recogniser.recognise_short(sound, RATE_HZ, "en", DIGITS)
    assert answer.words == ("one", "two", "three", "four") and answer.sureness > SURE


@pytest.mark.parametrize(
    "text", ["hello who is this", "my wife is not home", "please call me later", "nobody is here"]
)
def test_other_words_are_no_sure_answer(recogniser, tmp_path, text):
    answer = recogniser.recognise_short(say(text, tmp_path), RATE_HZ, "en", YES_OR_NO)
    assert answer.sureness < SURE


def test_silence_is_no_answer(recogniser):
    quiet = np.zeros(2 * RATE_HZ, np.float32)
    assert recogniser.recognise_short(quiet, RATE_HZ, "en", YES_OR_NO) == Answer((), 0.0)
    assert recogniser.transcribe(quiet, RATE_HZ, "en") == ()


def test_words_that_it_does_not_know_are_left_out_of_the_grammar(recogniser, tmp_path):
    sound = say("yes please", tmp_path)
    answer = recogniser.recognise_short(
        sound, RATE_HZ, "en", Grammar(("yes please", "xyzzyplugh", "no; <x>"))
    )
    assert answer.words == ("yes please",)
    with pytest.raises(RecogniserError, match="dictionary"):
        recogniser.recognise_short(sound, RATE_HZ, "en", Grammar(("vâng",)))
    assert recogniser.recognise_short(sound, RATE_HZ, "en", YES_OR_NO).words  # it goes on


def test_a_whole_call_with_its_times(recogniser, tmp_path):
    first, second = say("maybe tomorrow", tmp_path), say("no thank you", tmp_path)
    pause = np.zeros(2 * RATE_HZ, np.float32)
    phrases = recogniser.transcribe(np.concatenate((first, pause, second)), RATE_HZ, "en")
    assert len(phrases) == 2
    assert "tomorrow" in phrases[0].text and "no" in phrases[1].text.split()
    starts_ms = (first.size + pause.size) * 1000 // RATE_HZ + 500
    assert abs(phrases[1].from_ms - starts_ms) < 300
    assert phrases[0].to_ms < first.size * 1000 // RATE_HZ
    assert all(0 <= one.sureness <= 1 for one in phrases)


def test_version_and_model_are_told(recogniser):
    assert recogniser.version().startswith("pocketsphinx 5")
    assert len(recogniser.model()) == 64 and int(recogniser.model(), 16)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path):
    one = recogniser_of(RecogniserChoice(engine="pocketsphinx", model=str(tmp_path)), "ru")
    with pytest.raises(RecogniserError, match="no acoustic in"):
        one.version()


def test_the_grammar_s_text():
    assert jsgf(("a b", "c"), 2).endswith("<answer> = <phrase> [<phrase>]; <phrase> = a b | c;")
