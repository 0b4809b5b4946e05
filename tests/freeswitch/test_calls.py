"""Calls on the real switch: what the script does, and where its result is found afterwards."""

from __future__ import annotations

from uuid import uuid4

import pytest

from duecall.shell.freeswitch_install import hold_music_path
from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Result, Step
from tests.freeswitch.conftest import Switch
from tests.freeswitch.esl import Esl

pytestmark = pytest.mark.freeswitch


def brief(switch: Switch, *, say_ms: int = 2_000, wait_ms: int = 3_000) -> Brief:
    keys = {
        "1": KeyAction("transfer", (switch.sound("connecting", 200),)),
        "9": KeyAction("opt_out", (switch.sound("removed", 2_000),)),
        "0": KeyAction("repeat"),
    }
    half = switch.sound("half", say_ms // 2)
    step = Step("message", (half, half), say_ms, keys, wait_ms=wait_ms)
    return Brief("attempt", (step,), (switch.sound("goodbye", 200),))


def test_a_whole_call_without_a_key(switch: Switch) -> None:
    leg = switch.start_call(brief(switch, wait_ms=500))
    result, event = switch.ended(leg)
    assert result is not None
    assert (result.ended_by, result.heard_ms) == (contract.COMPLETED, 2_000)
    assert result.talk_ms >= 2_600
    assert event["Hangup-Cause"] == "NORMAL_CLEARING"
    assert "variable_duecall_brief" not in event
    assert Result.decode(switch.record(leg)["variables"]["duecall_result"]) == result


def test_a_key_in_the_message_stops_it(switch: Switch) -> None:
    leg = switch.start_call(brief(switch, say_ms=20_000))
    switch.progress(leg, "step")
    switch.press(leg, "9")
    result = switch.result(leg)
    assert (result.ended_by, result.action) == (contract.KEY, "opt_out")
    assert [key.key for key in result.keys] == ["9"]
    assert result.heard_ms < 20_000


def test_the_opt_out_counts_when_the_callee_hangs_up_in_the_sound_after_it(
    switch: Switch,
) -> None:
    leg = switch.start_call(brief(switch))
    switch.progress(leg, "step")
    switch.press(leg, "9")
    switch.progress(leg, "key")
    assert switch.daemon.api(f"uuid_kill {leg}").startswith("+OK")
    result = switch.result(leg)
    assert (result.ended_by, result.action) == (contract.KEY, "opt_out")


def test_hanging_up_in_the_message(switch: Switch) -> None:
    leg = switch.start_call(brief(switch, say_ms=20_000))
    switch.progress(leg, "step")
    switch.daemon.api(f"uuid_kill {leg}")
    result = switch.result(leg)
    assert result.ended_by == contract.CALLEE_HUNG_UP
    assert result.share_heard < 0.5


def test_a_key_of_the_last_question_does_not_answer_the_next_when_hung_up(switch: Switch) -> None:
    """CoreSession::read gives the old digit once more when the callee is gone."""
    say = (switch.sound("question", 200),)
    keys = {"1": KeyAction("answer", (switch.sound("thanks", 5_000),), "yes")}
    steps = tuple(Step(name, say, 200, keys) for name in ("one", "two"))
    leg = switch.start_call(Brief("attempt", steps))
    switch.progress(leg, "step")
    switch.press(leg, "1")
    switch.progress(leg, "key")
    switch.daemon.api(f"uuid_kill {leg}")
    result = switch.result(leg)
    assert result.answers == {"one": "yes"}
    assert len(result.keys) == 1


def test_keys_before_a_step_are_forgotten(switch: Switch) -> None:
    leg = str(uuid4())
    apps = "sleep:1000,python:fs_scripts.entry,park:"
    switch.daemon.bgapi(
        f"originate {{origination_uuid={leg},duecall_brief={brief(switch).encode()}}}"
        f"null/1 '{apps}' inline"
    )
    switch.daemon.wait_for("CHANNEL_ANSWER", leg)
    switch.press(leg, "9")
    assert switch.result(leg).keys == ()


def test_a_name_with_blanks_is_carried_whole(switch: Switch) -> None:
    leg = str(uuid4())
    variables = f"origination_uuid={leg},origination_caller_id_name=Ngan hang ABC"
    apps = "python:fs_scripts.entry,park:"
    switch.daemon.bgapi(
        f"originate '{{{variables},duecall_brief={brief(switch, wait_ms=1).encode()}}}null/1' "
        f"'{apps}' inline"
    )
    result, event = switch.ended(leg)
    assert result is not None
    assert result.ended_by == contract.COMPLETED
    assert event["variable_origination_caller_id_name"] == "Ngan hang ABC"


def test_a_long_brief_arrives(switch: Switch) -> None:
    part = switch.sound("part", 20)
    step = Step("message", (part,) * 250, 5_000)
    big = Brief("attempt", (step,))
    assert len(big.encode()) > 15_000
    result = switch.result(switch.start_call(big))
    assert (result.ended_by, result.heard_ms) == (contract.COMPLETED, 5_000)


# ---- transfer


def parked(switch: Switch) -> str:
    leg = switch.start_call(brief(switch))
    switch.progress(leg, "step")
    switch.press(leg, "1")
    event = switch.daemon.wait_for("CHANNEL_PARK", leg)
    result = Result.decode(event["variable_duecall_result"])
    assert (result.ended_by, result.action) == (contract.KEY, "transfer")
    return leg


def hold_music(switch: Switch, leg: str) -> None:
    music = switch.folder / "var" / "hold_music.wav"
    reply = switch.daemon.api(f"uuid_broadcast {leg} file_string://{music}!{music} aleg")
    assert reply.startswith("+OK")


def test_transfer_to_an_agent_who_hangs_up(switch: Switch) -> None:
    leg, agent = parked(switch), str(uuid4())
    hold_music(switch, leg)
    switch.daemon.bgapi(f"originate {{origination_uuid={agent}}}null/agent &intercept({leg})")
    bridge = switch.daemon.wait_for("CHANNEL_BRIDGE")
    assert {bridge["Bridge-A-Unique-ID"], bridge["Bridge-B-Unique-ID"]} == {leg, agent}
    switch.daemon.api(f"uuid_kill {agent}")
    assert switch.result(leg).action == "transfer"
    for each in (leg, agent):
        switch.daemon.wait_for("CHANNEL_HANGUP_COMPLETE", each)
        assert switch.record(each)["variables"]["uuid"] == each


def test_no_agent_is_said_over_the_music_and_ends_the_call(switch: Switch) -> None:
    leg = parked(switch)
    hold_music(switch, leg)
    sorry = switch.sound("sorry", 300)
    apps = f"playback:file_string://{sorry}!{sorry},hangup:NORMAL_CLEARING"
    reply = switch.daemon.api(f"uuid_transfer {leg} '{apps}' inline")
    assert reply.startswith("+OK")
    result, event = switch.ended(leg)
    assert result is not None
    assert result.action == "transfer"
    assert event["Hangup-Cause"] == "NORMAL_CLEARING"


def test_a_parked_leg_ends_by_itself_when_nobody_cares(switch: Switch) -> None:
    short = switch.sound("music", 1_500)
    leg = str(uuid4())
    switch.daemon.bgapi(
        f"originate {{origination_uuid={leg},park_timeout=1:ALLOTTED_TIMEOUT}}null/1 'park:' inline"
    )
    switch.daemon.wait_for("CHANNEL_PARK", leg)
    switch.daemon.api(f"uuid_broadcast {leg} {short} aleg")
    assert switch.ended(leg)[1]["Hangup-Cause"] == "ALLOTTED_TIMEOUT"


def test_a_hold_melody_was_made(switch: Switch, site: object) -> None:
    import wave

    path = hold_music_path(site, switch.folder)  # type: ignore[arg-type]
    with wave.open(str(path)) as music:
        assert (music.getframerate(), music.getnchannels()) == (8000, 1)
        samples = music.readframes(music.getnframes())
    loudest = max(
        abs(int.from_bytes(samples[i : i + 2], "little", signed=True))
        for i in range(0, len(samples), 2)
    )
    assert 1_000 < loudest < 16_000  # to be heard, and not to startle


# ---- many at once


def test_calls_at_the_same_time_keep_their_results_apart(switch: Switch) -> None:
    """One interpreter runs them all."""
    step = brief(switch).steps[0]
    legs = [switch.start_call(Brief(f"attempt-{n}", (step,))) for n in range(20)]
    for n, leg in enumerate(legs):
        switch.progress(leg, "step")
        if n % 2:
            switch.press(leg, "9")
    for n, leg in enumerate(legs):
        result = switch.result(leg)
        assert result.attempt_id == f"attempt-{n}"
        assert result.action == ("opt_out" if n % 2 else "")


def test_no_session_is_leaked(switch: Switch) -> None:
    legs = [switch.start_call(brief(switch)) for _ in range(5)]
    for leg in legs:
        switch.progress(leg, "step")
        switch.daemon.api(f"uuid_kill {leg}")
        switch.ended(leg)
    with Esl(switch.esl_port, "auth for-tests-only-0123456789") as link:
        for _ in range(100):
            if link.api("status").split("session(s) - peak")[0].rsplit("\n", 1)[-1].strip() == "0":
                return
    raise AssertionError(switch.daemon.api("status"))
