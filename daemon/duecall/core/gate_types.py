"""What the gate is asked, what it needs to know, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple, Protocol

from duecall.core.call_events import ALL_EVENTS, CallKey, PastCall
from duecall.core.rule_pack import LineKind, Purpose
from duecall.core.verdict import Verdict

_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Conduct:
    """What all calls of one kind of one campaign have in common.

    channels: bits of core/call_events.py, all that the call may become (a recorded message that can
    end at an agent is both). zone: of the lender's books. label: the name shown beside the number.
    """

    campaign: str
    channels: int
    ring_s: int
    zone: str
    purpose: Purpose = "collection"
    label: str = ""


class Tally(NamedTuple):
    """Live answers and those abandoned, within the window of this abandonment rule."""

    rule: str
    live: int
    abandoned: int


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A call that somebody wants to make. zones: where the callee may be (law_hours.zones_of).

    line: what the number is, empty where that is not known. regions: ISO 3166-2, empty where not
    known. consents: those on file and valid now. flags: what is noted of the contact.
    """

    conduct: Conduct
    keys: tuple[CallKey, ...]
    zones: tuple[str, ...]
    line: LineKind | Literal[""] = ""
    regions: frozenset[str] = frozenset()
    consents: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    abandoned: tuple[Tally, ...] = ()


class Stop(NamedTuple):
    """Do not call. kind: dnc, opt_out, dispute, bankrupt, deceased, wrong_party, …

    scope: what it was entered for, as people say it ("all campaigns", "+8490…"). expires_us: None
    is never. source: an attempt's id, a file, a person.
    """

    kind: str
    scope: str
    expires_us: int | None
    source: str


class Stops(Protocol):
    """All that forbids to call somebody, as it stands now."""

    def of(self, call: ProposedCall) -> Sequence[Stop]:
        """The stops for any of the call's keys and prefixes, for its campaign or for all."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """History and stops of one call, as the store read them at one moment.

    What a core without a database is given: with a target that was claimed, and afresh, without the
    attempt itself, when that was saved (core/call_events.History says why). read_us: when it was
    read; calls that went on then end at that moment, of every class. answered: after a commit, the
    campaign's (day, answered calls, abandoned ones) of the latest days.
    """

    calls: Mapping[CallKey, tuple[PastCall, ...]]
    stops: tuple[Stop, ...] = ()
    read_us: int = _NEVER
    answered: tuple[tuple[date, int, int], ...] = ()

    def since(self, key: CallKey, from_us: int) -> Sequence[PastCall]:
        """Of the calls read; KeyError for a key that was not."""
        return [call for call in self.calls[key] if call.at_us >= from_us]

    def of(self, call: ProposedCall) -> Sequence[Stop]:
        """All that were read."""
        return self.stops

    @property
    def unsettled(self) -> bool:
        """One of the calls went on when it was read: it may come to less than it is counted for."""
        return any(
            call.events == ALL_EVENTS and call.ended_us >= self.read_us
            for calls in self.calls.values()
            for call in calls
        )


EMPTY = Snapshot({})


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far back a Snapshot has to look, by kind of key: microseconds since 1970; None: not at
    all, for no rule counts by it. answered: whether answered calls are bounded."""

    number: int | None = None
    contact: int | None = None
    account: int | None = None
    answered: bool = False


NO_HORIZON = Horizon()


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a call was judged by when it was planned, for the ledger. rules: digest of the rules in
    effect (core/rule_merge.py)."""

    rules: str
    call: ProposedCall


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says. until_us: when to look again; None where it denies: never.

    applies: False where the rule is not about this call, or not in force; `reason` says which.
    values: what it was judged by, as (name, text).
    """

    rule: str
    kind: str
    level: str
    denies: bool
    reason: str
    until_us: int | None = None
    applies: bool = True
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """verdict: as `check` gives it. deciding: the first finding that denies; None: allowed.

    findings: in the gate's order; those that are not about the call stand last.
    """

    verdict: Verdict
    deciding: Finding | None
    findings: tuple[Finding, ...]
