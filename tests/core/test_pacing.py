"""The law of the trunk: never more than its calls per second, in any second whatever."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core.pacing import CallRate


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.2, 200, allow_nan=False),
    st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=400),
)
def test_no_second_holds_more_than_allowed(per_second: float, waits: list[float]) -> None:
    rate = CallRate(per_second, 0.0)
    now, starts = 0.0, []
    for wait in waits:
        now += wait
        if rate.ready_at(now) <= now:
            rate.take(now)
            starts.append(now)
    window = max(1.0, 1.0 / per_second)
    allowed = max(1, int(per_second))
    for start in starts:
        # The next start may come exactly one window later: half open, less rounding of floats.
        assert sum(start <= other < start + window - 1e-9 for other in starts) <= allowed


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.2, 60, allow_nan=False),
    st.lists(
        st.tuples(
            st.floats(0, 0.5, allow_nan=False), st.floats(0, 9), st.floats(0, 1), st.floats(0, 1)
        ),
        min_size=1,
        max_size=200,
    ),
)
def test_it_holds_for_the_starts_whenever_the_switch_takes_a_call(
    per_second: float, calls: list[tuple[float, float, float, float]]
) -> None:
    """Each call starts somewhere between its sending and the switch's word, which may be late."""
    rate = CallRate(per_second, 0.0)
    now, starts, words = 0.0, [], []
    for number, (wait, late, share, odds) in enumerate(calls):
        now += wait
        for said_at, name in sorted(words):
            if said_at <= now:
                rate.began(name, said_at)
                words.remove((said_at, name))
        if rate.ready_at(now) <= now:
            rate.take(now, str(number))
            late_s = late if odds > 0.8 else late / 100
            starts.append(now + share * late_s)
            words.append((now + late_s, str(number)))
    window = max(1.0, 1.0 / per_second)
    allowed = max(1, int(per_second))
    for start in starts:
        assert sum(start <= other < start + window - 1e-9 for other in starts) <= allowed


@pytest.mark.parametrize("per_second", [1, 7.5, 30, 120])
def test_the_allowed_rate_is_reached(per_second: float) -> None:
    rate = CallRate(per_second, 0.0)
    now, count = 1.0, 0
    while now < 61.0:
        now = rate.ready_at(now)
        rate.take(now)
        count += 1
    assert count >= int(per_second) * 60 * 0.99


@pytest.mark.parametrize(("per_second", "most"), [(0.5, 1), (1, 1), (4, 1), (30, 8), (200, 50)])
def test_a_switch_that_stands_still_is_sent_few_calls(per_second: float, most: int) -> None:
    """All of them ring when it goes on."""
    rate = CallRate(per_second, 0.0)
    now = 1.0
    for number in range(most):
        now = rate.ready_at(now)
        rate.take(now, str(number))
    for _ in range(1_000):
        now += 0.1
        assert rate.ready_at(now) > now
    rate.began("0", now)
    assert rate.ready_at(now + 2.0) <= now + 2.0


def test_too_early_is_a_fault_of_the_caller() -> None:
    rate = CallRate(1, 0.0)
    with pytest.raises(ValueError, match="too early"):
        rate.take(0.5)


def test_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        CallRate(0, 0.0)


def test_a_daemon_that_begins_waits_out_the_second_it_does_not_know() -> None:
    assert CallRate(10, 100.0).ready_at(100.0) == 101.0
