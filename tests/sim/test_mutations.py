"""For each law a core that breaks it on purpose, and is caught by that law's checker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core import settling
from duecall.core.campaign_run import CampaignRun
from duecall.core.dialer import Dialer
from duecall.core.law_hours import LawHours
from duecall.core.line import Line
from duecall.core.live_call import LiveCalls
from duecall.core.moment import Moment
from duecall.core.outcome import Outcome
from duecall.core.pacing import CallRate
from duecall.core.retry import RetryDecision
from duecall.core.sent_calls import SentCalls
from duecall.core.switchboard import Switchboard
from duecall.core.transfer import Transfer
from duecall.core.verdict import Allowed
from duecall.sim.checkers import CHECKERS, judge
from duecall.sim.world import World

SEEDS = 120


def caught(law: str, make: Any = Dialer, rates: dict[str, float] | None = None) -> bool:
    """Does the checker of this law see it broken in one of some stories? rates: of the faults that
    bring it to light soonest; None where any will do."""
    return any(
        line.startswith(f"{law}:")
        for seed in range(SEEDS)
        for line in judge(
            World(seed, 20 if seed % 2 and not rates else 8, make, rates, law="none").run()
        )
    )


# ---- dialers that are wrong as a whole


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
    """When nothing was heard of it for a while."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        out = super().handle(event, now)
        for command in list(out):
            if isinstance(command, c.AskSwitch) and command.attempt_id in self.live:
                call = self.live[command.attempt_id]
                if call.line is not None:
                    self._originate(call, call.line, event.at)
        return out


class SendsRecoveredAgain(Dialer):
    """What an earlier life left: it may not have been sent, may it?"""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        out = super().handle(event, now)
        if isinstance(event, e.AttemptsRecovered):
            for attempt, _ in event.attempts:
                call = self.live.get(attempt.id)
                if call is not None and call.line is not None:
                    self._originate(call, call.line, event.at)
        return out


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


class SettlesTwiceInTheBooks(Dialer):
    """A database that is told of outcomes of attempts that it never saw."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        out = super().handle(event, now)
        return [command for command in out if not isinstance(command, c.SaveOutcome)]


@pytest.mark.parametrize(
    ("make", "law"),
    [
        (SendsTooEarly, "L5"),
        (SendsAgain, "L5"),
        (SendsRecoveredAgain, "L5"),
        (SettlesAgain, "L6"),
        (SettlesTwiceInTheBooks, "L10"),
    ],
)
def test_a_dialer_that_breaks_a_law_is_caught(make: type[Dialer], law: str) -> None:
    assert caught(law, make)


# ---- parts that fail in their duty


def _never(*_: Any, **__: Any) -> None:
    return None


def _always(*_: Any, **__: Any) -> bool:
    return True


def _always(*_: Any, **__: Any) -> bool:
    return True


def _allowed(*_: Any, **__: Any) -> Allowed:
    return Allowed()


def _soon_again(rules: Any, past: Any, outcome: Any, at: Any) -> RetryDecision:
    return RetryDecision(None if outcome.ends_campaign else at + timedelta(seconds=60), "again")


def _at_once(rules: Any, past: Any, outcome: Any, at: Any) -> RetryDecision:
    if outcome.ends_campaign or past.counted >= rules.max_attempts:
        return RetryDecision(None, "all used")
    return RetryDecision(at, "again")


def _anybody_again(rules: Any, past: Any, outcome: Any, at: Any) -> RetryDecision:
    if past.counted >= rules.max_attempts:
        return RetryDecision(None, "all used")
    return RetryDecision(at + timedelta(seconds=60), "again")


def _given_up(rules: Any, past: Any, outcome: Any, at: Any) -> RetryDecision:
    return RetryDecision(None, "enough")


def _long_wait(self: Transfer, at: Moment) -> bool:
    return False


MUTATIONS: list[tuple[Any, str, Any, str]] = [
    (LawHours, "is_open", _always, "L2"),
    (settling.retry, "decide", _soon_again, "L3"),
    (settling.retry, "decide", _at_once, "L3"),
    (settling.retry, "decide", _anybody_again, "L4"),
    (settling.retry, "decide", _given_up, "L10"),
    (settling, "judge", lambda ending: Outcome.NO_ANSWER, "L6"),
    (settling, "judge", lambda ending: Outcome.UNKNOWN, "L6"),
    (Line, "may_save", _always, "L7"),
    (CallRate, "ready_at", lambda self, now_s: now_s, "L7"),
    (Dialer, "_may_send", _allowed, "L4"),
    (Dialer, "_release", _never, "L10"),
    (Dialer, "_on_targets_loaded", _never, "L10"),
    (SentCalls, "keep_house", _never, "L10"),
    (CampaignRun, "changed", property(lambda self: False, _never), "L10"),
    (Transfer, "hopeless", _long_wait, "L8"),
    (Switchboard, "ring_next", _never, "L8"),
]


RATES = {
    "keep_house": {"event_lost": 0.5},
    "changed": {"prompts_slow": 0.6, "operator_restless": 6.0},
    "hopeless": {},
    "ring_next": {},
}


@pytest.mark.parametrize(
    ("owner", "method", "instead", "law"),
    MUTATIONS,
    ids=[f"{law}-{method}-{n}" for n, (_, method, _, law) in enumerate(MUTATIONS)],
)
def test_a_part_that_fails_in_its_duty_is_caught(
    monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, instead: Any, law: str
) -> None:
    # `changed` is of each run; all others have to be there, or nothing would be broken.
    monkeypatch.setattr(owner, method, instead, raising=method != "changed")
    assert caught(law, rates=RATES.get(method))


def test_numbers_that_are_not_kept_busy_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database keeps L1 as well: both have to fail."""
    from duecall.sim.store import Store

    monkeypatch.setattr(
        LiveCalls, "remember", lambda self, call: self.__setitem__(call.attempt.id, call)
    )
    monkeypatch.setattr(LiveCalls, "forget", lambda self, call: self.pop(call.attempt.id, None))
    save = Store._save

    def without_index(self: Store, *arguments: Any) -> None:
        self._busy.clear()
        save(self, *arguments)

    monkeypatch.setattr(Store, "_save", without_index)
    assert caught("L1")


def test_books_that_count_what_never_was_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that counts an outcome each time it is told, and not once an attempt."""
    from duecall.sim.store import Store

    settle = Store._settle

    def counts_all(self: Store, command: c.SaveOutcome, *more: Any) -> None:
        if command.attempt.id not in self.open:
            self.counted[command.outcome.value] += 1
        settle(self, command, *more)

    monkeypatch.setattr(Store, "_settle", counts_all)
    assert caught("L9", SettlesAgain)


def test_each_law_has_a_checker_and_a_mutation() -> None:
    laws = {law for *_, law in MUTATIONS} | {"L1", "L5", "L9"}
    assert set(CHECKERS) == laws == {f"L{n}" for n in range(1, 11)}
