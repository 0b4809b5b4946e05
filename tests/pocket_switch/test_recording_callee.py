"""A recording for somebody who listens while it grows: the callee's side alone, at once."""

from __future__ import annotations

import os
from pathlib import Path

from pocket_switch.media import RealMedia
from pocket_switch.recording import Recorder
from pocket_switch.sounds import FRAME_BYTES

HEADER = 44


def frame(value: int) -> bytes:
    return value.to_bytes(2, "little", signed=True) * (FRAME_BYTES // 2)


def test_each_frame_of_the_callee_is_there_at_once_and_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.wav"
    recorder = Recorder(str(path), True, callee_only=True, at_once=True)
    for count in range(1, 4):
        recorder.say(frame(-5))
        recorder.hear(frame(7))
        data = path.read_bytes()
        assert data[HEADER:] == frame(7) * count
        assert data[22] == 1  # one channel, whatever was asked for
    assert recorder.recorded_ms == 60
    assert recorder.close() == HEADER + 3 * FRAME_BYTES


def test_it_may_lose_its_name_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recorder = Recorder(str(path), False, callee_only=True, at_once=True)
    with path.open("rb") as reader:
        os.unlink(path)
        recorder.hear(frame(1))
        assert len(reader.read()) == HEADER + FRAME_BYTES
    assert recorder.close() == 0
    assert not path.exists()


def test_a_recorder_that_was_stopped_hears_no_more(tmp_path: Path) -> None:
    media = RealMedia()
    stopped = Recorder(str(tmp_path / "a.wav"), False, callee_only=True, at_once=True)
    other = Recorder(str(tmp_path / "b.wav"), False, callee_only=True, at_once=True)
    media.record(stopped)
    media.record(other)
    media.forget(stopped)
    media.hear(frame(1))
    assert (stopped.recorded_ms, other.recorded_ms) == (0, 20)
    media.forget(other)
    assert not media.listening
