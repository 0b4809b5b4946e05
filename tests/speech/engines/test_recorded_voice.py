"""A folder of recordings as a voice: what it takes, what it names, what it never makes up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from duecall.core.voice import Voice
from duecall.speech import audio
from duecall.speech.engine import Engine
from duecall.speech.engines.catalogue import engine_of, engines_of
from duecall.speech.engines.recorded_voice import (
    RecordedEngine,
    clipped_share,
    read_recording,
    speaker_of,
)
from duecall.speech.faults import EngineError, EngineMissing, RecordingFault
from duecall.speech.recording_folder import (
    Recording,
    add_rows,
    normal_form,
    read_list,
    write_list,
)

RATE_HZ = 22_050


def tone(hz: float = 200, ms: int = 400, loud: float = 0.3) -> npt.NDArray[np.float32]:
    at = np.arange(RATE_HZ * ms // 1000) / RATE_HZ
    return (loud * np.sin(2 * np.pi * hz * at)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two texts recorded, and a third that is not there yet."""
    folder = tmp_path / "lan"
    rows = [("1.wav", "Xin chào quý khách."), ("2.flac", "hai mươi"), ("3.wav", "triệu")]
    write_list(folder, [Recording(*row) for row in rows])
    soundfile.write(folder / "1.wav", tone(200), RATE_HZ)
    soundfile.write(folder / "2.flac", np.stack([tone(300), tone(300)], axis=1), RATE_HZ)
    return folder


