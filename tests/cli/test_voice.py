"""`voice list` and `voice try`."""

from __future__ import annotations

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from duecall.cli.voice import SENTENCES
from duecall.core.voice import ENGINE_NAMES
from duecall.speech.engines.known import BEST, KNOWN, LANGUAGES
from tests.cli.desk import CONFIG, Desk

MISSING = {one.name: one.missing({}) for one in KNOWN}
INSTALLED = {name for name, missing in MISSING.items() if not missing}


def sound(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_list_tells_of_every_engine_what_it_is_and_how_to_get_it(desk: Desk) -> None:
    people, script = desk.run_all([("voice", "list"), ("voice", "list", "--json")])
    lines = people.good.splitlines()
    told = json.loads(script.good)
    assert tuple(one["engine"] for one in told["engines"]) == ENGINE_NAMES
    for one in told["engines"]:
        name = one["engine"]
        (state,) = (line for line in lines if line.startswith(f"{name} "))
        assert one["here"] == (name in INSTALLED) == ("not here" not in state), state
        if name not in INSTALLED and one["install"]:
            block = " ".join(" ".join(lines[lines.index(state) :]).split())
            assert one["install"] in block
    assert set(told["languages"]) == set(LANGUAGES)
    assert "can be set: speed and pitch" in people.out


def test_list_recommends_and_switches_nothing(desk: Desk) -> None:
    answer = desk.run("voice", "list", "--json")
    languages = json.loads(answer.good)["languages"]
    for language, best in BEST.items():
        told = languages[language]
        assert told == {"chosen": "espeak", "best": best[0], "installed": best[0] in INSTALLED}
    desk.config.write_text(CONFIG + "voices: {ru: {engine: festival}}\n")
    people, script = desk.run_all(
        [("voice", "list", "--language", "ru"), ("voice", "list", "--language", "ru", "--json")]
    )
    told = json.loads(script.good)
    assert told["languages"]["ru"]["chosen"] == "festival"
    assert {one["engine"] for one in told["engines"]} == {
        *("espeak", "festival"),
        *(one.name for one in KNOWN if not one.voices),
    }
    assert "festival speaks, where a campaign names no engine" in " ".join(people.good.split())


def test_list_needs_no_installation(desk: Desk) -> None:
    desk.config.unlink()
    assert "espeak" in desk.run("voice", "list").good


def test_every_language_can_be_tried(desk: Desk) -> None:
    answers = desk.run_all([("voice", "try", one, "--json") for one in LANGUAGES])
    for language, answer in zip(LANGUAGES, answers, strict=True):
        told = json.loads(answer.good)
        assert (told["language"], told["engine"]) == (language, "espeak")
        assert not any(char.isdigit() for char in told["text"])
        samples = sound(desk.folder / f"voice-{language}-espeak.wav")
        assert len(samples) / 8000 == pytest.approx(told["length_s"], abs=0.01)
        assert 6 < told["length_s"] < 30
        assert abs(told["level_dbov"] + 26) < 1.5
        assert told["real_time_factor"] == pytest.approx(
            told["took_s"] / told["length_s"], abs=0.001
        )
    assert set(SENTENCES) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "engine"),
    [("ru", "festival"), ("en", "hibari"), ("zh", "kokoro"), ("en", "piper")],
)
def test_each_engine_can_be_tried_or_says_what_it_lacks(
    desk: Desk, language: str, engine: str
) -> None:
    answer = desk.run("voice", "try", language, "--engine", engine, "--out", "hear.wav")
    if engine not in INSTALLED:
        assert "install" in answer.error
        return
    if answer.code:  # piper is there without its voice
        assert "needs a voice of yours" in answer.error
        return
    assert f"s of speech by {engine} in " in answer.good
    assert "real-time factor" in answer.out and "dBov" in answer.out
    assert len(sound(desk.folder / "hear.wav")) > 5 * 8000


def test_settings_and_text_are_of_the_command_line(desk: Desk) -> None:
    text = "You owe {{ '12.50' | money('USD') }} by {{ due_date }}."
    line = ("voice", "try", "en", "--text", text)
    slow, fast = desk.run_all(
        [
            (*line, "--words-per-minute", pace, "--out", f"{pace}.wav", "--json")
            for pace in (100, 250)
        ]
    )
    told = json.loads(slow.good)
    assert told["text"].startswith("You owe twelve dollars and fifty cents by April")
    assert told["length_s"] > 1.5 * json.loads(fast.good)["length_s"]


def test_a_campaigns_voice_is_its_own(desk: Desk) -> None:
    espeak = shutil.which("espeak-ng")
    programs = f"programs: {{mine: [{espeak}, -v, vi, --stdin, --stdout]}}\n"
    desk.config.write_text(CONFIG + programs)
    path = desk.campaign(voice={"engine": "command", "name": "mine", "region": "south"})
    answer, other = desk.run_all(
        [
            ("voice", "try", path, "--json"),
            ("voice", "try", path, "--engine", "espeak", "--out", "other.wav", "--json"),
        ]
    )
    assert json.loads(answer.good)["engine"] == "command"
    assert "ngàn" in json.loads(answer.good)["text"]  # of the south
    assert json.loads(other.good)["engine"] == "espeak"


def test_what_cannot_be_is_said_in_one_line(desk: Desk) -> None:
    cases = {
        ("xx",): "xx is no language (vi, ru, zh, en)",
        ("vi", "--engine", "hibari"): "hibari speaks en alone, and the campaign vi",
        ("en", "--text", "You owe 12."): "numbers are written as typed variables",
        ("en", "--text", "…"): "--text: nothing in it can be spoken",
        ("en", "--text", "You owe {{ sum }}."): "variable sum is not defined",
        ("en", "--text", "{% if"): "--text: line 1",
        ("ru", "--engine", "festival", "--words-per-minute", "200"): "festival cannot change it",
        ("en", "--pitch", "200"): "--pitch: ",
        ("vi", "--name", "no such; voice"): "--name: ",
        ("vi", "--name", "xx-none"): "espeak-ng has no voice xx-none",
        ("en", "--engine", "coqui"): "coqui without `model`",
        ("en", "--engine", "recorded", "--model", "nowhere"): "nowhere",
        ("vi", "--out", "config.yaml/x.wav"): "config.yaml",
    }
    answers = desk.run_all([("voice", "try", *arguments) for arguments in cases])
    for (arguments, why), answer in zip(cases.items(), answers, strict=True):
        assert why in answer.error, arguments
