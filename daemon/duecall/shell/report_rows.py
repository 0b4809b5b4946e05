"""Attempts and targets out of the database, for reports: by pages, unsealed only if asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from duecall.core.outcome import Outcome
from duecall.core.report import AttemptRecord, TargetSummary
from duecall.shell.column_values import TargetState, from_us, maybe_from_us, to_us
from duecall.shell.database import Database
from duecall.shell.vault import Vault
from fs_scripts.contract import KeyPress

PAGE = 1_000
END_OF_TIME = 2**62

PLAIN = """x.id, x.target_id, a.contact_id, x.number, x.trunk, x.saved_at, x.sent_at, x.rang_at,
    x.answered_at, x.bridged_at, x.settled_at, x.outcome, x.cause, x.sip_status, x.action, x.keys,
    x.answers, x.heard_ms, x.message_ms, x.talk_ms, p.due, x.recording, x.error, x.voice,
    x.voice_turn"""
SEALED = "a.contract_hash, a.sealed, c.person_hash, c.sealed, x.sealed"
ATTEMPTS = """SELECT {columns} FROM attempt x JOIN target t ON t.id = x.target_id
    JOIN account a ON a.id = t.account_id JOIN contact c ON c.id = a.contact_id
    LEFT JOIN promise p ON p.attempt_id = x.id
    WHERE x.campaign_id = ? AND (x.saved_at, x.id) > (?, ?) AND x.saved_at < ?
    ORDER BY x.saved_at, x.id LIMIT ?"""
TARGETS = """SELECT t.id, a.contact_id, t.state, t.reason FROM target t
    JOIN account a ON a.id = t.account_id WHERE t.campaign_id = ? AND t.id > ?
    ORDER BY t.id LIMIT ?"""


def attempts(
    database: Database,
    vault: Vault | None,
    campaign: int,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[AttemptRecord]:
    """vault: with it contract, name and phone are unsealed."""
    sql = ATTEMPTS.format(columns=f"{PLAIN}, {SEALED}" if vault else PLAIN)
    end = END_OF_TIME if until is None else to_us(until)
    last: tuple[int, str] = (0 if since is None else to_us(since), "")
    while True:
        rows = database.run(sql, (campaign, *last, end, PAGE)).fetchall()
        for row in rows:
            yield _record(row, vault)
        if len(rows) < PAGE:
            return
        last = rows[-1][5], rows[-1][0]


def targets(database: Database, campaign: int) -> Iterator[TargetSummary]:
    last = 0
    while True:
        rows = database.run(TARGETS, (campaign, last, PAGE)).fetchall()
        for target, contact, state, reason in rows:
            yield TargetSummary(target, contact, state == TargetState.DONE.value, reason)
        if len(rows) < PAGE:
            return
        last = rows[-1][0]


def _record(row: Sequence[Any], vault: Vault | None) -> AttemptRecord:
    (attempt_id, target, contact, number, trunk, saved_at, sent_at, rang_at,
     answered_at, bridged_at, settled_at, outcome, cause, sip_status, action, keys,
     answers, heard_ms, message_ms, talk_ms, due, recording, error,
     voice, voice_turn, *sealed) = row  # fmt: skip
    contract = name = phone = ""
    if vault is not None:
        contract_hash, account_sealed, person_hash, contact_sealed, phone_sealed = sealed
        account = json.loads(vault.open(account_sealed, f"account:{contract_hash}"))
        contract = account["contract_number"]
        name = json.loads(vault.open(contact_sealed, f"contact:{person_hash}"))["name"]
        phone = vault.open(phone_sealed, f"attempt:{attempt_id}").decode()
    return AttemptRecord(
        id=attempt_id,
        target_id=target,
        contact_id=contact,
        number=number,
        trunk=trunk,
        saved_at=from_us(saved_at),
        sent_at=maybe_from_us(sent_at),
        rang_at=maybe_from_us(rang_at),
        answered_at=maybe_from_us(answered_at),
        bridged_at=maybe_from_us(bridged_at),
        settled_at=maybe_from_us(settled_at),
        outcome=None if outcome is None else Outcome(outcome),
        cause=cause,
        sip_status=sip_status,
        action=action,
        keys=tuple(KeyPress(**press) for press in json.loads(keys)),
        answers=json.loads(answers),
        heard_ms=heard_ms,
        message_ms=message_ms,
        talk_ms=talk_ms,
        promised=due is not None,
        promised_for=date.fromisoformat(due) if due else None,
        recording=recording,
        error=error,
        voice=voice,
        voice_turn=voice_turn,
        contract=contract,
        name=name,
        phone=phone,
    )
