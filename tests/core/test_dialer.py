"""The dialer, driven by hand: every event told, every command looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Past, Stage, Target
from duecall.core.dialer import Dialer
from duecall.core.outcome import LOST, Ending, Outcome
from fs_scripts.contract import CALLEE_HUNG_UP, COMPLETED, KEY, KeyPress, Result
from tests.core import building

T = TypeVar("T", bound=c.Command)


class World:
    """Keeps the clock and the books; answers the store's part of the talk at once."""

    def __init__(self, **site: object) -> None:
        self.seconds = 0.0
        self.dialer = Dialer(building.site(**site), building.moment())
        self.all: list[c.Command] = []
        self.seconds = 5.0  # the trunk's first second is taken as used
        self.silent = False  # the switch does not say that it took what it was sent
        self._taken = 0

    def tell(self, kind: type[e.Event], *values: object, **named: object) -> list[c.Command]:
        out = self.dialer.handle(kind(building.moment(self.seconds), *values, **named))
        self.all.extend(out)
        return out

    def start(
        self, targets: Sequence[Target], next_due: datetime | None = None, **campaign: object
    ) -> None:
        self.tell(e.CampaignStarted, building.campaign(**campaign))
        self.tell(e.SwitchUp, frozenset())
        self.tell(e.TargetsLoaded, "overdue", tuple(targets), next_due)

    def save_all(self) -> None:
        done = {command.attempt.id for command in self.of(c.SaveAttempt)}
        for attempt_id in sorted(done):
            call = self.dialer.live.get(attempt_id)
            if call is not None and call.stage is Stage.PLANNED:
                self.tell(e.AttemptSaved, attempt_id)

    def take_calls(self) -> None:
        """The switch says that it has the calls it was sent."""
        sent = self.of(c.Originate)
        for command in sent[self._taken :]:
            self.tell(e.CallAccepted, command.attempt.id)
        self._taken = len(sent)

    def tick(self, seconds: float) -> list[c.Command]:
        if not self.silent:
            self.take_calls()
        self.seconds += seconds
        return self.tell(e.Woke)

    def of(self, kind: type[T]) -> list[T]:
        return [command for command in self.all if isinstance(command, kind)]

    def first_call(self) -> Attempt:
        self.save_all()
        return self.of(c.Originate)[0].attempt


def result(attempt: Attempt, ended_by: str = COMPLETED, **more: object) -> Result:
    return Result(attempt.id, ended_by, heard_ms=10_000, message_ms=10_000, **more)  # type: ignore[arg-type]


def test_nothing_is_sent_before_it_is_durable() -> None:
    world = World()
    world.start([building.target()])
    assert len(world.of(c.SaveAttempt)) == 1
    world.tick(10)
    assert world.of(c.Originate) == []
    attempt = world.of(c.SaveAttempt)[0].attempt
    world.tell(e.AttemptSaved, attempt.id)
    assert [command.attempt.id for command in world.of(c.Originate)] == [attempt.id]


def test_an_attempt_is_sent_once_however_often_it_is_reported_saved() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    for _ in range(3):
        world.tell(e.AttemptSaved, attempt.id)
        world.tick(1)
    assert len(world.of(c.Originate)) == 1


@pytest.mark.parametrize("order", ["rang answered ended ended", "ended rang answered ended"])
def test_doubled_and_late_news_settle_once(order: str) -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    ending = Ending("NORMAL_CLEARING", 200, answered=True, result=result(attempt))
    for word in order.split():
        if word == "rang":
            world.tell(e.CallRang, attempt.id)
        elif word == "answered":
            world.tell(e.CallAnswered, attempt.id)
        else:
            world.tell(e.CallEnded, attempt.id, ending)
    settled = world.of(c.SaveOutcome)
    assert [command.outcome for command in settled] == [Outcome.DELIVERED]
    assert world.dialer.idle


