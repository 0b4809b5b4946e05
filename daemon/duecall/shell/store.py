"""The store: what must outlive the daemon. Synchronous, for one thread at a time.

`apply` is what the daemon uses: all commands of a turn in one transaction, one fsync. Everything
else is for its start and for the command line, which works on the same file as a second process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Stage
from duecall.core.campaign import Campaign
from duecall.core.outcome import Outcome
from duecall.core.report import AttemptRecord, TargetSummary
from duecall.shell import clock, report_rows
from duecall.shell.attempt_store import FINAL, AttemptStore
from duecall.shell.database import Database, StoreBusy, StoreError
from duecall.shell.import_contacts import ImportCounts, Importer, ParsedRow
from duecall.shell.models import (
    CampaignRow,
    CampaignState,
    Lender,
    SuppressionRow,
    TallyRow,
    from_us,
    to_us,
)
from duecall.shell.store_answers import (
    ApplyResult,
    Load,
    StatusCounts,
    StoppedNumber,
    StoredCampaign,
)
from duecall.shell.target_store import CampaignKey, TargetRow, TargetStore
from duecall.shell.vault import Vault

OPTED_OUT = "opted_out"
DNC = "dnc"


class Store:
    """url: sqlite:///path. lender: name of the tenant. daemon: whose held targets and open attempts
    are recovered at start. Raises StoreError where the file, or the key, is not the right one."""

    def __init__(self, url: str, vault: Vault, lender: str, daemon: str = "main") -> None:
        self._database = Database(url)
        self._vault = vault
        try:
            self._lender = self._find_lender(lender)
        except BaseException:
            self._database.close()
            raise
        self._targets = TargetStore(self._database, vault, (self._lender, lender), daemon)
        self._attempts = AttemptStore(self._database, vault, self._targets, self._lender, daemon)
        self._importer = Importer(self._database, vault, self._lender)

    def close(self) -> None:
        self._database.close()

    def _find_lender(self, name: str) -> int:
        db = self._database.db
        query = Lender.select(Lender.id, Lender.key_check).where(Lender.name == name).tuples()
        row = query.first(db)
        if row is None:
            with self._database.writing():
                row = query.clone().first(db)
                if row is None:
                    row = (
                        Lender.insert(name=name, key_check=self._vault.fingerprint).execute(db),
                        self._vault.fingerprint,
                    )
        if row[1] != self._vault.fingerprint:
            # With another key no opt-out would be found, and people who said no would be called.
            raise StoreError(
                f"{self._database.path} was sealed with another key than this one; "
                "put the key file that belongs to it back (var/duecall.key, or DUECALL_KEY)"
            )
        return int(row[0])

    # ---- campaigns

    def put_campaign(self, campaign: Campaign, yaml_text: str, at: datetime | None = None) -> bool:
        """New, or in place of the one of that name, whose state it keeps. True if it differs."""
        digest = hashlib.sha256(yaml_text.encode()).hexdigest()
        values = {
            "digest": digest,
            "trunk": campaign.trunk,
            "yaml_text": yaml_text,
            "settings": campaign.model_dump_json(by_alias=True),
            "loaded_at": to_us(at or clock.now().wall),
        }
        db = self._database.db
        with self._database.writing():
            old = (
                CampaignRow.select(CampaignRow.id, CampaignRow.digest, CampaignRow.settings)
                .where(self._named(campaign.name))
                .tuples()
                .first(db)
            )
            if old is None:
                CampaignRow.insert(
                    lender=self._lender,
                    name=campaign.name,
                    state=CampaignState.LOADED.value,
                    **values,
                ).execute(db)
            elif old[1:] != (digest, values["settings"]):
                CampaignRow.update(**values).where(CampaignRow.id == old[0]).execute(db)
            else:
                return False
        return True

    def campaigns(self) -> list[StoredCampaign]:
        """All of this lender, by name."""
        rows = (
            CampaignRow.select()
            .where(CampaignRow.lender == self._lender)
            .order_by(CampaignRow.name)
            .dicts()
            .execute(self._database.db)
        )
        return [
            StoredCampaign(
                name=row["name"],
                state=CampaignState(row["state"]),
                campaign=Campaign.model_validate_json(row["settings"]),
                yaml_text=row["yaml_text"],
                digest=row["digest"],
                loaded_at=from_us(row["loaded_at"]),
            )
            for row in rows
        ]

    def running_campaigns(self) -> list[tuple[Campaign, bool]]:
        """Those a daemon takes up at start: (campaign, False where it is paused)."""
        live = {CampaignState.RUNNING: True, CampaignState.PAUSED: False}
        return [(row.campaign, live[row.state]) for row in self.campaigns() if row.state in live]

    def set_campaign_state(self, name: str, state: str) -> None:
        """state: one of CampaignState. StoreError where there is no such campaign."""
        with self._database.writing():
            self._set_campaign_state(name, CampaignState(state))

    def _set_campaign_state(self, name: str, state: CampaignState) -> None:
        query = CampaignRow.update(state=state.value).where(self._named(name))
        if not query.execute(self._database.db):
            raise _no_campaign(name)

    def _finish_campaign(self, name: str) -> None:
        """Only a running one: an operator who has stopped it in the meantime is right."""
        running = self._named(name) & (CampaignRow.state == CampaignState.RUNNING.value)
        query = CampaignRow.update(state=CampaignState.FINISHED.value).where(running)
        query.execute(self._database.db)

    def _reopen_campaign(self, name: str) -> None:
        finished = self._named(name) & (CampaignRow.state == CampaignState.FINISHED.value)
        query = CampaignRow.update(state=CampaignState.RUNNING.value).where(finished)
        query.execute(self._database.db)

    def _named(self, name: str) -> Any:
        return (CampaignRow.lender == self._lender) & (CampaignRow.name == name)

    def _key(self, name: str) -> CampaignKey:
        found = self._database.run(
            "SELECT id, name, trunk FROM campaign WHERE lender_id = ? AND name = ?",
            (self._lender, name),
        ).fetchone()
        if found is None:
            raise _no_campaign(name)
        return CampaignKey(*found)

    # ---- contacts

    def import_rows(self, campaign: str, rows: Iterable[ParsedRow]) -> ImportCounts:
        """In short transactions; the same rows again change nothing. Call `rank` afterwards."""
        return self._importer.import_rows(self._key(campaign).id, rows)

    def rank(self, campaign: str) -> int:
        """Order the targets as the campaign says, and make new ones ready. How many were moved."""
        row = CampaignRow.select(CampaignRow.settings).where(self._named(campaign))
        settings = row.scalar(self._database.db)
        if settings is None:
            raise _no_campaign(campaign)
        order = Campaign.model_validate_json(settings).order
        return self._importer.rank(self._key(campaign).id, order)

    def kept_back(self, campaign: str) -> list[tuple[int, str]]:
        """(target, reason) of those that an earlier version of the campaign would not call."""
        return self._targets.kept_back(self._key(campaign))

    def open_again(self, campaign: str, targets: Sequence[tuple[int, str]]) -> int:
        """Some of `kept_back` are ready again, for the new version to judge. How many."""
        with self._database.writing():
            return self._targets.open_again(self._key(campaign), targets)

    # ---- the daemon's turn

    def apply(self, batch: Sequence[c.Command], now: datetime | None = None) -> ApplyResult:
        """Carry out, in order, in one transaction: all of it is durable when this returns.

        Where it raises, nothing of it was written, and the same batch may be tried again.
        now: for LoadTargets. Commands that are not the store's are refused with TypeError.
        """
        done = ApplyResult()
        with self._database.writing():
            for command in batch:
                self._apply_one(command, done, now)
        return done

    def _apply_one(self, command: c.Command, done: ApplyResult, now: datetime | None) -> None:
        match command:
            case c.SaveStage():
                self._attempts.stage(command)
            case c.SaveAttempt(attempt):
                self._save(attempt, done)
            case c.SaveOutcome():
                self._settle(command, done)
            case c.LoadTargets(name, limit):
                key = self._key(name)
                rows = self._targets.take_due(key, now or clock.now().wall, limit)
                done.loads.append(Load(name, rows, self._targets.next_due(key)))
            case c.ReleaseTargets(_, ids):
                self._targets.release(ids)
            case c.DeferTarget(target, until, reason):
                self._targets.defer(target.id, until, reason)
            case c.FinishCampaign(name):
                self._finish_campaign(name)
            case c.ReopenCampaign(name):
                self._reopen_campaign(name)
            case _:
                raise TypeError(f"{type(command).__name__} is no command for the store")

    def _save(self, attempt: Attempt, done: ApplyResult, trunk: str = "") -> None:
        refusal = self._attempts.save(attempt, trunk)
        if refusal is None:
            done.saved.append(attempt.id)
        else:
            done.refused.append((attempt.id, refusal, refusal in FINAL))

    def _settle(self, command: c.SaveOutcome, done: ApplyResult) -> None:
        attempt = command.attempt
        if not self._attempts.settle(command):
            done.repeated.append(attempt.id)
            return
        done.settled.append(attempt.id)
        if command.outcome is Outcome.OPTED_OUT:
            phone, phone_hash = attempt.target.contact.phone, attempt.target.phone_hash
            self._attempts.suppress(phone, phone_hash, OPTED_OUT, attempt.id, command.at)
            done.stopped_numbers.append(phone_hash)

    def save_attempts(self, attempts: Sequence[Attempt], trunk: str = "") -> dict[str, str | None]:
        """attempt id -> None where it is durable, else why it was refused."""
        done = ApplyResult()
        with self._database.writing():
            for attempt in attempts:
                self._save(attempt, done, trunk)
        answers: dict[str, str | None] = dict.fromkeys(done.saved)
        answers.update((attempt_id, reason) for attempt_id, reason, _ in done.refused)
        return answers

    def due_targets(self, campaign: str, now: datetime, limit: int) -> list[TargetRow]:
        """Claim up to `limit` that are due, in rank order."""
        return self.apply([c.LoadTargets(campaign, limit)], now).loads[0].rows

    def next_up(self, campaign: str, limit: int) -> list[TargetRow]:
        """Who is called first, in order. Claims nobody: a daemon may take them meanwhile."""
        return self._targets.next_up(self._key(campaign), limit)

    def next_due(self, campaign: str) -> datetime | None:
        return self._targets.next_due(self._key(campaign))

    def recover(self) -> list[tuple[Attempt, Stage]]:
        """At start, before anything else: held targets are ready again; the attempts that have no
        outcome, oldest first. These may have been sent, and must never be sent again."""
        with self._database.writing():
            self._targets.recover_held()
        return self._attempts.open_attempts()

    # ---- numbers that are not called

    def is_suppressed(self, phone_hash: str) -> bool:
        query = SuppressionRow.select().where(
            (SuppressionRow.lender == self._lender) & (SuppressionRow.phone_hash == phone_hash)
        )
        return bool(query.exists(self._database.db))

    def stop_number(self, phone: str, reason: str, source: str, at: datetime | None = None) -> str:
        """Never call this number (E.164) again; its phone_hash. Twice is as good as once."""
        phone_hash = self._vault.phone_hash(phone)
        with self._database.writing():
            self._attempts.suppress(phone, phone_hash, reason, source, at or clock.now().wall)
        return phone_hash

    def stopped_numbers(self) -> Iterator[StoppedNumber]:
        """All of this lender, oldest first."""
        rows = (
            SuppressionRow.select()
            .where(SuppressionRow.lender == self._lender)
            .order_by(SuppressionRow.at)
            .dicts()
            .execute(self._database.db)
        )
        for row in rows:
            phone = self._vault.open(row["sealed"], f"suppression:{row['phone_hash']}").decode()
            yield StoppedNumber(phone, row["reason"], row["source"], from_us(row["at"]))

    # ---- looking at it

    def check_writable(self) -> None:
        """Write, and wait for the disk. StoreError where that is not possible."""
        with self._database.writing():
            self._database.run("UPDATE lender SET name = name WHERE id = ?", (self._lender,))

    def status_counts(self, campaign: str) -> StatusCounts:
        """From maintained counts: as fast with a million targets as with ten."""
        rows = (
            TallyRow.select(TallyRow.kind, TallyRow.name, TallyRow.n)
            .where(TallyRow.campaign == self._key(campaign).id)
            .tuples()
            .execute(self._database.db)
        )
        tables: dict[str, dict[str, int]] = {}
        for kind, name, n in rows:
            table = tables.setdefault(kind, {})
            table[name] = table.get(name, 0) + n  # over the shards
        outcomes = {name: n for name, n in tables.get("outcome", {}).items() if n}
        attempts = tables.get("attempt", {}).get("saved", 0)
        return StatusCounts(
            targets={name: n for name, n in tables.get("target", {}).items() if n},
            attempts=attempts,
            live=attempts - sum(outcomes.values()),
            outcomes=outcomes,
            done={name: n for name, n in tables.get("done", {}).items() if n},
            promises=tables.get("promise", {}).get("made", 0),
        )

    def reading(self) -> AbstractContextManager[None]:
        """`with store.reading():` one snapshot, so that a report's sums agree."""
        return self._database.reading()

    def attempts(
        self,
        campaign: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unseal: bool = False,
    ) -> Iterator[AttemptRecord]:
        """By time saved, since <= saved_at < until. unseal: with contract, name and phone."""
        vault = self._vault if unseal else None
        key = self._key(campaign)
        return report_rows.attempts(self._database, vault, key.id, since, until)

    def targets(self, campaign: str) -> Iterator[TargetSummary]:
        """Every target of the campaign, for the report."""
        return report_rows.targets(self._database, self._key(campaign).id)


class NoSuchCampaign(StoreError):
    """It was never imported."""


def _no_campaign(name: str) -> NoSuchCampaign:
    return NoSuchCampaign(f"campaign {name} is not in the database; run: duecall import {name}")


__all__ = [
    "ApplyResult",
    "Load",
    "StatusCounts",
    "StoppedNumber",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoredCampaign",
    "TargetRow",
]
