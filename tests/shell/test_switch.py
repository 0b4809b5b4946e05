"""The supervisor over a switch that drops links, is late, forgets, or is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, agent_leg_id, attempt_id
from duecall.core.outcome import LOST, NOT_SENT, Ending, Outcome, judge
from duecall.shell import switch as switch_module
from duecall.shell.clock import now
from duecall.shell.esl_errors import LinkError
from duecall.shell.switch import Switch, live_channels
from tests.core.building import NOON_IN_HANOI, site, target
from tests.shell.fake_switch import PASSWORD, FakeSwitch, Received, ok
from tests.shell.test_switch_events import recorded

A, B = (attempt_id("bank", "overdue", "HD-1", number) for number in (1, 2))
LEG = agent_leg_id(A, 1)
OURS = {"Channel-Presence-Data": "duecall:d1"}
AGENTS = {"Channel-Presence-Data": "duecall:d1:agent", "variable_duecall_callee": A}


def originate(attempt: str = A, **changes: Any) -> c.Originate:
    command = c.Originate(
        attempt=Attempt(attempt, 1, target(), NOON_IN_HANOI),
        trunk="demo",
        caller_id="842412345678",
        caller_name="",
        ring_s=30,
        max_call_s=300,
        record=False,
        transfer_wait_s=60,
    )
    return replace(command, **changes)


def call_agent(**changes: Any) -> c.CallAgent:
    command = c.CallAgent(A, LEG, "sip:anna@127.0.0.1:5090", 20, "842412345678", music=True)
    return replace(command, **changes)


def job(leg: str, body: str, line: str = "{presence_data=duecall:d1,x=y}z") -> dict[str, str]:
    return {
        "Event-Name": "BACKGROUND_JOB",
        "Job-UUID": leg,
        "Job-Command": "originate",
        "Job-Command-Arg": line,
        "_body": body,
    }


def channel(name: str, leg: str = A, **headers: str) -> dict[str, str]:
    return {"Event-Name": name, "Unique-ID": leg, **OURS, **headers}


def hung_up(leg: str = A, cause: str = "USER_BUSY", **headers: str) -> dict[str, str]:
    return channel("CHANNEL_HANGUP_COMPLETE", leg, variable_hangup_cause=cause, **headers)


class World:
    """A Switch on a FakeSwitch, and all that it told."""

    def __init__(self, fake: FakeSwitch, folder: Path, **options: Any) -> None:
        self.fake = fake
        self.told: list[e.Event] = []
        self.alarms: list[str] = []
        self.records: dict[str, Ending] = {}
        self._news = gevent.event.Event()
        settings = {"port": fake.port, "command_links": options.pop("command_links", 1)}
        options.setdefault("grace_s", 0.1)
        options.setdefault("backoff_s", (0.01, 0.05))
        self.switch = Switch(
            site(switch=settings),
            "d1",
            self.tell,
            now,
            options.pop("password", PASSWORD),
            folder,
            find_ending=lambda attempt: self.records.get(attempt),
            on_alarm=lambda alarm: self.alarms.append(alarm.what),
            **options,
        )

    def tell(self, event: e.Event) -> None:
        self.told.append(event)
        self._news.set()

    def wait(self, kind: type[e.Event], count: int = 1) -> Any:
        """The count-th event of that kind."""
        with gevent.Timeout(20, AssertionError(f"no {kind.__name__}: {self.told}")):
            while sum(isinstance(one, kind) for one in self.told) < count:
                self._news.clear()
                self._news.wait()
        return [one for one in self.told if isinstance(one, kind)][count - 1]

    def up(self) -> World:
        self.switch.start()
        self.wait(e.SwitchUp)
        return self

    def kinds(self) -> list[str]:
        return [type(one).__name__ for one in self.told]


@pytest.fixture
def fake() -> Iterator[FakeSwitch]:
    made = FakeSwitch()
    yield made
    made.shut()


@pytest.fixture
def world(
    fake: FakeSwitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., World]]:
    monkeypatch.setattr(switch_module, "SETTLE_S", 0.02)  # the fake's list does not lag
    made: list[World] = []

    def build(**options: Any) -> World:
        made.append(World(fake, tmp_path, **options))
        return made[-1]

    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield build
    for one in made:
        one.switch.stop()


# ---- coming and going


def test_what_is_asked_at_the_start(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.channels = [
        {"uuid": A, "presence_data": "duecall:d1"},
        {"uuid": LEG, "presence_data": "duecall:d1:agent"},
        {"uuid": B, "presence_data": "duecall:d11"},  # another daemon's; `like` finds it too
    ]
    up = world().up().wait(e.SwitchUp)
    assert (up.live, up.same_switch) == (frozenset({A}), True)
    subscribed = fake.received.index(Received(fake.lines("event")[0]))
    asked = fake.received.index(Received(fake.lines("api show")[0]))
    filters = [fake.received.index(Received(line)) for line in fake.lines("filter")]
    assert max(filters) < subscribed < asked
    assert fake.lines("event")[0].endswith("SHUTDOWN CUSTOM duecall::progress")


def test_events_meanwhile_come_after_switch_up(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    def show(command: Received) -> None:
        fake.tell(hung_up())
        fake.answers.pop("api show")
        return

    fake.answers["api show"] = lambda one: (show(one), fake._reply(None, one))[1]
    here = world()
    here.up().wait(e.CallEnded)
    assert here.kinds() == ["SwitchUp", "CallEnded"]


def test_a_loss_is_told_and_mended(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world(command_links=2).up()
    assert fake.connections == 3
    fake.tell(channel("CHANNEL_ANSWER"))
    here.wait(e.CallAnswered)
    fake.hang_up_on_all()
    again = here.wait(e.SwitchUp, 2)
    assert again.same_switch
    assert here.kinds() == ["SwitchUp", "CallAnswered", "SwitchDown", "SwitchUp"]
    assert fake.connections == 6


def test_one_lost_command_link_is_a_loss(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    fake.peers[-1].close()
    here.wait(e.SwitchUp, 2)
    assert here.kinds() == ["SwitchUp", "SwitchDown", "SwitchUp"]
    assert here.alarms == ["the switch is not there"]


def test_what_was_heard_before_the_loss_is_told_before_it(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    many = [attempt_id("bank", "overdue", "HD-2", number) for number in range(300)]
    fake.tell(*(hung_up(one) for one in many))
    fake.hang_up_on_all()
    here.wait(e.SwitchUp, 2)
    assert here.kinds() == ["SwitchUp", *["CallEnded"] * 300, "SwitchDown", "SwitchUp"]


def test_another_switch_is_noticed(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    fake.core_uuid = "another"
    fake.hang_up_on_all()
    assert not here.wait(e.SwitchUp, 2).same_switch
    assert here.switch.core_uuid == "another"


def test_why_it_is_not_there_is_told_once(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world(password="wrong")
    here.switch.start()
    down = here.wait(e.SwitchDown)
    assert "DUECALL_ESL_PASSWORD" in down.reason and "wrong" not in down.reason
    fake.wait_for("userauth", 4)
    assert here.kinds() == ["SwitchDown"]
    assert not here.switch.up


def test_it_comes_up_when_the_switch_does(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["api show"] = ok("-ERR permission denied")
    here = world()
    here.switch.start()
    assert "show" in here.wait(e.SwitchDown).reason
    fake.answers.clear()
    here.wait(e.SwitchUp)


def test_stopping_is_silent(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.stop()
    assert not here.switch.up
    fake.tell(hung_up())
    gevent.sleep(0.05)
    assert here.kinds() == ["SwitchUp"]


# ---- placing calls


def test_a_call_is_accepted(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.originate(originate())
    assert here.wait(e.CallAccepted).attempt_id == A
    [sent] = [one for one in fake.received if one.line.startswith("bgapi")]
    assert sent.headers == {"Job-UUID": A}
    marks = f"origination_uuid={A},presence_data=duecall:d1,"
    assert sent.line.startswith(f"bgapi originate '{{{marks}")


def test_an_originate_is_sent_once(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.originate(originate())
    here.switch.originate(originate())
    here.wait(e.CallAccepted)
    here.switch.originate(originate())
    here.switch.originate(originate(B))
    here.wait(e.CallAccepted, 2)
    assert len(fake.lines("bgapi")) == 2


def test_a_lost_reply_does_not_send_it_again(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    fake.answers["bgapi"] = None
    here = world().up()
    here.switch.originate(originate())
    fake.wait_for("bgapi")
    fake.hang_up_on_all()
    here.wait(e.SwitchUp, 2)
    here.switch.originate(originate())
    gevent.sleep(0.05)
    assert len(fake.lines("bgapi")) == 1
    # Neither accepted nor ended: nobody knows, and nobody pretends to.
    assert here.kinds() == ["SwitchUp", "SwitchDown", "SwitchUp"]


def test_without_a_switch_nothing_is_sent_and_that_is_told(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world()
    here.switch.originate(originate())
    ended = here.wait(e.CallEnded)
    assert (ended.ending.cause, ended.from_job) == (NOT_SENT, True)
    assert judge(ended.ending) is Outcome.TECHNICAL
    here.up()
    assert fake.lines("bgapi") == []


@pytest.mark.parametrize("changes", [{"trunk": "nowhere"}, {"caller_id": "1\n\napi shutdown"}])
def test_a_call_that_cannot_be_written_down(
    fake: FakeSwitch, world: Callable[..., World], changes: dict[str, str]
) -> None:
    here = world().up()
    here.switch.originate(originate(**changes))
    assert here.wait(e.CallEnded).ending.cause == NOT_SENT
    assert here.alarms == ["a call was not placed"]
    assert fake.lines("bgapi") == []


def test_a_call_that_the_switch_refuses(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["bgapi"] = ok("-ERR permission denied")
    here = world().up()
    here.switch.originate(originate())
    assert here.wait(e.CallEnded).from_job
    assert here.alarms == ["the switch refused a call"]


def test_the_folder_of_the_day_is_made(
    fake: FakeSwitch, world: Callable[..., World], tmp_path: Path
) -> None:
    here = world().up()
    here.switch.originate(originate(record=True))
    here.wait(e.CallAccepted)
    folder = tmp_path / "var" / "recordings" / "2026-11-23"
    assert folder.is_dir()
    assert f"'record_session:{folder}/{A}.wav,python:" in fake.lines("bgapi")[0]


def test_commands_go_over_all_links(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["bgapi"] = None
    here = world(command_links=3).up()
    for number in range(9):
        here.switch.originate(originate(attempt_id("bank", "overdue", "HD-3", number)))
    fake.wait_for("bgapi", 9)
    assert [link.outstanding for link in here.switch._calls.links] == [3, 3, 3]


# ---- jobs that fail


def test_a_failed_job_without_a_channel(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    fake.tell(job(A, "-ERR DESTINATION_OUT_OF_ORDER\n"))
    ended = here.wait(e.CallEnded)
    assert (ended.ending.cause, ended.from_job) == ("DESTINATION_OUT_OF_ORDER", True)


def test_the_channel_knows_more_than_the_job(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    """The same cause, but the channel knows the SIP status: it is the trunk that refuses."""
    here = world().up()
    fake.tell(
        job(A, "-ERR CALL_REJECTED\n"),
        hung_up(cause="CALL_REJECTED", variable_sip_term_status="403"),
    )
    ended = here.wait(e.CallEnded)
    gevent.sleep(0.3)
    assert here.kinds().count("CallEnded") == 1
    assert (ended.ending.sip_status, ended.from_job) == (403, False)


def test_a_failed_job_of_a_channel_that_lives_says_nothing(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    fake.existing.add(A)
    here = world().up()
    fake.tell(channel("CHANNEL_ANSWER"), job(A, "-ERR NORMAL_CLEARING\n"))
    fake.wait_for("api uuid_exists")
    gevent.sleep(0.1)
    assert here.kinds() == ["SwitchUp", "CallAnswered"]


def test_the_job_has_the_last_word_where_the_channels_was_lost(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    fake.tell(channel("CHANNEL_ANSWER"), job(A, "-ERR NORMAL_CLEARING\n"))
    ended = here.wait(e.CallEnded)
    assert ended.ending == Ending("NORMAL_CLEARING", answered=True, script_started=False)
    assert not ended.from_job
    assert judge(ended.ending) is Outcome.HUNG_UP


# ---- asking


def test_asked_about_a_channel_that_lives(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.existing.add(A)
    here = world().up()
    here.switch.ask(A)
    fake.wait_for("api uuid_exists")
    gevent.sleep(0.3)
    assert here.kinds() == ["SwitchUp"]


def test_asked_about_a_channel_of_which_nothing_is_left(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.ask(A)
    ended = here.wait(e.CallEnded)
    assert judge(ended.ending) is Outcome.UNKNOWN and ended.ending.cause == LOST
    assert len(fake.lines("api uuid_exists")) == 2


def test_asked_about_a_channel_that_left_a_record(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.records[A] = Ending("USER_BUSY", 486)
    here.switch.ask(A)
    assert here.wait(e.CallEnded).ending == Ending("USER_BUSY", 486)


def test_its_last_word_may_be_on_the_way(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world(grace_s=0.3).up()
    here.switch.ask(A)
    fake.wait_for("api uuid_exists")
    fake.tell(hung_up(cause="NO_ANSWER"))
    assert here.wait(e.CallEnded).ending.cause == "NO_ANSWER"
    gevent.sleep(0.5)
    assert here.kinds().count("CallEnded") == 1


def test_asked_again_it_tells_again(fake: FakeSwitch, world: Callable[..., World]) -> None:
    """The dialer asks only about calls that it takes for open: it must get an answer."""
    here = world().up()
    fake.tell(hung_up())
    here.wait(e.CallEnded)
    here.records[A] = Ending("USER_BUSY", 486)
    here.switch.ask(A)
    assert here.wait(e.CallEnded, 2).ending == Ending("USER_BUSY", 486)


def test_a_call_taken_for_lost_that_lives_is_ended(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.ask(A)
    here.wait(e.CallEnded)
    fake.tell(channel("CHANNEL_PROGRESS"), channel("CHANNEL_ANSWER"))
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {A} NORMAL_CLEARING"]
    assert here.kinds() == ["SwitchUp", "CallEnded"]


# ---- agents, and ending calls


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


def test_an_agent_without_a_switch(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world()
    here.switch.call_agent(call_agent())
    assert here.wait(e.AgentFailed).attempt_id == A


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
