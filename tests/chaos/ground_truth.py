"""What was received: calls as the carrier saw them, keys as the callees sent them.

Made of the exchange's logs, of SIPp's own, and of the times at which the switch was taken away.
Nothing of it comes from the daemon, its log or its database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sipp_scenarios.field import Field, Invite, KeySent, Signal

INVITE_OK = "200 INVITE"


@dataclass(frozen=True)
class Span:
    """From `begin` to `end`, Unix seconds."""

    begin: float
    end: float

    def meets(self, other: Span) -> bool:
        return self.begin < other.end and other.begin < self.end


@dataclass(frozen=True)
class Call:
    """One call as the carrier saw it. Times are Unix seconds, None: it never happened.

    status: final answer to the INVITE, 0 where none was seen. ended_by: caller, callee, refusal,
    cancel, "switch died", or "" for a call that is still up.
    """

    call_id: str
    number: str
    callee: str
    invited_at: float
    answered_at: float | None = None  # the callee's 200
    acknowledged_at: float | None = None  # the switch's ACK
    cancelled_at: float | None = None
    status: int = 0
    ended_at: float | None = None
    ended_by: str = ""


@dataclass(frozen=True)
class Press:
    """A callee had pressed its key, and released it at this time."""

    number: str
    call_id: str
    at: float


@dataclass
class Truth:
    """deaths: when the switch was killed. stood_still: when it was frozen. over: end of the run."""

    calls: list[Call]
    presses: list[Press]
    deaths: list[float] = field(default_factory=list)
    stood_still: list[Span] = field(default_factory=list)
    over: float = 0.0


def observe(
    from_field: Field, deaths: Iterable[float], stood_still: Iterable[Span], over: float
) -> Truth:
    """Read the logs of the callees and of their carrier."""
    return Truth(
        calls=calls_of(from_field.invites(), from_field.wire(), sorted(deaths)),
        presses=presses_of(from_field.invites(), from_field.keys_sent()),
        deaths=sorted(deaths),
        stood_still=sorted(stood_still, key=lambda span: span.begin),
        over=over,
    )


def calls_of(
    invites: Iterable[Invite], wire: Iterable[Signal], deaths: Iterable[float]
) -> list[Call]:
    """In the order in which they came. A call without a BYE ends when the switch dies."""
    followed: dict[str, list[Signal]] = {}
    for signal in wire:
        followed.setdefault(signal.call_id, []).append(signal)
    moments = list(deaths)
    return [
        _call(invite, followed.get(invite.call_id, []), moments)
        for invite in invites
        if not invite.repeat
    ]


def _call(invite: Invite, signals: list[Signal], deaths: list[float]) -> Call:
    def first(side: str, what: str) -> float | None:
        return next((s.unix_time for s in signals if (s.side, s.what) == (side, what)), None)

    final = next(
        (s for s in signals if s.side == "callee" and s.what.endswith(" INVITE") and s.what >= "2"),
        None,
    )
    answered_at = first("callee", INVITE_OK)
    cancelled_at = first("caller", "CANCEL")
    ends: list[tuple[float, str]] = []
    for side in ("caller", "callee"):
        if (at := first(side, "BYE")) is not None:
            ends.append((at, side))
    if answered_at is None:
        if cancelled_at is not None:
            ends.append((cancelled_at, "cancel"))
        if final is not None:
            ends.append((final.unix_time, "refusal"))
    ends += [(at, "switch died") for at in deaths if at >= invite.unix_time]
    ended_at, ended_by = min(ends) if ends else (None, "")
    return Call(
        call_id=invite.call_id,
        number=invite.number,
        callee=invite.callee,
        invited_at=invite.unix_time,
        answered_at=answered_at,
        acknowledged_at=first("caller", "ACK") if answered_at is not None else None,
        cancelled_at=cancelled_at,
        status=int(final.what[:3]) if final is not None else 0,
        ended_at=ended_at,
        ended_by=ended_by,
    )


def presses_of(invites: Iterable[Invite], keys: Iterable[KeySent]) -> list[Press]:
    numbers = {invite.call_id: invite.number for invite in invites}
    return [Press(numbers[key.call_id], key.call_id, key.unix_time) for key in keys]