def test_no_answer_is_tried_again_by_its_rule_and_not_beyond_the_maximum() -> None:
    world = World()
    past = Past(tries=2, counted=2, by_outcome={Outcome.BUSY: 2})
    world.start([building.target(1), building.target(2, past=past)])
    world.save_all()
    world.tick(1)
    first, second = sorted((o.attempt for o in world.of(c.Originate)), key=lambda a: a.number)
    assert (first.number, second.number) == (1, 3)
    for attempt in (first, second):
        world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER", 487))
    again, never = world.of(c.SaveOutcome)
    assert again.next_due == again.at + timedelta(hours=4)
    assert never.next_due is None
    assert never.reason == "all 3 attempts used"


def test_two_targets_with_one_number_never_ring_at_once() -> None:
    world = World()
    world.start([building.target(1, phone_hash="same"), building.target(2, phone_hash="same")])
    assert len(world.of(c.SaveAttempt)) == 1
    deferred = world.of(c.DeferTarget)
    assert [command.target.id for command in deferred] == [2]
    assert deferred[0].until is not None


def test_channels_are_never_exceeded_and_are_freed_by_the_end_of_a_call() -> None:
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 2, "calls_per_second": 50}}
    )
    world.start([building.target(n) for n in range(1, 6)])
    for _ in range(20):
        world.save_all()
        world.tick(0.1)
    sent = world.of(c.Originate)
    assert len(sent) == 2
    world.tell(e.CallEnded, sent[0].attempt.id, Ending("USER_BUSY", 486))
    world.save_all()
    world.tick(0.1)
    assert len(world.of(c.Originate)) == 3


def test_calls_per_second_hold_in_every_second() -> None:
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 500, "calls_per_second": 5}}
    )
    world.start([building.target(n) for n in range(1, 61)])
    times: list[float] = []
    for _ in range(500):
        world.save_all()
        before = len(world.of(c.Originate))
        world.tick(0.02)
        times += [world.seconds] * (len(world.of(c.Originate)) - before)
    assert len(times) >= 45
    for start in times:
        assert sum(start <= t < start + 1.0 for t in times) <= 5


def test_a_switch_that_stands_still_is_sent_a_quarter_of_a_seconds_calls() -> None:
    """When it goes on it starts all of them at once."""
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 500, "calls_per_second": 5}}
    )
    world.start([building.target(n) for n in range(1, 61)])
    world.silent = True
    for _ in range(100):
        world.save_all()
        world.tick(0.1)
    assert len(world.of(c.Originate)) == 2
    for _ in range(2):
        world.take_calls()
        for _ in range(3):
            world.save_all()
            world.tick(0.1)
    assert len(world.of(c.Originate)) == 5, "all have started within a second: law L7"
    world.silent = False
    for _ in range(20):
        world.save_all()
        world.tick(0.1)
    assert len(world.of(c.Originate)) > 10


def test_a_call_that_ended_without_a_word_makes_room_at_the_trunk() -> None:
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 9, "calls_per_second": 1}}
    )
    world.start([building.target(n) for n in range(1, 4)])
    world.silent = True
    attempt = world.first_call()
    world.tick(5)
    assert len(world.of(c.Originate)) == 1
    world.tell(e.CallEnded, attempt.id, Ending(LOST))
    for _ in range(3):
        world.save_all()
        world.tick(1)
    assert len(world.of(c.Originate)) == 2


def test_outside_the_hours_the_target_waits_for_the_opening() -> None:
    world = World()
    world.seconds = 9 * 3600.0  # 21:00 in Hanoi
    world.start([building.target()])
    assert world.of(c.SaveAttempt) == []
    (deferred,) = world.of(c.DeferTarget)
    assert deferred.until == building.NOON_IN_HANOI.replace(hour=1) + timedelta(days=1)


def test_the_gate_is_asked_again_when_the_turn_comes() -> None:
    world = World()
    world.seconds = 7 * 3600.0 + 59 * 60  # 19:59:00, ring time 30 s: still allowed
    world.start([building.target()])
    attempt = world.of(c.SaveAttempt)[0].attempt
    world.seconds += 45  # the commit took long: it would ring into the closing hour now
    world.tell(e.AttemptSaved, attempt.id)
    assert world.of(c.Originate) == []
    (settled,) = world.of(c.SaveOutcome)
    assert settled.ending.cause == "NOT_SENT"
    assert settled.next_due is not None
    assert settled.outcome.counts is False


