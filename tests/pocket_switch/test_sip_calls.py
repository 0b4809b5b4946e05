"""Real calls by SIP and RTP: callees are SIPp, the switch is a process of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pocket_switch.callees import AGENT_HZ, CALLEE_HZ, Callees
from tests.pocket_switch.pocket import Pocket
from tests.pocket_switch.sound_files import MESSAGE_HZ, sides, tone_ms, write_tone

pytestmark = pytest.mark.switch


@pytest.fixture(autouse=True)
def _leave_no_call(switch: Pocket) -> Iterator[None]:
    """A test that fails must not hold lines that the next one needs."""
    yield
    client = switch.client(listens=False)
    client.api("hupall MANAGER_REQUEST")
    until = time.monotonic() + 5
    while "uuid" in client.api("show channels as json") and time.monotonic() < until:
        time.sleep(0.05)


NO_SCRIPT = "'hangup:NORMAL_CLEARING' inline"


@pytest.mark.parametrize(
    ("callee", "cause", "status"),
    [
        ("busy", "USER_BUSY", "486"),
        ("gone", "UNALLOCATED_NUMBER", "404"),
        ("q850", "UNALLOCATED_NUMBER", "480"),  # the Reason header is believed before the status
        ("moved", "REQUESTED_CHAN_UNAVAIL", ""),  # a redirection is never followed
    ],
)
def test_a_refused_call_names_its_cause(
    switch: Pocket, callees: Callees, callee: str, cause: str, status: str
) -> None:
    client = switch.client()
    leg = client.originate(callees.address(callee), NO_SCRIPT)
    assert client.job(leg) == f"-ERR {cause}\n"
    event = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert event["Hangup-Cause"] == event["variable_hangup_cause"] == cause
    assert event.get("variable_sip_term_status", "") == status
    assert event["Caller-Channel-Answered-Time"] == "0"
    assert (switch.cdr / f"{leg}.cdr.json").exists()


def test_a_callee_who_does_not_answer_is_cancelled(switch: Pocket, callees: Callees) -> None:
    client = switch.client()
    leg = client.originate(callees.address("silent"), NO_SCRIPT, originate_timeout="1")
    assert client.job(leg) == "-ERR NO_ANSWER\n"
    event = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert client.names(leg) == ["CHANNEL_PROGRESS", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"]
    assert event["variable_sip_hangup_disposition"] == "send_cancel"
    assert "variable_sip_term_status" not in event


def test_bad_addresses(switch: Pocket) -> None:
    client = switch.client()
    expected = {
        "sofia/gateway/nowhere/100": "-ERR INVALID_GATEWAY\n",
        "nothing/100": "-ERR CHAN_NOT_IMPLEMENTED\n",
        "sofia/duecall/nobody": "-ERR INVALID_URL\n",
    }
    for target, reply in expected.items():
        leg = client.originate(target, NO_SCRIPT)
        assert client.job(leg) == reply, target


def test_the_callee_hears_the_message_and_the_recording_holds_both(
    switch: Pocket, callees: Callees, message: Path
) -> None:
    """The callee sends back what it hears: the message comes out (right) and in again (left)."""
    client = switch.client()
    wav = switch.recordings / "echo.wav"
    action = f"'record_session:{wav},playback:{message},sleep:300,hangup:' inline"
    leg = client.originate(callees.address("listens", echo=True), action)
    event = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert event["variable_sip_hangup_disposition"] == "send_bye"
    heard, said = sides(wav)
    assert 800 <= tone_ms(said, MESSAGE_HZ) <= 1_050
    assert 800 <= tone_ms(heard, MESSAGE_HZ) <= 1_100
    assert event["variable_record_samples"] == str(len(said))


def test_what_the_callee_says_is_on_the_left(
    switch: Pocket, callees: Callees, message: Path
) -> None:
    client = switch.client()
    wav = switch.recordings / "talks.wav"
    action = f"'record_session:{wav},playback:{message},hangup:' inline"
    leg = client.originate(callees.address("talks"), action)
    client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    heard, said = sides(wav)
    assert tone_ms(heard, CALLEE_HZ) >= 700
    assert tone_ms(said, CALLEE_HZ) == 0


@pytest.mark.parametrize("callee", ["presses-1", "info-1"])
def test_a_key_is_heard_and_the_leg_parks_with_the_result(
    switch: Pocket, callees: Callees, message: Path, callee: str
) -> None:
    """By RFC 2833, and by SIP INFO where telephone-event was not agreed."""
    client = switch.client()
    long_message = "!".join([str(message)] * 4)
    action = f"'python:dialogue file_string://{long_message},park:' inline"
    leg = client.originate(
        callees.address(callee), action, duecall_brief="QUJD", park_timeout="1:ALLOTTED_TIMEOUT"
    )
    parked = client.wait_for("CHANNEL_PARK", leg)
    assert parked["variable_duecall_result"] == "key-1"
    assert "variable_duecall_brief" not in parked
    assert int(parked["variable_playback_ms"]) < 4_000  # the key stopped the message
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert ended["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
    assert ended["variable_duecall_result"] == "key-1"


def test_a_callee_who_hangs_up_ends_the_script_and_leaves_a_record(
    switch: Pocket, callees: Callees, message: Path
) -> None:
    client = switch.client()
    action = f"'python:lingering {message},park:' inline"
    leg = client.originate(callees.address("hangs-up"), action)
    client.wait_for("CHANNEL_HANGUP", leg)
    assert "CHANNEL_HANGUP_COMPLETE" not in client.names(leg)
    assert client.api(f"uuid_exists {leg}") == "true"  # its script still runs
    event = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert event["variable_duecall_result"] == "late-0-''"  # blocking calls returned at once
    assert event["variable_sip_hangup_disposition"] == "recv_bye"
    assert event["variable_proto_specific_hangup_cause"] == "sip:200"
    assert "CHANNEL_PARK" not in client.names(leg)
    record = json.loads((switch.cdr / f"{leg}.cdr.json").read_text())
    assert record["variables"]["duecall_result"] == "late-0-''"
    assert record["variables"]["hangup_cause"] == "NORMAL_CLEARING"


def test_early_media_is_ignored_when_asked(switch: Pocket, callees: Callees) -> None:
    client = switch.client()
    leg = client.originate(callees.address("early"), NO_SCRIPT)
    client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert client.names(leg)[:2] == ["CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER"]


def test_early_media_starts_the_script_when_not_ignored(switch: Pocket, callees: Callees) -> None:
    client = switch.client()
    leg = client.originate(callees.address("stays-early"), NO_SCRIPT, ignore_early_media="false")
    assert client.job(leg) == f"+OK {leg}\n"
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert "CHANNEL_ANSWER" not in client.names(leg)
    assert ended["Caller-Channel-Answered-Time"] == "0"


def test_a_call_is_handed_to_an_agent_in_another_worker(
    switch: Pocket, callees: Callees, folder: Path, message: Path
) -> None:
    """Three calls fill the callee's worker, so the agent's leg lives elsewhere. The recording of
    the callee's leg then holds the music and the agent (right) and the callee (left)."""
    client = switch.client()
    idle = [client.originate(callees.address("listens", echo=True), "&park()") for _ in range(3)]
    for other in idle:
        client.wait_for("CHANNEL_PARK", other)
    wav = switch.recordings / "transfer.wav"
    music = write_tone(folder / "music.wav", 1.0, hertz=550)
    action = f"'record_session:{wav},python:dialogue {message},park:' inline"
    leg = client.originate(callees.address("talks-presses-1"), action, park_timeout="20")
    client.wait_for("CHANNEL_PARK", leg)
    sounds = "!".join([str(music)] * 5)
    assert client.api(f"uuid_broadcast {leg} file_string://{sounds} aleg") == "+OK Message sent\n"
    agent = client.originate(
        f"sofia/duecall/agent@127.0.0.1:{callees.port('agent')}",
        f"&intercept({leg})",
        duecall_callee=leg,
    )
    bridged = client.wait_for("CHANNEL_BRIDGE", agent)
    assert (bridged["Bridge-A-Unique-ID"], bridged["Bridge-B-Unique-ID"]) == (agent, leg)
    assert bridged["Other-Leg-Unique-ID"] == leg
    assert client.job(agent) == f"+OK {agent}\n"
    for one in (agent, leg):  # the agent hangs up, and both legs end
        ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", one)
        assert ended["Hangup-Cause"] == "NORMAL_CLEARING"
        assert (switch.cdr / f"{one}.cdr.json").exists()
    for other in idle:
        assert client.api(f"uuid_kill {other}") == "+OK\n"
        client.wait_for("CHANNEL_HANGUP_COMPLETE", other)
    heard, said = sides(wav)
    assert tone_ms(said, 550) >= 150
    assert tone_ms(said, AGENT_HZ) >= 1_500
    assert tone_ms(heard, CALLEE_HZ) >= 1_500


