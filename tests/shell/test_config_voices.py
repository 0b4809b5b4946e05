"""Voices in campaign files and config.yaml: faults, paths, engines that are tried."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from duecall.core.campaign import Campaign
from duecall.core.site import Site
from duecall.shell.config_file import ConfigFaults, load_campaign, load_site
from duecall.shell.config_voices import check_voices
from duecall.shell.examination import examine
from tests.core import building
from tests.docs.test_campaign_doc import BASE, HEADER

PEOPLE = HEADER + "\nAn,HD-1,1000,18,2026-01-01,40,0912345678,,\n"
SITE = "trunks:\n  demo: {proxy: 127.0.0.1:5080, channels: 10, calls_per_second: 5}\n"


class Files:
    """A folder with config.yaml and a campaign below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "campaigns").mkdir()
        (folder / "campaigns" / "people.csv").write_text(PEOPLE, encoding="utf-8")
        self.path = folder / "campaigns" / "my.yaml"

    def site(self, text: str = "") -> Site:
        path = self.folder / "config.yaml"
        path.write_text(SITE + text, encoding="utf-8")
        return load_site(path)

    def campaign(self, voice: str, site: Site | None = None) -> Campaign:
        self.path.write_text(f"voice: {voice}\n{BASE}", encoding="utf-8")
        return load_campaign(self.path, site or self.site())

    def faults(self, voice: str, site: str = "") -> list[str]:
        found = self.site(site)
        with pytest.raises(ConfigFaults) as caught:
            self.campaign(voice, found)
        return [str(fault).removeprefix(f"{self.path}:") for fault in caught.value.faults]

    def site_faults(self, text: str) -> list[str]:
        with pytest.raises(ConfigFaults) as caught:
            self.site(text)
        return [str(fault).partition("config.yaml:")[2] for fault in caught.value.faults]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize(
    ("voice", "fault"),
    [
        ("{engine: espeek}", "1:17: voice.engine: 'espeek' is not known (did you mean espeak?)"),
        ("{name: anna}", "1:15: voice.name: name without the engine that it belongs to"),
        ("{engine: recorded}", "1:8: voice: recorded without `model`"),
        ("{engine: espeak, model: x}", "1:32: voice.model: espeak takes no model"),
        ("{engine: piper, model: gone.onnx}", "1:31: voice.model: no file "),
        ("{engine: coqui, model: people.csv}", "1:31: voice.model: no folder "),
        ("{engine: hibari, pitch: 70}", "1:32: voice.pitch: hibari cannot change it"),
        ("{engine: espeak, words_per_minute: 900}", "1:43: voice.words_per_minute: 900 is out"),
        ("{engine: espeak, fallback: espeak}", "1:35: voice.fallback: espeak as before"),
        (
            "{engine: espeak, fallback: [hibari, hibary]}",
            "1:44: voice.fallback[1]: 'hibary' is not known (did you mean hibari?)",
        ),
        (
            "{engine: espeak, fallback: [{engine: piper, model: gone.onnx}]}",
            "1:59: voice.fallback[0].model: no file ",
        ),
        ("{fallback: espeak}", "1:19: voice.fallback: a fallback for no engine"),
        ("{engine: command}", "1:8: voice: command without `name`"),
        (
            "{engine: command, name: tss}",
            "1:32: voice.name: 'tss' is none of `programs` in config.yaml (did you mean tts?)",
        ),
        ("{engine: espeak, name: ../x}", "1:31: voice.name: '../x' has the wrong form"),
    ],
)
def test_each_fault_is_told_at_its_place(files: Files, voice: str, fault: str) -> None:
    (told,) = files.faults(voice, "programs: {tts: [espeak-ng]}\n")
    assert told.startswith(fault), told


def test_what_the_engine_of_the_site_cannot_do_is_told_in_the_campaign(files: Files) -> None:
    (files.folder / "anna").mkdir()
    site = "voices: {en: {engine: recorded, model: anna}}\n"
    (told,) = files.faults("{words_per_minute: 100}", site)
    assert told.startswith("1:27: voice.words_per_minute: recorded cannot change it"), told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("voices: {vi: {engine: coqui, model: gone}}", "3:37: voices.vi.model: no folder "),
        ("voices: {fr: {engine: espeak}}", "3:10: voices.fr"),
        ("voices: {vi: {pitch: 40}}", "3:14: voices.vi: a voice without an engine"),
        (
            "voices: {vi: {engine: espeak, region: south}}",
            "3:39: voices.vi.region: the words of a message are the campaign's own",
        ),
        (
            "voices: {vi: {engine: command, name: tts}}",
            "3:38: voices.vi.name: 'tts' is none of `programs` in config.yaml",
        ),
        ('programs: {tts: [say, "{text}"]}', "3:23: programs.tts[1]: '{text}' holds a placeholder"),
        ("programs: {tts: []}", "3:17: programs.tts: is empty"),
        ("programs: {tts: say}", "3:17: programs.tts: text ('say') in the wrong place"),
        ("voice_processes: 0", "3:18: voice_processes: 0 is out of range"),
    ],
)
def test_each_fault_of_the_site_is_told_at_its_place(files: Files, text: str, fault: str) -> None:
    told = files.site_faults(text + "\n")
    assert any(one.startswith(fault) for one in told), told


