"""The Switch over real switches and real SIP: what is told, and what survives a loss."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import attempt_id
from duecall.core.outcome import LOST, Ending, Outcome, judge
from duecall.shell.clock import now
from duecall.shell.esl_link import EslLink
from duecall.shell.loopback_site import SwitchKind
from duecall.shell.switch import Switch
from duecall.shell.switch_calls import Wiring
from duecall.shell.switch_events import ending_of
from fs_scripts import contract
from tests.shell.real_calls import Stage, stage

LONG_S = 4.0  # far longer than MIDWAY listens, also on a busy machine
LISTENS, AT_ONCE, MIDWAY, BUSY, SILENT, _, LEAVES = (f"+8490000000{n}" for n in range(1, 8))


@pytest.fixture(scope="module")
def on(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("switch"), switch_kind, LONG_S) as made:
        yield made


class Ear:
    """A Switch, and all that it told."""

    def __init__(self, on: Stage, daemon_id: str) -> None:
        self.on = on
        self.told: list[e.Event] = []
        self.alarms: list[str] = []
        self._news = gevent.event.Event()
        self._calls = 0
        self.daemon_id = daemon_id
        self.switch = Switch(
            Wiring(
                on.site.site,
                on.site.folder,
                emit=self._hear,
                now=now,
                alarm=lambda alarm: self.alarms.append(alarm.what),
                find_ending=self.recorded_ending,
                grace_s=0.5,
            ),
            daemon_id,
            on.site.password,
        )

    def _hear(self, event: e.Event) -> None:
        self.told.append(event)
        self._news.set()

    def wait(self, kind: type[e.Event], attempt: str = "", count: int = 1) -> Any:
        with gevent.Timeout(60, AssertionError(f"no {kind.__name__}: {self.told} {self.alarms}")):
            while len(found := self.all(kind, attempt)) < count:
                self._news.clear()
                self._news.wait()
        return found[count - 1]

    def all(self, kind: type[e.Event], attempt: str = "") -> list[Any]:
        return [
            one
            for one in self.told
            if isinstance(one, kind) and (not attempt or getattr(one, "attempt_id", "") == attempt)
        ]

    def kinds(self, attempt: str) -> list[str]:
        own = [one for one in self.told if getattr(one, "attempt_id", "") == attempt]
        return [type(one).__name__ for one in own if not isinstance(one, e.CallAccepted)]

    def call(self, phone: str, **changes: Any) -> str:
        self._calls += 1
        attempt = attempt_id("bank", "overdue", self.daemon_id, self._calls)
        self.switch.originate(self.on.originate(attempt, phone, **changes))
        return attempt

    def transferred(self, phone: str = LISTENS) -> str:
        """A call whose callee has asked for an agent and waits."""
        attempt = self.call(phone)
        self.wait(e.CallAnswered, attempt)
        gevent.sleep(0.4)
        self.on.press(attempt, "1")
        self.wait(e.CallParked, attempt)
        return attempt

    def outcome(self, attempt: str) -> Outcome:
        return judge(self.wait(e.CallEnded, attempt).ending)

    def recorded_ending(self, attempt: str) -> Ending | None:
        """From the call record that the switch writes: the second way of the same news."""
        path = Path(self.on.site.path("cdr")) / f"{attempt}.cdr.json"
        if not path.is_file():
            return None
        variables = json.loads(path.read_text("utf-8", "replace"))["variables"]
        return ending_of(lambda name: str(variables.get(name, "")), attempt)


@pytest.fixture
def ear(on: Stage, request: pytest.FixtureRequest) -> Iterator[Ear]:
    made = Ear(on, request.node.name.split("[")[0].replace("_", "-"))
    with gevent.Timeout(120, AssertionError("the test hangs")):
        made.switch.start()
        made.wait(e.SwitchUp)
        yield made
    made.switch.stop()
    on.admin.api("hupall NORMAL_CLEARING")


@pytest.mark.parametrize(
    ("phone", "outcome", "story"),
    [
        (LISTENS, Outcome.DELIVERED, ["CallRang", "CallAnswered", "CallEnded"]),
        (AT_ONCE, Outcome.HUNG_UP, ["CallRang", "CallAnswered", "CallEnded"]),
        (MIDWAY, Outcome.HUNG_UP, ["CallRang", "CallAnswered", "CallEnded"]),
        (BUSY, Outcome.BUSY, ["CallRang", "CallEnded"]),
        (SILENT, Outcome.NO_ANSWER, ["CallRang", "CallEnded"]),
    ],
)
def test_a_call_and_its_record_say_the_same(
    ear: Ear, phone: str, outcome: Outcome, story: list[str]
) -> None:
    attempt = ear.call(phone)
    assert ear.outcome(attempt) is outcome
    gevent.sleep(1.2)  # a job that failed has its say after the grace: nothing new
    assert ear.kinds(attempt) == story
    assert ear.wait(e.CallAccepted, attempt)
    record = ear.recorded_ending(attempt)
    assert record is not None and judge(record) is outcome
    assert record == ear.all(e.CallEnded, attempt)[0].ending


def test_a_trunk_that_is_not_there(ear: Ear, on: Stage) -> None:
    on.site.site.trunks["nowhere"] = on.site.site.trunks["demo"]
    try:
        attempt = ear.call(LISTENS, trunk="nowhere")
        ended = ear.wait(e.CallEnded, attempt)
    finally:
        del on.site.site.trunks["nowhere"]
    assert (ended.ending.cause, ended.from_job) == ("INVALID_GATEWAY", True)


def test_a_script_that_is_not_there(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch would park the callee in silence for minutes."""
    monkeypatch.setattr(contract, "ENTRY_MODULE", "fs_scripts.nothing")
    attempt = ear.call(LISTENS)
    assert ear.outcome(attempt) is Outcome.SCRIPT_ERROR
    assert any("fs_scripts" in alarm for alarm in ear.alarms)


