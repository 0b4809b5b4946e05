"""docs/speech.md, Which to take, and the engines after it: what stands there is what is known."""

from __future__ import annotations

import re

import yaml

from duecall.core.voice import Voice
from duecall.speech.engines import hibari, kokoro, piper
from duecall.speech.engines.known import BEST, KNOWN
from tests.docs.test_speech_doc import DOC, table


def section(title: str) -> str:
    (found,) = re.findall(rf"^### {title}\n(.*?)(?=^##)", DOC, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_costs_are_those_that_voice_list_tells() -> None:
    measured = {one.name: one for one in KNOWN if one.cpu}
    rows = {row[0].strip("`"): row for row in table("costs")}
    assert set(rows) == set(measured)
    for name, (_, install, licence, cpu, memory) in rows.items():
        one = measured[name]  # type: ignore[index]  # a name of the table, which has just been checked
        assert install.strip("`") == one.install
        assert licence == one.licence
        assert (cpu, memory) == (f"{one.cpu:g} s", f"{one.memory_mb} MB")


def test_the_advice_is_that_of_voice_list() -> None:
    names = {"vi": "Vietnamese", "ru": "Russian", "zh": "Chinese", "en": "English"}
    text = section("Which to take")
    for language, engines in BEST.items():
        (row,) = re.findall(rf"^\| {names[language]} \|(.*)\|$", text, re.MULTILINE)
        assert [one for one in re.findall(r"`(\w+)`", row) if one != "recorded"] == list(engines)


def test_voices_and_examples_are_real() -> None:
    for voice in kokoro.VOICES:
        assert f"`{voice}`" in section("Kokoro")
    for voice in hibari.VOICES:
        assert f"`{voice}`" in section("Hibari")
    (file,) = (name.split("/")[-1] for _, name in piper._PACKAGED.values())
    assert f"`{file.removesuffix('.onnx')}`" in section("Piper")
    (example,) = re.findall(r"```yaml\n(voice:.*?)```", section("Piper"), re.DOTALL)
    assert Voice(**yaml.safe_load(example)["voice"]).engine == "piper"
