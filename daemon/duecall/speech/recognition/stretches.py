"""Where somebody speaks in a sound: what a recogniser is given, piece by piece."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from duecall.speech.audio import Samples

FRAME_MS = 20
QUIETEST_DBOV = -55.0  # below it nobody is understood
STEADY_DBOV = -40.0  # below it, what never changes is the line's noise
OVER_NOISE_DB = 9.0  # speech stands out of the line's own noise by so much
UNDER_LOUD_DB = 30.0  # and is not much softer than the loudest
SHORTEST_MS = 100  # of loud frames; less is a click
PAUSE_MS = 600  # a longer one parts two stretches
KEPT_MS = 240  # of silence at both ends: soft consonants, and what recognisers start from
LONGEST_MS = 20_000


def stretches(samples: Samples, rate_hz: int) -> list[tuple[int, int]]:
    """(first sample, sample behind the last) of each stretch of speech, in order; mono samples.

    A stretch is LONGEST_MS at most: a longer one is cut where it is softest.
    """
    size = rate_hz * FRAME_MS // 1000
    loud = loud_frames(samples, rate_hz)
    found: list[tuple[int, int]] = []
    for frame in np.flatnonzero(loud):
        at = int(frame)
        if found and at - found[-1][1] < PAUSE_MS // FRAME_MS:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    enough = SHORTEST_MS // FRAME_MS
    found = [(a, b) for a, b in found if loud[a:b].sum() >= enough]
    pieces = [piece for span in found for piece in _cut(span, samples, size)]
    kept = KEPT_MS // FRAME_MS
    return [(max(0, (a - kept) * size), min(samples.size, (b + kept) * size)) for a, b in pieces]


def loud_frames(samples: Samples, rate_hz: int) -> npt.NDArray[np.bool_]:
    """Of each whole frame of FRAME_MS, whether it may be speech."""
    power = _powers(samples, rate_hz * FRAME_MS // 1000)
    if not power.size:
        return np.zeros(0, np.bool_)
    decibel = 10 * np.log10(np.maximum(power, 1e-12))
    noise, loudest = np.percentile(decibel, 10), np.percentile(decibel, 99)
    if loudest - noise < OVER_NOISE_DB and loudest < STEADY_DBOV:
        return np.zeros(power.size, np.bool_)
    # Where all of it is speech, the softest tenth is no noise.
    floor = min(noise + OVER_NOISE_DB, loudest - OVER_NOISE_DB)
    return np.asarray(decibel > max(QUIETEST_DBOV, floor, loudest - UNDER_LOUD_DB), np.bool_)


def _powers(samples: Samples, size: int) -> npt.NDArray[np.float64]:
    whole = samples[: samples.size // size * size].astype(np.float64)
    powers: npt.NDArray[np.float64] = (whole.reshape(-1, size) ** 2).mean(axis=1)
    return powers


def _cut(span: tuple[int, int], samples: Samples, size: int) -> list[tuple[int, int]]:
    longest = LONGEST_MS // FRAME_MS
    first, end = span
    pieces = []
    while end - first > longest:
        half = first + longest // 2
        softest = int(np.argmin(_powers(samples[half * size : (first + longest) * size], size)))
        pieces.append((first, half + softest + 1))
        first = half + softest + 1
    return [*pieces, (first, end)]
