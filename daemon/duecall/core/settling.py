"""The last word on an attempt: how it ended -> its outcome, and when its target is due again."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from duecall.core import commands as c
from duecall.core import retry
from duecall.core.attempt import Stage, recording_name
from duecall.core.call_events import channels_of, events_of
from duecall.core.key_rules import promised_for
from duecall.core.live_call import LiveCall
from duecall.core.moment import Moment
from duecall.core.outcome import NOT_SENT, Ending, Outcome, judge
from duecall.core.proposal import conduct_of
from duecall.core.verdict import Denied


def settle(call: LiveCall, ending: Ending, at: Moment) -> c.SaveOutcome:
    """It ended so; what was seen of it before is true as well, whatever the last news knows."""
    ending = replace(
        ending,
        answered=ending.answered or call.answered,
        bridged=ending.bridged or call.stage is Stage.BRIDGED,
        result=ending.result or call.result,
    )
    outcome = judge(ending)
    past = retry.with_outcome(call.attempt.target.past, outcome, at.wall)
    decision = retry.decide(call.campaign.retry, past, outcome, at.wall)
    return _save(call, outcome, ending, at, decision)


def settle_unsent(call: LiveCall, denied: Denied, at: Moment) -> c.SaveOutcome:
    """Saved, but the gate closed before its turn came. It was not sent and never will be."""
    decision = retry.RetryDecision(denied.until, denied.reason)
    return _save(call, Outcome.TECHNICAL, Ending(cause=NOT_SENT), at, decision)


def _save(
    call: LiveCall, outcome: Outcome, ending: Ending, at: Moment, decision: retry.RetryDecision
) -> c.SaveOutcome:
    today = at.wall.astimezone(ZoneInfo(call.campaign.zone)).date()
    recorded = call.campaign.record and ending.answered and ending.script_started
    rang = ending.answered or call.stage >= Stage.RINGING
    heard_ms = ending.result.heard_ms if ending.result else 0
    return c.SaveOutcome(
        attempt=call.attempt,
        outcome=outcome,
        ending=ending,
        at=at.wall,
        next_due=decision.at,
        reason=decision.reason,
        promised_for=promised_for(call.campaign, ending.result, today),
        recording=recording_name(call.attempt) if recorded else "",
        call_events=events_of(outcome, rang=rang, heard_ms=heard_ms),
        channels=channels_of(conduct_of(call.campaign).channels, outcome),
        day=today,
    )
