"""The ledger and the rows of attempts, as an auditor is given them: plain values, in the order of
their commits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Stage, Target
from duecall.sim.stop_store import NewStop

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_US = timedelta(microseconds=1)
CLI = "cli"  # the writer that all commands are


def us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // _US


@dataclass(slots=True)
class Written:
    """A row of `attempt`. stages: when each was first said to be reached."""

    attempt: Attempt
    daemon: str
    saved_us: int
    stages: dict[Stage, int] = field(default_factory=dict)
    settled_us: int | None = None
    outcome: str = ""
    cause: str = ""
    heard_ms: int = 0
    events: int = 63
    channels: int = 15


class Ledger:
    """entries: (writer, moment, kind, target, attempt, body). rows: of attempts. documents: digest
    -> text. campaign_text: of a campaign's file, as it was read last."""

    def __init__(self, campaign_text: Callable[[str], str]) -> None:
        self.entries: list[tuple[str, int, str, int, str, dict[str, Any]]] = []
        self.rows: dict[str, Written] = {}
        self.documents: dict[str, str] = {}
        self._campaign_text = campaign_text
        self._digests: dict[str, str] = {}  # text -> its digest
        self._noted: dict[tuple[str, str], str] = {}  # (daemon, campaign) -> digest of its file

    def _document(self, text: str) -> str:
        digest = self._digests.get(text)
        if digest is None:
            digest = self._digests[text] = hashlib.sha256(text.encode()).hexdigest()
            self.documents[digest] = text
        return digest

    def save(self, attempt: Attempt, daemon: str) -> None:
        at_us = us(attempt.at)
        self.rows[attempt.id] = Written(attempt, daemon, at_us)
        body = _of_call(attempt)
        body["campaign_digest"] = self._noted[daemon, attempt.target.campaign]
        self.entries.append((daemon, at_us, "call", attempt.target.id, attempt.id, body))

    def stage(self, attempt_id: str, stage: Stage, at: datetime) -> None:
        self.rows[attempt_id].stages.setdefault(stage, us(at))

    def settle(self, command: c.SaveOutcome, daemon: str) -> None:
        row, ending = self.rows[command.attempt.id], command.ending
        row.settled_us, row.outcome = us(command.at), command.outcome.value
        row.cause, row.heard_ms = ending.cause, ending.result.heard_ms if ending.result else 0
        row.events, row.channels = command.call_events, command.channels
        seen = row.stages.keys() & {Stage.RINGING, Stage.ANSWERED}
        body = {
            "outcome": row.outcome,
            "cause": row.cause,
            "events": row.events,
            "channels": row.channels,
            "rang": bool(seen),
            "answered": ending.answered,
            "heard_ms": row.heard_ms,
            "next_due": None if command.next_due is None else us(command.next_due),
            "reason": command.reason,
        }
        who = command.attempt.target.id, command.attempt.id
        self.entries.append((daemon, row.settled_us, "ended", *who, body))

    def refuse(self, command: c.DeferTarget, daemon: str, at: datetime) -> None:
        target = command.target
        body = {
            "campaign": target.campaign,
            "rules": command.rules,
            "rule": command.rule,
            "reason": command.reason,
            "until": None if command.until is None else us(command.until),
            **_keys(target),
        }
        self.entries.append((daemon, us(command.at or at), "refused", target.id, "", body))

    def stop(
        self, stop: NewStop, at: datetime, writer: str, attempt_id: str = "", lifted: bool = False
    ) -> None:
        body = {
            "key_kind": stop.key_kind,
            "key": stop.key,
            "campaign": stop.campaign,
            "kind": stop.kind,
            "expires": stop.expires_us,
            "source": stop.source,
            "lifted": lifted,
        }
        self.entries.append((writer, us(at), "stop", 0, attempt_id, body))

    def rules(self, command: c.NoteRules, daemon: str) -> None:
        rules = command.rules
        digest = self._document(self._campaign_text(command.campaign))
        self._noted[daemon, command.campaign] = digest
        body = {
            "campaign": command.campaign,
            "campaign_digest": digest,
            "pack": rules.pack.jurisdiction,
            "rules": self._document(rules.text),
            "changes": [asdict(change) for change in rules.changes],
        }
        self.entries.append((daemon, us(command.at), "rules", 0, "", body))


def _of_call(attempt: Attempt) -> dict[str, Any]:
    target, grounds = attempt.target, attempt.grounds
    assert grounds is not None
    call, conduct = grounds.call, grounds.call.conduct
    return {
        "campaign": target.campaign,
        "campaign_digest": "",
        "contacts_digest": "",
        "rules": grounds.rules,
        "try": attempt.number,
        **_keys(target),
        "zones": list(call.zones),
        "line": call.line,
        "regions": sorted(call.regions),
        "consents": sorted(call.consents),
        "flags": sorted(call.flags),
        "conduct": {
            "channels": conduct.channels,
            "ring_s": conduct.ring_s,
            "zone": conduct.zone,
            "purpose": conduct.purpose,
            "label": conduct.label,
        },
    }


def _keys(target: Target) -> dict[str, str]:
    return {
        "number": target.phone_hash,
        "contact": target.contact_key,
        "account": target.account_key,
    }
