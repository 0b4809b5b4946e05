"""Real models, loaded and run by coqui-tts in the engine's own process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from duecall.core.campaign import Language
from duecall.speech.engines import coqui
from duecall.speech.faults import EngineError, EngineMissing
from tests.coqui.conftest import ROOT, NewEngine
from tests.coqui.needs import skip_without_coqui
from tests.coqui.tiny_models import RATE_HZ

skip_without_coqui()

GREETING = "Kính chào quý khách, số tiền còn nợ là một triệu đồng."
RUSSIAN = "добрый день, ваша задолженность тысяча рублей"


def test_a_text_becomes_sound_of_its_length(an_engine: NewEngine) -> None:
    samples, rate_hz = an_engine("vits").synthesize(GREETING)
    assert rate_hz == RATE_HZ
    assert samples.dtype == np.float32 and np.isfinite(samples).all()
    # The model's letters last as long as a person's: 50 to 130 ms.
    assert 0.05 * len(GREETING) < samples.size / rate_hz < 0.13 * len(GREETING)
    assert np.abs(samples).max() > 0.01
    assert samples[-1] != 0, "the library's silence is cut off"


def test_the_same_text_is_the_same_sound_whatever_was_said_before(new_engine: NewEngine) -> None:
    engine, another = new_engine("vits"), new_engine("vits")
    one = engine.synthesize(GREETING)[0].tobytes()
    another.synthesize("một hai ba")
    assert one == engine.synthesize(GREETING)[0].tobytes()
    assert one == another.synthesize(GREETING)[0].tobytes()


def test_nothing_of_it_is_loaded_into_our_own_process(an_engine: NewEngine) -> None:
    an_engine("vits").synthesize("một")
    assert not {"torch", "TTS", "transformers"} & set(sys.modules)


def test_speed_is_that_of_the_campaign(an_engine: NewEngine) -> None:
    def seconds(words_per_minute: int) -> float:
        engine = an_engine("vits", words_per_minute=words_per_minute)
        samples, rate_hz = engine.synthesize(GREETING)
        return float(samples.size / rate_hz)

    normal = seconds(150)
    assert seconds(100) == pytest.approx(normal * 1.5, rel=0.1)
    assert seconds(225) == pytest.approx(normal / 1.5, rel=0.15)


@pytest.mark.parametrize(
    ("name", "language", "text"),
    [
        ("anna", "vi", GREETING),
        ("boris", "vi", GREETING),
        ("boris", "ru", RUSSIAN),
        ("anna:ru", "vi", RUSSIAN),
    ],
)
def test_several_speakers_and_languages(
    an_engine: NewEngine, name: str, language: Language, text: str
) -> None:
    """The config names files of a machine that is far away; they lie in the folder."""
    samples, _ = an_engine("many_voices", language, name=name).synthesize(text)
    assert samples.size > RATE_HZ


def test_speakers_differ(an_engine: NewEngine) -> None:
    anna, boris = (
        an_engine("many_voices", name=name).synthesize(GREETING)[0] for name in ("anna", "boris")
    )
    assert anna.tobytes() != boris.tobytes()


def test_languages_differ(an_engine: NewEngine) -> None:
    one, other = (
        an_engine("many_voices", name=name).synthesize(GREETING)[0] for name in ("anna", "anna:ru")
    )
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    ("kind", "language", "text"),
    [
        ("with_vocoder", "vi", GREETING),
        ("sounds_en", "en", "Dear customer, one million dong are due."),
        ("mms", "vi", GREETING),
    ],
)
def test_other_kinds_of_models(
    an_engine: NewEngine, kind: str, language: Language, text: str
) -> None:
    samples, rate_hz = an_engine(kind, language).synthesize(text)
    assert rate_hz == (16_000 if kind == "mms" else RATE_HZ)
    assert samples.size > 0.2 * rate_hz and np.abs(samples).max() > 0


def test_a_quiet_voice_is_heard_to_its_end(an_engine: NewEngine) -> None:
    """coqui-tts takes it for silence, and would cut it off."""
    samples, rate_hz = an_engine("quiet").synthesize(GREETING)
    assert 0.005 > np.abs(samples).max() > 0
    assert 0.05 * len(GREETING) < samples.size / rate_hz < 0.13 * len(GREETING)


def test_a_limit_of_the_training_cuts_no_message_off(an_engine: NewEngine) -> None:
    samples, rate_hz = an_engine("cut_short").synthesize(GREETING)
    assert samples.size / rate_hz > 0.05 * len(GREETING)


@pytest.mark.parametrize(
    ("kind", "error", "why"),
    [
        ("nan", EngineMissing, "weights that are no numbers"),
        ("too_loud", EngineError, "samples that are no numbers"),
        ("endless", EngineError, "did not come to an end"),
        ("trap", EngineMissing, "may be code and is not loaded"),
        ("sounds_vi", EngineError, r"alphabet lacks '2' \(U\+0032\), '6' \(U\+0036\), '̪'"),
    ],
)
def test_a_model_that_is_no_good_says_so(
    an_engine: NewEngine, kind: str, error: type[EngineError], why: str
) -> None:
    with pytest.raises(error, match=why) as caught:
        an_engine(kind).synthesize(GREETING)
    assert caught.type is error


def test_code_in_a_model_is_not_run(an_engine: NewEngine, models: dict[str, Path]) -> None:
    with pytest.raises(EngineMissing):
        an_engine("trap").version()
    assert not (models["trap"] / "executed").exists()
    line = "import pickle, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); "
    line += "pickle.Unpickler(z.open(z.namelist()[0])).load()"
    weights = models["trap"] / "model.pth"
    subprocess.run([sys.executable, "-c", line, str(weights)], cwd=ROOT, check=False)
    assert (models["trap"] / "executed").exists(), "it would have been, by anybody else"
    (models["trap"] / "executed").unlink()


def test_a_letter_that_the_model_does_not_know_is_never_left_out(an_engine: NewEngine) -> None:
    engine = an_engine("vits")
    with pytest.raises(EngineError, match=r"lacks '2' \(U\+0032\), 'w' \(U\+0077\)") as caught:
        engine.synthesize("chị 2 winnie")
    assert "winnie" not in str(caught.value)
    assert engine.synthesize("chị hai")[0].size, "the next text is not spoiled"


@pytest.mark.parametrize("text", ["", "...", "🙂", "?" * 500])
def test_nothing_to_say_is_an_error(an_engine: NewEngine, text: str) -> None:
    with pytest.raises(EngineError, match="no letter"):
        an_engine("vits").synthesize(text)


def test_a_damaged_model_is_named(
    new_engine: NewEngine, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    shutil.copytree(models["vits"], folder)
    whole = (folder / "model.pth").read_bytes()
    (folder / "model.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineMissing, match=rf"the model in {folder} is damaged; copy it again"):
        new_engine(folder).synthesize("một")
    (folder / "model.pth").write_bytes(b"")
    with pytest.raises(EngineMissing, match="is damaged"):
        new_engine(folder).version()


def test_weights_of_another_training_are_refused(
    new_engine: NewEngine, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    shutil.copytree(models["vits"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"]["hidden_channels"] = 48
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineMissing, match=r"does not fit its config\.json"):
        new_engine(folder).version()


def test_the_version_tells_of_the_weights(
    new_engine: NewEngine, models: dict[str, Path], tmp_path: Path
) -> None:
    """It is part of every key in the cache: after a training the old sounds are not found."""
    folder = tmp_path / "voice"
    shutil.copytree(models["vits"], folder)
    before = new_engine(folder).version()
    assert before == new_engine("vits").version()
    assert before.startswith("coqui-tts 0.28")
    shutil.copy(models["endless"] / "model.pth", folder)
    assert new_engine(folder).version() != before


def test_settings_and_voice_are_what_the_cache_needs(an_engine: NewEngine) -> None:
    engine = an_engine("many_voices", "ru", name="anna", words_per_minute=120)
    assert (engine.name, engine.voice) == ("coqui", "many_voices:anna")
    assert engine.settings() == {"language": "ru", "words_per_minute": 120, "seed": coqui.SEED}


def test_the_number_of_threads_is_kept() -> None:
    code = (
        "from duecall.speech.engines import coqui_compat; coqui_compat.prepare({}); import torch; "
        "print(torch.get_num_threads(), torch.get_num_interop_threads())"
    )
    for threads in (1, 2):
        line = [sys.executable, "-c", code.format(threads)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(threads), "1"]
