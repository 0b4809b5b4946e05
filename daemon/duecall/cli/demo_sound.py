"""Was the message really spoken? What was recorded of a call, held against its contact's message.

The comparison is by loudness over time, 10 ms by 10 ms: another message, another language or
another sum has another course, and a silence has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

FRAME_MS = 10
LATEST_MS = 8_000  # the message begins so long after the recording at the latest
ALIKE_MIN = 0.8
HEARD_MIN_MS = 5_000  # of less the course says little: a busy machine cuts a syllable
ACTIVE_MIN_DBOV = -45.0  # what was recorded of less is no speech
_LAST_MS = 300  # before a key or the end: may have been cut
_Envelope = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spoken:
    """message_ms: how long the message is. heard_ms: how much of it was played, as the call says.
    alike: how much the recording has the course of that part, 0 to 1; None: too short to tell.
    active_dbov: level of what we say in the recording.
    """

    message_ms: int
    heard_ms: int
    alike: float | None
    active_dbov: float

    @property
    def right(self) -> bool:
        if self.heard_ms and self.active_dbov < ACTIVE_MIN_DBOV:
            return False
        return self.alike is None or self.alike >= ALIKE_MIN


def spoken(recording: Path, message: Path, share: float) -> Spoken:
    """share: of the message, played before a key or the end. Files of 8 kHz; in the recording's
    last channel is what we play."""
    wanted, recorded = _envelope(message), _envelope(recording)
    message_ms = len(wanted) * FRAME_MS
    heard_ms = round(share * message_ms)
    level = _active_dbov(recorded)
    if heard_ms < HEARD_MIN_MS:
        return Spoken(message_ms, heard_ms, None, level)
    part = wanted[: (heard_ms - _LAST_MS) // FRAME_MS]
    return Spoken(message_ms, heard_ms, _alike(recorded, part), level)


def _envelope(path: Path) -> _Envelope:
    samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    size = rate_hz * FRAME_MS // 1000
    ours = samples[: len(samples) // size * size, -1].reshape(-1, size)
    loud: _Envelope = np.sqrt((ours**2).mean(axis=1))
    return loud


def _active_dbov(recorded: _Envelope) -> float:
    """Of the louder half of what is no silence."""
    heard = recorded[recorded > 0]
    if not heard.size:
        return float("-inf")
    return float(20 * np.log10(np.percentile(heard, 75)))


def _alike(recorded: _Envelope, part: _Envelope) -> float:
    """The best correlation over all places where the part may begin."""
    best = 0.0
    padded = np.pad(recorded, (0, len(part)))
    wanted = part - part.mean()
    norm = np.sqrt((wanted**2).sum())
    for start in range(min(LATEST_MS // FRAME_MS, len(recorded))):
        found = padded[start : start + len(part)]
        found = found - found.mean()
        scale = norm * np.sqrt((found**2).sum())
        if scale > 0:
            best = max(best, float((wanted * found).sum() / scale))
    return best
