"""A person records what a campaign says; here espeak-ng stands in for the person."""

from __future__ import annotations

import csv
import json
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from duecall.speech import audio
from tests.cli.desk import HEADER, Answer, Desk, row

VOICE = {"engine": "recorded", "model": "voices/lan", "personal": "espeak"}
MESSAGE = "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}, đã {{ dpd }}."


def listed(folder: Path, name: str = "list.csv") -> dict[str, str]:
    """text -> file"""
    with (folder / name).open(encoding="utf-8-sig", newline="") as source:
        return {line["text"]: line["file"] for line in csv.DictReader(source)}


def record(folder: Path, text: str, file: str, speaker: str = "vi+f3") -> None:
    """As a studio would: another voice than the campaign's own, and another level."""
    command = ["espeak-ng", "-v", speaker, "-s", "130", "-a", "60", "-w", folder / file, "--stdin"]
    subprocess.run(command, input=text.encode(), check=True)


def recorded_all(desk: Desk, campaign: Path) -> Path:
    folder = desk.folder / "voices" / "lan"
    assert desk.run("voice", "record-list", campaign, "--out", folder).code == 0
    for text, file in listed(folder).items():
        record(folder, text, file)
    return folder


def samples(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(soundfile.read(path, dtype="float32")[0], np.float32)


def told(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.good)
    return found


def test_the_list_is_made_from_all_rows(desk: Desk) -> None:
    path = desk.campaign(csv=HEADER + "".join(row(n) for n in range(40)), message=MESSAGE)
    out = desk.folder / "voices" / "lan"
    answer = desk.run("voice", "record-list", path, "--out", out)
    texts = listed(out)
    assert list(texts)[:3] == ["Kính chào", "Quý khách còn nợ", "đã"]
    assert {"một", "triệu", "hai mươi mốt", "ba mươi chín", "nghìn", "đồng", "ngày"} <= set(texts)
    assert not any("Nguyễn" in text for text in texts)
    assert list(texts.values()) == [f"{number:04d}.wav" for number in range(1, len(texts) + 1)]
    assert f"{len(texts)} of {len(texts)} texts are not recorded in" in answer.good
    assert f"{len(texts)} texts, about " in answer.good
    assert "40 of 40 contacts hear a name or free text" in answer.good


def test_rows_that_were_there_are_kept_and_new_ones_follow(desk: Desk) -> None:
    out = desk.folder / "voices" / "lan"
    out.mkdir(parents=True)
    (out / "list.csv").write_text(
        "file,text,note\nhello.flac,KÍNH CHÀO,nice\n0002.wav,tạm biệt,\n", encoding="utf-8"
    )
    path = desk.campaign(message=MESSAGE)
    assert desk.run("voice", "record-list", path, "--out", out).code == 0
    texts = listed(out)
    assert texts["KÍNH CHÀO"] == "hello.flac"
    assert texts["tạm biệt"] == "0002.wav"
    assert "Kính chào" not in texts
    assert texts["Quý khách còn nợ"] == "0001.wav"
    assert texts["đã"] == "0003.wav"
    before = (out / "list.csv").read_bytes()
    assert b"hello.flac,K\xc3\x8dNH CH\xc3\x80O,nice\n" in before
    assert desk.run("voice", "record-list", path, "--out", out).code == 0
    assert (out / "list.csv").read_bytes() == before


def test_all_that_is_recorded_is_what_is_heard(desk: Desk) -> None:
    path = desk.campaign(message=MESSAGE)
    folder = recorded_all(desk, path)
    path = desk.campaign(message=MESSAGE, voice=VOICE)
    out = desk.folder / "hear.wav"
    (sound,) = told(desk.run("listen", path, "--out", out, "--json"))["sounds"]
    assert sound["voice"] == "recorded:lan"
    assert "Kính chào Nguyễn Văn An. Quý khách còn nợ một triệu đồng" in sound["text"]
    heard = samples(out)
    assert len(heard) / 8000 == pytest.approx(sound["ms"] / 1000, abs=0.01)
    # Each recording stands in the message, sample by sample.
    whole = audio.pcm16(heard).tobytes()
    for text in ("Kính chào", "Quý khách còn nợ", "triệu", "đồng"):
        raw, rate_hz = soundfile.read(folder / listed(folder)[text], dtype="float32")
        part = audio.pcm16(audio.telephone(np.asarray(raw, np.float32), rate_hz))
        assert part.tobytes() in whole, text
    level = audio.active_level_dbov(heard)
    assert level == pytest.approx(audio.LEVEL_DBOV, abs=3)


def test_a_text_that_is_recorded_anew_is_heard_at_once(desk: Desk) -> None:
    path = desk.campaign(message=MESSAGE)
    folder = recorded_all(desk, path)
    path = desk.campaign(message=MESSAGE, voice=VOICE)
    before, after = desk.folder / "before.wav", desk.folder / "after.wav"
    assert desk.run("listen", path, "--out", before).code == 0
    record(folder, "Quý khách còn nợ", listed(folder)["Quý khách còn nợ"], speaker="vi+m7")
    assert desk.run("listen", path, "--out", after).code == 0
    raw, rate_hz = soundfile.read(folder / listed(folder)["Quý khách còn nợ"], dtype="float32")
    part = audio.pcm16(audio.telephone(np.asarray(raw, np.float32), rate_hz)).tobytes()
    assert part in audio.pcm16(samples(after)).tobytes()
    assert part not in audio.pcm16(samples(before)).tobytes()


def test_what_is_missing_or_cannot_be_played_is_named(desk: Desk) -> None:
    path = desk.campaign(message=MESSAGE)
    folder = recorded_all(desk, path)
    texts = listed(folder)
    (folder / texts["triệu"]).unlink()
    with wave.open(str(folder / texts["đồng"]), "wb") as silent:
        silent.setparams((1, 2, 22050, 0, "NONE", ""))
        silent.writeframes(bytes(44100))
    path = desk.campaign(message=MESSAGE, voice=VOICE)
    people, script, hear = desk.run_all(
        [
            ("voice", "record-list", path, "--missing"),
            ("voice", "record-list", path, "--missing", "--json"),
            ("listen", path),
        ]
    )
    assert f"2 of {len(texts)} texts are not recorded in {folder}" in people.good
    assert f"{texts['triệu']}  triệu" in people.out
    assert "cannot be played: sound" in people.err and "silence only" in people.err
    found = told(script)
    assert (found["texts"], found["not_recorded"]) == (len(texts), 2)
    assert {one["text"] for one in found["list"]} == {"triệu", "đồng"}
    assert "no recording of “triệu”" in hear.error
    # A list for the studio of what is left, and the voice's own list unchanged.
    assert desk.run("voice", "record-list", path, "--out", folder, "--missing").code == 0
    assert set(listed(folder, "missing.csv")) == {"triệu", "đồng"}
    assert listed(folder) == texts


def test_another_voice_speaks_the_whole_message_where_one_text_is_missing(desk: Desk) -> None:
    path = desk.campaign(message=MESSAGE)
    folder = recorded_all(desk, path)
    (folder / listed(folder)["lẻ hai"]).unlink()
    path = desk.campaign(message=MESSAGE, voice={**VOICE, "fallback": "espeak"})
    out = desk.folder / "hear"
    command = ("listen", path, "--contact", "HD-000000", "--contact", "HD-000002", "--out", out)
    sounds = told(desk.run(*command, "--json"))["sounds"]
    assert [sound["voice"] for sound in sounds] == ["recorded:lan", "espeak:vi"]


def test_a_name_without_an_engine_for_names_is_said_and_not_told(desk: Desk) -> None:
    path = desk.campaign(message=MESSAGE)
    recorded_all(desk, path)
    plain = {key: value for key, value in VOICE.items() if key != "personal"}
    answer = desk.run("listen", desk.campaign(message=MESSAGE, voice=plain))
    assert "`personal` under `voice`" in answer.error
    assert "Nguyễn" not in answer.error


def test_campaigns_of_two_languages_are_two_lists(desk: Desk) -> None:
    one = desk.campaign()
    other = desk.campaign("other", language="en", message="Hello {{ name }}. {{ balance }}.")
    answer = desk.run("voice", "record-list", one, other)
    assert "a voice has one language" in answer.error


def test_two_campaigns_share_one_list(desk: Desk) -> None:
    one = desk.campaign()
    other = desk.campaign("other", message="Tạm biệt {{ name }}. {{ balance }}.")
    alone, both = desk.run_all(
        [("voice", "record-list", one, "--json"), ("voice", "record-list", one, other, "--json")]
    )
    more = [entry["text"] for entry in told(both)["list"]]
    assert set(more) == {entry["text"] for entry in told(alone)["list"]} | {"Tạm biệt"}
