"""Attempts: durable before they are sent, settled once (laws L1, L4, L5, L6)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from duecall.core.attempt import Attempt, Stage, Target
from duecall.core.call_events import ABANDON, LIVE
from duecall.core.commands import SaveOutcome, SaveStage
from duecall.core.outcome import Outcome
from duecall.shell.column_values import TargetState, from_us, to_us
from duecall.shell.database import Database
from duecall.shell.ledger import Ledger
from duecall.shell.ledger_entries import NO_PROMISE, of_call, of_end, said_text
from duecall.shell.stop_store import (
    NUMBER_STOPPED,
    STOPPED,
    STOPPED_FOR_NOW,
    StopKeys,
    StopStore,
)
from duecall.shell.target_store import (
    TARGET_COLUMNS,
    TARGET_JOINS,
    TargetStore,
    before_its_last_try,
)
from duecall.shell.vault import Vault, VaultError
from fs_scripts.contract import Brief

log = logging.getLogger(__name__)
ANSWERED, ABANDONED = "answered", "abandoned"  # kinds of the tally, by day
STAGE_COLUMNS = {
    Stage.SENT: "sent_at",
    Stage.RINGING: "rang_at",
    Stage.ANSWERED: "answered_at",
    Stage.WAITING: "waiting_at",
    Stage.BRIDGED: "bridged_at",
}

# Why an attempt was not saved; final ones will never be.
NUMBER_LIVE = "the number is in another call"
NUMBER_CHANGED = "the number of the contact has changed"
SAVED_BEFORE = "this attempt was saved before"
NOT_HELD = "the target is not held by this daemon"
NO_TARGET = "the store knows no such target"
FINAL = frozenset({NUMBER_STOPPED, STOPPED, NO_TARGET})

FIND_TARGET = """SELECT t.campaign_id, t.state, t.held_by, t.phone_hash, k.trunk, k.digest,
    k.contacts_digest, t.account_id, c.contact_key
    FROM target t JOIN campaign k ON k.id = t.campaign_id JOIN account a ON a.id = t.account_id
    JOIN contact c ON c.id = a.contact_id WHERE t.id = ? AND t.lender_id = ?"""
# Only a clash of keys is passed over, as SQLite's own INSERT OR IGNORE would not have it.
INSERT = """INSERT INTO attempt (id, lender_id, target_id, campaign_id, phone_hash, sealed, number,
    daemon, trunk, stage, saved_at, contact_key, account_id, voice, voice_turn)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
SETTLE = """UPDATE attempt SET stage = ?, settled_at = ?, outcome = ?, cause = ?, sip_status = ?,
    ended_by = ?, action = ?, keys = ?, answers = ?, heard_ms = ?, message_ms = ?, talk_ms = ?,
    recording = ?, error = ?, events = ?, channels = ? WHERE id = ? AND settled_at IS NULL
    RETURNING sent_at, rang_at, answered_at"""
# No ORDER BY: a planner might walk all attempts in that order, where few are open.
OPEN = f"""SELECT x.id, x.number, x.stage, x.saved_at, x.phone_hash, x.sealed, k.name,
    {TARGET_COLUMNS} FROM attempt x JOIN target t ON t.id = x.target_id
    JOIN campaign k ON k.id = x.campaign_id {TARGET_JOINS}
    WHERE x.lender_id = ? AND x.settled_at IS NULL AND x.daemon = ?"""


