"""Contacts into the store, and the order in which a campaign calls them.

Made to run beside a daemon: all hashing is done before the write lock is taken, the lock is held
for a thousand rows at most, and a file that changes nothing takes no lock at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol

from duecall.core.campaign import OrderBy
from duecall.core.contact import Account, Contact
from duecall.core.ranking import OrderKey, order_keys, ranked
from duecall.shell.attempt_store import NUMBER_STOPPED
from duecall.shell.database import Database, chunks, marks
from duecall.shell.models import TargetState
from duecall.shell.target_store import UNREADABLE
from duecall.shell.vault import Vault

BATCH = 1_000
PAGE = 20_000
# Between two of our transactions, so that a daemon that polls for the lock finds it free.
BREATH_S = 0.002
PLAIN_FIELDS = frozenset({"dpd", "due_date", "balance", "interest_rate", "currency"})
# Reasons of the gate, the prompts and the store that lie in the row itself: new data, new chance.
KEPT_BACK_BY_DATA = (
    "not selected",
    "cannot be spoken",
    "time zone unknown",
    "no hour fits",
    UNREADABLE,
)
S = TargetState


class ParsedRow(Protocol):
    """A row of the contacts file that was read and found right."""

    @property
    def contact(self) -> Contact: ...
    @property
    def account(self) -> Account: ...


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """new: not in this campaign before. changed: known, with other data than before."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: ImportCounts) -> ImportCounts:
        return ImportCounts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class _Row:
    contact: Contact
    account: Account
    phone_hash: str
    person_hash: str
    contract_hash: str
    digest: str


