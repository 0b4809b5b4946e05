"""What a call was, as the caps see it: event classes and channels, one bit each.

One call can be of several classes. A cap names the classes it counts; a call counts once for it.
A call whose fate is unknown, or that has not ended, is of every class and every channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from duecall.core.outcome import Outcome
from duecall.core.rule_pack import KeyKind

ATTEMPT = 1  # it rang at the callee, or was answered
LIVE = 2  # somebody answered, any person (or a machine not known as one)
CONVERSATION = 4  # two-way: talked with an agent, or answered by keys
MESSAGE = 8  # a recorded or spoken message was played, or sent
ABANDON = 16  # answered, and neither agent nor message began in time
MACHINE = 32  # a machine was detected
EVENTS = {
    "attempt": ATTEMPT,
    "live": LIVE,
    "conversation": CONVERSATION,
    "message": MESSAGE,
    "abandon": ABANDON,
    "machine": MACHINE,
}
AGENT, AI_AGENT, PRERECORDED, SMS = 1, 2, 4, 8
CHANNELS = {"agent": AGENT, "ai_agent": AI_AGENT, "prerecorded": PRERECORDED, "sms": SMS}
ALL_EVENTS = sum(EVENTS.values())
ALL_CHANNELS = sum(CHANNELS.values())


class CallKey(NamedTuple):
    """By which calls are counted. value: a keyed hash or a row's id; never a phone in clear."""

    kind: KeyKind
    value: str


class PastCall(NamedTuple):
    """One past call. at_us: when it was saved. ended_us: its last sign of life, at_us or later.

    Both microseconds since 1970. events, channels: bits of this module.
    """

    at_us: int
    ended_us: int
    events: int
    channels: int


class History(Protocol):
    """Past calls of one lender, over all its campaigns, daemons and kinds of call.

    The call that is asked about is not among them: who asks again when its attempt is saved, as
    it is about to be sent, leaves that one row out and no other. As every daemon asks after its own
    commit, of two that called at once the later sees the earlier, and caps hold across daemons.
    """

    def since(self, key: CallKey, from_us: int) -> Sequence[PastCall]:
        """All calls of this key saved at from_us or later; in any order."""


def mask(names: Iterable[str], bits: dict[str, int]) -> int:
    """The bits of these names; all of them where there are none."""
    return sum(bits[name] for name in names) or sum(bits.values())


def events_of(outcome: Outcome | None, *, rang: bool, heard_ms: int = 0) -> int:
    """The classes of one attempt. outcome: None where it has not ended.

    rang: the callee's phone is known to have rung, or was answered. Busy and failed calls that
    never rang are of no class; a doubt counts.
    """
    if outcome is None or outcome is Outcome.UNKNOWN:
        return ALL_EVENTS
    if not outcome.spoke and outcome is not Outcome.SCRIPT_ERROR:
        # Who was not reached in time, or refused, had a ringing phone: nothing says otherwise.
        surely = outcome in (Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.UNREACHABLE)
        return ATTEMPT if rang or surely else 0
    found = ATTEMPT | LIVE | (MESSAGE if heard_ms > 0 else 0)
    if outcome is Outcome.SCRIPT_ERROR and heard_ms <= 0:
        found |= ABANDON
    return found | (CONVERSATION if outcome in _TWO_WAY else 0)


def channels_of(planned: int, outcome: Outcome | None) -> int:
    """What one attempt became. planned: bits of all that it might have become."""
    if outcome is None or outcome is Outcome.UNKNOWN:
        return ALL_CHANNELS
    if outcome is Outcome.TRANSFERRED:
        return planned | AGENT
    return planned & ~AGENT or planned


_TWO_WAY = frozenset(
    {
        Outcome.TRANSFERRED,
        Outcome.OPTED_OUT,
        Outcome.CLAIMS_PAID,
        Outcome.PROMISED,
        Outcome.SURVEYED,
    }
)