def test_an_agent_takes_the_call(ear: Ear, on: Stage) -> None:
    attempt = ear.transferred()
    ear.switch.call_agent(on.call_agent(attempt, "dung"))
    ear.wait(e.AgentAnswered, attempt)
    assert ear.outcome(attempt) is Outcome.TRANSFERRED  # the agent hung up, and so both
    assert ear.all(e.AgentFailed) == []


def test_no_agent_takes_the_call(ear: Ear, on: Stage) -> None:
    attempt = ear.transferred()
    ear.switch.call_agent(on.call_agent(attempt, "binh", 1))
    assert ear.wait(e.AgentFailed, attempt).cause == "USER_BUSY"
    ear.switch.call_agent(on.call_agent(attempt, "chi", 2))
    assert ear.wait(e.AgentFailed, attempt, 2).cause == "NO_ANSWER"
    ear.switch.say_and_hang_up(c.SayAndHangUp(attempt, (str(on.message),)))
    assert ear.outcome(attempt) is Outcome.AGENT_UNAVAILABLE
    gevent.sleep(1)
    assert len(ear.all(e.AgentFailed)) == 2


def test_a_callee_who_does_not_wait_silences_the_agents_telephone(ear: Ear, on: Stage) -> None:
    attempt = ear.transferred(LEAVES)
    agent = on.call_agent(attempt, "chi")
    ear.switch.call_agent(agent)
    ear.wait(e.CallEnded, attempt)
    with gevent.Timeout(1.5):  # it would ring for two seconds
        while on.admin.api(f"uuid_exists {agent.leg_id}") == "true":
            gevent.sleep(0.02)


def test_a_call_is_ended(ear: Ear) -> None:
    attempt = ear.call(SILENT, ring_s=30)
    ear.wait(e.CallRang, attempt)
    ear.switch.hang_up(c.HangUp(attempt, "ORIGINATOR_CANCEL"))
    assert ear.outcome(attempt) is Outcome.NO_ANSWER


def test_a_lost_link_loses_no_call(ear: Ear) -> None:
    attempt = ear.call(SILENT, ring_s=5)
    ear.wait(e.CallRang, attempt)
    assert ear.switch._event_link is not None
    ear.switch._event_link.sock.shutdown(2)
    again = ear.wait(e.SwitchUp, count=2)
    assert again.same_switch and again.live == {attempt}
    ear.switch.ask(attempt)  # it lives: no answer to that
    assert ear.outcome(attempt) is Outcome.NO_ANSWER
    assert len(ear.all(e.CallEnded)) == 1


def test_what_ended_while_we_were_away_is_in_its_record(ear: Ear, on: Stage) -> None:
    attempt = ear.call(SILENT, ring_s=30)
    ear.wait(e.CallRang, attempt)
    ear.switch.stop()
    on.admin.api(f"uuid_kill {attempt} USER_BUSY")
    ear.switch.start()
    ear.wait(e.SwitchUp, count=2)
    ear.switch.ask(attempt)
    assert ear.wait(e.CallEnded, attempt).ending.cause == "USER_BUSY"


# ---- what a daemon that was killed finds again


def reborn(ear: Ear) -> Ear:
    """Another process of the same daemon: it has heard nothing of the calls that live."""
    ear.switch.stop()
    other = Ear(ear.on, ear.daemon_id)
    other.switch.start()
    other.wait(e.SwitchUp)
    return other


@pytest.mark.parametrize("music", [False, True])
def test_a_callee_who_waits_is_found_again(ear: Ear, on: Stage, music: bool) -> None:
    attempt = ear.transferred()
    if music:
        ear.switch._calls._play_music(attempt)
    gevent.sleep(1.2)
    other = reborn(ear)
    assert other.wait(e.SwitchUp).live == {attempt}
    for _ in range(2):  # asked again, it tells nothing again
        other.switch.ask(attempt)
        parked = other.wait(e.CallParked, attempt)
        gevent.sleep(0.5)
    assert other.kinds(attempt) == ["CallAnswered", "CallParked"]
    assert (parked.result.action, parked.result.attempt_id) == ("transfer", attempt)
    assert 1.0 < parked.waited_s < 20
    assert other.switch._ears.leg(attempt).music is music, "it is not started twice"
    other.switch.call_agent(on.call_agent(attempt, "dung"))
    other.wait(e.AgentAnswered, attempt)
    assert other.outcome(attempt) is Outcome.TRANSFERRED
    other.switch.stop()


