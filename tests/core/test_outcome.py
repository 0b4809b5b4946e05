"""Every cause has an outcome, and an answered call is judged by what its dialogue said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.outcome import CAUSES, LOST, Ending, Outcome, judge
from fs_scripts.contract import CALLEE_HUNG_UP, COMPLETED, ERROR, KEY, Result


def said(ended_by: str, action: str = "", heard_ms: int = 10_000, **more: object) -> Result:
    return Result("a", ended_by, action, heard_ms=heard_ms, message_ms=10_000, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (Ending("USER_BUSY", 486), Outcome.BUSY),
        (Ending("USER_BUSY", 600), Outcome.BUSY),
        (Ending("NO_ANSWER", 487), Outcome.NO_ANSWER),
        (Ending("NO_USER_RESPONSE", 480), Outcome.NO_ANSWER),
        (Ending("SUBSCRIBER_ABSENT", 480), Outcome.UNREACHABLE),
        (Ending("UNALLOCATED_NUMBER", 404), Outcome.INVALID),
        (Ending("CALL_REJECTED", 603), Outcome.REJECTED),
        # the same cause, but it is the trunk that refuses us
        (Ending("CALL_REJECTED", 403), Outcome.CONGESTION),
        (Ending("NORMAL_TEMPORARY_FAILURE", 503), Outcome.CONGESTION),
        (Ending("RECOVERY_ON_TIMER_EXPIRE", 408), Outcome.CONGESTION),
        (Ending("DESTINATION_OUT_OF_ORDER"), Outcome.CONGESTION),
        (Ending("A_CAUSE_OF_TOMORROW"), Outcome.TECHNICAL),
        (Ending(LOST), Outcome.UNKNOWN),
        (Ending(LOST, answered=True), Outcome.UNKNOWN),
        # of a switch that died only the accepted key is left
        (Ending(LOST, answered=True, result=said(KEY, "opt_out")), Outcome.OPTED_OUT),
        (Ending(LOST, answered=True, result=said(KEY, "promise")), Outcome.PROMISED),
        # an agent may have come, and nobody was left to say so
        (Ending(LOST, answered=True, result=said(KEY, "transfer")), Outcome.UNKNOWN),
        (
            Ending(LOST, answered=True, result=said(KEY, "transfer"), bridged=True),
            Outcome.TRANSFERRED,
        ),
        (Ending("NORMAL_CLEARING", 200, True, said(COMPLETED)), Outcome.DELIVERED),
        (Ending("NORMAL_CLEARING", 200, True, said(CALLEE_HUNG_UP, "", 4_000)), Outcome.HUNG_UP),
        # in the last words: heard
        (Ending("NORMAL_CLEARING", 200, True, said(CALLEE_HUNG_UP, "", 9_800)), Outcome.DELIVERED),
        (Ending("NORMAL_CLEARING", 200, True, said(KEY, "opt_out")), Outcome.OPTED_OUT),
        (Ending("NORMAL_CLEARING", 200, True, said(KEY, "claims_paid")), Outcome.CLAIMS_PAID),
        (Ending("NORMAL_CLEARING", 200, True, said(KEY, "promise")), Outcome.PROMISED),
        (
            Ending("NORMAL_CLEARING", 200, True, said(KEY, "transfer")),
            Outcome.AGENT_UNAVAILABLE,
        ),
        (
            Ending("NORMAL_CLEARING", 200, True, said(KEY, "transfer"), bridged=True),
            Outcome.TRANSFERRED,
        ),
        (
            Ending("NORMAL_CLEARING", 200, True, said(COMPLETED, answers={"q1": "good"})),
            Outcome.SURVEYED,
        ),
        (Ending("NORMAL_CLEARING", 200, True, said(ERROR)), Outcome.SCRIPT_ERROR),
        (Ending("NORMAL_CLEARING", 200, answered=True), Outcome.SCRIPT_ERROR),
        # answered and hung up at once: the script's turn never came
        (Ending("NORMAL_CLEARING", 200, answered=True, script_started=False), Outcome.HUNG_UP),
    ],
)
def test_judgements(ending: Ending, outcome: Outcome) -> None:
    assert judge(ending) is outcome


@given(st.text(max_size=40), st.integers(0, 699), st.booleans(), st.booleans())
def test_any_ending_has_an_outcome(cause: str, status: int, answered: bool, bridged: bool) -> None:
    assert isinstance(judge(Ending(cause, status, answered, None, bridged)), Outcome)


def test_no_cause_stands_under_two_outcomes() -> None:
    assert len(CAUSES) == len(set(CAUSES))
    assert CAUSES["NORMAL_CLEARING"] is Outcome.UNREACHABLE


def test_every_outcome_says_whether_it_spoke_counts_and_ends() -> None:
    for outcome in Outcome:
        assert isinstance(outcome.spoke, bool)
        if outcome.ends_campaign:
            assert outcome.counts
