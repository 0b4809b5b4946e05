"""Recorded sound files of a campaign, checked and converted once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import soundfile

from duecall.speech import audio
from duecall.speech.faults import SoundFault

LENGTH_MIN_MS = 100
LENGTH_MAX_MS = 300_000
BYTES_MAX = 200_000_000
_UNKNOWN = 0x7FFF_0000  # and above: the length in the head of a WAV that was written to a pipe


def file_digest(path: Path) -> str:
    """sha256 of the content. SoundFault where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SoundFault(f"sound {path}: over {BYTES_MAX} bytes; cut it")
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise SoundFault(
            f"sound {path}: {error.strerror}; check the path (it counts from the campaign file) "
            "and that it may be read"
        ) from None
    return digest.hexdigest()


def telephone_sound(path: Path) -> audio.Pcm:
    """A recording as 8 kHz mono at the level of speech. SoundFault with file, reason, remedy."""
    mono, rate_hz = read_sound(path)
    try:
        return audio.pcm16(audio.telephone(mono, rate_hz))
    except audio.SilentSound:
        raise silent(path) from None


def silent(path: Path) -> SoundFault:
    return SoundFault(
        f"sound {path}: silence only (below {audio.SILENT_DBOV:g} dBov, or the two channels "
        "cancel each other); record it louder"
    )


def read_sound(path: Path) -> tuple[audio.Samples, int]:
    """The samples of a file, its channels made one, and their rate in Hz. SoundFault as above."""
    try:
        if missing := _missing_bytes(path):
            raise SoundFault(
                f"sound {path}: cut off, {missing} bytes of it are missing; copy or save it again"
            )
        with soundfile.SoundFile(path) as file:
            length_ms = file.frames * 1000 // file.samplerate
            if length_ms > LENGTH_MAX_MS:
                raise SoundFault(
                    f"sound {path}: {length_ms // 1000} s long, at most {LENGTH_MAX_MS // 1000} s; "
                    "cut it"
                )
            samples = file.read(dtype="float32", always_2d=True)
            rate_hz = int(file.samplerate)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        if isinstance(error, SoundFault):
            raise
        raise SoundFault(
            f"sound {path}: this is no sound file that can be read; "
            "save it as WAV (PCM, 16 bit), FLAC or OGG"
        ) from None
    if samples.shape[0] * 1000 // rate_hz < LENGTH_MIN_MS:
        raise SoundFault(
            f"sound {path}: shorter than {LENGTH_MIN_MS} ms; the file was cut off, save it again"
        )
    mono = np.ascontiguousarray(samples.mean(axis=1), np.float32)
    if not np.isfinite(mono).all():
        raise SoundFault(f"sound {path}: holds samples that are no numbers; save it as PCM")
    return mono, rate_hz


def _missing_bytes(path: Path) -> int:
    """Of a WAV whose head says how long it is: the reader would play what is left of it, and half
    a sentence would be said. OSError."""
    with open(path, "rb") as file:
        head = file.read(12)
        size = file.seek(0, 2)
    told = int.from_bytes(head[4:8], "little")
    if head[:4] != b"RIFF" or head[8:] != b"WAVE" or told >= _UNKNOWN:
        return 0
    return max(0, told + 8 - size - 1)  # the last byte may be one of padding