def test_an_agent_who_is_rung_and_one_who_talks_are_found_again(ear: Ear, on: Stage) -> None:
    attempt = ear.transferred()
    rung = on.call_agent(attempt, "chi")
    ear.switch.call_agent(rung)
    with gevent.Timeout(5):
        while on.admin.api(f"uuid_exists {rung.leg_id}") != "true":
            gevent.sleep(0.02)
    gevent.sleep(0.3)  # the switch's own table of channels is a little late
    other = reborn(ear)
    assert other.wait(e.SwitchUp).agent_legs == {rung.leg_id}
    other.switch.ask(attempt)
    other.wait(e.CallParked, attempt)
    assert other.wait(e.AgentFailed, attempt).leg_id == rung.leg_id
    talks = replace(on.call_agent(attempt, "anna", 2), ring_s=20)
    other.switch.call_agent(talks)
    other.wait(e.AgentAnswered, attempt)
    third = reborn(other)
    third.switch.ask(attempt)
    third.wait(e.AgentAnswered, attempt)
    assert third.kinds(attempt) == ["CallAnswered", "AgentAnswered"]
    third.switch.hang_up(c.HangUp(attempt, "NORMAL_CLEARING"))
    assert third.outcome(attempt) is Outcome.TRANSFERRED
    third.switch.stop()


def test_a_call_in_its_dialogue_is_found_again_and_left_alone(ear: Ear, on: Stage) -> None:
    attempt = ear.call(LISTENS)
    ear.wait(e.CallAnswered, attempt)
    other = reborn(ear)
    other.switch.ask(attempt)
    other.wait(e.CallAnswered, attempt)
    on.press(attempt, "9")
    assert other.outcome(attempt) is Outcome.OPTED_OUT
    assert other.kinds(attempt) == ["CallAnswered", "CallEnded"]
    other.switch.stop()


def test_many_calls_at_once_end_once_each(ear: Ear, on: Stage) -> None:
    phones = [(LISTENS, AT_ONCE, MIDWAY, BUSY, SILENT)[n % 5] for n in range(40)]
    calls = []
    for phone in phones:
        calls.append(ear.call(phone))
        gevent.sleep(0.06)
    wanted = {
        LISTENS: Outcome.DELIVERED,
        AT_ONCE: Outcome.HUNG_UP,
        MIDWAY: Outcome.HUNG_UP,
        BUSY: Outcome.BUSY,
        SILENT: Outcome.NO_ANSWER,
    }
    assert [ear.outcome(attempt) for attempt in calls] == [wanted[phone] for phone in phones]
    gevent.sleep(1)
    assert len(ear.all(e.CallEnded)) == len(calls)
    assert [ear.kinds(one).count("CallEnded") for one in calls] == [1] * len(calls)


def test_z_the_last_words_of_a_switch_that_is_shut_down(ear: Ear, on: Stage) -> None:
    """It writes no call record for calls that it ends itself: its last events are all there is."""
    calls = [ear.call(SILENT, ring_s=60) for _ in range(5)]
    for attempt in calls:
        ear.wait(e.CallRang, attempt)
    on.site.stop_switch()
    ear.wait(e.SwitchDown)
    on.site.start_switch()
    ear.wait(e.SwitchUp, count=2)
    told = [type(one) for one in ear.told if isinstance(one, (e.CallEnded, e.SwitchDown))]
    assert told == [e.CallEnded] * 5 + [e.SwitchDown]
    _admin_again(on)


def test_zz_another_switch_is_noticed(ear: Ear, on: Stage) -> None:
    """Last: it takes the switch down. Calls that went with it leave no record."""
    attempt = ear.call(SILENT, ring_s=60)
    ear.wait(e.CallRang, attempt)
    assert on.site.switch_process is not None
    os.killpg(on.site.switch_process.pid, signal.SIGKILL)  # all of it, as a power cut would
    ear.wait(e.SwitchDown)
    on.site.stop_switch()
    on.site.start_switch()
    up = ear.wait(e.SwitchUp, count=2)
    assert not up.same_switch and up.live == frozenset()
    ear.switch.ask(attempt)
    assert ear.wait(e.CallEnded, attempt).ending.cause == LOST
    _admin_again(on)


def _admin_again(on: Stage) -> None:
    on.admin.close()
    on.admin = EslLink("127.0.0.1", on.site.esl_port, "", on.site.password, silence_s=None)
    on.admin.connect()
