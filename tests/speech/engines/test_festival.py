"""festival with its Russian voice, where both are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.core.voice import VoiceChoice
from duecall.speech.engines import festival
from duecall.speech.engines.festival import FestivalEngine
from duecall.speech.engines.festival_child import Festival
from duecall.speech.engines.known import KNOWN
from duecall.speech.faults import EngineError, EngineMissing, Unspeakable
from tests.speech.engines.ear import all_different, assert_speech, heard, killed, seconds

(_KNOWN,) = (one for one in KNOWN if one.name == "festival")
if _WHY := _KNOWN.missing({}):
    pytest.skip(_WHY, allow_module_level=True)

SUM = "сто двадцать три рубля сорок пять копеек"


@pytest.fixture(scope="module")
def voice() -> Iterator[FestivalEngine]:
    engine = FestivalEngine("ru", VoiceChoice(engine="festival"))
    yield engine
    engine.close()


def test_it_speaks(voice: FestivalEngine) -> None:
    sounds = [
        assert_speech(voice, "Здравствуйте, Иван Петрович.", 3, (0.3, 1.3)),
        assert_speech(voice, SUM, 7, (0.25, 0.9)),
        assert_speech(voice, "девятнадцатого апреля", 2, (0.4, 1.4)),
        assert_speech(voice, "Просим оплатить до завтра!", 4, (0.25, 0.9)),
    ]
    assert all_different(sounds)
    assert voice.synthesize(SUM)[1] == 16_000


def test_the_same_text_is_the_same_sound_whatever_was_said_before(voice: FestivalEngine) -> None:
    first = heard(voice, SUM).tobytes()
    heard(voice, "пять")
    assert heard(voice, SUM).tobytes() == first


def test_letters_are_told_by_their_names(voice: FestivalEngine) -> None:
    assert seconds(heard(voice, "О П Р С")) > 1.5 * seconds(heard(voice, "опрс"))


def test_texts_that_the_voice_stops_at_are_spoken_all_the_same(voice: FestivalEngine) -> None:
    for text in ("«Ромашка»", "сумма — сто", "тест…", "пример™", "№ пять", "е\u0308лка", "(да)"):
        assert seconds(heard(voice, text)) > 0.3, text


def test_other_letters_are_refused_not_read_wrong(voice: FestivalEngine) -> None:
    for text in ("Nguyen Van An", "Anna Иванова", "王"):
        with pytest.raises(Unspeakable):
            voice.synthesize(text)


def test_a_text_runs_no_scheme(voice: FestivalEngine, tmp_path: Path) -> None:
    """First through the engine; then past its letters, straight to festival, with real commands."""
    file = tmp_path / "pwned"
    command = f'(system "touch {file}")'
    attacks = [
        f'") {command} ("',
        f'\\") {command} ("',
        f'\\\\") {command} ("',
        f'"\n{command}\n"',
        f'"\r{command}\x00"',
        command,
        '\\") (quit) (',
        "привет\x04",
        '"))) (quit)',
    ]
    for text in attacks:
        try:
            voice.synthesize(text)
        except Unspeakable:
            continue
    straight = Festival("festival", festival.VOICES["ru"])
    for text in attacks:
        try:
            straight.speak(text)
        except EngineError:
            continue
    assert straight.speak("привет")[0].size > 5_000
    assert not file.exists()
    # And the attack is one: told as Scheme it does run.
    straight._program.write(f"{command}\n(duecall_told 'again)\n")
    straight._wait_for("again")
    assert file.exists()
    straight._program.close()


def test_it_comes_back_when_festival_is_killed(voice: FestivalEngine) -> None:
    before = heard(voice, "привет").tobytes()
    with killed("festival --pipe") as ids:
        assert len(ids) == 1
        with pytest.raises(EngineError, match="started again"):
            voice.synthesize("привет")
    assert heard(voice, "привет").tobytes() == before


def test_it_does_not_outlive_us() -> None:
    engine = FestivalEngine("ru", VoiceChoice(engine="festival"))
    engine.synthesize("да")
    engine.close()
    with killed("festival --pipe") as ids:
        assert len(ids) <= 1  # that of the module's voice


def test_a_voice_that_is_not_there_is_told_with_the_remedy() -> None:
    engine = FestivalEngine("ru", VoiceChoice(engine="festival", name="no_such_voice"))
    with pytest.raises(EngineMissing, match=r"no_such_voice; .*apt-get install"):
        engine.version()
    with pytest.raises(EngineMissing, match=r"no_such_voice; .*festvox-ru"):
        engine.synthesize("да")
    with pytest.raises(EngineMissing, match="holds characters"):
        FestivalEngine("ru", VoiceChoice.model_construct(name="x) (quit"))


def test_without_festival_or_for_another_language_it_says_so() -> None:
    engine = FestivalEngine("ru", VoiceChoice(), program="no-such-festival")
    for use in (engine.version, lambda: engine.synthesize("да")):
        with pytest.raises(EngineMissing, match="no-such-festival is not installed"):
            use()
    with pytest.raises(EngineMissing, match="speaks ru here, and the campaign vi"):
        FestivalEngine("vi", VoiceChoice())


def test_the_version_tells_program_and_voice(voice: FestivalEngine) -> None:
    program, files, ours = voice.version().split(":")
    assert program.count(".") >= 1 and len(files) == 16 and ours == str(festival.VERSION)
