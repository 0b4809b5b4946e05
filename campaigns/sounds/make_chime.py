"""Writes chime.wav: two soft bell tones before a message. 8 kHz, mono, 16 bit: a phone's own form.

    python campaigns/sounds/make_chime.py [FILE]

Any recording of yours may stand beside it: name it in the campaign as `sound: sounds/yours.wav`.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from pathlib import Path

RATE_HZ = 8_000
LENGTH_S = 0.9
BELLS = ((0.0, 784.0), (0.28, 1046.5))  # (begins at second, Hz): g'' and c'''
PEAK = 0.35  # of full scale, about as loud as the speech that follows


def sample(at_s: float) -> float:
    """-1..1: the bells that have begun, each with one overtone and a dying end."""
    level = 0.0
    for begin_s, pitch_hz in BELLS:
        age_s = at_s - begin_s
        if age_s >= 0:
            attack = min(1.0, age_s / 0.008)
            tone = math.sin(math.tau * pitch_hz * age_s)
            overtone = 0.3 * math.sin(math.tau * 2.0 * pitch_hz * age_s)
            level += attack * math.exp(-6.0 * age_s) * (tone + overtone)
    fade = min(1.0, (LENGTH_S - at_s) / 0.05)
    return PEAK * level * fade


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("chime.wav")
    count = int(RATE_HZ * LENGTH_S)
    frames = b"".join(
        struct.pack("<h", round(32_767 * max(-1.0, min(1.0, sample(n / RATE_HZ)))))
        for n in range(count)
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(frames)


if __name__ == "__main__":
    main()
