"""The supervisor over a switch that drops links, is late, or is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import gevent
import gevent.event
import pytest

from duecall.core import events as e
from duecall.core.attempt import attempt_id
from duecall.shell import switch as switch_module
from duecall.shell import switch_calls
from duecall.shell.esl_link import EslLink
from tests.shell.fake_switch import FakeSwitch, Received, ok
from tests.shell.switch_world import LEG, A, B, World, channel, hung_up, originate


def test_what_is_asked_at_the_start(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.channels = [
        {"uuid": A, "presence_data": "duecall:d1"},
        {"uuid": LEG, "presence_data": "duecall:d1:agent"},
        {"uuid": B, "presence_data": "duecall:d11"},  # another daemon's; `like` finds it too
    ]
    up = world().up().wait(e.SwitchUp)
    assert (up.live, up.same_switch) == (frozenset({A}), True)
    assert up.agent_legs == frozenset({LEG})
    subscribed = fake.received.index(Received(fake.lines("event")[0]))
    asked = fake.received.index(Received(fake.lines("api show")[0]))
    filters = [fake.received.index(Received(line)) for line in fake.lines("filter")]
    assert max(filters) < subscribed < asked
    # Nobody looks at progress here, so it is not asked for.
    assert fake.lines("event")[0].endswith(" HEARTBEAT SHUTDOWN")


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


# ---- a switch that takes what it is told, and says nothing


def test_a_switch_that_does_not_acknowledge_a_call_is_called_dead(
    fake: FakeSwitch, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_calls, "ACKNOWLEDGED_S", 0.2)
    fake.answers["bgapi"] = None
    here = world().up()
    here.switch.originate(originate())
    assert "did not answer `originate`" in here.wait(e.SwitchDown).reason
    here.wait(e.SwitchUp, 2)
    assert here.kinds() == ["SwitchUp", "SwitchDown", "SwitchUp"]
    assert len(fake.lines("bgapi")) == 1


def test_a_switch_that_does_not_answer_a_ping_is_called_dead(
    fake: FakeSwitch, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_module, "PING_S", 0.05)
    monkeypatch.setattr(switch_module, "PING_ANSWERED_S", 0.2)
    here = world().up()
    fake.answers["api global_getvar"] = None
    down = here.wait(e.SwitchDown)
    assert "did not answer `global_getvar" in down.reason
    assert here.alarms == ["the switch is not there"]
    fake.answers.clear()
    here.wait(e.SwitchUp, 2)


def test_more_events_than_we_can_hold_end_the_link_and_it_starts_anew(
    fake: FakeSwitch, world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lives is then asked for: nothing that was dropped is waited for."""
    monkeypatch.setattr(switch_module, "EslLink", partial(EslLink, queue_max=50))
    here = world().up()
    slow = gevent.event.Event()
    tell = here.tell

    def slowly(event: e.Event) -> None:
        tell(event)
        slow.wait()

    here.switch._emit = slowly
    fake.channels = [{"uuid": A, "presence_data": "duecall:d1"}]
    many = [attempt_id("bank", "overdue", "HD-3", number) for number in range(200)]
    fake.tell(*(hung_up(one) for one in many))
    with gevent.Timeout(10):
        while here.switch.up:
            gevent.sleep(0.01)
    slow.set()
    here.switch._emit = tell
    assert "events wait to be handled" in here.wait(e.SwitchDown).reason
    assert here.wait(e.SwitchUp, 2).live == {A}
    told = [one.attempt_id for one in here.told if isinstance(one, e.CallEnded)]
    assert 0 < len(told) < 200
    assert told == many[: len(told)], "those that were heard are told, each once and in order"
