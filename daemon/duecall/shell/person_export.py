"""All that is held of one person, as plain data: `duecall export-person`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from duecall.shell.column_values import from_us, to_us
from duecall.shell.contact_json import contact_data
from duecall.shell.database import chunks, marks
from duecall.shell.person_store import Person
from duecall.shell.store_parts import StoreParts
from duecall.shell.transcripts import Transcripts
from duecall.shell.vault import VaultError

# (column, is it a time): as the tables have them.
TARGET = (
    ("id", False),
    ("state", False),
    ("reason", False),
    ("due_at", True),
    ("tries", False),
    ("counted", False),
    ("outcomes", False),
    ("last_at", True),
    ("last_outcome", False),
)
ATTEMPT = (
    ("id", False),
    ("target_id", False),
    ("number", False),
    ("saved_at", True),
    ("sent_at", True),
    ("rang_at", True),
    ("answered_at", True),
    ("waiting_at", True),
    ("bridged_at", True),
    ("settled_at", True),
    ("outcome", False),
    ("cause", False),
    ("sip_status", False),
    ("ended_by", False),
    ("action", False),
    ("keys", False),
    ("answers", False),
    ("heard_ms", False),
    ("message_ms", False),
    ("talk_ms", False),
    ("recording", False),
    ("error", False),
    ("trunk", False),
    ("events", False),
    ("channels", False),
)
AS_JSON = ("outcomes", "keys", "answers")
LEDGER = """SELECT chain, seq, at, kind, target_id, attempt_id, body, hash FROM ledger
    WHERE lender_id = ? AND target_id IN ({}) ORDER BY at, chain, seq"""
STOPS = """SELECT s.key_kind, s.key, k.name, s.kind, s.expires_at, s.source, s.at FROM stop s
    LEFT JOIN campaign k ON k.id = s.campaign_id
    WHERE s.lender_id = ? AND s.key_kind = ? AND s.key IN ({}) ORDER BY s.id"""
FORMER_STOPS = STOPS.replace(
    " s.at FROM stop s", " s.at, s.ended_at, s.lifted_by FROM former_stop s"
)
PROMISES = """SELECT p.attempt_id, p.account_id, p.due, p.at FROM promise p
    WHERE p.account_id IN ({}) ORDER BY p.at"""


class PersonExport:
    """Reads; within one `reading` all of it is of one moment."""

    def __init__(self, parts: StoreParts) -> None:
        self._database = parts.database
        self._vault = parts.vault
        self._lender = parts.lender
        self._transcripts = Transcripts(parts)

    def of(self, person: Person) -> dict[str, Any]:
        """JSON values. Times are ISO 8601 in UTC; what was erased is empty."""
        targets = self.targets(person.account_ids)
        ids = [target["id"] for target in targets]
        return {
            "contact_key": person.key,
            "contacts": [
                {"id": one.id, "number_hash": one.phone_hash}
                | ({} if one.contact is None else contact_data(one.contact))
                for one in person.contacts
            ],
            "accounts": [
                {
                    "id": one.id,
                    "contact": one.contact_id,
                    **(one.data or {}),
                    "balance_minor": one.balance_minor,
                    "currency": one.currency,
                    "interest_rate": one.interest_rate,
                    "due_date": one.due_date,
                }
                for one in person.accounts
            ],
            "targets": targets,
            "attempts": self.attempts([one.id for one in person.attempts]),
            "transcripts": self.transcripts([one.id for one in person.attempts]),
            "promises": self.promises(person.account_ids),
            "stops": self.stops(person),
            "former_stops": self.former_stops(person),
            "ledger": self.ledger(ids),
        }

    def targets(self, accounts: Sequence[int]) -> list[dict[str, Any]]:
        columns = ", ".join(f"t.{name}" for name, _ in TARGET)
        sql = f"""SELECT {columns}, t.account_id, k.name FROM target t JOIN campaign k
            ON k.id = t.campaign_id WHERE t.account_id IN ({{}}) ORDER BY t.id"""
        found = []
        for row in self._rows(sql, accounts):
            found.append({"campaign": row[-1], "account": row[-2], **_values(TARGET, row)})
        return found

    def attempts(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """In the order of their time; phone: what was called."""
        columns = ", ".join(f"x.{name}" for name, _ in ATTEMPT)
        sql = f"""SELECT {columns}, x.sealed, x.account_id, k.name FROM attempt x JOIN campaign k
            ON k.id = x.campaign_id WHERE x.id IN ({{}})"""
        found = []
        for row in self._rows(sql, ids):
            try:
                phone = self._vault.open(row[-3], f"attempt:{row[0]}").decode()
            except VaultError:
                phone = None
            values = _values(ATTEMPT, row)
            found.append({"campaign": row[-1], "account": row[-2], "phone": phone, **values})
        return sorted(found, key=lambda one: (one["saved_at"], one["id"]))

    def transcripts(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """In the order of the attempts; those that there are."""
        found = self._transcripts.of(ids)
        return [found[one].data() for one in ids if one in found]

    def promises(self, accounts: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {"attempt": attempt, "account": account, "due": due, "at": _time(at)}
            for attempt, account, due, at in self._rows(PROMISES, accounts)
        ]

    def stops(self, person: Person) -> list[dict[str, Any]]:
        """Of the person, the accounts and the numbers; not those of prefixes."""
        return [_stop(row) for row in self._stop_rows(STOPS, person)]

    def former_stops(self, person: Person) -> list[dict[str, Any]]:
        """Those that were lifted or made longer, with the time until which they were so."""
        return [
            {**_stop(row[:-2]), "ended": _time(row[-2]), "lifted_by": row[-1]}
            for row in self._stop_rows(FORMER_STOPS, person)
        ]

    def _stop_rows(self, sql: str, person: Person) -> Iterator[Sequence[Any]]:
        keys: tuple[tuple[str, Sequence[str]], ...] = (
            ("contact", (person.key,)),
            ("account", [str(account) for account in person.account_ids]),
            ("number", person.numbers),
        )
        for kind, values in keys:
            for some in chunks(values):
                asked = (self._lender, kind, *some)
                yield from self._database.run(sql.format(marks(some)), asked).fetchall()

    def ledger(self, targets: Sequence[int]) -> list[dict[str, Any]]:
        """All entries about these targets and their calls, with their places in the chains."""
        names = ("chain", "seq", "at", "kind", "target_id", "attempt_id", "body", "hash")
        found = []
        for some in chunks(targets):
            rows = self._database.run(LEDGER.format(marks(some)), (self._lender, *some)).fetchall()
            for row in rows:
                entry = dict(zip(names, row, strict=True))
                entry["body"] = json.loads(entry["body"])
                found.append(entry)
        return sorted(found, key=lambda one: (one["at"], one["chain"], one["seq"]))

    def _rows(self, sql: str, values: Sequence[Any]) -> Iterable[Sequence[Any]]:
        for some in chunks(values):
            yield from self._database.run(sql.format(marks(some)), some).fetchall()


def note(parts: StoreParts, did: str, person: Person, at: datetime, **more: Any) -> None:
    """An entry in the ledger: this person's data was taken out, or looked at."""
    body = {"did": did, "contact": person.key, "erased": {}, "kept": {}, "reason": "", **more}

    def write() -> None:
        with parts.database.writing():
            parts.ledger.add("person", body, to_us(at))

    parts.database.repeated(write)


def _stop(row: Sequence[Any]) -> dict[str, Any]:
    key_kind, key, campaign, what, expires, source, at = row
    return {
        "of": key_kind,
        "key": key,
        "campaign": campaign or "",
        "kind": what,
        "expires": _time(expires),
        "source": source,
        "at": _time(at),
    }


def _values(columns: Sequence[tuple[str, bool]], row: Sequence[Any]) -> dict[str, Any]:
    found = {}
    for (name, is_time), value in zip(columns, row, strict=False):
        if is_time:
            found[name] = _time(value)
        else:
            found[name] = json.loads(value) if name in AS_JSON else value
    return found


def _time(us: int | None) -> str | None:
    return None if us is None else from_us(us).isoformat()
