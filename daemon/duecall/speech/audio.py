"""Sound as it goes over the telephone: 8 kHz, mono, 16 bit, at one level, without clicks.

Samples are float32, one dimension, full scale ±1.0. Levels are dBov: 0 is a full scale square
wave (ITU-T G.100.1), so an RMS of 1.0.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from duecall.speech.faults import SpeechError

Samples: TypeAlias = npt.NDArray[np.float32]
Pcm: TypeAlias = npt.NDArray[np.int16]

RATE_HZ = 8_000
VERSION = 2  # of everything in this file; part of every cache key
LEVEL_DBOV = -26.0  # active speech level, the usual one of telephone speech (ITU-T P.56)
PEAK_MAX = 10 ** (-1 / 20)  # -1 dB: the codec has room
FADE_MS = 5
FRAME_MS = 20
# Frames within this range of the loud ones (95th percentile) are speech: P.56's margin.
ACTIVE_RANGE_DB = 15.9
SILENT_DBOV = -60.0  # a sound whose loud frames are below this holds no speech
SHORTEST_MS = 40  # no syllable is shorter; a cut file or a click is
# Trimmed at the ends: this far below the active level. With more, the pop of a final stop stays,
# 100 ms after the word, and is a pause where words are joined.
_EDGE_RANGE_DB = 36.0
_EDGE_KEPT_MS = 15  # kept at the ends, for soft consonants
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
HEADER_BYTES = _HEADER.size


class SilentSound(SpeechError):
    """Nothing to hear."""


def telephone(samples: Samples, rate_hz: int) -> Samples:
    """Resampled to 8 kHz, trimmed, levelled, faded. SilentSound where there is no speech in it, or
    too little to be a syllable."""
    if rate_hz != RATE_HZ and samples.size:
        samples = np.asarray(soxr.resample(samples, rate_hz, RATE_HZ, quality="HQ"), np.float32)
    speech = trim(samples)
    if speech.size < RATE_HZ * SHORTEST_MS // 1000:
        raise SilentSound("what came out is too short to be speech")
    return fade(level(speech))


def active_level_dbov(samples: Samples) -> float:
    """Mean level of the frames that hold speech; -inf for digital silence or nothing."""
    frames = _frame_powers(samples, FRAME_MS)
    if not frames.size or not frames.max() > 0:
        return float("-inf")
    loud = np.percentile(frames, 95)
    if not loud > 0:  # one click in silence
        loud = frames.max()
    active = frames[frames >= loud * 10 ** (-ACTIVE_RANGE_DB / 10)]
    return float(10 * np.log10(active.mean()))


def trim(samples: Samples) -> Samples:
    """Without the silence at both ends."""
    speech = active_level_dbov(samples)
    if speech < SILENT_DBOV:
        raise SilentSound("no sound came out")
    floor = 10 ** (max(speech - _EDGE_RANGE_DB, SILENT_DBOV - 10) / 10)
    step = RATE_HZ * FADE_MS // 1000
    heard = np.flatnonzero(_frame_powers(samples, FADE_MS) > floor)
    kept = RATE_HZ * _EDGE_KEPT_MS // 1000
    first = max(0, int(heard[0]) * step - kept)
    return samples[first : (int(heard[-1]) + 1) * step + kept]


def level(samples: Samples) -> Samples:
    """To LEVEL_DBOV, less where a peak would pass PEAK_MAX."""
    gain = 10 ** ((LEVEL_DBOV - active_level_dbov(samples)) / 20)
    peak = float(np.abs(samples).max())
    return np.asarray(samples * min(gain, PEAK_MAX / peak), np.float32)


def fade(samples: Samples) -> Samples:
    """Straight ramps of FADE_MS at both ends, so that joins do not click."""
    length = min(RATE_HZ * FADE_MS // 1000, samples.size // 2)
    if length:
        ramp = np.arange(1, length + 1, dtype=np.float32) / np.float32(length + 1)
        samples = samples.copy()
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
    return samples


def pcm16(samples: Samples, lead_ms: int = 0, tail_ms: int = 0) -> Pcm:
    """16 bit samples with so much silence before and after."""
    sound = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2")
    return np.concatenate((silence(lead_ms), sound, silence(tail_ms)))


def silence(length_ms: int) -> Pcm:
    return np.zeros(RATE_HZ * length_ms // 1000, "<i2")


def wav_header(data_bytes: int) -> bytes:
    """The 44 bytes before so many bytes of 8 kHz mono PCM16; no other header is ever written."""
    return _HEADER.pack(
        b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16,
        b"data", data_bytes,
    )  # fmt: skip


def wav_bytes(pcm: Pcm) -> bytes:
    data = pcm.astype("<i2", copy=False).tobytes()
    return wav_header(len(data)) + data


def is_telephone_wav(head: bytes, file_bytes: int) -> bool:
    """Whether a file with this beginning and size is a whole one of ours, with sound in it."""
    data_bytes = file_bytes - HEADER_BYTES
    return data_bytes > 0 and data_bytes % 2 == 0 and head == wav_header(data_bytes)


def duration_ms(file_bytes: int) -> int:
    return (file_bytes - HEADER_BYTES) // 2 * 1000 // RATE_HZ


def _frame_powers(samples: Samples, frame_ms: int) -> npt.NDArray[np.float64]:
    """Mean square per frame; the last one padded with silence."""
    if not samples.size:
        return np.zeros(0)
    size = RATE_HZ * frame_ms // 1000
    whole = np.pad(samples.astype(np.float64), (0, -samples.size % size))
    powers: npt.NDArray[np.float64] = (whole.reshape(-1, size) ** 2).mean(axis=1)
    return powers
