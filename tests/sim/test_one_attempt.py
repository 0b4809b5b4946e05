"""One attempt, all orders of its news: whatever is heard when, doubled or not at all, it has one
outcome, its stages only move right, and it is sent once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Stage, attempt_id
from duecall.core.dialer import Dialer
from duecall.core.outcome import LOST, Ending, Outcome
from fs_scripts.contract import KEY, KeyPress, Result
from tests.core import building

TARGET = building.target()
NAME = attempt_id("bank", "overdue", TARGET.account.contract_number, 1)
PRESSED = Result(NAME, KEY, "transfer", (KeyPress("1", 900, "message"),))
ANSWERED = Ending("NORMAL_CLEARING", 200, answered=True, result=PRESSED)
BRIDGED = Ending("NORMAL_CLEARING", 200, answered=True, result=PRESSED, bridged=True)
FAILED = Ending("USER_BUSY", 486, script_started=False)

# News of the attempt by name. `answer` is what the switch says when it is asked and knows nothing.
NEWS = {
    "saved": lambda at: e.AttemptSaved(at, NAME),
    "accepted": lambda at: e.CallAccepted(at, NAME),
    "rang": lambda at: e.CallRang(at, NAME),
    "answered": lambda at: e.CallAnswered(at, NAME),
    "parked": lambda at: e.CallParked(at, NAME, PRESSED),
    "agent answered": lambda at: e.AgentAnswered(at, NAME),
    "agent failed": lambda at: e.AgentFailed(at, NAME, "NO_ANSWER"),
    "ended": lambda at: e.CallEnded(at, NAME, ANSWERED),
    "ended bridged": lambda at: e.CallEnded(at, NAME, BRIDGED),
    "ended from job": lambda at: e.CallEnded(at, NAME, FAILED, from_job=True),
    "down": lambda at: e.SwitchDown(at, "link lost"),
    "up": lambda at: e.SwitchUp(at, frozenset({NAME})),
    "up without it": lambda at: e.SwitchUp(at, frozenset(), False),
    "answer": lambda at: e.CallEnded(at, NAME, Ending(LOST)),
}
# The order in which it truly happened; the outcomes that some order of hearing may leave.
STORIES: dict[str, tuple[tuple[str, ...], set[Outcome]]] = {
    "talked with an agent": (
        ("rang", "answered", "parked", "agent failed", "agent answered", "ended bridged"),
        {Outcome.TRANSFERRED},
    ),
    "no agent came": (
        ("accepted", "rang", "answered", "parked", "agent failed", "ended"),
        {Outcome.AGENT_UNAVAILABLE},
    ),
    "busy": (
        ("accepted", "rang", "ended from job", "down", "up without it", "answer"),
        {Outcome.BUSY, Outcome.UNKNOWN},
    ),
    "the link breaks": (
        ("rang", "answered", "down", "up", "parked", "ended"),
        {Outcome.AGENT_UNAVAILABLE},
    ),
    "the switch dies": (
        ("answered", "parked", "agent answered", "down", "up without it", "answer"),
        {Outcome.TRANSFERRED, Outcome.UNKNOWN},
    ),
}


class Heard:
    """The dialer with one attempt that was sent; what it does is checked at each step."""

    def __init__(self, saved: bool = True) -> None:
        self.seconds = 0.0
        self.dialer = Dialer(building.site(), building.moment())
        self.seconds = 5.0
        self.stage = Stage.PLANNED
        self.sent = 0
        self.outcomes: list[Outcome] = []
        self.tell(lambda at: e.CampaignStarted(at, building.campaign()))
        self.tell(lambda at: e.SwitchUp(at, frozenset()))
        self.tell(lambda at: e.TargetsLoaded(at, "overdue", (TARGET,), None))
        if saved:
            self.news("saved")

    def news(self, name: str) -> None:
        self.tell(NEWS[name])

    def tell(self, make: object) -> None:
        self.seconds += 0.1
        assert callable(make)
        live = NAME in self.dialer.live
        for command in self.dialer.handle(make(building.moment(self.seconds))):
            if isinstance(command, c.Originate):
                self.sent += 1
            elif isinstance(command, c.SaveStage):
                assert command.stage > self.stage, "a stage moves left, or is entered again"
                self.stage = command.stage
            elif isinstance(command, c.SaveOutcome):
                assert live or self.sent, "an outcome of nothing"
                self.outcomes.append(command.outcome)
        assert self.sent <= 1
        assert len(self.outcomes) <= 1
        if self.outcomes:
            assert NAME not in self.dialer.live
            assert not self.dialer.lines["demo"].taken
            assert not self.dialer.sent.agents.busy

    def to_the_end(self) -> None:
        """Whatever was missed: the switch is there, and is asked until it answers."""
        self.tell(lambda at: e.SwitchUp(at, frozenset({NAME})))
        for _ in range(400):
            if self.outcomes:
                return
            self.seconds += 1.0
            now = building.moment(self.seconds)
            out = self.dialer.handle(e.Woke(now))
            for command in out:
                if isinstance(command, c.SaveOutcome):
                    self.outcomes.append(command.outcome)
            if any(isinstance(command, c.AskSwitch) for command in out) and not self.outcomes:
                self.news("answer")
        raise AssertionError("it stays open for ever")


def orders(news: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All orders of all that may be heard of it: each piece once, or never."""
    for lost in product((False, True), repeat=len(news)):
        heard = [name for name, gone in zip(news, lost, strict=True) if not gone]
        yield from permutations(heard)


@pytest.mark.parametrize("story", STORIES)
def test_in_any_order_with_any_loss_there_is_one_outcome(story: str) -> None:
    news, allowed = STORIES[story]
    for order in orders(news):
        heard = Heard()
        for name in order:
            heard.news(name)
        heard.to_the_end()
        assert heard.sent == 1, order
        assert len(heard.outcomes) == 1, order
        last = [name for name in order if name.startswith(("ended", "answer"))]
        if (
            last
            and not set(order) & {"answer", "down", "up without it"}
            and len(order) == len(news)
        ):
            assert heard.outcomes[0] in allowed, order


@pytest.mark.parametrize("story", ["talked with an agent", "busy", "the switch dies"])
def test_doubled_news_change_nothing(story: str) -> None:
    """Each order of all news, with each one of them heard twice: at once, and at the very end."""
    news, _ = STORIES[story]
    for order in permutations(news):
        for place, name in enumerate(order):
            heard = Heard()
            for n, now in enumerate(order):
                heard.news(now)
                if n == place:
                    heard.news(now)
            heard.news(name)
            heard.to_the_end()
            assert len(heard.outcomes) == 1, (order, name)


def test_before_it_is_saved_no_news_can_send_or_settle_it() -> None:
    """`saved` comes at any place among the others; before it, they are of nobody."""
    others = ("accepted", "rang", "answered", "ended", "down")
    for order in permutations(("saved", *others)):
        heard = Heard(saved=False)
        for name in order:
            if name == "saved":
                assert heard.sent == 0 and heard.outcomes == []
            heard.news(name)
        if not heard.sent:  # the link broke before it was saved
            heard.tell(NEWS["up without it"])
        heard.to_the_end()
        assert heard.sent <= 1 and len(heard.outcomes) == 1, order


def test_in_the_true_order_the_outcome_is_the_true_one() -> None:
    for story, (news, allowed) in STORIES.items():
        heard = Heard()
        for name in news:
            heard.news(name)
        heard.to_the_end()
        assert heard.outcomes[0] in allowed, story
