"""The music a callee hears while an agent is rung: a small melody, computed, owned by nobody."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

RATE_HZ = 8_000
_BEAT_S = 0.5
_LEVEL = 0.12  # of full scale: speech follows, it must not startle
# Semitones above A3, half a second each; played twice, the second time an octave lower: 16 s.
_MELODY = (3, 7, 10, 15, 14, 10, 7, 10, 5, 8, 12, 17, 15, 12, 8, 12)
_BASS = (-9, -9, -9, -9, -5, -5, -5, -5, -7, -7, -7, -7, -2, -2, -2, -2)


def write_hold_music(path: Path) -> None:
    """Write the melody as 16-bit mono WAV at 8 kHz, about 16 s (260 KB), meant to be repeated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = [
        _note(high, _BEAT_S, 1.0) + _note(low, _BEAT_S, 0.6)
        for octave in (0, -12)
        for high, low in zip((n + octave for n in _MELODY), _BASS, strict=True)
    ]
    sound = np.concatenate(notes) * _LEVEL
    part = path.with_name(path.name + ".part")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((sound * 32_767).astype("<i2").tobytes())
    part.replace(path)


def _note(semitones: int, seconds: float, strength: float) -> np.ndarray:
    """A plucked tone: three harmonics that die away, with soft edges so that nothing clicks."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    hz = 220.0 * 2 ** (semitones / 12)
    tone = sum(np.sin(2 * np.pi * hz * h * t) / h**2 for h in (1, 2, 3))
    edge = np.minimum(1.0, np.minimum(t, t[-1] - t) / 0.01)
    return np.asarray(strength / 2 * tone * np.exp(-3 * t) * edge)
