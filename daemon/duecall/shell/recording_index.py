"""The index of recordings: what was found of each file, for search and for who asks what is gone.

The daemon fills it in a little after each call, together with the ledger (recording_hashes.py).
`duecall recordings check` looks again at files that are there already. An index only: the attempts
and the ledger say what there should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from duecall.shell.call_files import sum_of
from duecall.shell.database import chunks, marks
from duecall.shell.store_answers import Recorded
from duecall.shell.store_parts import StoreParts
from duecall.speech.audio import Samples
from duecall.speech.recognition.recogniser import Side

THERE, MISSING, CHANGED = "there", "missing", "changed"
SIDES: tuple[Side, Side] = ("callee", "us")  # channels of a file, in order: left, right
BLOCK_S = 30
FRAME_MS = 20
HEARD_DBOV = -50.0  # louder frames are sound

ATTEMPT = """SELECT campaign_id, saved_at, daemon FROM attempt
    WHERE lender_id = ? AND id = ? AND recording <> ''"""
KNOWN = "SELECT state, sha256 FROM recording WHERE attempt_id = ?"
INSERT = """INSERT INTO recording (attempt_id, lender_id, campaign_id, name, daemon, at, state,
    sha256, bytes, length_ms, channels, callee_ms, us_ms, looked_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
FOUND_LATE = """UPDATE recording SET state = ?, sha256 = ?, bytes = ?, length_ms = ?, channels = ?,
    callee_ms = ?, us_ms = ?, looked_at = ? WHERE attempt_id = ?"""
LOOKED = "UPDATE recording SET state = ?, looked_at = ? WHERE attempt_id = ?"
LATE = """SELECT r.attempt_id, x.target_id, r.name FROM recording r JOIN attempt x
    ON x.id = r.attempt_id WHERE r.lender_id = ? AND r.state = ? AND r.at > ? AND r.daemon = ?
    ORDER BY r.at LIMIT ?"""


class Look(NamedTuple):
    """What a file is. sha256: hex. size: bytes. length_ms, channels: 0 where it is no sound.
    callee_ms, us_ms: how long there is sound on each side."""

    sha256: str
    size: int
    length_ms: int = 0
    channels: int = 0
    callee_ms: int = 0
    us_ms: int = 0


def look_at(path: Path) -> Look:
    """Read it whole. OSError where it cannot be read."""
    its = sum_of(path)
    try:
        with soundfile.SoundFile(path) as file:
            channels, rate_hz = file.channels, file.samplerate
            heard = [0.0] * channels
            frame = rate_hz * FRAME_MS // 1000
            for block in file.blocks(BLOCK_S * rate_hz, dtype="float32", always_2d=True):
                for channel in range(channels):
                    heard[channel] += _heard_ms(block[:, channel], frame)
            length_ms = len(file) * 1000 // rate_hz
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return Look(its.sha256, its.size)
    callee, us = heard[0], heard[1] if channels > 1 else 0.0
    return Look(its.sha256, its.size, length_ms, channels, round(callee), round(us))


def read_sides(path: Path) -> tuple[dict[Side, Samples], int]:
    """The sound of each side, and its rate in Hz. A mono file is all the callee's. OSError, or
    ValueError where it is no sound."""
    path.stat()  # of a file that is not there, the library only says that it failed
    try:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{path.name} is no sound file: {error}") from None
    return {
        side: np.ascontiguousarray(sound[:, channel])
        for channel, side in zip(range(sound.shape[1]), SIDES, strict=False)
    }, rate_hz


def index(parts: StoreParts, one: Recorded, look: Look | None, at_us: int) -> str:
    """Write down what was found, within the caller's transaction; None: there is no file. The
    state that it has now; empty where the attempt is gone.

    The first hash that is found stays: a file with another one has been changed.
    """
    run = parts.database.run
    values = look or Look("", 0)
    known = run(KNOWN, (one.attempt_id,)).fetchone()
    if known is None:
        state = THERE if look else MISSING
        attempt = run(ATTEMPT, (parts.lender, one.attempt_id)).fetchone()
        if attempt is None:
            return ""
        campaign, saved_at, daemon = attempt
        run(
            INSERT,
            (one.attempt_id, parts.lender, campaign, one.name, daemon, saved_at, state, *values,
             at_us),
        )  # fmt: skip
        return state
    _, sha256 = known
    if look and not sha256:
        run(FOUND_LATE, (THERE, *look, at_us, one.attempt_id))
        return THERE
    state = MISSING if look is None else THERE if look.sha256 == sha256 else CHANGED
    run(LOOKED, (state, at_us, one.attempt_id))
    return state


def late_ones(parts: StoreParts, daemon: str, since_us: int, limit: int) -> list[Recorded]:
    """Of this daemon's calls since then, those whose recordings were not there."""
    values = (parts.lender, MISSING, since_us, daemon, limit)
    return [Recorded(*row) for row in parts.database.run(LATE, values).fetchall()]


def forget_recordings(parts: StoreParts, attempts: Sequence[str]) -> None:
    """Their files are gone: what was found in them goes too, the transcripts among it. Within the
    caller's transaction."""
    for some in chunks(attempts):
        for table in ("transcript", "recording"):
            parts.database.run(f"DELETE FROM {table} WHERE attempt_id IN ({marks(some)})", some)


def _heard_ms(samples: Any, frame: int) -> float:
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.einsum("ij,ij->i", whole, whole) / frame > 10 ** (HEARD_DBOV / 10)
    return float(loud.sum() * FRAME_MS)