def test_while_the_switch_is_away_nothing_is_planned_or_sent() -> None:
    world = World()
    world.start([building.target(1)])
    world.tell(e.SwitchDown, "link lost")
    world.save_all()
    world.tick(5)
    assert world.of(c.Originate) == []
    world.tell(e.SwitchUp, frozenset())
    assert len(world.of(c.Originate)) == 1


def test_after_a_lost_link_the_switch_is_asked_about_all_calls() -> None:
    world = World()
    world.start([building.target(1), building.target(2)])
    world.save_all()
    world.tick(1)
    first, second = [command.attempt.id for command in world.of(c.Originate)]
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.SwitchUp, frozenset({first}))
    assert {command.attempt_id for command in world.of(c.AskSwitch)} == {first, second}
    world.tell(e.CallEnded, second, Ending(LOST))
    (settled,) = world.of(c.SaveOutcome)
    assert settled.outcome is Outcome.UNKNOWN
    assert settled.outcome.counts


def test_attempts_of_an_earlier_life_are_never_sent_again() -> None:
    world = World()
    target = building.target()
    attempt = Attempt("11111111-1111-5111-8111-111111111111", 1, target, building.NOON_IN_HANOI)
    world.tell(e.CampaignStarted, building.campaign())
    world.tell(e.AttemptsRecovered, ((attempt, Stage.SAVED),))
    world.tell(e.SwitchUp, frozenset())
    for _ in range(5):
        world.tell(e.AttemptSaved, attempt.id)
        world.tick(1)
    assert world.of(c.Originate) == []
    assert {command.attempt_id for command in world.of(c.AskSwitch)} == {attempt.id}


def test_a_silent_call_is_asked_after_and_a_dialogue_without_end_is_hung_up() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    world.tick(30 + 14)
    assert world.of(c.AskSwitch) == []
    world.tick(2)
    assert [command.attempt_id for command in world.of(c.AskSwitch)] == [attempt.id]
    assert world.of(c.HangUp) == []
    world.tick(16)
    assert [command.attempt_id for command in world.of(c.HangUp)] == [attempt.id]


def press_one(world: World) -> Attempt:
    world.start([building.target()])
    attempt = world.first_call()
    world.tell(e.CallAnswered, attempt.id)
    wanted = result(attempt, KEY, action="transfer", keys=(KeyPress("1", 900, "message"),))
    world.tell(e.CallParked, attempt.id, wanted)
    return attempt


def test_a_transfer_rings_the_members_in_turn_until_one_answers() -> None:
    world = World()
    attempt = press_one(world)
    (first,) = world.of(c.CallAgent)
    assert (first.address, first.music) == ("sip:anna@127.0.0.1:5090", True)
    world.tell(e.AgentFailed, attempt.id, "USER_BUSY")
    second = world.of(c.CallAgent)[1]
    assert (second.address, second.music) == ("sip:binh@127.0.0.1:5091", False)
    assert second.leg_id != first.leg_id
    world.tell(e.AgentAnswered, attempt.id)
    world.tell(e.CallEnded, attempt.id, Ending("NORMAL_CLEARING", 200, answered=True))
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.TRANSFERRED]
    assert world.dialer.sent.agents.busy == {}


def test_when_no_agent_answers_the_callee_is_told_so() -> None:
    world = World()
    attempt = press_one(world)
    world.tell(e.AgentFailed, attempt.id, "NO_ANSWER")
    world.tell(e.AgentFailed, attempt.id, "NO_ANSWER")
    assert [command.sounds for command in world.of(c.SayAndHangUp)] == [("/sounds/sorry.wav",)]
    ending = Ending(
        "NORMAL_CLEARING",
        200,
        answered=True,
        result=result(attempt, KEY, action="transfer"),
    )
    world.tell(e.CallEnded, attempt.id, ending)
    assert world.of(c.SaveOutcome)[0].outcome is Outcome.AGENT_UNAVAILABLE


