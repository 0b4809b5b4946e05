"""Any program as a voice: one of `programs:` in config.yaml, started for each text."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from duecall.core.campaign import Language
from duecall.core.scalars import did_you_mean
from duecall.core.voice import PITCH, WORDS_PER_MINUTE, VoiceChoice, program_of
from duecall.speech import audio
from duecall.speech.audio import Samples
from duecall.speech.engines.run_once import run_once
from duecall.speech.faults import EngineError, EngineMissing

TIMEOUT_S = 30.0
_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+:-]{0,79}\Z")  # never an option
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_READ_WHOLE_BYTES = 20_000_000  # of larger files size and time tell whether they are the same


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> CommandEngine:
    """For the catalogue."""
    return CommandEngine(choice, language, programs)


class CommandEngine:
    """The text goes in by stdin, UTF-8, one line; a sound file comes out by stdout."""

    name = "command"

    def __init__(
        self,
        choice: VoiceChoice,
        language: Language,
        programs: Mapping[str, tuple[str, ...]],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """EngineMissing: no such program in config.yaml, or it cannot be told what was chosen."""
        program, voice = program_of(choice)
        if program not in programs:
            names = ", ".join(sorted(programs)) or "none there"
            raise EngineMissing(
                f"{program!r} is none of `programs` in config.yaml"
                f"{did_you_mean(program, programs)}; there: {names}"
            )
        self.voice = choice.name
        self._what = f"program {program}"
        told = {
            "language": language,
            "voice": voice,
            "words_per_minute": str(choice.words_per_minute),
            "pitch": str(choice.pitch),
        }
        if voice and not _VOICE.match(voice):
            raise EngineMissing(f"{self._what}: its voice holds characters that are not allowed")
        template = programs[program]
        chosen = {
            "voice": bool(voice),
            "words_per_minute": choice.words_per_minute != WORDS_PER_MINUTE,
            "pitch": choice.pitch != PITCH,
        }
        for key, is_chosen in chosen.items():
            if is_chosen and not any("{" + key + "}" in part for part in template):
                raise EngineMissing(
                    f"{self._what} cannot be told its {key}: no argument holds {{{key}}}; "
                    "leave it out, or add it to the program in config.yaml"
                )
        if not voice and any("{voice}" in part for part in template):
            raise EngineMissing(f"{self._what} needs a voice; write `name: {program}:its-voice`")
        self._line = [_filled(part, told) for part in template]
        self._timeout_s = timeout_s
        self._version = ""
        self._lock = threading.Lock()

    def version(self) -> str:
        """By the program's arguments and the files that they name: one changed is a new voice."""
        found = shutil.which(self._line[0])
        if found is None:
            raise EngineMissing(
                f"{self._what}: {self._line[0]} is not there or may not be started; install it or "
                "correct `programs` in config.yaml"
            )
        with self._lock:
            if not self._version:
                digest = hashlib.sha256()
                for part in (found, *self._line[1:]):
                    digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
                    digest.update(_state(Path(part)))
                self._version = digest.hexdigest()[:16]
            return self._version

    def settings(self) -> dict[str, int | str]:
        return {}  # all are in the arguments

    def synthesize(self, text: str) -> tuple[Samples, int]:
        line = _BREAKS.sub(" ", text).encode("utf-8", "ignore") + b"\n"
        made = run_once(self._line, line, self._timeout_s, self._what)
        if not made:
            raise EngineError(f"{self._what} made no sound of a text; it has to write to stdout")
        try:
            samples, rate_hz = soundfile.read(io.BytesIO(made), dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
            raise EngineError(
                f"{self._what} wrote {len(made)} bytes that are no sound file; "
                "it has to write WAV, FLAC or OGG"
            ) from None
        mono = np.ascontiguousarray(samples.mean(axis=1), np.float32)
        if not np.isfinite(mono).all():
            raise EngineError(f"{self._what} made samples that are no numbers")
        if audio.active_level_dbov(mono) < audio.SILENT_DBOV:
            raise EngineError(f"{self._what} made silence of a text")
        if mono.size < rate_hz * audio.SHORTEST_MS / 1000:
            ms = mono.size * 1000 // int(rate_hz)
            raise EngineError(f"{self._what} made {ms} ms of sound of a text, which is no speech")
        return mono, int(rate_hz)


def _filled(part: str, told: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: told[found.group(1)], part)


def _state(path: Path) -> bytes:
    """What tells whether the file is the same; nothing where it is no file."""
    try:
        if not path.is_file():
            return b""
        state = path.stat()
        if state.st_size <= _READ_WHOLE_BYTES:
            return hashlib.sha256(path.read_bytes()).digest()
        return os.fsencode(f"{state.st_size}:{state.st_mtime_ns}")
    except (OSError, ValueError):  # a name that is too long or holds what no path may
        return b""
