"""Null lines: scripts at full length without a phone, on any Python."""

from __future__ import annotations

import json
import time

from tests.pocket_switch.client import Client
from tests.pocket_switch.pocket import PASSWORD, Pocket


def test_the_script_runs_and_its_result_comes_by_event_and_by_record(null_switch: Pocket) -> None:
    client = null_switch.client()
    message = null_switch.folder / "message.wav"
    leg = client.originate("null/100", f"'python:dialogue {message},park:' inline")
    assert client.job(leg) == f"+OK {leg}\n"
    event = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert event["variable_duecall_result"] == "key-"
    assert event["variable_playback_ms"] == "1000"
    # 1 s of message and 1.5 s of waiting for a key, told by the switch's own clock.
    length_us = int(event["Caller-Channel-Hangup-Time"]) - int(
        event["Caller-Channel-Answered-Time"]
    )
    assert length_us >= 2_500_000
    record = json.loads((null_switch.cdr / f"{leg}.cdr.json").read_text())
    assert record["variables"]["duecall_result"] == "key-"
    progress = client.wait(lambda e: e["Event-Name"] == "CUSTOM" and e["Unique-ID"] == leg)
    assert progress["Event-Subclass"] == "duecall::progress"


def test_a_key_sent_in_stops_the_message(null_switch: Pocket) -> None:
    client = null_switch.client()
    sounds = "!".join([str(null_switch.folder / "message.wav")] * 20)
    leg = client.originate("null/100", f"'python:dialogue file_string://{sounds},park:' inline")
    client.wait(lambda e: e["Event-Name"] == "CUSTOM" and e["Unique-ID"] == leg)
    assert client.api(f"uuid_recv_dtmf {leg} 1") == "+OK\n"
    parked = client.wait_for("CHANNEL_PARK", leg)
    assert parked["variable_duecall_result"] == "key-1"
    assert client.api(f"uuid_kill {leg} ORIGINATOR_CANCEL") == "+OK\n"
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert ended["Hangup-Cause"] == "ORIGINATOR_CANCEL"
    assert ended["variable_digits_dialed"] == "1"


def test_no_agent_says_so_and_hangs_up(null_switch: Pocket) -> None:
    client = null_switch.client()
    message = null_switch.folder / "message.wav"
    leg = client.originate("null/100", "&park()", duecall_result="kept")
    client.wait_for("CHANNEL_PARK", leg)
    music = f"uuid_broadcast {leg} local_stream://moh aleg"
    assert client.api(music) == "+OK Message sent\n"
    say = f"uuid_transfer {leg} 'playback:file_string://{message},hangup:NORMAL_CLEARING' inline"
    assert client.api(say) == "+OK\n"
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert ended["variable_duecall_result"] == "kept"
    assert ended["variable_playback_ms"] == "1000"
    assert ended["Hangup-Cause"] == "NORMAL_CLEARING"


def test_park_time_is_up_with_the_cause_asked_for(null_switch: Pocket) -> None:
    client = null_switch.client()
    leg = client.originate("null/100", "&park()", park_timeout="1:ALLOTTED_TIMEOUT")
    assert "variable_park_timeout" not in client.wait_for("CHANNEL_PARK", leg)
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    assert ended["Hangup-Cause"] == "ALLOTTED_TIMEOUT"


def test_a_script_that_is_not_there_goes_on_to_the_next_application(null_switch: Pocket) -> None:
    client = null_switch.client()
    leg = client.originate("null/100", "'python:nothing_of_that_name,park:' inline")
    parked = client.wait_for("CHANNEL_PARK", leg)
    assert "variable_duecall_result" not in parked
    client.api(f"uuid_kill {leg}")


def test_a_uuid_is_used_once_at_a_time(null_switch: Pocket) -> None:
    client = null_switch.client()
    leg = client.originate("null/100", "&park()")
    client.wait_for("CHANNEL_PARK", leg)
    again = client.api(f"originate {{origination_uuid={leg}}}null/100 &park()")
    assert again == "-ERR DESTINATION_OUT_OF_ORDER\n"
    client.api(f"uuid_kill {leg}")
    client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)


def test_a_leg_can_be_looked_at_while_it_lives(null_switch: Pocket) -> None:
    client = null_switch.client()
    leg = client.originate("null/4711", "&park()", presence_data="duecall:looked-at")
    client.wait_for("CHANNEL_PARK", leg)
    assert client.api(f"uuid_exists {leg}") == "true"
    assert client.api(f"uuid_setvar {leg} colour blue") == "+OK\n"
    dump = json.loads(client.api(f"uuid_dump {leg} json"))
    assert (dump["Unique-ID"], dump["variable_colour"]) == (leg, "blue")
    assert dump["Event-Name"] == "CHANNEL_DATA"
    shown = json.loads(client.api("show channels like duecall:looked-at as json"))
    assert [row["uuid"] for row in shown["rows"]] == [leg]
    assert shown["rows"][0]["presence_data"] == "duecall:looked-at"
    assert client.api("hupall MANAGER_REQUEST presence_data duecall:looked-at").startswith("+OK")
    assert client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)["Hangup-Cause"] == "MANAGER_REQUEST"


