"""festival with a Russian voice, as a program that stays loaded.

The voice's units are cut from recordings as they are: it has one speed and one pitch. It stops at
signs that it does not know, so russian_letters.py lets words and a few marks through, no others.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.engines.russian_letters import russian_letters
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineError, EngineMissing

PROGRAM = "festival"
VOICES: dict[Language, str] = {"ru": "msu_ru_nsh_clunits"}
FOLDERS = ("/usr/share/festival/voices", "/usr/local/share/festival/voices")
INSTALL = "apt-get install --no-install-recommends festival festvox-ru"
VERSION = 1  # of how a text is written for it
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}\Z")  # a word of Scheme that is nothing else


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> FestivalEngine:
    """For the catalogue."""
    return FestivalEngine(language, choice)


class FestivalEngine(WorkerEngine):
    """One festival with its voice loaded: about 0.7 GB of memory with the Russian one."""

    def __init__(self, language: Language, choice: VoiceChoice, program: str = PROGRAM) -> None:
        if language not in VOICES:
            raise EngineMissing(
                f"festival speaks {', '.join(sorted(VOICES))} here, and the campaign {language}; "
                "choose another engine"
            )
        voice = choice.name or VOICES[language]
        if not _NAME.match(voice):
            raise EngineMissing(
                "voice.name holds characters that no festival voice has; its name is that of its "
                f"folder, such as {VOICES[language]}"
            )
        super().__init__(
            "festival",
            voice,
            "duecall.speech.engines.festival_child",
            {},
            told={"program": program},
            version=lambda: f"{program_version(program)}:{voice_version(voice)}:{VERSION}",
        )

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """As every engine; Unspeakable for words in letters that the voice cannot read."""
        return super().synthesize(self.readable(text))

    def readable(self, text: str) -> str:
        """The text as the voice takes it. Unspeakable, with the reason, where it cannot."""
        return russian_letters(text)


@lru_cache
def program_version(program: str) -> str:
    try:
        told = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20
        ).stdout.decode("utf-8", "replace")
    except (FileNotFoundError, PermissionError):
        raise EngineMissing(f"{program} is not installed; {INSTALL}") from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"{program} does not tell its version; is the machine busy?") from None
    found = re.search(r"[0-9]+(?:\.[0-9]+)+", told)
    return found.group() if found else "unknown"


def voice_folder(voice: str) -> Path | None:
    """Where its files are; None where they are in none of FOLDERS."""
    return next((path for root in FOLDERS for path in Path(root).glob(f"*/{voice}")), None)


@lru_cache
def voice_version(voice: str) -> str:
    """By its Scheme files, which name all others."""
    folder = voice_folder(voice)
    if folder is None:
        raise EngineMissing(f"festival has no voice {voice}; {INSTALL}")
    digest = hashlib.sha256()
    for file in sorted(folder.glob("festvox/*.scm")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
