"""What the store answers: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from duecall.core.campaign import Campaign
from duecall.core.gate_types import Snapshot
from duecall.shell.column_values import CampaignState
from duecall.shell.target_store import TargetRow


@dataclass(frozen=True, slots=True)
class Load:
    """Answer to a LoadTargets. next_due: when the next waiting one falls due. failed: why the store
    could not look. answered: (day, answered calls, abandoned ones) of the campaign."""

    campaign: str
    rows: list[TargetRow]
    next_due: datetime | None
    failed: str = ""
    answered: tuple[tuple[date, int, int], ...] = ()


class Recorded(NamedTuple):
    """An attempt that has its outcome, and the name of its recording."""

    attempt_id: str
    target_id: int
    name: str


@dataclass(slots=True)
class ApplyResult:
    """What came of a batch. repeated: outcomes of attempts settled before, or never saved.

    refused: (attempt id, reason, final: it never will be saved). known: of those saved, the past of
    their keys after the commit.
    """

    saved: list[str] = field(default_factory=list)
    known: dict[str, Snapshot] = field(default_factory=dict)
    refused: list[tuple[str, str, bool]] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    recordings: list[Recorded] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    stopped_numbers: list[str] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredCampaign:
    name: str
    state: CampaignState
    campaign: Campaign
    yaml_text: str
    digest: str  # SHA-256 of yaml_text, hex
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """targets: state -> how many. outcomes: of settled attempts. done: reason -> targets.

    attempts = sum(outcomes) + live.
    """

    targets: dict[str, int]
    attempts: int
    live: int
    outcomes: dict[str, int]
    done: dict[str, int]
    promises: int


@dataclass(frozen=True, slots=True)
class StoppedNumber:
    """A number that is never called. phone is in the clear: mask it before it is shown."""

    phone: str
    reason: str
    source: str
    at: datetime
