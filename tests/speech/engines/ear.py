"""What can be measured of a voice without a listener."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import psutil

from duecall.speech import audio
from duecall.speech.audio import Samples
from duecall.speech.engine import Engine


def heard(engine: Engine, text: str) -> Samples:
    """As it comes over the telephone: 8 kHz, trimmed, at the level of speech."""
    return audio.telephone(*engine.synthesize(text))


def seconds(sound: Samples) -> float:
    return len(sound) / audio.RATE_HZ


def assert_speech(engine: Engine, text: str, words: int, pace_s: tuple[float, float]) -> Samples:
    """Speech of a plausible length, at its level, in the telephone's band, with syllables.

    words: of the text; characters, for Chinese. pace_s: shortest and longest time for one.
    """
    sound = heard(engine, text)
    length = seconds(sound) / words
    assert pace_s[0] <= length <= pace_s[1], (text, length)
    assert abs(audio.active_level_dbov(sound) - audio.LEVEL_DBOV) < 2, text
    assert np.abs(sound).max() <= audio.PEAK_MAX + 0.01
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / audio.RATE_HZ)
    assert power[(hz > 80) & (hz < 3_600)].sum() > 0.95 * power.sum(), text
    # A voice goes up and down with its syllables, and has tones: noise and hum do not.
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160).std(axis=1)
    assert frames.std() > 0.25 * frames.mean(), text
    voiced = np.mean([_pitched(frame) for frame in _frames(sound)])
    assert voiced > 0.3, (text, voiced)
    return sound


def all_different(sounds: Sequence[Samples]) -> bool:
    return len({sound.tobytes() for sound in sounds}) == len(sounds)


@contextmanager
def killed(name: str) -> Iterator[list[int]]:
    """Kills our children's children of this name; their process ids."""
    found = [
        process
        for process in psutil.Process().children(recursive=True)
        if name in _command_of(process)
    ]
    for process in found:
        process.kill()
    yield [process.pid for process in found]


def _command_of(process: psutil.Process) -> str:
    """Its first words; empty where it has ended."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline()[:3])
    return ""


def _frames(sound: Samples) -> list[Samples]:
    """40 ms each, those that are loud."""
    cut = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    loud = cut.std(axis=1)
    return list(cut[loud > 0.5 * loud.max()])


def _pitched(frame: Samples) -> bool:
    """Whether it repeats itself between 60 and 400 times a second."""
    centred = frame - frame.mean()
    again = np.correlate(centred, centred, "full")[len(frame) - 1 :]
    return bool(again[20:134].max() > 0.4 * again[0])
