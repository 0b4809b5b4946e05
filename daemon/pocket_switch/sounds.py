"""What can be played: WAV files, rows of files, silence, hold music. All as 8 kHz 16-bit mono PCM.

Path forms (FreeSWITCH's): `/a.wav`, `file_string://a.wav!b.wav`, `silence_stream://ms[,noise]`
(-1: for ever), `local_stream://name` (the hold music, for ever).
"""

from __future__ import annotations

import array
import functools
import math
import os
import sys
import wave
from dataclasses import dataclass

RATE_HZ = 8_000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * 2 * FRAME_MS // 1_000
BYTES_PER_MS = RATE_HZ * 2 // 1_000
SILENT_FRAME = bytes(FRAME_BYTES)
_ROW_MAX = 128  # parts of a file_string://; FreeSWITCH drops the rest, without a word


class SoundError(OSError):
    """Nothing there that could be played."""


@dataclass
class Sound:
    """PCM bytes with a place in them. skipped: names of clips that were not there."""

    pcm: bytes
    loop: bool = False
    skipped: tuple[str, ...] = ()
    position: int = 0

    @property
    def length_ms(self) -> float:
        """inf for one that plays on and on."""
        return math.inf if self.loop else len(self.pcm) / BYTES_PER_MS

    @property
    def played_ms(self) -> int:
        return self.position // BYTES_PER_MS

    def next_frame(self) -> bytes | None:
        """20 ms; the last one filled up with silence; None when there is no more."""
        at = self.position
        if at >= len(self.pcm):
            if not self.loop or not self.pcm:
                return None
            at = 0
        frame = self.pcm[at : at + FRAME_BYTES]
        self.position = at + len(frame)
        if len(frame) < FRAME_BYTES:
            frame += bytes(FRAME_BYTES - len(frame))
        return frame


def open_sound(path: str, hold_music: str = "") -> Sound:
    """Raises SoundError when there is nothing at all to play; single clips missing in a row are
    left out, as FreeSWITCH does."""
    scheme, mark, rest = path.partition("://")
    if not mark:
        return Sound(_read_file(path))
    if scheme == "file_string":
        return _row(rest.split("!")[:_ROW_MAX], hold_music)
    if scheme == "silence_stream":
        milliseconds = int(float(rest.split(",")[0] or 0))
        if milliseconds < 0:
            return Sound(SILENT_FRAME, loop=True)
        return Sound(bytes(milliseconds * BYTES_PER_MS))
    if scheme == "local_stream":
        return Sound(_read_file(hold_music) if hold_music else _hold_tune(), loop=True)
    raise SoundError(f"{scheme}:// is not something the pocket switch can play; use a WAV file")


def _row(paths: list[str], hold_music: str) -> Sound:
    pieces, skipped = [], []
    for path in paths:
        try:
            pieces.append(open_sound(path, hold_music).pcm)
        except SoundError:
            skipped.append(path)
    if not pieces:
        raise SoundError("none of these sound files is there: " + ", ".join(skipped))
    return Sound(b"".join(pieces), skipped=tuple(skipped))


def _read_file(path: str) -> bytes:
    """mod_sndfile looks for `<folder>/8000/<file>` first, so that one name serves several rates."""
    folder, name = os.path.split(path)
    for candidate in (os.path.join(folder, "8000", name), path):
        try:
            stat = os.stat(candidate)
        except OSError:
            continue
        return _decode(candidate, stat.st_mtime_ns, stat.st_size)
    raise SoundError(f"no sound file {path}")


@functools.lru_cache(maxsize=256)
def _decode(path: str, _changed_ns: int, _size: int) -> bytes:
    """Cached by path and time of change: the same clips are played in call after call."""
    try:
        with wave.open(path, "rb") as clip:
            if (clip.getframerate(), clip.getsampwidth(), clip.getnchannels()) == (RATE_HZ, 2, 1):
                return _native(clip.readframes(clip.getnframes()))
    except (wave.Error, EOFError, OSError):
        pass  # another format: the general reader may know it
    return _convert(path)


def _native(data: bytes) -> bytes:
    """WAV is little-endian; PJSIP and `array` want the machine's order."""
    if sys.byteorder == "little":
        return data
    samples = array.array("h", data)
    samples.byteswap()
    return samples.tobytes()


def _convert(path: str) -> bytes:
    try:
        import numpy
        import soundfile
        import soxr
    except ImportError as error:
        raise SoundError(
            f"{path}: not 8 kHz 16-bit mono WAV, and {error.name} is missing to convert it"
        ) from None
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except RuntimeError as error:
        raise SoundError(f"{path}: {error}") from None
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    scaled = numpy.clip(mono * 32767.0, -32768, 32767).astype("<i2")
    return _native(scaled.tobytes())


@functools.lru_cache(maxsize=1)
def _hold_tune() -> bytes:
    """Four soft notes, when no hold music is given: something must tell the callee to wait."""
    samples = array.array("h")
    for hertz in (392.0, 493.9, 587.3, 493.9):
        count = RATE_HZ * 600 // 1_000
        for at in range(count):
            swell = math.sin(math.pi * at / count)
            samples.append(int(3_000 * swell * math.sin(2 * math.pi * hertz * at / RATE_HZ)))
        samples.extend([0] * (RATE_HZ * 150 // 1_000))
    return samples.tobytes()
