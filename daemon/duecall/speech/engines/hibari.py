"""hibari: a small English voice of PyPI (`hibari-tts`, Apache-2.0), all of it in one wheel."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.engines.english_letters import english_letters
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing

LANGUAGES: tuple[Language, ...] = ("en",)
VOICES = ("heart",)  # in the wheel; four more may be put into hibari's folder by hand
INSTALL = "pip install 'duecall[voice-en]'"
SEED = 20261122  # of the noise in the sound: the same text is the same sound
VERSION = 1  # of how a text is written for it


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> HibariEngine:
    """For the catalogue."""
    return HibariEngine(language, choice)


class HibariEngine(WorkerEngine):
    """Some 200 MB of memory. 150 words a minute is the voice's own speed."""

    def __init__(self, language: Language, choice: VoiceChoice) -> None:
        if language not in LANGUAGES:
            raise EngineMissing(
                f"hibari speaks en alone, and the campaign {language}; choose another engine"
            )
        super().__init__(
            "hibari",
            choice.name or VOICES[0],
            "duecall.speech.engines.hibari_child",
            {"words_per_minute": choice.words_per_minute, "seed": SEED},
            version=lambda: f"{installed('hibari-tts', 'hibari', INSTALL)}:{VERSION}",
        )

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """As every engine; Unspeakable for words in letters that the voice cannot read."""
        return super().synthesize(self.readable(text))

    def readable(self, text: str) -> str:
        """The text as the voice takes it. Unspeakable, with the reason, where it cannot."""
        return english_letters(text)


def installed(package: str, module: str, install: str) -> str:
    """The package's version; EngineMissing, with the command, where it is not there."""
    try:
        if importlib.util.find_spec(module) is not None:
            return version(package)
    except PackageNotFoundError:
        pass
    raise EngineMissing(f"{package} is not installed; {install}")
