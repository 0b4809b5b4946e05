"""Retry rules: a comment a row says what the row is for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from duecall.core import retry
from duecall.core.attempt import Past
from duecall.core.campaign import Retry
from duecall.core.outcome import Outcome
from tests.core.building import NOON_IN_HANOI as NOW

RULES = Retry.model_validate(
    {
        "max_attempts": 4,
        "by_outcome": {
            "busy": {"every": 900, "times": 2},
            "no_answer": {"every": 14_400, "times": 9},
        },
    }
)


def after(*outcomes: Outcome) -> retry.RetryDecision:
    past = Past()
    for outcome in outcomes:
        past = retry.with_outcome(past, outcome, NOW)
    return retry.decide(RULES, past, outcomes[-1], NOW)


@pytest.mark.parametrize(
    ("outcomes", "wait"),
    [
        # its own interval
        ([Outcome.BUSY], timedelta(minutes=15)),
        ([Outcome.NO_ANSWER], timedelta(hours=4)),
        # the rule's own number of retries
        ([Outcome.BUSY] * 2, timedelta(minutes=15)),
        ([Outcome.BUSY] * 3, None),
        # another outcome has its own count, but the maximum is one over all
        ([Outcome.BUSY, Outcome.BUSY, Outcome.NO_ANSWER], timedelta(hours=4)),
        ([Outcome.BUSY, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.NO_ANSWER], None),
        # no rule, no retry
        ([Outcome.REJECTED], None),
        ([Outcome.HUNG_UP], None),
        # the lost ones count
        ([Outcome.UNKNOWN], None),
        ([Outcome.UNKNOWN] * 3 + [Outcome.NO_ANSWER], None),
        # the trunk's fault is tried again, does not count, and not for ever
        ([Outcome.CONGESTION] * 9, timedelta(minutes=5)),
        ([Outcome.CONGESTION] * 11, None),
        # an answer ends it
        ([Outcome.DELIVERED], None),
        ([Outcome.OPTED_OUT], None),
        ([Outcome.INVALID], None),
    ],
)
def test_decisions(outcomes: list[Outcome], wait: timedelta | None) -> None:
    decision = after(*outcomes)
    assert decision.at == (None if wait is None else NOW + wait)
    assert decision.reason


def test_the_past_counts_each_outcome() -> None:
    past = retry.with_outcome(Past(), Outcome.CONGESTION, NOW)
    past = retry.with_outcome(past, Outcome.BUSY, NOW)
    assert (past.tries, past.counted) == (2, 1)
    assert past.by_outcome == {Outcome.CONGESTION: 1, Outcome.BUSY: 1}
