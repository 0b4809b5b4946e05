"""Calls of which nothing is heard: asked after each minute, found again, kept while they may ring;
agents who fail late."""

from __future__ import annotations

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Stage, agent_leg_id
from duecall.core.outcome import LOST, Ending, Outcome
from duecall.core.sent_calls import ASK_IN_TIME_S, INVITE_S
from fs_scripts.contract import KEY, KeyPress, Result
from tests.core import building
from tests.core.test_dialer import World, press_one
from tests.core.test_dialer_faults import old_attempt

GROUP_WAIT_S = building.site().agents["front-desk"].wait


def asked(world: World) -> int:
    return len(world.of(c.AskSwitch))


def wants_agent(attempt: Attempt) -> Result:
    return Result(attempt.id, KEY, "transfer", (KeyPress("1", 900, "message"),))


# ---- asked within a minute


@pytest.mark.parametrize("bridged", [False, True])
def test_the_switch_is_asked_each_minute_of_a_long_call(bridged: bool) -> None:
    world = World()
    if bridged:
        world.tell(e.AgentAnswered, press_one(world).id)
    else:
        world.start([building.target()], max_call=3600)
        world.tell(e.CallAnswered, world.first_call().id)
    for minutes in range(1, 4):
        for _ in range(ASK_IN_TIME_S):
            world.tick(1)
        assert asked(world) == minutes
    assert world.of(c.HangUp) == []


def test_while_the_switch_is_away_its_records_are_asked_and_nothing_is_ended() -> None:
    world = World()
    world.start([building.target()], max_call=30)
    attempt = world.first_call()
    world.tell(e.CallAnswered, attempt.id)
    world.tell(e.SwitchDown, "killed")
    for _ in range(600):
        world.tick(1)
    assert asked(world) > 5
    assert world.of(c.HangUp) == []
    world.tell(e.CallEnded, attempt.id, Ending("NORMAL_CLEARING", answered=True))
    assert len(world.of(c.SaveOutcome)) == 1


def test_after_a_loss_also_those_that_live_are_asked_what_became_of_them() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    assert [command.attempt_id for command in world.of(c.AskSwitch)] == [attempt.id]
    # It was answered and parked meanwhile: so the answer.
    world.tell(e.CallAnswered, attempt.id)
    world.tell(e.CallParked, attempt.id, wants_agent(attempt), 5.0)
    assert len(world.of(c.CallAgent)) == 1


# ---- who waits since an earlier life


def recovered(stage: Stage) -> tuple[World, Attempt]:
    world = World()
    world.tell(e.CampaignStarted, building.campaign(no_agent=[{"text": "sorry"}]))
    attempt = old_attempt()
    world.tell(e.AttemptsRecovered, ((attempt, stage),))
    return world, attempt


@pytest.mark.parametrize("stage", [Stage.SENT, Stage.ANSWERED, Stage.WAITING])
def test_who_waits_since_an_earlier_life_gets_an_agent(stage: Stage) -> None:
    world, attempt = recovered(stage)
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    for _ in range(2):  # doubled
        world.tell(e.CallParked, attempt.id, wants_agent(attempt), 10.0)
    assert [command.address for command in world.of(c.CallAgent)] == ["sip:anna@127.0.0.1:5090"]
    world.tell(e.AgentAnswered, attempt.id)
    world.tell(e.CallEnded, attempt.id, Ending(LOST))
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.TRANSFERRED]


def test_who_has_waited_long_enough_is_told_so_in_words_made_anew() -> None:
    world, attempt = recovered(Stage.WAITING)
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    world.tell(e.CallParked, attempt.id, wants_agent(attempt), GROUP_WAIT_S + 1.0)
    assert world.of(c.CallAgent) == []
    assert len(world.of(c.SayAndHangUp)) == 1
    assert world.of(c.HangUp) == []


def test_an_agent_whom_the_earlier_life_rang_has_his_time() -> None:
    world, attempt = recovered(Stage.WAITING)
    leg = agent_leg_id(attempt.id, 1)
    world.tell(e.SwitchUp, frozenset({attempt.id}), agent_legs=frozenset({leg}))
    world.tell(e.CallParked, attempt.id, wants_agent(attempt), 3.0)
    world.tick(5)
    assert world.of(c.CallAgent) == [], "two would answer at once"
    world.tell(e.AgentFailed, attempt.id, "NO_ANSWER", leg)
    (called,) = world.of(c.CallAgent)
    assert called.leg_id != leg


def test_an_agent_who_failed_before_the_callee_was_found_is_not_waited_for() -> None:
    world, attempt = recovered(Stage.WAITING)
    leg = agent_leg_id(attempt.id, 1)
    world.tell(e.SwitchUp, frozenset({attempt.id}), agent_legs=frozenset({leg}))
    world.tell(e.AgentFailed, attempt.id, "USER_BUSY", leg)
    world.tell(e.CallParked, attempt.id, wants_agent(attempt), 3.0)
    assert len(world.of(c.CallAgent)) == 1


# ---- late news of agents


def test_late_news_of_one_agent_does_not_count_against_the_next() -> None:
    world = World()
    attempt = press_one(world)
    (first,) = world.of(c.CallAgent)
    world.tell(e.AgentFailed, attempt.id, "USER_BUSY", first.leg_id)
    second = world.of(c.CallAgent)[-1]
    assert second.leg_id != first.leg_id
    ignored = world.dialer.sent.ignored
    world.tell(e.AgentFailed, attempt.id, "NO_ANSWER", first.leg_id)
    assert world.of(c.SayAndHangUp) == [], "the second still rings"
    assert world.dialer.sent.ignored == ignored + 1
    world.tell(e.AgentFailed, attempt.id, "NO_ANSWER", second.leg_id)
    assert len(world.of(c.SayAndHangUp)) == 1


# ---- a phone that never said a word


def test_a_number_rests_while_its_invitation_is_still_repeated() -> None:
    """RFC 3261: there is no CANCEL before the first answer, and 64 * T1 = 32 s of repetitions."""
    world = World()
    world.start([building.target(1, phone_hash="same")], ring=6)
    attempt = world.first_call()
    world.tick(6)
    world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER"))
    world.tell(e.CallEnded, attempt.id, Ending(LOST))  # and asked meanwhile, nobody knows better
    for _ in range(INVITE_S - 7):
        world.tick(1)
        assert world.of(c.SaveOutcome) == []
        assert attempt.id in world.dialer.live
    world.tick(1)
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.NO_ANSWER]
    assert asked(world) == 0


@pytest.mark.parametrize(
    "ending", [Ending("NO_ANSWER", 487), Ending("USER_BUSY", 486), Ending("INVALID_GATEWAY")]
)
def test_a_phone_that_has_answered_for_itself_is_free_at_once(ending: Ending) -> None:
    world = World()
    world.start([building.target()], ring=6)
    attempt = world.first_call()
    world.tell(e.CallEnded, attempt.id, ending)
    assert len(world.of(c.SaveOutcome)) == 1


def test_a_phone_that_rang_is_free_at_once() -> None:
    """It said a word, so it is told that we give up."""
    world = World()
    world.start([building.target()], ring=6)
    attempt = world.first_call()
    world.tell(e.CallRang, attempt.id)
    world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER"))
    assert len(world.of(c.SaveOutcome)) == 1


def test_a_long_ring_leaves_nothing_to_wait_for() -> None:
    world = World()
    world.start([building.target()], ring=40)
    attempt = world.first_call()
    world.tick(40)
    world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER"))
    assert len(world.of(c.SaveOutcome)) == 1
