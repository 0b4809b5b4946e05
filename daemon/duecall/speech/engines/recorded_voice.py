"""Engine `recorded`: a person has spoken every fragment; names may be left to another engine.

Nothing is made up: a text without a recording is a RecordingFault that says which one, so that the
next voice in turn speaks the whole message, or the contact is put off with that reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech import audio
from duecall.speech.cache import folder_name
from duecall.speech.engine import Engine
from duecall.speech.faults import RecordingFault, SoundFault
from duecall.speech.recorded import read_sound, silent
from duecall.speech.recording_folder import RecordingFolder

VERSION = "1"  # of how files are read; part of every cache key
# Peaks that were cut off are flat: so many samples in a row at one height near full scale. The top
# of a loud whole wave is round.
_FULL_SCALE = 0.98
_FLAT_RUN = 4
_FLAT_STEP = 1 / 16_384
_CLIPPED_SHARE_MAX = 0.001
_Read: TypeAlias = "tuple[audio.Samples, int]"


class RecordedEngine:
    """The recordings of one folder. Does no work before the first text."""

    name = "recorded"

    def __init__(self, folder: Path, personal: Engine | None = None) -> None:
        """personal: speaks names and free text that nobody has recorded."""
        self.voice = folder_name(folder.name)
        self.folder = RecordingFolder(folder)
        self.personal = personal

    def with_personal(self, personal: Engine) -> RecordedEngine:
        """The same recordings, and this engine for what is personal and not recorded."""
        return RecordedEngine(self.folder.folder, personal)

    def version(self) -> str:
        """EngineMissing where the folder has no list, or the engine for personal texts is none."""
        self.folder.check()
        if self.personal is not None:
            self.personal.version()
        return VERSION

    def settings(self) -> dict[str, int | str]:
        return {}

    def synthesize(self, text: str) -> _Read:
        """What was recorded of this text, as it was recorded. The fault does not repeat the text:
        it may be a name (`speaker` knows)."""
        path = self.folder.path_of(text)
        if path is None:
            raise RecordingFault(f"{self.folder.folder}: no recording of a text")
        return read_recording(path)

    def speaker(self, text: str, *, personal: bool) -> Engine:
        """Who speaks this text: the one recording of it, or the engine for personal texts.

        RecordingFault where there is neither; it repeats no personal text.
        """
        path = self.folder.path_of(text)
        if path is not None:
            return OneRecording(self.voice, path, self.folder.digest(path))
        if not personal:
            raise not_recorded(self.folder, text)
        if self.personal is None:
            raise RecordingFault(
                f"{self.folder.folder}: a name or a free text that nobody has recorded; "
                "say with `personal` under `voice` which engine speaks these"
            )
        return self.personal


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> RecordedEngine:
    """As the catalogue asks for it. The folder is looked at when something is to be said."""
    return RecordedEngine(Path(choice.model))


class OneRecording:
    """One text of a recorded voice. Its version is the content of its file: another recording is
    another sound in the cache."""

    name = RecordedEngine.name

    def __init__(self, voice: str, path: Path, digest: str) -> None:
        self.voice = voice
        self._path = path
        self._digest = digest

    def version(self) -> str:
        return f"{VERSION}:{self._digest}"

    def settings(self) -> dict[str, int | str]:
        return {}

    def synthesize(self, text: str) -> _Read:
        return read_recording(self._path)


def speaker_of(engine: Engine, text: str, *, personal: bool) -> Engine:
    """The engine itself, but for recorded voices: there each text has one of its own."""
    if isinstance(engine, RecordedEngine):
        return engine.speaker(text, personal=personal)
    return engine


def not_recorded(folder: RecordingFolder, text: str) -> RecordingFault:
    """text: not a personal one; it stands in the fault."""
    return RecordingFault(
        f"{folder.folder}: no recording of “{text}”; "
        "`duecall voice record-list CAMPAIGN --missing` lists all that are missing"
    )


def read_recording(path: Path) -> _Read:
    """Samples and rate in Hz. RecordingFault, with file and remedy, for a file that is no sound,
    too short, silent, or so loud that its peaks are cut off.
    """
    try:
        samples, rate_hz = read_sound(path)
    except SoundFault as fault:
        raise RecordingFault(str(fault)) from None
    if audio.active_level_dbov(samples) < audio.SILENT_DBOV:
        raise RecordingFault(str(silent(path)))
    if clipped_share(samples) > _CLIPPED_SHARE_MAX:
        raise RecordingFault(
            f"sound {path}: its peaks are cut off (too loud for the microphone's setting); "
            "record it again, 6 dB lower"
        )
    return samples, rate_hz


def clipped_share(samples: audio.Samples) -> float:
    """The share of samples that stand in flat tops."""
    full = np.abs(samples) >= _FULL_SCALE
    if not full.any():
        return 0.0
    flat = full[1:] & full[:-1] & (np.abs(np.diff(samples)) <= _FLAT_STEP)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2] + 1  # so many samples stand beside so many steps less one
    return float(runs[runs >= _FLAT_RUN].sum() / samples.size)
