"""Targets: who is handed out, given back, put off; all by index, never by a scan.

One that is put off waits with `due_at`. When that has come it is made ready, in bounded batches;
the ready ones are taken by (campaign, rank): a high-ranked retry goes before a fresh low one.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from duecall.core.attempt import Past, Target
from duecall.core.contact import Account, Contact
from duecall.core.gate_types import EMPTY, Snapshot
from duecall.core.outcome import Outcome
from duecall.shell.column_values import TargetState, from_us, maybe_from_us, to_us
from duecall.shell.contact_json import contact_of, of_account
from duecall.shell.database import Database, chunks, marks
from duecall.shell.vault import Vault, VaultError
from fs_scripts.contract import Brief

log = logging.getLogger(__name__)
PROMOTE_MAX = 2_000  # waiting targets made ready in one go; several hoppers' worth
PAGE = 2_000  # targets read in one go
UNREADABLE = "its data cannot be unsealed"
# Reasons of the gate and the prompts that lie in the campaign's file: a new file, a new chance.
KEPT_BACK_BY_CAMPAIGN = ("not selected", "cannot be spoken", "campaign.calendar", "hours: ")
S = TargetState

# The columns of a TargetRow, for `read_target`; attempts are joined to the same.
TARGET_COLUMNS = """t.id, t.phone_hash, t.tries, t.counted, t.outcomes, t.last_at,
    a.contract_hash, a.sealed, a.balance_minor, a.currency, a.interest_rate, a.due_date,
    c.person_hash, c.sealed, c.contact_key, a.id"""
TARGET_JOINS = "JOIN account a ON a.id = t.account_id JOIN contact c ON c.id = a.contact_id"

TAKE = f"""SELECT {TARGET_COLUMNS} FROM target t {TARGET_JOINS}
    WHERE t.campaign_id = ? AND t.state = 'ready' ORDER BY t.rank LIMIT ?"""
READY_AFTER = f"""SELECT {TARGET_COLUMNS}, t.rank FROM target t {TARGET_JOINS}
    WHERE t.campaign_id = ? AND t.state = 'ready' AND (t.rank, t.id) > (?, ?)
    ORDER BY t.rank, t.id LIMIT ?"""
READY_COUNT = "SELECT count(*) FROM target WHERE campaign_id = ? AND state = 'ready'"
FALLEN_DUE = """SELECT t.id FROM target t WHERE t.campaign_id = ? AND t.state = 'waiting'
    AND t.due_at <= ? ORDER BY t.due_at, t.rank LIMIT ?"""
NEXT_DUE = """SELECT due_at FROM target WHERE campaign_id = ? AND state = 'waiting'
    ORDER BY due_at LIMIT 1"""
HELD_BY = """SELECT id FROM target WHERE campaign_id IN (SELECT id FROM campaign
    WHERE lender_id = ?) AND state = 'held' AND held_by = ?"""
STOPPABLE = """SELECT id, state FROM target WHERE lender_id = ? AND phone_hash IN ({})
    AND state IN ('new', 'waiting', 'ready', 'held') ORDER BY id"""


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
    contact_key: str = ""
    account_key: str = ""
    known: Snapshot = EMPTY

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
            contact_key=self.contact_key,
            account_key=self.account_key,
            known=self.known,
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
        sql = TAKE + self._database.claiming
        rows = self._database.run(sql, (campaign.id, limit)).fetchall()
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

    def ready_count(self, campaign: CampaignKey) -> int:
        return int(self._database.run(READY_COUNT, (campaign.id,)).fetchone()[0])

    def all_ready(self, campaign: CampaignKey) -> Iterator[TargetRow]:
        """As `next_up`, all of them, read a page at a time."""
        last: tuple[int, int] = (-1, -1)
        while True:
            rows = self._database.run(READY_AFTER, (campaign.id, *last, PAGE)).fetchall()
            for row in rows:
                with suppress(VaultError):
                    yield self.read_target(campaign.name, row[:-1])
            if len(rows) < PAGE:
                return
            last = (rows[-1][-1], rows[-1][0])

    def _promote(self, campaign: CampaignKey, now: datetime) -> None:
        sql = FALLEN_DUE + self._database.claiming
        fallen = self._database.run(sql, (campaign.id, to_us(now), PROMOTE_MAX))
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
        """Give those that this daemon holds back unchanged; others are left as they are."""
        self._move(ids, S.HELD, S.READY, mine=True, held_by="")

    def reason(self, target_id: int) -> str:
        """Why it was put off or ended last; empty for one that never was."""
        row = self._database.run("SELECT reason FROM target WHERE id = ?", (target_id,)).fetchone()
        return str(row[0]) if row else ""

    def defer(self, target_id: int, until: datetime | None, reason: str) -> bool:
        """Not before `until`; None: never in this campaign. False: it is being called, or another
        daemon holds it by now, and it is left."""
        for old in (S.HELD, S.READY, S.WAITING, S.NEW):
            mine = old is S.HELD
            if until is None:
                moved = self._move([target_id], old, S.DONE, mine=mine, reason=reason, held_by="")
            else:
                due = {"due_at": to_us(until), "reason": reason, "held_by": ""}
                moved = self._move([target_id], old, S.WAITING, mine=mine, **due)
            if moved:
                return True
        return False

    def give_back(self, daemon: str) -> int:
        """What that daemon held is ready again: it is gone, or this is its next life. How many."""
        ids = [row[0] for row in self._database.run(HELD_BY, (self._lender, daemon)).fetchall()]
        return self._move(ids, S.HELD, S.READY, held_by="")

    def stop_numbers(self, hashes: Sequence[str], reason: str) -> None:
        """All targets of these numbers, in every campaign, that are not being called: done. Those
        that any daemon holds, too: an attempt is durable before this, or never will be."""
        for some in chunks(hashes):
            sql = STOPPABLE.format(marks(some)) + self._database.keeping
            by_state: dict[str, list[int]] = {}
            for target_id, state in self._database.run(sql, (self._lender, *some)).fetchall():
                by_state.setdefault(state, []).append(target_id)
            for state, ids in by_state.items():
                self._move(ids, S(state), S.DONE, reason=reason, held_by="")

    def open_stopped(self, rows: Sequence[Sequence[Any]]) -> int:
        """rows: (id, campaign, state, reason, rank, due_at) of targets, done or waiting, whose stop
        was lifted. One that had waited for its retry before waits on. How many."""
        for target_id, campaign_id, state, reason, rank, due_at in rows:
            new = S.NEW if rank is None else S.READY
            if state == S.DONE.value and due_at is not None:
                new = S.WAITING
            due = due_at if new is S.WAITING else None
            self._database.run(
                "UPDATE target SET state = ?, reason = '', due_at = ? WHERE id = ?",
                (new.value, due, target_id),
            )
            self._database.moved(self._lender, campaign_id, S(state), new)
            if state == S.DONE.value:
                self._database.count(self._lender, campaign_id, "done", reason, -1)
        return len(rows)

    def begin_call(self, target_id: int, phone_hash: str) -> bool:
        """HELD -> CALLING, one try more: an attempt counts from the moment it is saved. False: it
        was taken away from this daemon, or has another number, since it was looked at."""
        sql = """UPDATE target SET state = 'calling', tries = tries + 1
            WHERE id = ? AND state = 'held' AND held_by = ? AND phone_hash = ?
            RETURNING campaign_id"""
        found = self._database.run(sql, (target_id, self._daemon, phone_hash)).fetchall()
        for (campaign_id,) in found:
            self._database.moved(self._lender, campaign_id, S.HELD, S.CALLING)
        return bool(found)

    def end_call(
        self,
        target_id: int,
        outcome: Outcome,
        at: datetime,
        next_due: datetime | None,
        reason: str,
    ) -> tuple[int, int]:
        """CALLING -> WAITING or DONE, and the outcome into its past. Its (campaign, account)."""
        campaign_id, account_id, outcomes, state = self._database.run(
            "SELECT campaign_id, account_id, outcomes, state FROM target WHERE id = ?",
            (target_id,),
        ).fetchone()
        by_outcome = json.loads(outcomes)
        by_outcome[outcome.value] = by_outcome.get(outcome.value, 0) + 1
        changes: dict[str, Any] = {
            "outcomes": json.dumps(by_outcome),
            "last_at": to_us(at),
            "last_outcome": outcome.value,
        }
        if state == S.CALLING.value:
            new = S.DONE if next_due is None else S.WAITING
            changes |= {"state": new.value, "reason": reason, "held_by": ""}
            if next_due is not None:
                changes["due_at"] = to_us(next_due)
            self._database.moved(self._lender, campaign_id, S.CALLING, new)
            if new is S.DONE:
                self._database.count(self._lender, campaign_id, "done", reason)
        names = ", ".join(f"{name} = ?" for name in changes)
        self._database.run(
            f"UPDATE target SET counted = counted + ?, {names} WHERE id = ?",
            (int(outcome.counts), *changes.values(), target_id),
        )
        return campaign_id, account_id

    def _move(
        self, ids: Sequence[int], old: S, new: S, *, mine: bool = False, **columns: Any
    ) -> int:
        """Those of the ids that are in state `old` go to `new`; the tally follows. How many.

        mine: only those that this daemon holds.
        """
        names = ", ".join(f"{name} = ?" for name in ("state", *columns))
        whose, holder = (" AND held_by = ?", (self._daemon,)) if mine else ("", ())
        moved = 0
        for some in chunks(ids):
            sql = f"""UPDATE target SET {names} WHERE id IN ({marks(some)}) AND state = ?{whose}
                RETURNING campaign_id"""
            values = (new.value, *columns.values(), *some, old.value, *holder)
            # By campaign, for the tally is kept by it; mostly there is but one.
            found = Counter(campaign for (campaign,) in self._database.run(sql, values).fetchall())
            for campaign_id, count in found.items():
                self._database.moved(self._lender, campaign_id, old, new, count)
                if new is S.DONE:
                    reason = columns.get("reason", "")
                    self._database.count(self._lender, campaign_id, "done", reason, count)
                moved += count
        return moved

    def read_target(self, campaign: str, row: Sequence[Any]) -> TargetRow:
        """row: TARGET_COLUMNS. VaultError where it cannot be opened."""
        (target_id, phone_hash, tries, counted, outcomes, last_at,
         contract_hash, account_sealed, balance_minor, currency, interest_rate, due_date,
         person_hash, contact_sealed, contact_key, account_id) = row  # fmt: skip
        account = json.loads(self._vault.open(account_sealed, f"account:{contract_hash}"))
        contact = contact_of(self._vault.open(contact_sealed, f"contact:{person_hash}"))
        return TargetRow(
            id=target_id,
            lender=self._lender_name,
            campaign=campaign,
            contact=of_account(contact, account),
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
            past=_past(tries, counted, outcomes, last_at),
            contact_key=contact_key,
            account_key=str(account_id),
        )

    def unread_target(self, campaign: str, row: Sequence[Any]) -> TargetRow:
        """row: TARGET_COLUMNS of one that cannot be opened. All that is not sealed, for its last
        attempt has to be settled."""
        target_id, phone_hash, tries, counted, outcomes, last_at = row[:6]
        balance_minor, currency, interest_rate, due_date = row[8:12]
        contact_key, account_id = row[14:16]
        return TargetRow(
            id=target_id,
            lender=self._lender_name,
            campaign=campaign,
            contact=Contact(name="", phone=""),
            account=Account(
                contract_number="",
                balance_minor=balance_minor,
                currency=currency,
                interest_rate=interest_rate,
                due_date=date.fromisoformat(due_date),
            ),
            phone_hash=phone_hash,
            past=_past(tries, counted, outcomes, last_at),
            contact_key=contact_key,
            account_key=str(account_id),
        )


def _past(tries: int, counted: int, outcomes: str, last_at: int | None) -> Past:
    return Past(
        tries=tries,
        counted=counted,
        by_outcome={Outcome(name): n for name, n in json.loads(outcomes).items()},
        last_at=maybe_from_us(last_at),
    )


def before_its_last_try(past: Past) -> Past:
    """What the past was when the attempt that is now open was planned."""
    return replace(past, tries=past.tries - 1)
