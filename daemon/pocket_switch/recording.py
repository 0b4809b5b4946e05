"""Writes what both sides say: stereo WAV, 8 kHz, 16 bit; left the callee, right what we play.

Both halves come from the same 20 ms clock, one frame each a tick. Where one is late (music on
hold starting, a jitter buffer that is empty) it is filled up with silence, so that the two stay
side by side.
"""

from __future__ import annotations

import array
import os
import sys
import threading
import wave

from pocket_switch.sounds import FRAME_BYTES, RATE_HZ, SILENT_FRAME

_MOST_AHEAD = 5  # frames one side may lead before the other is filled up
_WRITE_EVERY = 25  # frames; half a second between touches of the disk


class Recorder:
    """hear/say are called from the media thread, close from the call's thread."""

    def __init__(
        self, path: str, stereo: bool, *, callee_only: bool = False, at_once: bool = False
    ) -> None:
        """callee_only: mono, without what we play. at_once: for somebody who reads it while it
        grows. Raises OSError."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self.path = path
        self.samples = 0  # for each side
        self._stereo = stereo and not callee_only
        self._callee_only = callee_only
        self._write_every = 1 if at_once else _WRITE_EVERY
        self._lock = threading.Lock()
        self._heard: list[bytes] = []
        self._said: list[bytes] = []
        self._handle = open(path, "wb", buffering=0 if at_once else -1)  # noqa: SIM115
        self._file: wave.Wave_write | None = wave.open(self._handle, "wb")  # noqa: SIM115
        self._file.setnchannels(2 if self._stereo else 1)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE_HZ)

    def hear(self, frame: bytes) -> None:
        with self._lock:
            self._heard.append(frame)
            if self._callee_only:
                self._said.append(SILENT_FRAME)
            self._pair(self._heard, self._said)

    def say(self, frame: bytes) -> None:
        if self._callee_only:
            return
        with self._lock:
            self._said.append(frame)
            self._pair(self._said, self._heard)

    def close(self) -> int:
        """The file's size in bytes; 0 when it was closed before, or has lost its name."""
        with self._lock:
            if self._file is None:
                return 0
            while len(self._heard) < len(self._said):
                self._heard.append(SILENT_FRAME)
            while len(self._said) < len(self._heard):
                self._said.append(SILENT_FRAME)
            self._write(len(self._said))
            self._file.close()
            self._handle.close()
            self._file = None
            try:
                return os.path.getsize(self.path)
            except OSError:
                return 0

    @property
    def recorded_ms(self) -> int:
        return self.samples * 1_000 // RATE_HZ

    def _pair(self, mine: list[bytes], other: list[bytes]) -> None:
        if len(mine) > len(other) + _MOST_AHEAD:
            other.append(SILENT_FRAME)
        both = min(len(mine), len(other))
        if both >= self._write_every:
            self._write(both)

    def _write(self, frames: int) -> None:
        if self._file is None or not frames:
            return
        left = array.array("h", b"".join(self._heard[:frames]))
        right = array.array("h", b"".join(self._said[:frames]))
        del self._heard[:frames], self._said[:frames]
        self.samples += frames * FRAME_BYTES // 2
        if self._stereo:
            samples = array.array("h", bytes(4 * len(left)))
            samples[0::2] = left
            samples[1::2] = right
        else:
            samples = array.array(
                "h", [max(-32768, min(32767, a + b)) for a, b in zip(left, right, strict=True)]
            )
        if sys.byteorder == "big":
            samples.byteswap()
        self._file.writeframes(samples.tobytes())
