"""What is known of each engine before it is started: languages, voices, licence, cost, and whether
it is installed. `duecall voice list` shows it; docs/speech.md explains it.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from duecall.core.campaign import Language
from duecall.core.voice import ENGINE_NAMES, NEEDS_MODEL, TAKES_PITCH, TAKES_SPEED, EngineName
from duecall.speech.engines import festival, hibari, kokoro, piper
from duecall.speech.engines.catalogue import install_command
from duecall.speech.engines.espeak import ESPEAK_VOICES
from duecall.speech.faults import EngineMissing

LANGUAGES: tuple[Language, ...] = get_args(Language)
# Which to take, where it is installed: the first that is. A person's recordings are better than all
# of them in every language, and so may be a model of your own.
BEST: Mapping[Language, tuple[EngineName, ...]] = MappingProxyType(
    {
        "vi": ("espeak",),
        "ru": ("festival", "espeak"),
        "zh": ("kokoro", "espeak"),
        "en": ("hibari", "piper", "espeak"),
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """languages: of the voices named here; empty for a voice of your own, in any language.
    licence: of program and voice. cpu: seconds of one core a second of speech, and memory_mb, as
    measured (docs/speech.md); 0 where it depends on the model.
    """

    name: EngineName
    voices: Mapping[Language, tuple[str, ...]]
    licence: str
    cpu: float = 0.0
    memory_mb: int = 0
    own: str = ""  # what of your own it speaks with

    @property
    def languages(self) -> tuple[Language, ...]:
        return tuple(one for one in LANGUAGES if one in self.voices)

    @property
    def takes_speed(self) -> bool:
        return self.name in TAKES_SPEED

    @property
    def takes_pitch(self) -> bool:
        return self.name in TAKES_PITCH

    @property
    def needs_model(self) -> bool:
        return self.name in NEEDS_MODEL

    @property
    def install(self) -> str:
        return install_command(self.name)

    def missing(self, programs: Mapping[str, tuple[str, ...]]) -> str:
        """Why it cannot speak here; empty where it can. Starts nothing."""
        try:
            return _missing(self.name, programs)
        except EngineMissing as error:
            return str(error)


def _missing(name: EngineName, programs: Mapping[str, tuple[str, ...]]) -> str:
    if name == "espeak" and shutil.which("espeak-ng") is None:
        return "espeak-ng is not installed"
    if name == "festival":
        if shutil.which(festival.PROGRAM) is None:
            return "festival is not installed"
        festival.voice_version(festival.VOICES["ru"])
    if name == "hibari":
        hibari.installed("hibari-tts", "hibari", hibari.INSTALL)
    if name == "kokoro":
        kokoro.packages_version()
    if name == "piper" and piper.PROGRAM not in programs:
        piper.found_program()
    if name == "coqui" and not all(map(importlib.util.find_spec, ("TTS", "torch"))):
        return "coqui-tts is not installed"
    if name == "command" and not programs:
        return "config.yaml names no `programs`"
    return ""


def _everywhere(voices: Mapping[Language, str]) -> dict[Language, tuple[str, ...]]:
    return {language: (voice,) for language, voice in voices.items()}


KNOWN: tuple[Known, ...] = (
    Known("espeak", _everywhere(ESPEAK_VOICES), "GPL-3, started as a program", 0.005, 10),
    Known("festival", _everywhere(festival.VOICES), "BSD-like", 0.007, 700),
    Known("hibari", {"en": hibari.VOICES}, "Apache-2.0", 0.006, 200),
    Known("kokoro", dict.fromkeys(kokoro.LANGUAGES, kokoro.VOICES), "Apache-2.0", 0.3, 750),
    Known(
        "piper", {"en": ("en_US-joe-medium",)}, "GPL-3, started as a program; the voice CC0",
        0.1, 270, "a voice of piper's: its .onnx file",
    ),
    Known("coqui", {}, "MPL-2.0; each model its own", own="a folder with model.pth, config.json"),
    Known("recorded", {}, "yours", own="a folder of recordings (duecall voice record-list)"),
    Known("command", {}, "the program's", own="a program of config.yaml"),
)  # fmt: skip
assert tuple(one.name for one in KNOWN) == ENGINE_NAMES