def names_engine() -> Engine:
    return engines_of(Voice(engine="espeak"), "vi")[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Xin  chào, quý khách!", "xin chào quý khách"),
        ("việt", "vie\u0323\u0302t"),  # NFC and NFD
        ("您好， 王先生。", "您好王先生"),
        ("Ёлка — «да»", "ёлка да"),
        ("İ", "i̇"),
    ],
)
def test_texts_are_compared_by_their_words(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), [("mười", "mươi"), ("tư", "từ"), ("a b", "ab")])
def test_other_words_are_other_texts(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_a_text_is_spoken_by_its_file_at_the_file_s_rate(folder: Path) -> None:
    samples, rate_hz = RecordedEngine(folder).synthesize("XIN CHÀO quý khách")
    assert rate_hz == RATE_HZ
    assert np.allclose(samples, tone(200), atol=1e-3)
    stereo, _ = RecordedEngine(folder).synthesize("hai mươi")
    assert stereo.ndim == 1


def test_a_text_that_nobody_recorded_is_named(folder: Path) -> None:
    engine = RecordedEngine(folder, names_engine())
    for text in ("ba mươi", "triệu"):  # not in the list; in the list without its file
        with pytest.raises(RecordingFault, match=f"no recording of “{text}”.*record-list"):
            engine.speaker(text, personal=False)


def test_a_personal_text_is_spoken_by_the_engine_for_names_and_never_told(folder: Path) -> None:
    with pytest.raises(RecordingFault) as told:
        RecordedEngine(folder).speaker("Nguyễn Văn An", personal=True)
    assert "Nguyễn" not in str(told.value)
    assert "`personal`" in str(told.value)
    with pytest.raises(RecordingFault) as told:
        RecordedEngine(folder).synthesize("Nguyễn Văn An")
    assert "Nguyễn" not in str(told.value)
    names = names_engine()
    engine = RecordedEngine(folder, names)
    assert engine.speaker("Nguyễn Văn An", personal=True) is names
    # One that somebody has recorded is played.
    assert engine.speaker("hai mươi", personal=True).name == "recorded"


def test_a_recording_fault_is_no_dead_engine() -> None:
    assert issubclass(RecordingFault, EngineError)
    assert not issubclass(RecordingFault, EngineMissing)


def test_another_recording_is_another_version(folder: Path) -> None:
    engine = RecordedEngine(folder)
    before = speaker_of(engine, "hai mươi", personal=False).version()
    other = speaker_of(engine, "xin chào quý khách", personal=False).version()
    assert before != other
    soundfile.write(folder / "2.flac", tone(400, ms=500), RATE_HZ)
    after = speaker_of(engine, "hai mươi", personal=False).version()
    assert after != before
    assert speaker_of(engine, "xin chào quý khách", personal=False).version() == other


def test_files_and_rows_that_come_later_are_seen(folder: Path) -> None:
    engine = RecordedEngine(folder)
    with pytest.raises(RecordingFault):
        engine.speaker("triệu", personal=False)
    soundfile.write(folder / "3.wav", tone(250), RATE_HZ)
    assert engine.speaker("triệu", personal=False).name == "recorded"
    write_list(folder, [*read_list(folder), Recording("3.wav", "một triệu")])
    assert engine.speaker("một triệu", personal=False).name == "recorded"


def test_sound_goes_on_at_the_level_of_the_telephone(folder: Path) -> None:
    soundfile.write(folder / "1.wav", tone(200, loud=0.02), 44_100)
    sound = audio.telephone(*RecordedEngine(folder).synthesize("xin chào quý khách"))
    assert audio.active_level_dbov(sound) == pytest.approx(audio.LEVEL_DBOV, abs=0.5)


@pytest.mark.parametrize(
    ("sound", "problem"),
    [
        (tone(loud=0.0), "silence only"),
        (tone(ms=50), "shorter than"),
        (np.clip(tone(loud=3.0), -1, 1), "peaks are cut off"),
        (b"RIFF is not enough", "no sound file"),
        (b"", "no sound file"),
    ],
)
def test_sound_that_cannot_be_played_is_named(
    folder: Path, sound: npt.NDArray[np.float32] | bytes, problem: str
) -> None:
    path = folder / "1.wav"
    if isinstance(sound, bytes):
        path.write_bytes(sound)
    else:
        soundfile.write(path, sound, RATE_HZ)
    with pytest.raises(RecordingFault, match=problem) as told:
        RecordedEngine(folder).synthesize("xin chào quý khách")
    assert str(path) in str(told.value)


def test_loud_sound_with_whole_peaks_is_taken(folder: Path) -> None:
    for hz in (90, 200, 800):
        soundfile.write(folder / "1.wav", tone(hz, loud=0.9995), RATE_HZ)
        read_recording(folder / "1.wav")
    samples = np.concatenate([tone(), np.ones(5, np.float32), tone()])  # one click
    assert 0 < clipped_share(samples) < 0.001


def test_a_list_with_odd_columns_is_read(folder: Path) -> None:
    text = "Take;TEXT;File\n1;hai mươi;2.flac\n\n;xin chào;1.wav\n"
    (folder / "list.csv").write_text(text, encoding="utf-8-sig")
    assert read_list(folder) == (Recording("2.flac", "hai mươi"), Recording("1.wav", "xin chào"))


def test_rows_are_added_below_what_stands_there(folder: Path) -> None:
    text = "Take;TEXT;File\n1;hai mươi;2.flac"
    (folder / "list.csv").write_text(text, encoding="utf-8")
    add_rows(folder, [Recording("4.wav", "một; hai")])
    assert read_list(folder)[-1] == Recording("4.wav", "một; hai")
    raw = (folder / "list.csv").read_text(encoding="utf-8-sig")
    assert raw == text + '\n;"một; hai";4.wav\n'  # line ends as Python reads them


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,words\n1.wav,một\n", ":1: no columns"),
        ("", ":1: no columns"),
        ("file,text\n1.wav\n", ":2: a cell is missing"),
        ("file,text\n1.wav,…\n", ":2: `text` holds no word"),
        ("file,text\n../1.wav,một\n", ":2: `file` is no name"),
        ("file,text\n/etc/passwd,một\n", ":2: `file` is no name"),
        ("file,text\n,một\n", ":2: `file` is no name"),
        ("file,text\n1.wav,Một\n2.wav,một.\n", ":3: the text of row 2 once more"),
    ],
)
def test_a_list_that_is_none_is_told_by_its_row(folder: Path, text: str, problem: str) -> None:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(EngineMissing, match=problem):
        RecordedEngine(folder).version()


def test_a_list_in_another_encoding_and_no_list_at_all(folder: Path) -> None:
    (folder / "list.csv").write_bytes("file,text\n1.wav,một\n".encode("utf-16"))
    with pytest.raises(EngineMissing, match="UTF-8"):
        RecordedEngine(folder).speaker("một", personal=False)
    (folder / "list.csv").unlink()
    with pytest.raises(EngineMissing, match=r"list\.csv: No such file.*record-list"):
        RecordedEngine(folder).speaker("một", personal=False)


def test_the_catalogue_gives_the_engine_for_names(folder: Path) -> None:
    voice = Voice(engine="recorded", model=str(folder), personal="espeak", fallback="espeak")
    recorded, espeak = engines_of(voice, "vi")
    assert isinstance(recorded, RecordedEngine)
    assert recorded.personal is not None and recorded.personal.name == "espeak"
    assert espeak.name == "espeak"
    assert engine_of(voice, "vi").name == "recorded"


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "recorded"},
        {"engine": "recorded", "model": "/x", "pitch": 60},
        {"engine": "recorded", "model": "/x", "words_per_minute": 120},
        {"engine": "espeak", "personal": "espeak"},
        {"engine": "recorded", "model": "/x", "personal": {"engine": "recorded", "model": "/x"}},
    ],
)
def test_a_voice_that_recordings_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Voice(**wrong)
