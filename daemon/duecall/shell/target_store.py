"""Targets: who is handed out, given back, put off; all by index, never by a scan.

One that is put off waits with `due_at`. When that has come it is made ready, in bounded batches;
the ready ones are taken by (campaign, rank): a high-ranked retry goes before a fresh low one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from duecall.core.attempt import Past, Target
from duecall.core.contact import Account, Contact
from duecall.core.outcome import Outcome
from duecall.shell.database import Database, chunks, marks
from duecall.shell.models import TargetState, from_us, maybe_from_us, to_us
from duecall.shell.vault import Vault, VaultError
from fs_scripts.contract import Brief

log = logging.getLogger(__name__)
PROMOTE_MAX = 2_000  # waiting targets made ready in one go; several hoppers' worth
UNREADABLE = "its data cannot be unsealed"
# Reasons of the gate and the prompts that lie in the campaign's file: a new file, a new chance.
KEPT_BACK_BY_CAMPAIGN = ("not selected", "cannot be spoken", "the campaign ended", "no hour fits")
S = TargetState

# The columns of a TargetRow, for `read_target`; attempts are joined to the same.
TARGET_COLUMNS = """t.id, t.phone_hash, t.tries, t.counted, t.outcomes, t.last_at,
    a.contract_hash, a.sealed, a.balance_minor, a.currency, a.interest_rate, a.due_date,
    c.person_hash, c.sealed"""
TARGET_JOINS = "JOIN account a ON a.id = t.account_id JOIN contact c ON c.id = a.contact_id"

TAKE = f"""SELECT {TARGET_COLUMNS} FROM target t {TARGET_JOINS}
    WHERE t.campaign_id = ? AND t.state = 'ready' ORDER BY t.rank LIMIT ?"""
FALLEN_DUE = """SELECT id FROM target WHERE campaign_id = ? AND state = 'waiting'
    AND due_at <= ? ORDER BY due_at, rank LIMIT ?"""
NEXT_DUE = """SELECT due_at FROM target WHERE campaign_id = ? AND state = 'waiting'
    ORDER BY due_at LIMIT 1"""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target as the store knows it: all but what will be said to it."""

    id: int
    lender: str
    campaign: str
    contact: Contact
    account: Account
    phone_hash: str
    past: Past

    def as_target(self, brief: Brief, no_agent: tuple[str, ...] = ()) -> Target:
        return Target(
            id=self.id,
            lender=self.lender,
            campaign=self.campaign,
            contact=self.contact,
            account=self.account,
            phone_hash=self.phone_hash,
            past=self.past,
            brief=brief,
            no_agent=no_agent,
        )


@dataclass(frozen=True, slots=True)
class CampaignKey:
    """What the store's inner parts need of a campaign."""

    id: int
    name: str
    trunk: str


