"""The laws hold in bad times, and everything ends in good ones, for any seed; and the auditor who
says so has been seen to catch each kind of wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.campaign_run import CampaignRun
from duecall.core.dialer import Dialer
from duecall.core.line import Line
from duecall.core.live_call import LiveCalls
from duecall.core.moment import Moment
from duecall.core.pacing import CallRate
from duecall.core.sent_calls import SentCalls
from duecall.core.verdict import Allowed
from tests.core.laws import judge
from tests.core.random_world import BadWorld

SEEDS = 90


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_the_laws_hold_whatever_happens(first: int) -> None:
    for seed in range(first, first + 10):
        world = BadWorld(seed)
        world.run()
        assert judge(world.log) + world.left_over() == [], f"seed {seed}"
        assert sum(entry.what == "sent" for entry in world.log) >= 8


# ---- a core that is broken on purpose is caught


class SendsTooEarly(Dialer):
    """Before the attempt is durable."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        out = super().handle(event, now)
        for n, command in enumerate(out):
            if isinstance(command, c.SaveAttempt):
                call = self.live[command.attempt.id]
                assert call.line is not None
                self._originate(call, call.line, event.at)
                out[n:n] = [sent for sent in out if isinstance(sent, c.Originate)]
                break
        return out


class SendsAgain(Dialer):
    """Each time it hears that the attempt is durable."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        if isinstance(event, e.AttemptSaved) and event.attempt_id in self.live:
            call = self.live[event.attempt_id]
            if call.stage > 1 and call.line is not None:
                call.line.to_send.append(event.attempt_id)
                call.durable = event.at
        return super().handle(event, now)


class SettlesAgain(Dialer):
    """Each time it hears that the call has ended."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        self.memory: dict[str, c.SaveOutcome] = getattr(self, "memory", {})
        out = super().handle(event, now)
        for command in list(out):
            if isinstance(command, c.SaveOutcome):
                self.memory[command.attempt.id] = command
        if isinstance(event, e.CallEnded) and event.attempt_id in self.memory and not out:
            out.append(self.memory[event.attempt_id])
        return out


def caught(law: str, make: type[Dialer] = Dialer) -> bool:
    """Does the auditor see this law broken, in one of some stories?"""
    for seed in range(60):
        world = BadWorld(seed, make)
        with suppress(KeyError, AssertionError):  # it may fall over; what it did until then counts
            world.run()
        if any(line.startswith(law) for line in judge(world.log) + world.left_over()):
            return True
    return False


@pytest.mark.parametrize(
    ("make", "law"), [(SendsTooEarly, "L5"), (SendsAgain, "L5"), (SettlesAgain, "L6")]
)
def test_a_dialer_that_breaks_a_law_is_caught(make: type[Dialer], law: str) -> None:
    assert caught(law, make)


def _never(*_: Any) -> None:
    return None


def _always(*_: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("owner", "method", "instead", "law"),
    [
        (LiveCalls, "remember", lambda self, call: self.__setitem__(call.attempt.id, call), "L1"),
        (Line, "may_save", _always, "L7"),
        (CallRate, "ready_at", lambda self, now_s: now_s, "L7"),
        (SentCalls, "keep_house", _never, "L10"),
        (Dialer, "_release", _never, "L10"),
        (Dialer, "_on_targets_loaded", _never, "L10"),
        (Dialer, "_reopen", lambda self, run: setattr(run, "finished", False), "pause"),
        (Dialer, "_may_send", lambda self, call, at: Allowed(), "L4"),
        (Dialer, "_may_send", lambda self, call, at: Allowed(), "pause"),
        (CampaignRun, "changed", property(lambda self: False, _never), "L10"),
    ],
)
def test_a_part_that_fails_in_its_duty_is_caught(
    monkeypatch: pytest.MonkeyPatch, owner: type[Any], method: str, instead: Any, law: str
) -> None:
    monkeypatch.setattr(owner, method, instead, raising=False)
    if owner is LiveCalls:
        monkeypatch.setattr(LiveCalls, "forget", lambda self, call: self.pop(call.attempt.id, None))
    assert caught(law)
