"""Spoken answers on the real switch: its recording, its keys, a listener that does as it is told.

The line says nothing (silence); what was "heard" is decided by the listener of the test.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Step
from tests.freeswitch.conftest import Switch
from tests.fs_scripts import scripted_listener as by
from tests.fs_scripts.scripted_listener import Behaviour, ScriptedListener

pytestmark = pytest.mark.freeswitch
SECOND = 16_000  # bytes of 8 kHz, 16 bit


def brief(switch: Switch, listener: str, *, wait_ms: int = 3_000, repeats: int = 0) -> Brief:
    keys = {
        "1": KeyAction("promise", (switch.sound("thanks", 200),)),
        "2": KeyAction("hang_up"),
    }
    step = Step(
        "message", (switch.sound("debt", 400),), 400, keys, wait_ms=wait_ms, repeats=repeats,
        spoken={"yes": "1", "no": "2"},
    )  # fmt: skip
    return Brief("attempt", (step,), (switch.sound("goodbye", 200),), "en", listener=listener)


def listening(folder: Path, behaviour: Behaviour) -> ScriptedListener:
    return ScriptedListener(folder / "listening", behaviour)


def nothing_left(listener: ScriptedListener) -> bool:
    return os.listdir(os.path.dirname(listener.path)) in (["socket"], [])


def test_a_word_does_what_its_key_does(switch: Switch, tmp_path: Path) -> None:
    with listening(tmp_path, by.hears("yes", 0.83)) as listener:
        result = switch.result(switch.start_call(brief(switch, listener.path)))
    assert (result.ended_by, result.action) == (contract.KEY, "promise")
    press = result.keys[0]
    assert (press.key, press.spoken, press.sureness) == ("1", "yes", 0.83)
    assert result.talk_ms < 3_000
    assert listener.asked == [{"language": "en", "words": ["yes", "no"]}]
    assert listener.talks[0].sound.startswith(b"RIFF")
    assert nothing_left(listener)


def test_the_sound_comes_as_it_is_said(switch: Switch, tmp_path: Path) -> None:
    """Two seconds of waiting are two seconds of sound, of the callee's side alone."""
    with listening(tmp_path, by.hears_nothing) as listener:
        leg = switch.start_call(brief(switch, listener.path, wait_ms=2_000))
        result = switch.result(leg)
    assert result.ended_by == contract.COMPLETED
    assert 1.6 * SECOND < len(listener.talks[0].sound) < 2.6 * SECOND
    assert int.from_bytes(listener.talks[0].sound[22:24], "little") == 1  # one channel
    assert int.from_bytes(listener.talks[0].sound[24:28], "little") == 8_000
    assert nothing_left(listener)


def test_a_key_is_heard_while_words_are_listened_for(switch: Switch, tmp_path: Path) -> None:
    with listening(tmp_path, by.speaks_on_and_on) as listener:
        leg = switch.start_call(brief(switch, listener.path, wait_ms=20_000))
        switch.progress(leg, "step")
        time.sleep(1.5)
        pressed = time.monotonic()
        switch.press(leg, "2")
        result = switch.result(leg)
    assert time.monotonic() - pressed < 1.0
    assert (result.action, result.keys[0].key, result.keys[0].spoken) == ("hang_up", "2", "")
    assert nothing_left(listener)


def test_a_key_without_meaning_is_told_apart(switch: Switch, tmp_path: Path) -> None:
    with listening(tmp_path, by.hears_nothing) as listener:
        leg = switch.start_call(brief(switch, listener.path))
        switch.progress(leg, "step")
        time.sleep(1.0)
        switch.press(leg, "#")
        result = switch.result(leg)
    assert [(key.key, key.meant) for key in result.keys] == [("#", False)]


@pytest.mark.parametrize(
    "behaviour",
    [by.dies_at_once, by.talks_rubbish, by.hears(""), by.hears_nothing, by.takes_nothing],
    ids=["dies", "rubbish", "unsure", "silent", "stuck"],
)
def test_without_a_word_the_keys_work_as_ever(
    switch: Switch, tmp_path: Path, behaviour: Behaviour
) -> None:
    with listening(tmp_path, behaviour) as listener:
        leg = switch.start_call(brief(switch, listener.path, wait_ms=2_500))
        switch.progress(leg, "step")
        time.sleep(2.0)
        switch.press(leg, "1")
        result = switch.result(leg)
        assert result.action == "promise"
        assert nothing_left(listener)
        leg = switch.start_call(brief(switch, listener.path, wait_ms=1_000))
        assert switch.result(leg).ended_by == contract.COMPLETED


def test_no_listener_at_all(switch: Switch, tmp_path: Path) -> None:
    leg = switch.start_call(brief(switch, str(tmp_path / "nobody"), wait_ms=1_000))
    result = switch.result(leg)
    assert result.ended_by == contract.COMPLETED
    assert 1_500 < result.talk_ms < 3_000


def test_the_listener_is_killed_in_the_middle(switch: Switch, tmp_path: Path) -> None:
    with listening(tmp_path, by.speaks_on_and_on) as listener:
        leg = switch.start_call(brief(switch, listener.path, wait_ms=4_000))
        switch.progress(leg, "step")
        time.sleep(1.0)
        listener.die()
        time.sleep(1.0)
        switch.press(leg, "1")
        assert switch.result(leg).action == "promise"


def test_hanging_up_while_listened_to(switch: Switch, tmp_path: Path) -> None:
    with listening(tmp_path, by.speaks_on_and_on) as listener:
        leg = switch.start_call(brief(switch, listener.path, wait_ms=20_000))
        switch.progress(leg, "step")
        time.sleep(1.5)
        switch.daemon.api(f"uuid_kill {leg}")
        result = switch.result(leg)
    assert (result.ended_by, result.share_heard) == (contract.CALLEE_HUNG_UP, 1.0)
    assert nothing_left(listener)


def test_beside_a_recording_of_the_whole_call(switch: Switch, tmp_path: Path) -> None:
    """The callee's side alone for the listener, both sides in the recording, to the end."""
    import wave

    whole = tmp_path / "whole.wav"
    with listening(tmp_path, by.hears_nothing) as listener:
        apps = f"record_session:{whole},python:fs_scripts.entry,park:"
        leg = switch.start_call(
            brief(switch, listener.path, wait_ms=1_500), apps=apps, more="RECORD_STEREO=true,"
        )
        _, event = switch.ended(leg)
    assert event["variable_RECORD_STEREO"] == "true"
    assert "variable_RECORD_READ_ONLY" not in event
    assert int.from_bytes(listener.talks[0].sound[22:24], "little") == 1
    with wave.open(str(whole)) as recording:
        assert recording.getnchannels() == 2
        assert recording.getnframes() > 8_000 * 1.9


def test_many_callees_at_the_same_time(switch: Switch, tmp_path: Path) -> None:
    """Each is heard by itself, and nothing is left on the disk."""
    with listening(tmp_path, by.hears("no", 0.7, after=6_000)) as listener:
        what = brief(switch, listener.path, wait_ms=10_000)
        legs = [switch.start_call(replace(what, attempt_id=f"attempt-{n}")) for n in range(30)]
        results = [switch.result(leg) for leg in legs]
    heard = Counter((r.action, *(k.spoken for k in r.keys)) for r in results)
    assert heard == {("hang_up", "no"): 30}, [len(talk.sound) for talk in listener.talks]
    assert len(listener.asked) == 30
    assert nothing_left(listener)