class Importer:
    """Of one lender. Each step is its own transaction: an import that is cut off is run again."""

    def __init__(self, database: Database, vault: Vault, lender: int) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender

    def import_rows(self, campaign: int, rows: Iterable[ParsedRow]) -> ImportCounts:
        counts = ImportCounts()
        for batch in self._batches(rows):
            counts += self._import_batch(campaign, batch)
        return counts

    def _batches(self, rows: Iterable[ParsedRow]) -> Iterator[dict[str, _Row]]:
        """By contract. One that stands twice in the file opens a new batch: the later one holds."""
        batch: dict[str, _Row] = {}
        for parsed in rows:
            row = self._prepare(parsed)
            if len(batch) >= BATCH or row.contract_hash in batch:
                yield batch
                batch = {}
            batch[row.contract_hash] = row
        if batch:
            yield batch

    def _prepare(self, parsed: ParsedRow) -> _Row:
        contact, account = parsed.contact, parsed.account
        data = json.dumps([asdict(contact), asdict(account)], sort_keys=True, default=str)
        return _Row(
            contact=contact,
            account=account,
            phone_hash=self._vault.phone_hash(contact.phone),
            person_hash=self._vault.keyed_hash(
                "person", json.dumps([contact.phone, contact.name.casefold()])
            ),
            contract_hash=self._vault.keyed_hash("contract", account.contract_number),
            digest=self._vault.keyed_hash("row", data),
        )

    def _import_batch(self, campaign: int, batch: dict[str, _Row]) -> ImportCounts:
        if not self._differing(campaign, batch):  # a first look, without the lock
            return ImportCounts(unchanged=len(batch))
        counts = self._database.repeated(lambda: self._write_batch(campaign, batch))
        time.sleep(BREATH_S)
        return counts

    def _write_batch(self, campaign: int, batch: dict[str, _Row]) -> ImportCounts:
        with self._database.writing():
            self._database.alone("duecall import")
            todo = self._differing(campaign, batch)
            contacts = self._put_contacts([row for row, _, _ in todo])
            new = sum(target is None for _, _, target in todo)
            self._put_accounts(todo, contacts)
            self._put_targets(campaign, [row for row, _, target in todo if target is None])
        return ImportCounts(new, len(todo) - new, len(batch) - len(todo))

    def _differing(
        self, campaign: int, batch: dict[str, _Row]
    ) -> list[tuple[_Row, tuple[int, str, int] | None, int | None]]:
        """Rows that change something: (row, (account id, digest, contact id), target id)."""
        known: dict[str, tuple[int, str, int, int | None]] = {}
        for some in chunks(list(batch)):
            sql = f"""SELECT a.contract_hash, a.id, a.digest, a.contact_id, t.id FROM account a
                LEFT JOIN target t ON t.account_id = a.id AND t.campaign_id = ?
                WHERE a.lender_id = ? AND a.contract_hash IN ({marks(some)})"""
            cursor = self._database.run(sql, (campaign, self._lender, *some))
            known.update((row[0], row[1:]) for row in cursor.fetchall())
        found: list[tuple[_Row, tuple[int, str, int] | None, int | None]] = []
        for contract_hash, row in batch.items():
            old = known.get(contract_hash)
            if old is None:
                found.append((row, None, None))
            elif old[1] != row.digest or old[3] is None:
                found.append((row, old[:3], old[3]))
        return found

    def _put_contacts(self, rows: list[_Row]) -> dict[str, int]:
        """Insert or renew; person_hash -> id."""
        people = {row.person_hash: row for row in rows}
        self._database.run_many(
            "INSERT INTO contact (lender_id, person_hash, phone_hash, sealed) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (lender_id, person_hash) DO UPDATE SET sealed = excluded.sealed",
            [
                (
                    self._lender,
                    row.person_hash,
                    row.phone_hash,
                    self._seal(asdict(row.contact), f"contact:{row.person_hash}"),
                )
                for row in people.values()
            ],
        )
        return self._ids("contact", "person_hash", list(people))

    def _put_accounts(
        self,
        todo: list[tuple[_Row, tuple[int, str, int] | None, int | None]],
        contacts: dict[str, int],
    ) -> None:
        changed = [(row, old) for row, old, _ in todo if old and old[1] != row.digest]
        self._database.run_many(
            "INSERT INTO account (lender_id, contact_id, contract_hash, digest, sealed,"
            " balance_minor, currency, interest_rate, due_date)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (lender_id, contract_hash)"
            " DO UPDATE SET contact_id = excluded.contact_id, digest = excluded.digest,"
            " sealed = excluded.sealed, balance_minor = excluded.balance_minor,"
            " currency = excluded.currency, interest_rate = excluded.interest_rate,"
            " due_date = excluded.due_date",
            [
                (
                    self._lender,
                    contacts[row.person_hash],
                    row.contract_hash,
                    row.digest,
                    self._seal(
                        {
                            "contract_number": row.account.contract_number,
                            "card_number": row.account.card_number,
                            "fields": row.account.fields,
                        },
                        f"account:{row.contract_hash}",
                    ),
                    row.account.balance_minor,
                    row.account.currency,
                    row.account.interest_rate,
                    row.account.due_date.isoformat(),
                )
                for row, old, _ in todo
                if old is None or old[1] != row.digest
            ],
        )
        for row, (account, _, contact) in changed:
            self._after_change(row, account)
            if contact != contacts[row.person_hash]:
                self._forget_contact(contact)

    def _after_change(self, row: _Row, account: int) -> None:
        """Its targets follow the number; those that only the old data kept back are open again."""
        sql = (
            """SELECT id, campaign_id, state, phone_hash, reason FROM target
            WHERE account_id = ? ORDER BY id"""
            + self._database.keeping
        )
        stopped = self._stopped([row.phone_hash])
        for target, campaign, state, old_hash, reason in self._database.run(
            sql, (account,)
        ).fetchall():
            moved = old_hash != row.phone_hash
            if moved:
                self._database.run(
                    "UPDATE target SET phone_hash = ? WHERE id = ?", (row.phone_hash, target)
                )
            if not _open_again(S(state), reason, moved) or row.phone_hash in stopped:
                continue
            self._database.run(
                "UPDATE target SET state = 'new', reason = '', due_at = NULL WHERE id = ?",
                (target,),
            )
            self._database.moved(self._lender, campaign, S(state), S.NEW)
            if state == S.DONE.value:
                self._database.count(self._lender, campaign, "done", reason, -1)

    def _forget_contact(self, contact: int) -> None:
        """Data of a person without an account has no business here."""
        self._database.run(
            "DELETE FROM contact WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM account WHERE contact_id = ?)",
            (contact, contact),
        )

    def _put_targets(self, campaign: int, rows: list[_Row]) -> None:
        if not rows:
            return
        accounts = self._ids("account", "contract_hash", [row.contract_hash for row in rows])
        stopped = self._stopped([row.phone_hash for row in rows])
        states = [S.DONE if row.phone_hash in stopped else S.NEW for row in rows]
        self._database.run_many(
            "INSERT INTO target (lender_id, campaign_id, account_id, phone_hash, state, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    self._lender,
                    campaign,
                    accounts[row.contract_hash],
                    row.phone_hash,
                    state.value,
                    NUMBER_STOPPED if state is S.DONE else "",
                )
                for row, state in zip(rows, states, strict=True)
            ],
        )
        done = states.count(S.DONE)
        self._database.count(self._lender, campaign, "target", S.NEW.value, len(rows) - done)
        self._database.count(self._lender, campaign, "target", S.DONE.value, done)
        self._database.count(self._lender, campaign, "done", NUMBER_STOPPED, done)

    def _stopped(self, hashes: list[str]) -> set[str]:
        found: set[str] = set()
        for some in chunks(hashes):
            sql = f"""SELECT phone_hash FROM suppression
                WHERE lender_id = ? AND phone_hash IN ({marks(some)})"""
            found.update(row[0] for row in self._database.run(sql, (self._lender, *some)))
        return found

    def _ids(self, table: str, column: str, hashes: list[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in chunks(hashes):
            sql = f"""SELECT {column}, id FROM {table}
                WHERE lender_id = ? AND {column} IN ({marks(some)})"""
            found.update(self._database.run(sql, (self._lender, *some)).fetchall())
        return found

    def _seal(self, value: dict[str, Any], context: str) -> bytes:
        return self._vault.seal(json.dumps(value).encode(), context)

    # ---- the order

    def rank(self, campaign: int, order: tuple[OrderBy, ...]) -> int:
        """Give every target its place and make the new ones ready. How many were moved.

        Reads and sorts without the lock; writes only what differs.
        """
        unseal = any(entry.field not in PLAIN_FIELDS for entry in order)
        sealed = "'', '', '', ''"
        if unseal:
            sealed = "a.contract_hash, a.sealed, c.person_hash, c.sealed"
        sql = f"""SELECT t.id, t.rank, t.state, a.balance_minor, a.currency, a.interest_rate,
            a.due_date, {sealed} FROM target t JOIN account a ON a.id = t.account_id
            JOIN contact c ON c.id = a.contact_id WHERE t.campaign_id = ? AND t.id > ?
            ORDER BY t.id LIMIT {PAGE}"""
        rows: list[tuple[int, tuple[OrderKey, ...]]] = []
        ranks: dict[int, int | None] = {}
        fresh: set[int] = set()
        for target, rank, state, *columns in self._pages(sql, campaign):
            rows.append((target, order_keys(*self._read(*columns), order)))
            ranks[target] = rank
            if state == S.NEW.value:
                fresh.add(target)
        places = {target: place for place, target in enumerate(ranked(rows, order), 1)}
        del rows
        moves = [
            (place, target)
            for target, place in places.items()
            if ranks[target] != place or target in fresh
        ]
        for some in chunks(moves, BATCH):
            self._database.repeated(partial(self._place, campaign, some, fresh))
            time.sleep(BREATH_S)
        if moves:
            self._database.analyse()
        return len(moves)

    def _pages(self, sql: str, campaign: int) -> Iterator[Sequence[Any]]:
        """All rows, by their first column; a server would else send a million of them at once."""
        last = 0
        while True:
            page = self._database.run(sql, (campaign, last)).fetchall()
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def _place(self, campaign: int, moves: Any, fresh: set[int]) -> None:
        with self._database.writing():
            self._place_some(campaign, moves, fresh)

    def _place_some(self, campaign: int, moves: Any, fresh: set[int]) -> None:
        self._database.run_many("UPDATE target SET rank = ? WHERE id = ?", moves)
        made = [target for _, target in moves if target in fresh]
        for some in chunks(made):
            cursor = self._database.run(
                f"UPDATE target SET state = 'ready' WHERE state = 'new' AND id IN ({marks(some)})",
                some,
            )
            self._database.moved(self._lender, campaign, S.NEW, S.READY, cursor.rowcount)

    def _read(
        self,
        balance_minor: int,
        currency: str,
        interest_rate: str,
        due_date: str,
        contract_hash: str,
        account_sealed: bytes,
        person_hash: str,
        contact_sealed: bytes,
    ) -> tuple[Contact, Account]:
        """As far as the order needs them: sealed parts are empty where none were selected."""
        contact = Contact(name="", phone="")
        rest: dict[str, Any] = {"contract_number": ""}
        if account_sealed:
            rest = json.loads(self._vault.open(account_sealed, f"account:{contract_hash}"))
            contact = Contact(
                **json.loads(self._vault.open(contact_sealed, f"contact:{person_hash}"))
            )
        return contact, Account(
            balance_minor=balance_minor,
            currency=currency,
            interest_rate=interest_rate,
            due_date=date.fromisoformat(due_date),
            **rest,
        )


def _open_again(state: TargetState, reason: str, moved: bool) -> bool:
    """Was this target kept back by data that has just changed?"""
    if state not in (S.DONE, S.WAITING):
        return False
    return reason.startswith(KEPT_BACK_BY_DATA) or (moved and reason == "invalid")
