"""What an auditor sees of a story: the log of what was commanded, made durable and truly happened,
and the books at its end. The checkers judge by this and by nothing else; `evidence` is what
`duecall audit` would find in the database.

Lines of the log (`Entry.what`), by who could have seen them:

    the command log   sent, decided
    the database      saved, settled, stopped (a number), state (of a campaign), finished, adopted,
                      barred (a target, by the stop that stands as number, until value or for
                      ever), freed (all that the stop in value barred)
    the machines      born, died, suspended, resumed, told (the operator's word reached a daemon)
    the switch        arrived, void (it never will), answered, keyed, parked, bridged, said, gone,
                      frozen, thawed, record (the call's record is whole), no_evidence (neither the
                      switch nor a record knew the call when asked), end_heard (a daemon took it in)
    the story         healed
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import NamedTuple

from duecall.audit.log import Log


@dataclass(frozen=True, slots=True)
class Truth:
    """What truly became of one channel. script: ran, failed, or none where it never began.

    action: what the callee's deciding key stands for, empty for none. share_heard: 0.0-1.0 of the
    message. cut: the switch died under it.
    """

    answered: bool
    cause: str
    sip_status: int = 0
    script: str = "none"
    action: str = ""
    bridged: bool = False
    share_heard: float = 0.0
    cut: bool = False


class Entry(NamedTuple):
    """One line of the log. at_s: true time, seconds since the story began; it never steps.

    wall: what the daemon's machine took for the time. value: outcome, state or kind, by `what`.
    """

    at_s: float
    what: str
    daemon: str = ""
    attempt: str = ""
    number: str = ""
    target: int = 0
    campaign: str = ""
    wall: datetime | None = None
    value: str = ""
    truth: Truth | None = None


@dataclass(frozen=True, slots=True)
class CampaignRules:
    """What a campaign promises. hours: local to the callee, end excluded. times: outcome -> how
    often it may be followed by another attempt. every_s: the shortest rest after any outcome."""

    hours: tuple[tuple[time, time], ...]
    except_dates: tuple[date, ...]
    max_attempts: int
    times: dict[str, int]
    every_s: int
    ring_s: int
    max_call_s: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the story's installation promises. zones: number -> all zones the callee may be in."""

    channels: int
    calls_per_second: float
    agent_wait_s: int
    park_grace_s: int
    campaigns: dict[str, CampaignRules]
    zones: dict[str, tuple[str, ...]]


@dataclass(slots=True)
class Books:
    """At the end. targets: id -> state. counted: the store's own sums: `saved`, and each outcome.

    left_over: what the daemons still hold though nothing goes on. stopped: numbers on the list.
    """

    targets: dict[int, str] = field(default_factory=dict)
    campaign_of: dict[int, str] = field(default_factory=dict)
    number_of: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    open_attempts: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    stopped: frozenset[str] = frozenset()
    left_over: tuple[str, ...] = ()


@dataclass(slots=True)
class Story:
    """One seed's story. calm: no fault was let loose in it. met: faults that truly struck."""

    seed: int
    contacts: int
    rules: Rules
    log: list[Entry] = field(default_factory=list)
    books: Books = field(default_factory=Books)
    rates: dict[str, float] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)  # of the daemon itself: it raised
    healed_s: float = 0.0
    ended_s: float = 0.0
    bound_s: float = 0.0  # by then, after the healing, all must be done
    law: str = "none"  # by which pack, or own rules, it was called
    evidence: Log | None = None  # for the audit
    _by_kind: dict[str, list[Entry]] = field(default_factory=dict)
    _sorted: int = 0

    @property
    def calm(self) -> bool:
        return not self.met

    def of(self, what: str) -> list[Entry]:
        """All lines of one kind, in order."""
        for entry in self.log[self._sorted :]:
            self._by_kind.setdefault(entry.what, []).append(entry)
        self._sorted = len(self.log)
        return self._by_kind.get(what, [])

    def digest(self) -> str:
        """The same for the same story, on any machine."""
        told = hashlib.sha256()
        for entry in self.log:
            told.update(repr(entry).encode())
        told.update(repr(sorted(self.books.targets.items())).encode())
        told.update(repr(sorted(self.met.items())).encode())
        return told.hexdigest()
