"""After an attempt: again, and when, or never. One maximum over all outcomes (features A9, A10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from duecall.core.attempt import Past
from duecall.core.campaign import Retry, RetryRule
from duecall.core.outcome import Outcome

# The trunk's or our own fault, not the callee's: tried again even where the campaign has no rule.
OUR_FAULT = RetryRule(every=300, times=10)


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """at: wall time of the next attempt; None: no more, for `reason`."""

    at: datetime | None
    reason: str


def with_outcome(past: Past, outcome: Outcome, at: datetime) -> Past:
    """The past, once this attempt belongs to it."""
    by_outcome = dict(past.by_outcome)
    by_outcome[outcome] = by_outcome.get(outcome, 0) + 1
    return replace(
        past,
        tries=past.tries + 1,
        counted=past.counted + outcome.counts,
        by_outcome=by_outcome,
        last_at=at,
    )


def decide(rules: Retry, past: Past, outcome: Outcome, at: datetime) -> RetryDecision:
    """past includes the attempt that just ended with `outcome` at `at`."""
    if outcome.ends_campaign:
        return RetryDecision(None, outcome.value)
    if past.counted >= rules.max_attempts:
        return RetryDecision(None, f"all {rules.max_attempts} attempts used")
    rule = rules.by_outcome.get(outcome)
    if rule is None:
        if outcome.counts:
            return RetryDecision(None, f"no retry rule for {outcome.value}")
        rule = OUR_FAULT
    if past.by_outcome.get(outcome, 0) > rule.times:
        return RetryDecision(None, f"{outcome.value}: all {rule.times} retries used")
    return RetryDecision(at + timedelta(seconds=rule.every), f"retry after {outcome.value}")
