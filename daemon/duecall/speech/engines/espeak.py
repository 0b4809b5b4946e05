"""espeak-ng, the default of every language, as a program of its own.

espeak-ng is GPL-3 and is therefore started, never linked; about 10 to 15 ms a call. Under gevent
call it from a greenlet, where a patched `subprocess` lets the others run; gevent's own thread
pool does not work, because child processes are watched in the main thread only.
"""

from __future__ import annotations

import re
import subprocess
import threading
import unicodedata
from collections.abc import Mapping

import numpy as np

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.faults import EngineError, EngineMissing

TIMEOUT_S = 20.0
ESPEAK_VOICES: dict[Language, str] = {
    "vi": "vi",
    "ru": "ru",
    "zh": "cmn-latn-pinyin",  # `cmn` reads pinyin as English on Debian
    "en": "en-us",
}
_VOICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,59}\Z")
_WAV_HEADER_BYTES = 44
# [[…]] is phoneme code to espeak-ng, < > and & are SSML, control characters are its commands.
_CODES = str.maketrans(dict.fromkeys("[]<>{}|\\^~`$@#*_=", " "))


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> EspeakEngine:
    """For the catalogue."""
    return EspeakEngine(language, choice)


class EspeakEngine:
    """espeak-ng, one process a text. The text goes in by stdin, never on a command line."""

    name = "espeak"

    def __init__(
        self,
        language: Language,
        voice: VoiceChoice | None = None,
        program: str = "espeak-ng",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        voice = voice or VoiceChoice()
        self.voice = voice.name or ESPEAK_VOICES[language]
        if not _VOICE_NAME.match(self.voice):
            raise EngineMissing(
                "voice.name holds characters that no espeak-ng voice has; "
                "`espeak-ng --voices` lists the voices (column Language)"
            )
        self._words_per_minute = voice.words_per_minute
        self._pitch = voice.pitch
        self._program = program
        self._timeout_s = timeout_s
        self._version = ""
        self._version_lock = threading.Lock()

    def version(self) -> str:
        with self._version_lock:
            if not self._version:
                told = self._run(["--version"], b"").decode("utf-8", "replace")
                found = re.search(r"\b([0-9]+(?:\.[0-9]+)+\S*)", told)
                self._version = found.group(1) if found else told.strip()[:40]
            return self._version

    def settings(self) -> dict[str, int | str]:
        return {"words_per_minute": self._words_per_minute, "pitch": self._pitch}

    def synthesize(self, text: str) -> tuple[Samples, int]:
        arguments = ["-v", self.voice, "-s", str(self._words_per_minute), "-p", str(self._pitch)]
        wav = self._run([*arguments, "-b", "1", "-z", "--stdin", "--stdout"], _plain(text))
        if len(wav) < _WAV_HEADER_BYTES or wav[:4] != b"RIFF":
            raise EngineError("espeak-ng made no sound of a text; is its voice data complete?")
        # Writing to a pipe it cannot know the length, so the header's sizes mean nothing.
        rate_hz = int.from_bytes(wav[24:28], "little")
        data = wav[_WAV_HEADER_BYTES : len(wav) - len(wav) % 2]
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), rate_hz

    def _run(self, arguments: list[str], stdin: bytes) -> bytes:
        try:
            done = subprocess.run(
                [self._program, *arguments],
                input=stdin,
                capture_output=True,
                timeout=self._timeout_s,
                check=False,
            )
        except FileNotFoundError:
            raise EngineMissing(
                f"{self._program} is not installed, so nothing can be spoken; "
                "install it (Debian, Ubuntu: apt-get install espeak-ng) "
                "or give recorded files with `sound:`"
            ) from None
        except PermissionError:
            raise EngineMissing(f"{self._program} may not be started; check its mode") from None
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"espeak-ng took more than {self._timeout_s:g} s for one text; "
                "the machine is overloaded or the text too long"
            ) from None
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip()[:200]
            if "voice does not exist" in told:
                raise EngineMissing(
                    f"espeak-ng has no voice {self.voice}; `espeak-ng --voices` lists them, "
                    "voice.name left out takes the language's own"
                )
            raise EngineError(f"espeak-ng ended with code {done.returncode}: {told or 'no word'}")
        return done.stdout


def _plain(text: str) -> bytes:
    """UTF-8 without anything that espeak-ng takes for a command. Lone surrogates vanish."""
    clean = "".join(
        " " if unicodedata.category(char) in ("Cc", "Co") else char
        for char in text.translate(_CODES)
    )
    return clean.encode("utf-8", "ignore")