class TargetStore:
    """All within the caller's transaction."""

    def __init__(self, database: Database, vault: Vault, lender: tuple[int, str], daemon: str):
        self._database = database
        self._vault = vault
        self._lender, self._lender_name = lender
        self._daemon = daemon

    def take_due(self, campaign: CampaignKey, now: datetime, limit: int) -> list[TargetRow]:
        """Up to `limit` that are due at `now`, in rank order, marked held by this daemon."""
        self._promote(campaign, now)
        rows = self._database.run(TAKE, (campaign.id, limit)).fetchall()
        taken, unreadable = [], []
        for row in rows:
            try:
                taken.append(self.read_target(campaign.name, row))
            except VaultError as error:
                log.error("target %d cannot be called: %s", row[0], error)
                unreadable.append(row[0])
        self._move([row.id for row in taken], S.READY, S.HELD, held_by=self._daemon)
        self._move(unreadable, S.READY, S.DONE, reason=UNREADABLE)
        if unreadable:  # fewer than `limit` must mean that there are no more
            taken += self.take_due(campaign, now, len(unreadable))
        return taken

    def next_up(self, campaign: CampaignKey, limit: int) -> list[TargetRow]:
        """The first `limit` ready ones in rank order, left where they are; unreadable ones not."""
        found = []
        for row in self._database.run(TAKE, (campaign.id, limit)).fetchall():
            with suppress(VaultError):
                found.append(self.read_target(campaign.name, row))
        return found

    def _promote(self, campaign: CampaignKey, now: datetime) -> None:
        fallen = self._database.run(FALLEN_DUE, (campaign.id, to_us(now), PROMOTE_MAX))
        self._move([row[0] for row in fallen.fetchall()], S.WAITING, S.READY, due_at=None)

    def next_due(self, campaign: CampaignKey) -> datetime | None:
        row = self._database.run(NEXT_DUE, (campaign.id,)).fetchone()
        return None if row is None else from_us(row[0])

    def kept_back(self, campaign: CampaignKey) -> list[tuple[int, str]]:
        """(target, reason) of those that only the campaign's own words have kept back."""
        sql = """SELECT id, reason FROM target WHERE campaign_id = ? AND state = 'done'
            AND rank IS NOT NULL"""
        rows = self._database.run(sql, (campaign.id,))
        return [(n, reason) for n, reason in rows if reason.startswith(KEPT_BACK_BY_CAMPAIGN)]

    def open_again(self, campaign: CampaignKey, targets: Sequence[tuple[int, str]]) -> int:
        """Done ones, with their reasons, are ready again. How many."""
        moved = 0
        for reason in {reason for _, reason in targets}:
            ids = [n for n, why in targets if why == reason]
            count = self._move(ids, S.DONE, S.READY, reason="")
            self._database.count(self._lender, campaign.id, "done", reason, -count)
            moved += count
        return moved

    def release(self, ids: Sequence[int]) -> None:
        """Give held ones back unchanged; others are left as they are."""
        self._move(ids, S.HELD, S.READY, held_by="")

    def defer(self, target_id: int, until: datetime | None, reason: str) -> None:
        """Not before `until`; None: never in this campaign. One that is being called is left."""
        for old in (S.HELD, S.READY, S.WAITING, S.NEW):
            if until is None:
                moved = self._move([target_id], old, S.DONE, reason=reason, held_by="")
            else:
                moved = self._move(
                    [target_id], old, S.WAITING, due_at=to_us(until), reason=reason, held_by=""
                )
            if moved:
                return

    def recover_held(self) -> int:
        """At start: what an earlier life of this daemon held is ready again. How many."""
        sql = """SELECT id FROM target WHERE campaign_id IN (SELECT id FROM campaign
            WHERE lender_id = ?) AND state = 'held' AND held_by = ?"""
        ids = [row[0] for row in self._database.run(sql, (self._lender, self._daemon)).fetchall()]
        return self._move(ids, S.HELD, S.READY, held_by="")

    def stop_number(self, phone_hash: str, reason: str) -> None:
        """All targets of a number, in every campaign, that nobody is busy with: done."""
        sql = """SELECT id, state FROM target WHERE lender_id = ? AND phone_hash = ?
            AND state IN ('new', 'waiting', 'ready')"""
        for target_id, state in self._database.run(sql, (self._lender, phone_hash)).fetchall():
            self._move([target_id], S(state), S.DONE, reason=reason)

    def begin_call(self, target_id: int) -> None:
        """HELD -> CALLING, one try more: an attempt counts from the moment it is saved."""
        self._move([target_id], S.HELD, S.CALLING)
        self._database.run("UPDATE target SET tries = tries + 1 WHERE id = ?", (target_id,))

    def end_call(
        self,
        target_id: int,
        outcome: Outcome,
        at: datetime,
        next_due: datetime | None,
        reason: str,
    ) -> tuple[int, int]:
        """CALLING -> WAITING or DONE, and the outcome into its past. Its (campaign, account)."""
        campaign_id, account_id, outcomes = self._database.run(
            "SELECT campaign_id, account_id, outcomes FROM target WHERE id = ?", (target_id,)
        ).fetchone()
        by_outcome = json.loads(outcomes)
        by_outcome[outcome.value] = by_outcome.get(outcome.value, 0) + 1
        changes: dict[str, Any] = {
            "counted": int(outcome.counts),
            "outcomes": json.dumps(by_outcome),
            "last_at": to_us(at),
            "last_outcome": outcome.value,
        }
        self._database.run(
            "UPDATE target SET counted = counted + ?, outcomes = ?, last_at = ?, last_outcome = ?"
            " WHERE id = ?",
            (*changes.values(), target_id),
        )
        if next_due is None:
            self._move([target_id], S.CALLING, S.DONE, reason=reason, held_by="")
        else:
            self._move(
                [target_id], S.CALLING, S.WAITING, due_at=to_us(next_due), reason=reason, held_by=""
            )
        return campaign_id, account_id

    def _move(self, ids: Sequence[int], old: S, new: S, **columns: Any) -> int:
        """Those of the ids that are in state `old` go to `new`; the tally follows. How many."""
        names = ", ".join(f"{name} = ?" for name in ("state", *columns))
        moved = 0
        for some in chunks(ids):
            # By campaign, for the tally is kept by it; mostly there is but one.
            found: dict[int, list[int]] = {}
            sql = f"SELECT id, campaign_id FROM target WHERE id IN ({marks(some)}) AND state = ?"
            for target_id, campaign_id in self._database.run(sql, (*some, old.value)).fetchall():
                found.setdefault(campaign_id, []).append(target_id)
            for campaign_id, theirs in found.items():
                self._database.run(
                    f"UPDATE target SET {names} WHERE id IN ({marks(theirs)})",
                    (new.value, *columns.values(), *theirs),
                )
                self._database.moved(self._lender, campaign_id, old, new, len(theirs))
                if new is S.DONE:
                    reason = columns.get("reason", "")
                    self._database.count(self._lender, campaign_id, "done", reason, len(theirs))
                moved += len(theirs)
        return moved

    def read_target(self, campaign: str, row: Sequence[Any]) -> TargetRow:
        """row: TARGET_COLUMNS. VaultError where it cannot be opened."""
        (target_id, phone_hash, tries, counted, outcomes, last_at,
         contract_hash, account_sealed, balance_minor, currency, interest_rate, due_date,
         person_hash, contact_sealed) = row  # fmt: skip
        account = json.loads(self._vault.open(account_sealed, f"account:{contract_hash}"))
        contact = json.loads(self._vault.open(contact_sealed, f"contact:{person_hash}"))
        return TargetRow(
            id=target_id,
            lender=self._lender_name,
            campaign=campaign,
            contact=Contact(**contact),
            account=Account(
                contract_number=account["contract_number"],
                balance_minor=balance_minor,
                currency=currency,
                interest_rate=interest_rate,
                due_date=date.fromisoformat(due_date),
                card_number=account["card_number"],
                fields=account["fields"],
            ),
            phone_hash=phone_hash,
            past=Past(
                tries=tries,
                counted=counted,
                by_outcome={Outcome(name): n for name, n in json.loads(outcomes).items()},
                last_at=maybe_from_us(last_at),
            ),
        )


def before_its_last_try(past: Past) -> Past:
    """What the past was when the attempt that is now open was planned."""
    return replace(past, tries=past.tries - 1)