def test_an_agent_for_a_callee_who_has_gone_is_hung_up(switch: Pocket, callees: Callees) -> None:
    client = switch.client()
    nobody = "6a1b0f7e-0000-4000-8000-000000000000"
    leg = client.originate(callees.address("listens", echo=True), f"&intercept({nobody})")
    assert client.job(leg) == f"+OK {leg}\n"
    client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert "CHANNEL_BRIDGE" not in client.names(leg)


def test_more_calls_than_lines_are_refused(switch: Pocket, callees: Callees) -> None:
    """Two workers of four; the ninth is told what FreeSWITCH tells over its limits."""
    client = switch.client()
    target = callees.address("listens", echo=True)
    legs = [client.originate(target, "&park()") for _ in range(8)]
    for leg in legs:
        client.wait_for("CHANNEL_PARK", leg)
    ninth = client.originate(target, "&park()")
    assert client.job(ninth) == "-ERR DESTINATION_OUT_OF_ORDER\n"
    assert client.api("hupall MANAGER_REQUEST presence_data duecall:test").startswith("+OK")
    for leg in legs:
        ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
        assert ended["Hangup-Cause"] == "MANAGER_REQUEST"


def test_a_trunk_that_is_not_there_is_no_answer_and_holds_a_line_for_a_while(
    switch: Pocket,
) -> None:
    """As on FreeSWITCH the INVITE is repeated after the books are closed. Last in this file: the
    line is free again only after SIP's 32 seconds."""
    client = switch.client()
    leg = client.originate("sofia/duecall/1@127.0.0.1:9", NO_SCRIPT, originate_timeout="1")
    assert client.job(leg) == "-ERR NO_ANSWER\n"
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert ended["Caller-Channel-Progress-Time"] == "0"
