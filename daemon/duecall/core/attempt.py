"""An attempt: one try to reach one contact; the stages it moves through, and only to the right."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum

from duecall.core.contact import Account, Contact
from duecall.core.gate_types import EMPTY, Grounds, Snapshot
from duecall.core.outcome import Outcome
from fs_scripts.contract import Brief

_NAMESPACE = uuid.UUID("6f0e6a2e-5f1c-5d0e-9b0a-d0eca1100001")


class Stage(IntEnum):
    """Life of an attempt. A stage is entered at most once; late and doubled news change nothing."""

    PLANNED = 0
    SAVED = 1
    SENT = 2
    RINGING = 3
    ANSWERED = 4
    WAITING = 5  # for an agent
    BRIDGED = 6
    SETTLED = 7


def attempt_id(lender: str, campaign: str, contract_number: str, number: int) -> str:
    """The same attempt has the same id for ever: a UUIDv5, which is also the channel's uuid."""
    return str(uuid.uuid5(_NAMESPACE, f"{lender}\x1f{campaign}\x1f{contract_number}\x1f{number}"))


@dataclass(frozen=True, slots=True)
class Past:
    """What this campaign already did about a target.

    tries: attempts ever made (of any outcome). counted: those that count against the maximum.
    by_outcome: how often each outcome happened.
    """

    tries: int = 0
    counted: int = 0
    by_outcome: dict[Outcome, int] = field(default_factory=dict)
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One account of one contact in one campaign, claimed from the store and ready to be called.

    brief: what the script will be told; attempt_id inside it is filled in by the dialer.
    phone_hash: keyed hash of the number, the key of L1, caps and stops. spoken_on: the day, where
    the lender is, of which the brief speaks; None where it speaks of none. contact_key: keyed hash
    of the person; account_key: the account's number in the store; caps and stops go by these too.
    known: calls and stops of these keys, as they were when the target was claimed. voice: who
    speaks to it (`espeak:vi`), empty where all is recorded; voice_turn: 0 for the campaign's chosen
    voice, from 1 for those that stand in.
    """

    id: int
    lender: str
    campaign: str
    contact: Contact
    account: Account
    phone_hash: str
    past: Past
    brief: Brief
    no_agent: tuple[str, ...] = ()  # sounds said when no agent answers
    spoken_on: date | None = None
    contact_key: str = ""
    account_key: str = ""
    known: Snapshot = EMPTY
    voice: str = ""
    voice_turn: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Durable before it is sent; sent once; settled once."""

    id: str
    number: int  # 1 for the first try of this target
    target: Target
    at: datetime  # when it was planned
    grounds: Grounds | None = None  # None for one of an earlier life


def agent_leg_id(attempt: str, number: int) -> str:
    """Channel uuid of the n-th agent rung for this attempt."""
    return str(uuid.uuid5(_NAMESPACE, f"{attempt}\x1fagent\x1f{number}"))


def recording_name(attempt: Attempt) -> str:
    """Below the folder of recordings: one folder a day (UTC), one file an attempt."""
    return f"{attempt.at:%Y-%m-%d}/{attempt.id}.wav"
