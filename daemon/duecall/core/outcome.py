"""What came of an attempt: hangup cause, SIP status and script result -> one outcome (law L6).

The table of causes is FreeSWITCH's (src/mod/endpoints/mod_sofia/sofia_glue.c maps SIP to Q.850).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fs_scripts import contract


class Outcome(str, Enum):
    """Final result of an attempt. The first group spoke with the callee, the second did not."""

    TRANSFERRED = "transferred"  # talked with an agent
    AGENT_UNAVAILABLE = "agent_unavailable"  # asked for an agent, none answered
    OPTED_OUT = "opted_out"
    CLAIMS_PAID = "claims_paid"
    PROMISED = "promised"  # promise to pay
    SURVEYED = "surveyed"  # at least one answer recorded
    DELIVERED = "delivered"  # heard the whole message
    HUNG_UP = "hung_up"  # hung up before its end
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    INVALID = "invalid"
    REJECTED = "rejected"
    CONGESTION = "congestion"  # the trunk's fault, not the callee's
    TECHNICAL = "technical"
    SCRIPT_ERROR = "script_error"  # answered, yet no result: an alarm
    UNKNOWN = "unknown"  # the evidence is gone; counts against every cap

    @property
    def spoke(self) -> bool:
        """Somebody (or a machine) answered and the dialogue ran."""
        return self in _SPOKE

    @property
    def counts(self) -> bool:
        """Counts against the campaign's overall maximum of attempts."""
        return self not in (Outcome.CONGESTION, Outcome.TECHNICAL)

    @property
    def ends_campaign(self) -> bool:
        """No retry rule may bring this target back: the callee has answered the question."""
        return self in _ENDS


_SPOKE = frozenset(list(Outcome)[:8])
_ENDS = frozenset(
    {
        Outcome.TRANSFERRED,
        Outcome.OPTED_OUT,
        Outcome.CLAIMS_PAID,
        Outcome.PROMISED,
        Outcome.SURVEYED,
        Outcome.DELIVERED,
        Outcome.INVALID,
    }
)

# Causes of our own making, beside those of FreeSWITCH.
LOST = "EVIDENCE_LOST"  # neither the switch nor its call records know how the call ended
NOT_SENT = "NOT_SENT"  # saved, but the gate closed before it could be sent

_BY_ACTION = {
    contract.OPT_OUT: Outcome.OPTED_OUT,
    contract.CLAIMS_PAID: Outcome.CLAIMS_PAID,
    contract.PROMISE: Outcome.PROMISED,
    contract.HANG_UP: Outcome.DELIVERED,
}

_BY_CAUSE = {
    Outcome.BUSY: "USER_BUSY",
    Outcome.NO_ANSWER: "NO_ANSWER NO_USER_RESPONSE PROGRESS_TIMEOUT ALLOTTED_TIMEOUT "
    "ORIGINATOR_CANCEL",
    Outcome.UNREACHABLE: "SUBSCRIBER_ABSENT NORMAL_CLEARING",
    Outcome.INVALID: "UNALLOCATED_NUMBER NO_ROUTE_DESTINATION INVALID_NUMBER_FORMAT "
    "NUMBER_CHANGED NO_ROUTE_TRANSIT_NET",
    Outcome.REJECTED: "CALL_REJECTED UNWANTED OUTGOING_CALL_BARRED INCOMING_CALL_BARRED "
    "CALL_BARRED DECLINE",
    Outcome.CONGESTION: "NORMAL_TEMPORARY_FAILURE NORMAL_CIRCUIT_CONGESTION NETWORK_OUT_OF_ORDER "
    "SWITCH_CONGESTION REQUESTED_CHAN_UNAVAIL SERVICE_UNAVAILABLE GATEWAY_DOWN INVALID_GATEWAY "
    "DESTINATION_OUT_OF_ORDER RECOVERY_ON_TIMER_EXPIRE CHAN_NOT_IMPLEMENTED INVALID_PROFILE",
}
CAUSES: dict[str, Outcome] = {
    cause: outcome for outcome, causes in _BY_CAUSE.items() for cause in causes.split()
}

# A trunk that refuses our credentials looks like a person who refuses the call (both are
# CALL_REJECTED): only the SIP status tells them apart.
TRUNK_FAULT_STATUSES = frozenset({401, 402, 403, 407, 408})


@dataclass(frozen=True, slots=True)
class Ending:
    """All that is known when a call is over.

    cause: FreeSWITCH's name of it, or the text after `-ERR` of a refused originate.
    sip_status: final SIP response, 0 where there was none. answered: the callee's leg was answered.
    result: what the script said, None where it said nothing. bridged: an agent was connected.
    script_started: False where the call was over before the script's turn came.
    """

    cause: str
    sip_status: int = 0
    answered: bool = False
    result: contract.Result | None = None
    bridged: bool = False
    script_started: bool = True

    def with_seen(self, *, answered: bool, bridged: bool) -> Ending:
        """The same ending, with what was seen of the call before it."""
        return replace(self, answered=answered, bridged=bridged)


def judge(ending: Ending) -> Outcome:
    """The one outcome of a call that is over. Total: any cause has an outcome."""
    if ending.cause == LOST and not ending.bridged and not _decided_by_key(ending.result):
        return Outcome.UNKNOWN
    if ending.answered:
        return _judge_answered(ending)
    if ending.cause == "CALL_REJECTED" and ending.sip_status in TRUNK_FAULT_STATUSES:
        return Outcome.CONGESTION
    if ending.sip_status == 408:  # the trunk, not the phone, was silent
        return Outcome.CONGESTION
    return CAUSES.get(ending.cause, Outcome.TECHNICAL)


def _decided_by_key(result: contract.Result | None) -> bool:
    """Is a key the last word, whatever became of the call after it? Not one that asks for an agent:
    he may have come, and nobody was left to say so."""
    if result is None:
        return False
    if result.ended_by == contract.CUT_OFF:  # an answer of a survey, with more questions to come
        return bool(result.answers)
    return result.ended_by == contract.KEY and result.action != contract.TRANSFER


def _judge_answered(ending: Ending) -> Outcome:
    result = ending.result
    if ending.bridged:
        return Outcome.TRANSFERRED
    if result is None:
        # Answer and BYE at once: the script had no time to start. That is the callee's doing.
        return Outcome.SCRIPT_ERROR if ending.script_started else Outcome.HUNG_UP
    if result.ended_by == contract.ERROR:
        return Outcome.SCRIPT_ERROR
    if result.ended_by == contract.KEY:
        if result.action == contract.TRANSFER:
            return Outcome.AGENT_UNAVAILABLE
        return _BY_ACTION.get(result.action, Outcome.SCRIPT_ERROR)
    if result.answers:
        return Outcome.SURVEYED
    if result.ended_by == contract.CALLEE_HUNG_UP and result.share_heard < HEARD_SHARE:
        return Outcome.HUNG_UP
    return Outcome.DELIVERED


HEARD_SHARE = 0.95  # who hangs up in the last words has heard the message
