"""A good voice for recognisers: flite's, as a program of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from duecall.speech.audio import RATE_HZ, Samples

FLITE_VOICE = "slt"


def say(text: str, folder: Path, rate_hz: int = RATE_HZ) -> Samples:
    """In English, as a telephone has it, with a little silence around."""
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed: no voice good enough for a recogniser")
    path = folder / "said.wav"
    command = ["flite", "-voice", FLITE_VOICE, "-t", text, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != RATE_HZ:
        sound = soxr.resample(sound, rate, RATE_HZ)
    if rate_hz != RATE_HZ:
        sound = soxr.resample(sound, RATE_HZ, rate_hz)
    quiet = np.zeros(rate_hz // 2, np.float32)
    return np.concatenate((quiet, sound.astype(np.float32) * np.float32(0.6), quiet))


def stereo(path: Path, callee: Samples, us: Samples) -> Path:
    """A recording as the switch writes it: the callee on the left."""
    length = max(callee.size, us.size)
    sides = [np.pad(side, (0, length - side.size)) for side in (callee, us)]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack(sides, axis=1), RATE_HZ, subtype="PCM_16")
    return path
