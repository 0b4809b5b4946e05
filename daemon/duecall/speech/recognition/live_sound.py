"""Where somebody speaks, in the sound of a call as it comes. Pure.

By level alone: louder than the line's own noise. What is heard is then judged by a recogniser; so
a door that slams costs it a moment, and nothing else.
"""

from __future__ import annotations

import numpy as np

from duecall.speech.audio import Samples

RATE_HZ = 8_000
FRAME = RATE_HZ // 50  # samples: 20 ms
FRAME_MS = 20

_ABOVE_NOISE_DB = 10.0
_LOUD_ENOUGH_DB = -42.0  # below it nobody speaks into the phone
_HYSTERESIS_DB = 4.0  # the end of a word is softer than its beginning
_NOISE_RISES_DB = 0.05  # a frame: the noise of a line may grow, by 2.5 dB a second
_BEGIN_FRAMES = 3  # loud ones in a row
_END_FRAMES = 25  # quiet ones in a row: half a second; "yes … please" is one answer
_BEFORE_FRAMES = 12  # kept from before the first loud one: soft consonants
_LEAST_FRAMES = 6  # loud ones; shorter is a click
MOST_FRAMES = 150  # from begin to end, 3 s: who says more does not answer by a word


class Utterances:
    """Feed it sound; it says when speech began, and gives back what was said when it ended."""

    def __init__(self) -> None:
        self.speaking = False
        self._rest = np.empty(0, dtype=np.float32)
        self._frames: list[Samples] = []  # of what is being said, or the last few before it
        self._noise_db = -60.0
        self._loud = 0  # in a row; while speaking: of the utterance
        self._quiet = 0

    def feed(self, samples: Samples) -> list[Samples]:
        """All utterances that ended in this sound: mono, 8 kHz, ±1.0. Those that are too short to
        be a word, or too long, are left out."""
        sound: Samples = np.concatenate([self._rest, samples])
        whole = len(sound) // FRAME * FRAME
        self._rest = sound[whole:]
        ended = (self._frame(frame) for frame in sound[:whole].reshape(-1, FRAME))
        return [one for one in ended if one is not None]

    def end(self) -> Samples | None:
        """No more sound comes, for now: what was being said has ended."""
        return self._ended() if self.speaking else None

    def _frame(self, frame: Samples) -> Samples | None:
        level_db = 10 * np.log10(float(np.mean(np.square(frame))) + 1e-10)
        limit_db = max(self._noise_db + _ABOVE_NOISE_DB, _LOUD_ENOUGH_DB)
        if self.speaking:
            limit_db -= _HYSTERESIS_DB
        loud = level_db > limit_db
        if level_db < self._noise_db:
            self._noise_db = level_db
        elif not loud or len(self._frames) > MOST_FRAMES:
            self._noise_db = min(level_db, self._noise_db + _NOISE_RISES_DB)
        self._frames.append(frame)
        if not self.speaking:
            self._loud = self._loud + 1 if loud else 0
            del self._frames[: -(_BEFORE_FRAMES + _BEGIN_FRAMES)]
            self.speaking = self._loud >= _BEGIN_FRAMES
            self._quiet = 0
            return None
        self._loud += loud
        self._quiet = 0 if loud else self._quiet + 1
        if len(self._frames) > 2 * MOST_FRAMES:  # noise, or a speech
            self._noise_db = level_db
            return self._ended()
        return self._ended() if self._quiet >= _END_FRAMES else None

    def _ended(self) -> Samples | None:
        frames, loud, quiet = self._frames, self._loud, self._quiet
        self.speaking, self._frames, self._loud, self._quiet = False, [], 0, 0
        if loud < _LEAST_FRAMES or len(frames) - quiet - _BEFORE_FRAMES > MOST_FRAMES:
            return None
        said: Samples = np.concatenate(frames)
        return said


class WavStream:
    """The samples of a WAV file that is still being written: 8 kHz, 16 bit, mono."""

    def __init__(self) -> None:
        self._head = b""
        self._in_data = False
        self._odd = b""

    def feed(self, data: bytes) -> Samples:
        """ValueError for what is not such a file."""
        if not self._in_data:
            self._head += data
            at = self._head.find(b"data")
            if at < 0 or len(self._head) < at + 8:
                if len(self._head) > 4_096 or not b"RIFF".startswith(self._head[:4]):
                    raise ValueError("not a WAV file")
                return np.empty(0, dtype=np.float32)
            self._in_data = True
            data = self._head[at + 8 :]
        data = self._odd + data
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        samples: Samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(
            32_768
        )
        return samples
