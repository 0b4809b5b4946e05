"""Agents, music, and the ends of calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import agent_leg_id
from duecall.shell.esl_errors import LinkError
from duecall.shell.switch import live_channels
from fs_scripts.contract import KEY, Result
from tests.shell.fake_switch import FakeSwitch, frame
from tests.shell.switch_world import AGENTS, LEG, A, World, call_agent, channel, hung_up
from tests.shell.test_switch_events import recorded


def test_music_and_then_the_agent(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.call_agent(call_agent())
    [line] = fake.wait_for("bgapi originate")
    [music] = fake.lines("api uuid_broadcast")
    assert music.startswith(f"api uuid_broadcast {A} file_string:///") and music.endswith(" aleg")
    assert line.endswith(f"sofia/duecall/anna@127.0.0.1:5090 &intercept({A})")
    fake.tell({"Event-Name": "CHANNEL_BRIDGE", "Unique-ID": LEG, **AGENTS})
    assert here.wait(e.AgentAnswered).attempt_id == A


def test_the_second_agent_finds_the_music_playing(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.call_agent(call_agent(music=False))
    fake.wait_for("bgapi originate")
    assert fake.lines("api uuid_broadcast") == []


def test_the_agents_telephone_stops_when_the_callee_leaves(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.call_agent(call_agent())
    fake.wait_for("bgapi originate")
    fake.tell(hung_up())
    here.wait(e.CallEnded)
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {LEG} ORIGINATOR_CANCEL"]


def test_an_agent_who_talks_is_left_alone(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.call_agent(call_agent())
    fake.wait_for("bgapi originate")
    fake.tell({"Event-Name": "CHANNEL_BRIDGE", "Unique-ID": LEG, **AGENTS}, hung_up())
    here.wait(e.CallEnded)
    gevent.sleep(0.05)
    assert fake.lines("api uuid_kill") == []


def test_late_news_of_one_agent_does_not_hide_the_next(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    """The callee leaves while the second one rings: his telephone must stop."""
    second = agent_leg_id(A, 2)
    here = world().up()
    here.switch.call_agent(call_agent())
    fake.wait_for("bgapi originate")
    here.switch.call_agent(call_agent(leg_id=second, music=False))
    fake.wait_for("bgapi originate", 2)
    fake.tell({"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": LEG, **AGENTS})
    assert here.wait(e.AgentFailed).leg_id == LEG
    fake.tell(hung_up())
    here.wait(e.CallEnded)
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {second} ORIGINATOR_CANCEL"]


def test_music_that_plays_is_not_begun_again(fake: FakeSwitch, world: Callable[..., World]) -> None:
    """Of an earlier life of ours; twice over, it would outlast the wait."""
    fake.existing.add(A)
    here = world().up()
    music = here.switch._calls._music
    dump = {
        **channel("CHANNEL_DATA"),
        "Answer-State": "answered",
        "variable_current_application": "playback",
        "variable_current_application_data": f"file_string://{music}!{music}",
        "variable_duecall_result": Result(A, KEY, action="transfer").encode(),
    }
    fake.answers[f"api uuid_dump {A} json"] = frame("api/response", json.dumps(dump).encode())
    here.switch.ask(A)
    here.wait(e.CallParked)
    here.switch.call_agent(call_agent())
    fake.wait_for("bgapi originate")
    assert fake.lines("api uuid_broadcast") == []


def test_an_agent_without_a_switch(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world()
    here.switch.call_agent(call_agent())
    failed = here.wait(e.AgentFailed)
    assert (failed.attempt_id, failed.leg_id) == (A, LEG)


def test_no_agent_is_said_and_then_ended(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.say_and_hang_up(c.SayAndHangUp(A, ("/s/a.wav", "/s/b.wav")))
    [line] = fake.wait_for("api uuid_transfer")
    assert line == (
        f"api uuid_transfer {A} "
        "'playback:file_string:///s/a.wav!/s/b.wav,hangup:NORMAL_CLEARING' inline"
    )


@pytest.mark.parametrize("sounds", [(), ("bad sound",)])
def test_what_cannot_be_said_still_ends(
    fake: FakeSwitch, world: Callable[..., World], sounds: tuple[str, ...]
) -> None:
    here = world().up()
    here.switch.say_and_hang_up(c.SayAndHangUp(A, sounds))
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {A} NORMAL_CLEARING"]


def test_a_channel_that_is_still_being_made_is_ended_later(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    replies = iter(["-ERR No such channel!\n", "+OK\n"])
    fake.answers["api uuid_kill"] = lambda one: (
        f"Content-Type: api/response\nContent-Length: {len(reply := next(replies))}\n\n{reply}"
    ).encode()
    here = world().up()
    here.switch.hang_up(c.HangUp(A, "ALLOTTED_TIMEOUT"))
    assert fake.wait_for("api uuid_kill", 2) == [f"api uuid_kill {A} ALLOTTED_TIMEOUT"] * 2


def test_a_callee_whose_script_failed_is_not_left_in_silence(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    events = recorded("no-script")
    attempt = events[0]["Unique-ID"]
    fake.tell(*(x for x in events if x["Event-Name"] != "CHANNEL_HANGUP_COMPLETE"))
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {attempt} NORMAL_CLEARING"]
    assert any("no result" in alarm for alarm in here.alarms)


def test_one_bad_event_does_not_end_the_hearing(
    fake: FakeSwitch, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world().up()
    fault = iter([RuntimeError("a fault of ours")])
    hear = here.switch._ears.hear

    def fails_once(*args: Any) -> Any:
        for error in fault:
            raise error
        return hear(*args)

    monkeypatch.setattr(here.switch._ears, "hear", fails_once)
    fake.tell(channel("CHANNEL_ANSWER"), hung_up())
    here.wait(e.CallEnded)
    assert here.kinds() == ["SwitchUp", "CallEnded"]


@pytest.mark.parametrize("reply", ["", "-ERR", "[]", '{"rows": [{}, 1]}', '{"rows": 5}'])
def test_a_list_of_channels_that_is_none(reply: str) -> None:
    with pytest.raises(LinkError):
        live_channels(reply, "duecall:d1")


def test_no_channels_at_all() -> None:
    assert live_channels('{"row_count": 0}', "duecall:d1") == frozenset()
