"""Tones as WAV files, and how much of a tone a recording holds."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path

MESSAGE_HZ = 440


def write_tone(path: Path, seconds: float, hertz: int = MESSAGE_HZ) -> Path:
    samples = array(
        "h",
        (
            int(9_000 * math.sin(2 * math.pi * hertz * n / 8_000))
            for n in range(int(8_000 * seconds))
        ),
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(samples.tobytes())
    return path


def sides(path: Path) -> tuple[array[int], array[int]]:
    """(left, right) of a stereo recording."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8_000, 2)
        samples = array("h", file.readframes(file.getnframes()))
    return samples[0::2], samples[1::2]


def tone_ms(samples: array[int], hertz: int) -> int:
    """For how long that tone, and hardly anything else, is heard: 50 ms pieces (Goertzel)."""
    size = 400
    turn = 2 * math.cos(2 * math.pi * hertz / 8_000)
    heard = 0
    for start in range(0, len(samples) - size + 1, size):
        piece = samples[start : start + size]
        power = sum(sample * sample for sample in piece)
        one = two = 0.0
        for sample in piece:
            one, two = sample + turn * one - two, one
        tone = (one * one + two * two - turn * one * two) * 2 / size
        heard += power > size * 300**2 and tone > 0.8 * power
    return heard * 50
