"""What is read of a model before coqui-tts is even imported; these need no extra."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.engines import coqui
from duecall.speech.engines.coqui_folder import declared_languages, digest, read_folder
from duecall.speech.engines.coqui_voice import _strict_encode, chosen
from duecall.speech.faults import EngineError, EngineMissing
from tests.coqui.needs import INSTALLED


def folder_with(path: Path, *weights: str, **config: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps({"model": "vits", **config}))
    for name in weights or ("model.pth",):
        (path / name).write_bytes(name.encode())
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(EngineMissing) as caught:
        read_folder(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("there", "meant"),
    [
        (("model.pth", "best_model.pth"), "model.pth"),
        (("model_file.pth", "best_model_9.pth"), "model_file.pth"),
        (("best_model.pth", "best_model_900.pth"), "best_model.pth"),
        (("best_model_900.pth", "best_model_10000.pth"), "best_model_10000.pth"),
        (("G_900.pth", "G_10000.pth"), "G_10000.pth"),
    ],
)
def test_of_several_weights_the_final_ones_are_taken(
    tmp_path: Path, there: tuple[str, ...], meant: str
) -> None:
    assert read_folder(folder_with(tmp_path / "voice", *there)).checkpoint.name == meant


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "there is no folder" in refusal(tmp_path / "absent")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "config.json" in refusal(empty)
    (empty / "config.json").write_text('{"model": "vits"}')
    assert "no weights" in refusal(empty)
    (empty / "config.json").write_text("{,}")
    assert "no JSON" in refusal(empty)
    (empty / "config.json").write_text("[]")
    assert "no keys" in refusal(empty)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"model": "xtts"}, "'xtts' cannot be used"),
        ({"model": "glow_tts"}, "makes no sound without a vocoder"),
        ({"model": "bark"}, "'bark' cannot be used"),
        ({"model": "tacotron2"}, "'tacotron2' cannot be used"),
        ({"base_model": "tortoise"}, "base_model 'tortoise'"),
        ({"characters": {"characters_class": "antigravity.Letters"}}, "is not started"),
        ({"audio": {"stats_path": "scale_stats.npy"}}, "may hold code"),
        ({"model_args": {"speakers_file": "/home/bob/speakers.pth"}}, "'/home/bob/speakers.pth'"),
    ],
)
def test_what_cannot_or_must_not_be_loaded_is_refused(
    tmp_path: Path, config: dict[str, Any], why: str
) -> None:
    assert why in refusal(folder_with(tmp_path / "voice", **config))


def test_files_that_a_config_names_are_those_of_the_folder(tmp_path: Path) -> None:
    """Never a path or an address of somebody else."""
    folder = folder_with(
        tmp_path / "voice",
        d_vector_file=["C:\\run\\vectors.json", "http://192.0.2.1/more.json"],
        model_args={
            "speakers_file": "/home/bob/speakers.pth",
            "language_ids_file": "s3://bucket/language_ids.json",
            "speaker_encoder_model_path": "https://192.0.2.1/encoder.pth",
            "use_speaker_encoder_as_loss": True,
        },
    )
    names = ("vectors.json", "more.json", "speakers.pth", "language_ids.json")
    for name in names:
        (folder / name).write_text("{}")
    files = read_folder(folder)
    config = json.dumps(files.config)
    assert all(foreign not in config for foreign in ("bob", "run", "192.0.2.1", "bucket"))
    assert files.config["d_vector_file"] == [
        str(folder / "vectors.json"),
        str(folder / "more.json"),
    ]
    assert files.config["model_args"] == {
        "speakers_file": str(folder / "speakers.pth"),
        "language_ids_file": str(folder / "language_ids.json"),
        "speaker_encoder_model_path": "",
        "use_speaker_encoder_as_loss": False,
    }
    assert {path.name for path in files.paths()} == {"model.pth", "config.json", *names}


def test_every_file_of_the_voice_is_in_its_digest(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "voice")
    folder_with(folder / "vocoder", model="hifigan")
    before = digest(read_folder(folder).paths())
    assert before == digest(read_folder(folder).paths())
    (folder / "vocoder" / "model.pth").write_bytes(b"other")
    assert digest(read_folder(folder).paths()) != before


def test_a_vocoder_is_looked_at_as_well(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "voice")
    folder_with(folder / "vocoder", model="wavegrad")
    with pytest.raises(EngineMissing, match="vocoder 'wavegrad' cannot be used"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("config", "declared"),
    [
        ({}, False),
        ({"datasets": [{"language": ""}]}, False),
        ({"languages": ["vi"]}, True),
        ({"phoneme_language": "vi"}, True),
        ({"datasets": [{"language": "vi"}]}, True),
        ({"model_args": {"language_ids_file": "language_ids.json"}}, True),
    ],
)
def test_whether_a_config_says_its_language(config: dict[str, Any], declared: bool) -> None:
    assert declared_languages(config) is declared


ANNA_BORIS = ("anna", "boris\n")  # some models have names with line ends


@pytest.mark.parametrize(
    ("language", "name", "speakers", "languages", "expected"),
    [
        ("vi", "", (), (), (None, None)),
        ("vi", "", (), ("vi",), (None, None)),
        ("vi", "", (), ("vie",), (None, None)),
        ("zh", "", (), ("en", "zh-cn"), (None, "zh-cn")),
        ("en", "", (), ("en-us", "en", "vi"), (None, "en")),
        ("en", "en-us", (), ("en-us", "en", "vi"), (None, "en-us")),
        ("vi", "anna", ANNA_BORIS, ("vi", "ru"), ("anna", "vi")),
        ("vi", "boris:ru", ANNA_BORIS, ("vi", "ru"), ("boris\n", "ru")),
        ("vi", "", ("anna",), ("vi",), (None, None)),
        ("vi", "anna", ("anna",), ("vi",), (None, None)),
        ("ru", "anna:vi", ("anna",), ("vi",), (None, None)),
    ],
)
def test_speaker_and_language_by_name(
    language: Language,
    name: str,
    speakers: Sequence[str],
    languages: Sequence[str],
    expected: tuple[str | None, str | None],
) -> None:
    assert chosen(language, name, speakers, languages) == expected


@pytest.mark.parametrize(
    ("language", "name", "speakers", "languages", "why"),
    [
        ("vi", "", ANNA_BORIS, ("vi",), "these speakers: anna, boris; voice.name names one"),
        ("vi", "carl", ANNA_BORIS, ("vi",), "these speakers: anna, boris"),
        ("vi", "carl", ("anna",), ("vi",), "these speakers: anna"),
        ("vi", "", [f"p{n}" for n in range(225, 334)], ("vi",), "p244 and 89 more"),
        ("ru", "", (), ("vi",), "speaks vi, and not ru"),
        ("ru", "", (), ("vi", "en"), "speaks vi, en, and not ru"),
        ("ru", "uk", (), ("ru",), "speaks ru, and not uk"),
        ("vi", "anna", (), (), "names no language; leave 'anna' out"),
    ],
)
def test_a_voice_that_is_not_in_the_model_is_refused(
    language: Language, name: str, speakers: Sequence[str], languages: Sequence[str], why: str
) -> None:
    with pytest.raises(EngineMissing, match=why):
        chosen(language, name, speakers, languages)


ALPHABET = {char: number for number, char in enumerate(" ,.e\u0302\u0301knh")}


def test_letters_are_found_small_and_taken_apart() -> None:
    encode = _strict_encode(ALPHABET.__getitem__)
    assert encode("Kế") == [ALPHABET[char] for char in "ke\u0302\u0301"]


def test_a_mark_that_the_alphabet_lacks_is_only_a_pause() -> None:
    encode = _strict_encode(ALPHABET.__getitem__)
    assert encode("ken — hen!") == encode("ken  hen")


def test_a_letter_that_the_alphabet_lacks_is_an_error_that_names_it_alone() -> None:
    encode = _strict_encode(ALPHABET.__getitem__)
    with pytest.raises(EngineError) as caught:
        encode("Khanh 7 Bùi")
    told = str(caught.value)
    for letter in ("'7' (U+0037)", "'B' (U+0042)", "'a' (U+0061)", "'ù' (U+00F9)", "'i' (U+0069)"):
        assert letter in told
    assert "Khanh" not in told and "Bùi" not in told
    with pytest.raises(EngineError, match=r"and 4 more"):
        encode("bcdfgijlmopq")


def test_a_text_without_a_letter_is_an_error() -> None:
    with pytest.raises(EngineError, match="no letter"):
        _strict_encode(ALPHABET.__getitem__)("!?")


def test_what_no_model_can_do_is_refused_at_once(tmp_path: Path) -> None:
    made = VoiceChoice(engine="coqui", model=str(tmp_path))
    with pytest.raises(EngineMissing, match="pitch"):
        coqui.engine(made.model_copy(update={"pitch": 60}), "vi")
    with pytest.raises(EngineMissing, match=r"voice\.model is its folder"):
        coqui.engine(made.model_copy(update={"model": ""}), "vi")


@pytest.mark.skipif(INSTALLED, reason="coqui-tts is here")
def test_without_the_extra_the_remedy_is_named(tmp_path: Path) -> None:
    choice = VoiceChoice(engine="coqui", model=str(folder_with(tmp_path / "voice")))
    engine = coqui.engine(choice, "vi")
    with pytest.raises(EngineMissing, match=r"coqui-tts is not installed.*duecall\[coqui\]"):
        engine.synthesize("xin chào")
