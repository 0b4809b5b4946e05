"""Accounts and contacts as the rest of the core sees them, and the DPD buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

# Lower bounds of the DPD buckets 2-5 (features A2). The source leaves day 180 in no bucket: it is
# put into 5, so that every day has one. Bucket 1 begins at 0; before the due date there is none.
BUCKET_STARTS = (0, 10, 30, 90, 180)


def dpd_on(due: date, today: date) -> int:
    """Days past due; negative before the due date."""
    return (today - due).days


def dpd_bucket(dpd: int) -> int:
    """1-5, or 0 for an account that is not due yet."""
    return sum(dpd >= start for start in BUCKET_STARTS)


@dataclass(frozen=True, slots=True)
class Account:
    """One debt. balance_minor: whole minor units (dong, kopecks, fen, cents) of `currency`; 0 too
    where a card account came without a balance (no message of its campaign speaks one)."""

    contract_number: str
    balance_minor: int
    currency: str
    interest_rate: str  # per cent a year, as a plain decimal: "18.5"
    due_date: date
    card_number: str = ""
    fields: dict[str, str] = field(default_factory=dict)  # further CSV columns


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent on file. until: its last day where the lender keeps its books; None: no end."""

    word: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to reach. phone: E.164 with its plus. zone: IANA name, empty where not known.

    customer_id: the lender's own name of the person, by which several numbers are one contact;
    empty: number and name together are the person. region: ISO 3166-2. line: "mobile", "landline";
    all empty where not known. flags: what is noted of the person, such as third_party.
    """

    name: str
    phone: str
    zone: str = ""
    language: str = ""
    customer_id: str = ""
    region: str = ""
    line: str = ""
    consents: tuple[Consent, ...] = ()
    flags: tuple[str, ...] = ()