def test_who_waits_while_all_agents_talk_gets_the_next_free_one() -> None:
    world = World()
    attempt = press_one(world)
    world.dialer.sent.agents.busy["sip:binh@127.0.0.1:5091"] = "somebody else"
    world.tell(e.AgentFailed, attempt.id, "USER_BUSY")
    assert len(world.of(c.CallAgent)) == 1
    assert world.of(c.SayAndHangUp) == []
    del world.dialer.sent.agents.busy["sip:binh@127.0.0.1:5091"]
    world.tick(1)
    assert [command.address for command in world.of(c.CallAgent)][-1] == "sip:binh@127.0.0.1:5091"


def test_a_pause_gives_the_hopper_back_and_sends_nothing_that_was_not_sent() -> None:
    world = World()
    world.start([building.target(n) for n in range(1, 10)])
    world.tell(e.CampaignPaused, "overdue")
    released = {i for command in world.of(c.ReleaseTargets) for i in command.target_ids}
    planned = {command.attempt.target.id for command in world.of(c.SaveAttempt)}
    assert released | planned == set(range(1, 10))
    assert not released & planned
    world.save_all()
    world.tick(1)
    assert world.of(c.Originate) == []
    assert {command.ending.cause for command in world.of(c.SaveOutcome)} == {"NOT_SENT"}
    world.tell(e.CampaignResumed, "overdue")
    assert len(world.of(c.LoadTargets)) == 2


def test_a_drain_settles_what_is_unsent_and_waits_for_what_is_live() -> None:
    world = World()
    world.start([building.target(n) for n in range(1, 10)])
    attempt = world.first_call()
    world.tell(e.DrainAsked)
    world.save_all()  # the store's answers to what was on its way come late
    world.tick(10)
    assert not world.dialer.idle
    assert {call.attempt.id for call in world.dialer.live.values()} == {
        command.attempt.id for command in world.of(c.Originate)
    }
    for command in world.of(c.Originate):
        world.tell(e.CallEnded, command.attempt.id, Ending("NO_ANSWER", 487))
    assert world.dialer.idle
    assert attempt.id in {command.attempt.id for command in world.of(c.SaveOutcome)}


def test_an_opt_out_reaches_the_hopper() -> None:
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 1, "calls_per_second": 5}}
    )
    world.start([building.target(1), building.target(2)])
    world.tell(e.NumberStopped, "hash-2")
    assert [command.target_ids for command in world.of(c.ReleaseTargets)] == [(2,)]
    assert [target.id for target in world.dialer.runs["overdue"].hopper] == []


def test_a_campaign_with_nothing_left_is_finished_once() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    world.tell(e.CallEnded, attempt.id, Ending("UNALLOCATED_NUMBER", 404))
    for _ in range(3):
        world.tick(31)
        world.tell(e.TargetsLoaded, "overdue", (), None)
    assert len(world.of(c.FinishCampaign)) == 1


def test_a_job_that_fails_after_the_answer_does_not_settle_the_call() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    world.tell(e.CallAnswered, attempt.id)
    world.tell(e.CallEnded, attempt.id, Ending("NORMAL_CLEARING"), from_job=True)
    assert world.of(c.SaveOutcome) == []
    heard = result(attempt, CALLEE_HUNG_UP)
    world.tell(e.CallEnded, attempt.id, Ending("NORMAL_CLEARING", 200, True, heard))
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.DELIVERED]


def test_a_refused_attempt_frees_its_channel_and_its_number() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.of(c.SaveAttempt)[0].attempt
    world.tell(e.AttemptRefused, attempt.id, "number is on the stop list", True)
    assert world.dialer.idle
    assert world.dialer.lines["demo"].taken == set()
    assert world.of(c.DeferTarget)[0].until is None
