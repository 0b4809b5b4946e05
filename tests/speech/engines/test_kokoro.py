"""Kokoro with the packages of PyPI, where they are installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.core.voice import VoiceChoice
from duecall.speech.engines import kokoro_child
from duecall.speech.engines.known import KNOWN
from duecall.speech.engines.kokoro import VOICES, KokoroEngine, data_folder
from duecall.speech.faults import EngineMissing, Unspeakable
from tests.speech.engines.ear import all_different, assert_speech, heard, killed, seconds

(_KNOWN,) = (one for one in KNOWN if one.name == "kokoro")
if _WHY := _KNOWN.missing({}):
    pytest.skip(_WHY, allow_module_level=True)

SUM = "一万二千三百四十五元六角七分"
# Run in a process of its own, as the libraries keep words that they are told.
READINGS = """
import sys
from duecall.speech.engines.chinese_readings import ChineseReader
reader = ChineseReader()
for text in sys.argv[1:]:
    print(" ".join(syllable for word in reader.pinyin(text) for syllable in word))
"""


@pytest.fixture(scope="module")
def voice() -> Iterator[KokoroEngine]:
    engine = KokoroEngine("zh", VoiceChoice(engine="kokoro"))
    yield engine
    engine.close()


def test_it_speaks(voice: KokoroEngine) -> None:
    sounds = [
        assert_speech(voice, "您好，王先生。", 5, (0.15, 0.6)),
        assert_speech(voice, SUM, 14, (0.12, 0.5)),
        assert_speech(voice, "四月十九日", 5, (0.15, 0.6)),
        assert_speech(voice, "请在今天之前还款，谢谢您的配合。", 14, (0.12, 0.5)),
    ]
    assert all_different(sounds)


def test_the_same_text_is_the_same_sound_whatever_was_said_before(voice: KokoroEngine) -> None:
    first = heard(voice, SUM).tobytes()
    heard(voice, "五")
    assert heard(voice, SUM).tobytes() == first


def test_letters_are_spelled_and_latin_words_refused(voice: KokoroEngine) -> None:
    assert seconds(heard(voice, "H D B")) > 0.6
    for text in ("Nguyen Van An 先生", "Иван", "𠮷野"):
        with pytest.raises(Unspeakable):
            voice.synthesize(text)


def test_a_long_text_is_cut_and_whole(voice: KokoroEngine) -> None:
    """More phonemes than the model takes at once."""
    once = seconds(heard(voice, "您好，请还款。"))
    assert seconds(heard(voice, "您好，请还款。" * 25)) > 15 * once


def test_pieces_lose_nothing() -> None:
    for text in ("ab, cd. " * 200, "x" * 1_200, "ab " * 400, "", "  "):
        made = kokoro_child.pieces(text)
        assert all(0 < len(piece) <= kokoro_child.PHONEMES_MAX for piece in made)
        assert "".join(made).replace(" ", "") == text.replace(" ", "")


def test_what_debt_messages_are_made_of_is_read_right() -> None:
    expected = {
        "尽快还款": "jin3 kuai4 huan2 kuan3",
        "应还金额": "ying1 huan2 jin1 e2",
        "最低还款额": "zui4 di1 huan2 kuan3 e2",
        "还有": "hai2 you3",
        "您还欠": "nin2 hai2 qian4",
        "银行": "yin2 hang2",
        "曾国藩先生": "zeng1 guo2 fan1 xian1 sheng1",
        "曾经": "ceng2 jing1",
        "单先生": "shan4 xian1 sheng1",
        "单笔": "dan1 bi3",
        "解小龙": "xie4 xiao3 long2",
        "查询": "cha2 xun2",
        "任何": "ren4 he2",
    }
    line = [sys.executable, "-c", READINGS, *expected]
    told = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    assert dict(zip(expected, told.stdout.splitlines(), strict=True)) == expected


def test_english_speaks_with_the_same_voice() -> None:
    engine = KokoroEngine("en", VoiceChoice(engine="kokoro", words_per_minute=200))
    fast = assert_speech(engine, "Your balance is two hundred dollars.", 6, (0.1, 0.6))
    engine.close()
    engine = KokoroEngine("en", VoiceChoice(engine="kokoro", words_per_minute=100))
    assert seconds(heard(engine, "Your balance is two hundred dollars.")) > 1.5 * seconds(fast)
    engine.close()


def test_damaged_parts_are_found(tmp_path: Path) -> None:
    (tmp_path / "model.sha256").write_text("0" * 64)
    with pytest.raises(EngineMissing, match="damaged"):
        kokoro_child.model_bytes(tmp_path)
    assert len(kokoro_child.model_bytes(data_folder())) > 80_000_000


def test_a_voice_that_is_not_there_is_told(voice: KokoroEngine) -> None:
    engine = KokoroEngine("zh", VoiceChoice(engine="kokoro", name="nobody"))
    with pytest.raises(EngineMissing, match="no voice nobody here; it has jf_alpha"):
        engine.synthesize("您好")
    assert set(VOICES) == {"jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"}
    with pytest.raises(EngineMissing, match="speaks zh and en here, and the campaign ru"):
        KokoroEngine("ru", VoiceChoice())


def test_it_comes_back_when_it_is_killed(voice: KokoroEngine) -> None:
    before = heard(voice, "您好").tobytes()
    with killed("kokoro_child") as ids:
        assert ids
    assert heard(voice, "您好").tobytes() == before
