"""piper with the voice that comes as a package, where both are installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duecall.core.voice import VoiceChoice
from duecall.speech.engines import piper, piper_child
from duecall.speech.engines.known import KNOWN
from duecall.speech.engines.piper import PiperEngine
from duecall.speech.faults import EngineError, EngineMissing, Unspeakable
from tests.speech.engines.ear import all_different, assert_speech, heard, killed, seconds

(_KNOWN,) = (one for one in KNOWN if one.name == "piper")
try:
    _WHY = _KNOWN.missing({}) or (piper.packaged("en") and "")
except EngineMissing as _missing:
    _WHY = str(_missing)
if _WHY:
    pytest.skip(_WHY, allow_module_level=True)

SUM = "one thousand, two hundred and thirty-four dollars"


@pytest.fixture(scope="module")
def voice() -> Iterator[PiperEngine]:
    engine = PiperEngine("en", VoiceChoice(engine="piper"))
    yield engine
    engine.close()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An operator's model: a copy, whose description can be changed."""
    model = tmp_path / "own voice.onnx"
    model.symlink_to(piper.packaged("en"))
    shutil.copy(f"{piper.packaged('en')}.json", f"{model}.json")
    return model


def described(model: Path, **changes: Any) -> Path:
    path = Path(f"{model}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return model


def test_it_speaks(voice: PiperEngine) -> None:
    sounds = [
        assert_speech(voice, "Hello, Mister Smith.", 3, (0.2, 1.0)),
        assert_speech(voice, SUM, 8, (0.15, 0.7)),
        assert_speech(voice, "April nineteenth", 2, (0.3, 1.0)),
    ]
    assert all_different(sounds)


def test_each_text_gets_its_own_sound(voice: PiperEngine) -> None:
    """Lines and sounds stay in step: long and short texts in turn, each with its length."""
    long = "Please call us back today, we are here until six in the evening"
    for _ in range(4):
        assert seconds(heard(voice, "No.")) < 1.5 < 2.5 < seconds(heard(voice, long))


def test_lines_and_phonemes_in_a_text_are_none(voice: PiperEngine) -> None:
    assert voice.readable("one\n[[ x ]]\r\ntwo\u2028\x00three") == "one x two three"
    whole = seconds(heard(voice, "one hundred\ntwo hundred\nthree hundred"))
    assert whole > 1.5 * seconds(heard(voice, "one hundred"))
    with pytest.raises(Unspeakable):
        voice.synthesize("\n!!\n")


def test_no_sound_is_left_behind(voice: PiperEngine) -> None:
    heard(voice, "secret")
    (folder,) = _folders()
    assert (folder.stat().st_mode & 0o777, list(folder.iterdir())) == (0o700, [])


def _folders() -> list[Path]:
    """Of living processes of ours."""
    with_pid = [
        (path, path.name.split("-")[2]) for path in Path("/dev/shm").glob("duecall-piper-*")
    ]
    return [path for path, pid in with_pid if Path(f"/proc/{pid}").exists()]


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    gone = Path("/dev/shm/duecall-piper-999999999-left")
    gone.mkdir(mode=0o700, exist_ok=True)
    (gone / "1.wav").write_bytes(b"x")
    made = Path(piper_child.private_folder())
    assert not gone.exists() and made.is_dir()
    made.rmdir()


def test_it_comes_back_when_piper_is_killed(voice: PiperEngine) -> None:
    heard(voice, "Hello.")
    with killed("bin/piper") as ids:
        assert len(ids) == 1
        with pytest.raises(EngineError, match="started again"):
            voice.synthesize("Hello.")
    assert seconds(heard(voice, "Hello.")) > 0.3


def test_speed_is_words_a_minute_over_the_voices_own(own: Path) -> None:
    lengths = []
    for words_per_minute, own_length in ((100, 1.0), (250, 1.0), (150, 2.0), (150, 1.0)):
        described(own, inference={"length_scale": own_length, "noise_scale": 0, "noise_w": 0})
        choice = VoiceChoice(engine="piper", model=str(own), words_per_minute=words_per_minute)
        engine = PiperEngine("en", choice)
        lengths.append(seconds(heard(engine, SUM)))
        engine.close()
    assert 1.8 < lengths[0] / lengths[1] < 3.2
    assert 1.6 < lengths[2] / lengths[3] < 2.3


def test_another_model_is_another_version(own: Path, voice: PiperEngine) -> None:
    engine = PiperEngine("en", VoiceChoice(engine="piper", model=str(own)))
    assert engine.version() == voice.version()
    described(own, audio={"sample_rate": 16_000})
    other = PiperEngine("en", VoiceChoice(engine="piper", model=str(own)))
    assert other.version() != voice.version()
    gone = PiperEngine("en", VoiceChoice(engine="piper", model=str(own)))
    own.unlink()
    with pytest.raises(EngineMissing, match="moved or deleted"):
        gone.version()


def test_a_voice_of_another_language_is_refused(own: Path) -> None:
    choice = VoiceChoice(engine="piper", model=str(own))
    with pytest.raises(EngineMissing, match=r"speaks en_US, and the campaign ru"):
        PiperEngine("ru", choice)
    described(own, language={}, espeak={"voice": "vi"})
    PiperEngine("vi", choice)
    with pytest.raises(EngineMissing, match="speaks vi, and the campaign en"):
        PiperEngine("en", choice)
    described(own, language={}, espeak={})
    PiperEngine("ru", choice)


def test_speakers_are_named(own: Path) -> None:
    described(own, speaker_id_map={"ann": 0, "bob": 1})
    choice = VoiceChoice(engine="piper", model=str(own), name="eve")
    with pytest.raises(EngineMissing, match="no speaker eve in it; it has ann, bob"):
        PiperEngine("en", choice)
    engine = PiperEngine("en", choice.model_copy(update={"name": "bob"}))
    assert engine.voice == "own voice:bob"


def test_models_that_cannot_be_used_are_told(own: Path, tmp_path: Path) -> None:
    def refused(model: Path) -> str:
        with pytest.raises(EngineMissing) as told:
            PiperEngine("en", VoiceChoice(engine="piper", model=str(model))).synthesize("Hello.")
        return str(told.value)

    assert "no such file" in refused(tmp_path / "none.onnx")
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no model")
    assert "has this file beside its model" in refused(junk)
    Path(f"{junk}.json").write_text("[1]")
    assert "describes no piper voice" in refused(junk)
    shutil.copy(f"{own}.json", f"{junk}.json")
    assert "piper does not speak with it (" in refused(junk)
    with pytest.raises(EngineMissing, match="needs a voice of yours"):
        PiperEngine("vi", VoiceChoice(engine="piper"))


def test_piper_may_be_a_program_of_config_yaml(tmp_path: Path) -> None:
    (found,) = piper.found_program()
    other = tmp_path / "my-piper"
    other.write_text(f'#!/bin/sh\nexec {found} "$@"\n')
    other.chmod(0o700)
    engine = piper.engine(VoiceChoice(engine="piper"), "en", {"piper": (str(other),)})
    assert seconds(heard(engine, "Hello.")) > 0.3
    engine.close()
    engine = PiperEngine("en", VoiceChoice(engine="piper"), ("/no/piper",))
    with pytest.raises(EngineMissing, match="/no/piper is not installed"):
        engine.synthesize("Hello.")