def test_paths_count_from_their_own_file(files: Files) -> None:
    for folder in (files.folder, files.folder / "campaigns"):
        (folder / "anna").mkdir()
        (folder / "anna.onnx").write_bytes(b"x")
    site = files.site(
        "voices: {vi: {engine: recorded, model: anna,"
        " fallback: {engine: piper, model: anna.onnx}}}\n"
        "programs: {tts: [bin/say, -x/y], plain: [say]}\n"
    )
    assert site.voices["vi"].model == str(files.folder / "anna")
    assert site.voices["vi"].fallback[0].model == str(files.folder / "anna.onnx")
    assert site.programs["tts"] == (str(files.folder / "bin/say"), "-x/y")
    assert site.programs["plain"] == ("say",)
    voice = "{engine: recorded, model: anna, fallback: [espeak, {engine: piper, model: anna.onnx}]}"
    loaded = files.campaign(voice, site)
    assert loaded.voice.model == str(files.folder / "campaigns" / "anna")
    assert loaded.voice.fallback[1].model == str(files.folder / "campaigns" / "anna.onnx")
    again = Campaign.model_validate_json(loaded.model_dump_json(by_alias=True))
    assert again.voice == loaded.voice, "as it is kept in the database"


# ---- engines that are tried


def failing_program(folder: Path) -> Path:
    program = folder / "voice"
    program.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def told_by_trying(files: Files, voice: str, site_text: str) -> list[str]:
    site = files.site(site_text)
    campaign = files.campaign(voice, site)
    with pytest.raises(ConfigFaults) as caught:
        check_voices(files.path, site, campaign)
    return [str(fault).removeprefix(f"{files.path}:") for fault in caught.value.faults]


def test_an_engine_that_cannot_speak_is_a_fault_at_its_place(files: Files) -> None:
    programs = "programs: {gone: [no-such-program], deaf: [espeak-ng]}\n"
    voice = (
        "{engine: command, name: gone, fallback: [espeak, {engine: command, name: deaf, pitch: 9}]}"
    )
    first, second = told_by_trying(files, voice, programs)
    assert first.startswith("1:8: voice: program gone: no-such-program is not there")
    assert second.startswith("1:57: voice.fallback[1]: program deaf cannot be told its pitch")
    assert "duecall voice list" in first


def test_an_engine_of_the_site_that_cannot_speak_is_a_fault_of_the_campaign_too(
    files: Files,
) -> None:
    site = "programs: {gone: [no-such-program]}\nvoices: {en: {engine: command, name: gone}}\n"
    (told,) = told_by_trying(files, "{words_per_minute: 150}", site)
    assert "language: voice of en in config.yaml: program gone" in told


def test_engines_that_are_there_are_no_fault(files: Files) -> None:
    failing_program(files.folder)
    site = files.site("programs: {tts: [./voice]}\n")
    voice = "{engine: espeak, fallback: [{engine: command, name: tts}]}"
    check_voices(files.path, site, files.campaign(voice, site))


def test_the_doctor_tries_the_voices_of_the_site(tmp_path: Path) -> None:
    def no_store() -> Any:
        raise OSError("no database here")

    site = building.site(
        folders={name: str(tmp_path / name) for name in ("var", "recordings", "cdr", "tts_cache")},
        voices={
            "vi": {"engine": "espeak", "fallback": {"engine": "command", "name": "gone"}},
            "ru": {"engine": "espeak"},
        },
        programs={"gone": ["no-such-program"]},
    )
    findings = {one.what: one for one in examine(site, password=None, open_store=no_store)}
    assert findings["voice espeak:vi"].verdict == "ok"
    assert findings["voice espeak:ru"].verdict == "ok"
    assert findings["voice command:gone"].verdict == "wrong"
    assert "no-such-program is not there" in findings["voice command:gone"].detail
    assert "used by config.yaml" in findings["voice command:gone"].remedy