class AttemptStore:
    """All within the caller's transaction."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        targets: TargetStore,
        stops: StopStore,
        ledger: Ledger,
        lender: int,
        daemon: str,
    ) -> None:
        self._database = database
        self._vault = vault
        self._targets = targets
        self._stops = stops
        self._ledger = ledger
        self._noted: dict[str, str] = {}  # campaign -> digest of the version it is judged by
        self._lender = lender
        self._daemon = daemon
        self.unreadable: list[str] = []  # attempts whose data could not be unsealed

    def save(self, attempt: Attempt, trunk: str = "") -> str | None:
        """None when saved, else why not. trunk: the campaign's, where empty."""
        target = attempt.target
        found = self._database.run(FIND_TARGET, (target.id, self._lender)).fetchone()
        if found is None:
            return NO_TARGET
        campaign_id, state, held_by, phone_hash, campaign_trunk, digest, contacts = found[:7]
        if refusal := self._stopped(attempt, campaign_id, *found[7:]):
            return refusal
        if phone_hash != target.phone_hash:
            return NUMBER_CHANGED
        if (state, held_by) != (TargetState.HELD.value, self._daemon):
            return SAVED_BEFORE if self._exists(attempt.id) else NOT_HELD
        inserted = self._database.run(
            INSERT,
            (
                attempt.id,
                self._lender,
                target.id,
                campaign_id,
                phone_hash,
                self._vault.seal(target.contact.phone.encode(), f"attempt:{attempt.id}"),
                attempt.number,
                self._daemon,
                trunk or campaign_trunk,
                Stage.SAVED.value,
                to_us(attempt.at),
                target.contact_key,
                int(target.account_key or 0),
                target.voice,
                target.voice_turn,
            ),
        )
        if inserted.rowcount != 1:
            return SAVED_BEFORE if self._exists(attempt.id) else NUMBER_LIVE
        if not self._targets.begin_call(target.id, phone_hash):
            # While this waited for its turn at the number, another daemon changed the target.
            self._database.run("DELETE FROM attempt WHERE id = ?", (attempt.id,))
            return NOT_HELD
        self._database.count(self._lender, campaign_id, "attempt", "saved")
        self._ledger.add(
            "call",
            of_call(attempt, self._noted.get(target.campaign, digest), contacts),
            to_us(attempt.at),
            target_id=target.id,
            attempt_id=attempt.id,
        )
        return None

    def _stopped(
        self, attempt: Attempt, campaign_id: int, account_id: int, contact_key: str
    ) -> str | None:
        """Why it must not be called by what is durable at this moment."""
        target = attempt.target
        account = str(account_id)
        phone = target.contact.phone
        keys = StopKeys(target.phone_hash, contact_key, account, phone, campaign_id)
        for_ever = self._stops.holding(keys, to_us(attempt.at))
        if not for_ever:
            return None if for_ever is None else STOPPED_FOR_NOW
        known = self._stops.stopped_for_ever([target.phone_hash])
        return NUMBER_STOPPED if known else STOPPED

    def is_stopped(self, target: Target, at: datetime) -> bool:
        """Whether any stop holds for it now, as this transaction sees them."""
        sql = "SELECT campaign_id FROM target WHERE id = ? AND lender_id = ?"
        found = self._database.run(sql, (target.id, self._lender)).fetchone()
        keys = (target.phone_hash, target.contact_key, target.account_key, target.contact.phone)
        return found is not None and (
            self._stops.holding(StopKeys(*keys, found[0]), to_us(at)) is not None
        )

    def judged_by(self, campaign: str, digest: str) -> None:
        """From here on its calls are judged by this version; a newer one may lie in the store."""
        self._noted[campaign] = digest

    def _exists(self, attempt_id: str) -> bool:
        sql = "SELECT 1 FROM attempt WHERE id = ?"
        return self._database.run(sql, (attempt_id,)).fetchone() is not None

    def stage(self, command: SaveStage) -> None:
        """Only to the right; the time of a stage is written once. Late news of settled ones: no."""
        column = STAGE_COLUMNS.get(command.stage)
        if column is None:
            raise ValueError(f"SaveStage of {command.stage.name}: that has a command of its own")
        self._database.run(
            f"UPDATE attempt SET {column} = coalesce({column}, ?),"
            " stage = CASE WHEN stage < ? THEN ? ELSE stage END"
            " WHERE id = ? AND lender_id = ? AND settled_at IS NULL",
            (
                to_us(command.at),
                command.stage.value,
                command.stage.value,
                command.attempt_id,
                self._lender,
            ),
        )

    def settle(self, command: SaveOutcome) -> bool:
        """With all that follows for the target. False: settled before, or never saved."""
        attempt, ending, outcome = command.attempt, command.ending, command.outcome
        result = ending.result
        action = result.action if result else ""
        keys = json.dumps([asdict(key) for key in result.keys]) if result else "[]"
        answers = json.dumps(result.answers) if result else "{}"
        promised = outcome is Outcome.PROMISED
        due = command.promised_for.isoformat() if promised and command.promised_for else ""
        settled = self._database.run(
            SETTLE,
            (
                Stage.SETTLED.value,
                to_us(command.at),
                outcome.value,
                ending.cause,
                ending.sip_status,
                result.ended_by if result else "",
                action,
                keys,
                answers,
                result.heard_ms if result else 0,
                result.message_ms if result else 0,
                result.talk_ms if result else 0,
                command.recording,
                result.error if result else "",
                command.call_events,
                command.channels,
                attempt.id,
            ),
        ).fetchall()
        if not settled:
            return False
        ((sent_at, *seen),) = settled
        told = said_text(action, keys, answers, due if promised else NO_PROMISE)
        said = self._vault.keyed_hash("said", told)
        self._ledger.add(
            "ended",
            of_end(command, sent_at, said, rang=any(at is not None for at in seen)),
            to_us(command.at),
            target_id=attempt.target.id,
            attempt_id=attempt.id,
        )
        target_id = attempt.target.id
        campaign_id, account_id = self._targets.end_call(
            target_id, outcome, command.at, command.next_due, command.reason
        )
        self._database.count(self._lender, campaign_id, "outcome", outcome.value)
        if command.day is not None and command.call_events & LIVE:
            day = command.day.isoformat()
            self._database.count(self._lender, campaign_id, ANSWERED, day)
            if command.call_events & ABANDON:
                self._database.count(self._lender, campaign_id, ABANDONED, day)
        if promised:
            self._database.run(
                "INSERT INTO promise (attempt_id, lender_id, target_id, account_id, due, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (attempt.id, self._lender, target_id, account_id, due, to_us(command.at)),
            )
            self._database.count(self._lender, campaign_id, "promise", "made")
        return True

    def was_lost(self, attempt_id: str) -> bool:
        """It was settled without evidence: what is heard of it now is more than was known."""
        sql = "SELECT outcome FROM attempt WHERE id = ?"
        row = self._database.run(sql, (attempt_id,)).fetchone()
        return row is not None and row[0] == Outcome.UNKNOWN.value

    def open_attempts(self, ids: Sequence[str] | None = None) -> list[tuple[Attempt, Stage]]:
        """This daemon's attempts without an outcome, oldest first, as they were planned.

        ids: only these. Their brief is empty: it was said, or not, long ago. The number is the one
        that was called. What cannot be unsealed is left empty: the attempt has to end all the same.
        """
        found = []
        for row in self._database.run(OPEN, (self._lender, self._daemon)).fetchall():
            if ids is None or row[0] in ids:
                found.append(self._open_attempt(row))
        return sorted(found, key=lambda one: (one[0].at, one[0].id))

    def _open_attempt(self, row: Sequence[Any]) -> tuple[Attempt, Stage]:
        attempt_id, number, stage, saved_at, phone_hash, sealed, campaign = row[:7]
        try:
            target = self._targets.read_target(campaign, row[7:])
            phone = self._vault.open(sealed, f"attempt:{attempt_id}").decode()
        except VaultError as error:
            log.error("attempt %s: what it was about cannot be unsealed: %s", attempt_id, error)
            self.unreadable.append(attempt_id)
            target, phone = self._targets.unread_target(campaign, row[7:]), ""
        target = replace(
            target,
            past=before_its_last_try(target.past),
            contact=replace(target.contact, phone=phone),
            phone_hash=phone_hash,
        )
        attempt = Attempt(
            id=attempt_id,
            number=number,
            target=target.as_target(Brief(attempt_id, ())),
            at=from_us(saved_at),
        )
        return attempt, Stage(stage)
