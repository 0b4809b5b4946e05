"""hibari, where it is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.core.voice import VoiceChoice
from duecall.speech.engines.hibari import HibariEngine
from duecall.speech.engines.known import KNOWN
from duecall.speech.faults import EngineMissing, Unspeakable
from tests.speech.engines.ear import all_different, assert_speech, heard, killed, seconds

(_KNOWN,) = (one for one in KNOWN if one.name == "hibari")
if _WHY := _KNOWN.missing({}):
    pytest.skip(_WHY, allow_module_level=True)

SUM = "one thousand, two hundred and thirty-four dollars"


@pytest.fixture(scope="module")
def voice() -> Iterator[HibariEngine]:
    engine = HibariEngine("en", VoiceChoice(engine="hibari"))
    yield engine
    engine.close()


def test_it_speaks(voice: HibariEngine) -> None:
    sounds = [
        assert_speech(voice, "Hello, Mister Smith.", 3, (0.2, 1.0)),
        assert_speech(voice, SUM, 8, (0.2, 0.7)),
        assert_speech(voice, "April nineteenth", 2, (0.3, 1.0)),
        assert_speech(voice, "Please call us back today.", 5, (0.15, 0.7)),
    ]
    assert all_different(sounds)


def test_the_same_text_is_the_same_sound_in_every_process(voice: HibariEngine) -> None:
    first = heard(voice, SUM).tobytes()
    heard(voice, "five")
    assert heard(voice, SUM).tobytes() == first
    other = HibariEngine("en", VoiceChoice(engine="hibari"))
    try:
        assert heard(other, SUM).tobytes() == first
    finally:
        other.close()


def test_speed_is_words_a_minute() -> None:
    lengths = []
    for words_per_minute in (100, 250):
        choice = VoiceChoice(engine="hibari", words_per_minute=words_per_minute)
        engine = HibariEngine("en", choice)
        lengths.append(seconds(heard(engine, SUM)))
        assert engine.settings()["words_per_minute"] == words_per_minute
        engine.close()
    assert 1.8 < lengths[0] / lengths[1] < 3.2


def test_foreign_names_are_words_not_letters(voice: HibariEngine) -> None:
    """Đ is none of its letters: it would spell the name."""
    assert heard(voice, "Đặng").tobytes() == heard(voice, "Dang").tobytes()
    assert seconds(heard(voice, "Nguyễn Văn Đức")) < 2.5
    with pytest.raises(Unspeakable):
        voice.synthesize("Иван")


def test_the_letter_a_is_not_the_pronoun(voice: HibariEngine) -> None:
    """Readings write "ay", which its dictionary has as "eye"."""
    assert heard(voice, "ay, one two").tobytes() == heard(voice, "A, one two").tobytes()


def test_phonemes_in_a_text_are_no_command(voice: HibariEngine) -> None:
    assert heard(voice, "[Smith](/nO/)").tobytes() != heard(voice, "[Jones](/nO/)").tobytes()
    assert "[" not in voice.readable("[Smith](/x/)")


def test_a_voice_that_would_be_downloaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    for name, why in (("emma", "nothing is downloaded"), ("nobody", "no voice nobody")):
        engine = HibariEngine("en", VoiceChoice(engine="hibari", name=name))
        with pytest.raises(EngineMissing, match=why):
            engine.synthesize("Hello.")
        engine.close()
    (tmp_path / "bf_emma.int8.onnx").write_bytes(b"another file")
    engine = HibariEngine("en", VoiceChoice(engine="hibari", name="emma"))
    with pytest.raises(EngineMissing, match="damaged"):
        engine.synthesize("Hello.")
    assert os.listdir(tmp_path) == ["bf_emma.int8.onnx"]


def test_onnxruntime_tells_nobody_of_its_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 1.32 on it keeps a session of its telemetry in a file `.ses`, where it is not told."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    engine = HibariEngine("en", VoiceChoice(engine="hibari"))
    heard(engine, "Hello.")
    engine.close()
    assert os.listdir(tmp_path) == []


def test_it_comes_back_when_it_is_killed(voice: HibariEngine) -> None:
    before = heard(voice, "Hello.").tobytes()
    with killed("hibari_child") as ids:
        assert ids
    assert heard(voice, "Hello.").tobytes() == before


def test_it_speaks_english_alone() -> None:
    with pytest.raises(EngineMissing, match="speaks en alone, and the campaign zh"):
        HibariEngine("zh", VoiceChoice())
