"""espeak-ng: real sound in each language, and what is said when it cannot work."""

from __future__ import annotations

import os
import stat
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from duecall.core.voice import Voice, VoiceChoice
from duecall.speech import audio
from duecall.speech.engines.espeak import EspeakEngine
from duecall.speech.faults import EngineError, EngineMissing
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Digits,
    Money,
    Name,
    Percent,
    Phone,
    Text,
)
from duecall.speech.words import words

LANGUAGES = ("vi", "ru", "zh", "en")
NAMES = {"vi": "Nguyễn Văn An", "ru": "Иван Петров", "zh": "王小明", "en": "John Smith"}
CURRENCIES = {"vi": "VND", "ru": "RUB", "zh": "CNY", "en": "USD"}


def values(language):
    return [
        Money(123456789, CURRENCIES[language]),
        Day(date(2025, 4, 19)),
        DaysCount(31),
        Count(2),
        Percent(Decimal("18.5")),
        Phone("1900 1234"),
        Digits("HD-2024/001"),
        Name(NAMES[language]),
        Text(NAMES[language] + " 24"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_of_value_can_be_heard(language):
    engine = EspeakEngine(language)
    for value in values(language):
        samples, rate_hz = engine.synthesize(words(value, language))
        sound = audio.telephone(samples, rate_hz)
        assert sound.size > 8 * 150, value
        assert np.sqrt((sound**2).mean()) > 0.02, value


def test_different_words_sound_different_and_the_same_the_same():
    engine = EspeakEngine("vi")
    one, again, two = (engine.synthesize(text)[0] for text in ("một", "một", "hai trăm"))
    assert np.array_equal(one, again)
    assert one.size != two.size


def test_chinese_is_read_from_characters():
    """The voice must speak 王 as one syllable, not say "Chinese letter"."""
    engine = EspeakEngine("zh")
    one = audio.telephone(*engine.synthesize("王"))
    four = audio.telephone(*engine.synthesize("王王王王"))
    assert one.size < 8 * 700
    assert four.size > 2 * one.size


def test_speed_and_pitch_change_the_sound():
    text = "Xin chào, đây là một cuộc gọi."
    slow, _ = EspeakEngine("vi", Voice(words_per_minute=100)).synthesize(text)
    fast, _ = EspeakEngine("vi", Voice(words_per_minute=250)).synthesize(text)
    assert slow.size > 1.5 * fast.size
    low, _ = EspeakEngine("vi", Voice(pitch=10)).synthesize(text)
    high, _ = EspeakEngine("vi", Voice(pitch=90)).synthesize(text)
    assert not np.array_equal(low[:20_000], high[:20_000])


@pytest.mark.parametrize(
    ("hostile", "plain"),
    [
        ("An [[h@l@U]] Bình", "An h l U Bình"),  # phoneme code
        ("An <break time='9s'/> Bình", "An break time '9s'/ Bình"),
        ("An\x01+20S Bình", "An +20S Bình"),  # embedded command
        ("An\0Bình", "An Bình"),
    ],
)
def test_engine_codes_in_a_text_are_not_obeyed(hostile, plain):
    engine = EspeakEngine("vi")
    assert np.array_equal(engine.synthesize(hostile)[0], engine.synthesize(plain)[0])


def test_a_text_never_reaches_a_command_line(tmp_path):
    """A program in espeak-ng's place writes down what it was started with."""
    program = tmp_path / "fake-espeak"
    seen = tmp_path / "seen"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {seen}\nexec espeak-ng "$@"\n', encoding="ascii"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    text = "--version Bí-mật; $(id)"
    samples, _ = EspeakEngine("vi", program=str(program)).synthesize(text)
    assert samples.size > 1000
    assert "Bí" not in seen.read_text(encoding="utf-8")
    assert "id" not in seen.read_text(encoding="utf-8").split()


def test_espeak_missing_names_the_remedy():
    engine = EspeakEngine("vi", program="espeak-ng-that-is-not-there")
    for call in (engine.version, lambda: engine.synthesize("một")):
        with pytest.raises(EngineMissing) as caught:
            call()
        assert "is not installed" in str(caught.value)
        assert "apt-get install espeak-ng" in str(caught.value)


def test_a_voice_that_is_not_there_names_the_remedy():
    with pytest.raises(EngineMissing, match=r"no voice xx-nope.*--voices"):
        EspeakEngine("vi", Voice(engine="espeak", name="xx-nope")).synthesize("một")


@pytest.mark.parametrize("name", ["-w/tmp/x", "../../etc/passwd", "vi;id", "vi\n", "a" * 61])
def test_a_voice_name_cannot_be_an_option_or_a_path(name):
    with pytest.raises(EngineMissing, match=r"voice.name holds characters"):
        EspeakEngine("vi", VoiceChoice.model_construct(engine="espeak", name=name))


def script(tmp_path, body):
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\n" + body, encoding="ascii")
    os.chmod(program, 0o755)
    return str(program)


def test_an_engine_that_hangs_is_ended(tmp_path):
    program = script(tmp_path, "exec sleep 600\n")
    with pytest.raises(EngineError, match=r"took more than 0.3 s"):
        EspeakEngine("vi", program=program, timeout_s=0.3).synthesize("một")


def test_an_engine_that_dies_or_says_nothing_is_reported(tmp_path):
    with pytest.raises(EngineError, match="ended with code 3: out of tune"):
        EspeakEngine("vi", program=script(tmp_path, "echo out of tune >&2; exit 3")).synthesize("a")
    with pytest.raises(EngineError, match="made no sound"):
        EspeakEngine("vi", program=script(tmp_path, "exit 0")).synthesize("a")


def test_version_is_a_version():
    assert EspeakEngine("en").version()[0].isdigit()
