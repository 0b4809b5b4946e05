"""Whom the campaign calls: contacts, the numbers they have, and how each of them behaves."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sipp_scenarios.number_plan import COLUMNS
from sipp_scenarios.timing import Timing
from tests.e2e.world import campaign

NAME = "chaos"
OPTS_OUT = "presses-9"
MAX_ATTEMPTS = 4
CAP = 60  # calls a day: far above what one contact meets here, but all of them are counted
RING_S = 5
TIMING = Timing(
    ring_ms=500, late_ring_ms=3_000, press_after_ms=1_500, hang_up_after_ms=2_000, talk_ms=1_500
)
# callee (of sipp_scenarios; `a|b`: first a, then b) -> how many in a hundred.
CROWD = {
    "presses-9": 18,
    "busy|presses-9": 5,
    "no-answer|presses-9": 3,
    "congestion|presses-9": 2,
    "listens": 14,
    "busy|listens": 5,
    "not-reachable|listens": 3,
    "answers-late": 3,
    "answering-machine": 2,
    "presses-2": 7,
    "presses-3": 6,
    "presses-1": 7,
    "presses-1-early": 2,
    "hangs-up-midway": 8,
    "answers-and-hangs-up-at-once": 3,
    "busy": 3,
    "no-answer": 2,
    "rejects": 4,
    "unknown-number": 3,
}
# Every second one who opts out has another account in the campaign: it must never be called after.
_SECOND_ACCOUNT_EVERY = 2


@dataclass(frozen=True)
class Person:
    """One number. accounts: contract numbers, each a target of the campaign."""

    number: str
    callee: str
    accounts: tuple[str, ...]


def crowd(contacts: int, seed: int) -> list[Person]:
    """So many accounts in all; with some forty or more, every kind of callee is there."""
    chance = random.Random(f"people {seed}")
    kinds = list(CROWD)[:contacts]
    kinds += chance.choices(list(CROWD), list(CROWD.values()), k=max(0, contacts - len(kinds)))
    chance.shuffle(kinds)
    people: list[Person] = []
    made = opting_out = 0
    for index, callee in enumerate(kinds):
        if made >= contacts:
            break
        accounts = [f"HD-{index:06d}"]
        if callee.endswith(OPTS_OUT):
            opting_out += 1
            if opting_out % _SECOND_ACCOUNT_EVERY == 0 and made + 1 < contacts:
                accounts.append(f"HD-{index:06d}B")
        made += len(accounts)
        people.append(Person(f"+8491{5_000_000 + index}", callee, tuple(accounts)))
    return people


def write_numbers(path: Path, people: Iterable[Person]) -> None:
    """What the exchange reads: who meets whom."""
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for person in people:
            writer.writerow((person.number, person.callee, "chaos", ""))


def write_contacts(path: Path, people: list[Person], seed: int) -> None:
    """The campaign's contacts file, in an order of its own."""
    rows = [
        (f"Nguyễn Văn {n}", account, 1_250_000, "18.5", "2026-11-01", 21, person.number)
        for person in people
        for n, account in enumerate(person.accounts)
    ]
    random.Random(f"order {seed}").shuffle(rows)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["name", "contract_number", "balance", "interest_rate", "due_date", "dpd", "phone"]
        )
        writer.writerows(rows)


def short_campaign() -> dict[str, Any]:
    """Whatever may happen to a call here leads to another one soon."""
    ours = ("unknown", "technical", "congestion", "script_error")
    theirs = ("busy", "no_answer", "unreachable", "rejected", "hung_up", "agent_unavailable")
    rules = {outcome: {"every": "2s", "times": 2} for outcome in theirs}
    rules |= {outcome: {"every": "2s", "times": 50} for outcome in ours}
    return campaign(
        name=NAME,
        contacts=f"{NAME}.csv",
        ring=f"{RING_S}s",
        retry={"max_attempts": MAX_ATTEMPTS, "by_outcome": rules},
        rules={
            "pack": "none",
            "pack_reason": "callees on this machine",
            "gaps": [{"id": "chaos.gap", "per": ["number", "contact"], "gap": "2s"}],
            "caps": [
                {
                    "id": "chaos.day",
                    "counts": ["attempt", "message"],
                    "per": ["number", "contact", "account"],
                    "window": {"rolling_hours": 24},
                    "max": CAP,
                }
            ],
        },
    )
