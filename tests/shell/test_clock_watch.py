"""Time that jumps is told once, with how far."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from duecall.core import commands as c
from duecall.core.moment import Moment
from duecall.shell.clock_watch import STEP_S, STILL_S, ClockWatch

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


def seen(*steps: tuple[float, float]) -> list[tuple[str, str]]:
    """What is told of (wall, monotonic) seconds that go by, turn by turn."""
    told: list[c.Alarm] = []
    wall_s = mono_s = 0.0
    watch = ClockWatch(Moment(NOON, 0.0), told.append)
    for wall_step_s, mono_step_s in steps:
        wall_s, mono_s = wall_s + wall_step_s, mono_s + mono_step_s
        watch.look(Moment(NOON + timedelta(seconds=wall_s), mono_s))
    return [(alarm.what, dict(alarm.fields)["seconds"]) for alarm in told]


def test_a_loop_that_sleeps_until_something_is_due_does_not_stand_still() -> None:
    told: list[c.Alarm] = []
    watch = ClockWatch(Moment(NOON, 0.0), told.append)
    watch.sleeps_until(30.0)
    watch.look(Moment(NOON + timedelta(seconds=30), 30.0))
    assert told == []
    watch.sleeps_until(60.0)
    watch.look(Moment(NOON + timedelta(seconds=60 + STILL_S), 60.0 + STILL_S))
    assert [alarm.what for alarm in told] == ["the daemon stood still"]


def test_time_that_goes_by_as_it_should_is_not_told() -> None:
    assert seen(*[(1.0, 1.0)] * 100, (STILL_S - 1, STILL_S - 1), (1 + STEP_S - 0.1, 1)) == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ((61, 61), [("the daemon stood still", "61")]),
        ((3600, 0.5), [("the clock was set, or the machine slept", "+3600")]),
        ((-3600, 0.5), [("the clock was set, or the machine slept", "-3600")]),
    ],
)
def test_a_jump_is_told_once(step: tuple[float, float], told: list[tuple[str, str]]) -> None:
    assert seen((1, 1), step, (1, 1), (1, 1)) == told