def test_more_sessions_than_allowed_are_refused(null_switch: Pocket) -> None:
    client = null_switch.client()
    assert client.api("fsctl max_sessions") == "+OK max sessions: 60\n"
    many = "duecall:many"
    legs = [client.originate("null/1", "&park()", presence_data=many) for _ in range(61)]
    try:
        replies = {leg: client.job(leg) for leg in legs}
    finally:
        client.api(f"hupall MANAGER_REQUEST presence_data {many}")
    refused = [leg for leg, reply in replies.items() if reply != f"+OK {leg}\n"]
    assert [replies[leg] for leg in refused] == ["-ERR DESTINATION_OUT_OF_ORDER\n"]
    assert client.names(refused[0]) == []  # no channel ever was
    for leg in set(legs) - set(refused):
        client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)


def test_calls_faster_than_allowed_are_refused(null_switch: Pocket) -> None:
    client = null_switch.client()
    time.sleep(1.0)  # the calls of this second are counted already
    assert client.api("fsctl sps 3") == "+OK sessions per second: 3\n"
    try:
        legs = [client.originate("null/100", "'hangup:' inline") for _ in range(12)]
        replies = [client.job(leg) for leg in legs]
    finally:
        client.api("fsctl sps 500")
    assert "-ERR DESTINATION_OUT_OF_ORDER\n" in replies
    assert any(reply.startswith("+OK") for reply in replies)


def test_it_says_what_it_is(null_switch: Pocket) -> None:
    client = null_switch.client()
    assert client.api("version") == "Duecall pocket switch 0.1 (stands in for FreeSWITCH)\n"
    assert "pocket switch" in client.api("global_getvar switchname")
    assert "pocket switch" in client.api("status")
    assert "NOT FreeSWITCH" in null_switch.log.read_text()
    beat = client.wait(lambda e: e["Event-Name"] == "HEARTBEAT", seconds=60)
    assert beat["Switch-Kind"] == "pocket"
    assert beat["Core-UUID"] == client.api("global_getvar core_uuid")


def test_small_answers_are_freeswitchs(null_switch: Pocket) -> None:
    client = null_switch.client()
    unknown = "11111111-1111-1111-1111-111111111111"
    answers = {
        f"uuid_exists {unknown}": "false",
        f"uuid_kill {unknown}": "-ERR No such channel!\n",
        f"uuid_dump {unknown} json": "-ERR No such channel!\n",
        f"uuid_broadcast {unknown} /x.wav aleg": "-ERR invalid uuid\n",
        f"uuid_transfer {unknown} 'hangup:' inline": "-ERR No such channel!\n",
        f"uuid_setvar {unknown} a b": "-ERR No such channel!\n",
        "show channels like nobody as json": '{"row_count": 0}\n',
        "global_getvar nothing": "-ERR no reply\n",
        "module_exists mod_python3": "true",
        "module_exists mod_nothing": "false",
        "fsctl pause_check": "false",
        "sofia status gateway nowhere": "Invalid Gateway!\n",
        "nothing a": "-ERR nothing Command not found!\n",
    }
    assert {command: client.api(command) for command in answers} == answers


def test_who_has_the_wrong_password_is_sent_away(null_switch: Pocket) -> None:
    for login in ("auth wrong", "userauth duecall@duecall:wrong", f"userauth x@duecall:{PASSWORD}"):
        client = Client(null_switch.port, login)
        assert client.greeting == "-ERR invalid"
        assert client.closed.wait(5)
    assert Client(null_switch.port, f"auth {PASSWORD}").greeting == "+OK accepted"


def test_filters_let_through_what_any_of_them_names(null_switch: Pocket) -> None:
    client = null_switch.client()
    client.command("filter Channel-Presence-Data duecall:mine")
    client.command("filter Job-Command originate")
    other = client.originate("null/100", "'hangup:' inline", presence_data="duecall:other")
    mine = client.originate("null/100", "'hangup:' inline", presence_data="duecall:mine")
    client.wait_for("CHANNEL_HANGUP_COMPLETE", mine)
    assert client.job(other).startswith(("+OK", "-ERR"))
    time.sleep(0.2)
    assert client.names(other) == []


def test_an_orderly_stop_ends_calls_and_says_good_bye(tmp_path_factory, null_switch) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("stopped")
    with Pocket(folder, "--workers", "0") as switch:
        client = switch.client()
        leg = client.originate("null/100", "&park()")
        client.wait_for("CHANNEL_PARK", leg)
    assert client.wait(lambda e: e["Event-Name"] == "SHUTDOWN")
    assert client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)["Hangup-Cause"] == "SYSTEM_SHUTDOWN"
    assert client.closed.wait(5)
