"""When the dialer wants to be woken, and what it may send when a switch has stood still."""

from __future__ import annotations

from datetime import timedelta

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Stage
from duecall.core.dialer import IDLE_S
from duecall.core.pacing import CallRate
from tests.core import building
from tests.core.test_dialer import World
from tests.core.test_dialer_faults import old_attempt


def rest_s(world: World) -> float:
    at = building.moment(world.seconds)
    return world.dialer.next_wakeup_s(at) - at.mono_s


def test_a_dialer_without_calls_sleeps_until_somebody_is_due() -> None:
    world = World()
    due = building.NOON_IN_HANOI + timedelta(seconds=world.seconds + 12)
    world.start([], due)
    assert 11.9 < rest_s(world) < 12.1
    world.tick(12)
    assert len(world.of(c.LoadTargets)) == 2, "it asks when it said it would"
    assert rest_s(world) == IDLE_S, "the answer will wake it"


def test_it_never_sleeps_for_long_for_the_clock_may_be_set() -> None:
    world = World()
    world.start([], building.NOON_IN_HANOI + timedelta(hours=9))
    assert rest_s(world) == IDLE_S


def test_one_that_drains_with_nothing_to_do_does_not_turn_in_circles() -> None:
    world = World()
    world.start([], building.NOON_IN_HANOI)
    world.tell(e.DrainAsked)
    assert rest_s(world) == IDLE_S


def test_with_contacts_or_calls_it_looks_each_second() -> None:
    world = World()
    world.start([building.target()])
    world.save_all()
    assert 0 < rest_s(world) <= 1.0
    away = World()
    away.tell(e.CampaignStarted, building.campaign())
    away.tell(e.TargetsLoaded, "overdue", (building.target(),), None)
    assert 0 < rest_s(away) <= 1.0, "its hopper is full, and the switch is not there"


def test_what_an_earlier_life_sent_may_have_begun_until_the_switch_is_met() -> None:
    """It may have lain in the sockets of a switch that stood still until just now."""
    for stage, sent in ((Stage.SENT, 0), (Stage.ANSWERED, 1)):
        world = World(
            trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 10, "calls_per_second": 1}}
        )
        world.tell(e.CampaignStarted, building.campaign())
        world.tell(e.AttemptsRecovered, ((old_attempt(9), stage),))
        world.tell(e.TargetsLoaded, "overdue", (building.target(1),), None)
        world.tell(e.SwitchUp, frozenset())
        world.save_all()
        world.seconds += 0.5
        world.tell(e.Woke)
        world.save_all()
        assert len(world.of(c.Originate)) == sent
        world.seconds += 1.0
        world.tell(e.Woke)
        world.save_all()
        assert len(world.of(c.Originate)) == 1


def test_a_start_that_nobody_told_of_counts() -> None:
    rate = CallRate(1.0, 0.0)
    rate.may_have_begun(5.0)
    assert rate.ready_at(5.5) == 6.0
    rate.may_have_begun(4.0)  # older than what is known: no way back
    assert rate.ready_at(5.5) == 6.0
