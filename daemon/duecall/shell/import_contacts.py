"""Contacts into the store.

Made to run beside a daemon: all hashing is done before the write lock is taken, the lock is held
for a thousand rows at most, and a file that changes nothing takes no lock at all.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Protocol, TypeAlias

from duecall.core.contact import Account, Contact
from duecall.shell.column_values import TargetState
from duecall.shell.contact_json import account_text, contact_data, contact_text
from duecall.shell.contact_keys import ContactKeys, Person
from duecall.shell.database import Database, chunks, marks
from duecall.shell.ledger import Ledger
from duecall.shell.stop_store import NUMBER_STOPPED, STOPS, StopStore
from duecall.shell.target_store import UNREADABLE, CampaignKey
from duecall.shell.vault import Vault

BATCH = 1_000
# Between two of our transactions, so that a daemon that polls for the lock finds it free.
BREATH_S = 0.002
# Daemons hear that contacts were changed once in so long, and at the end: what they hold goes back,
# for a consent may be gone, or a flag set.
TELL_S = 5.0
# Reasons of the gate, the prompts and the store that lie in the row itself: new data, new chance.
KEPT_BACK_BY_DATA = re.compile(
    "not selected|cannot be spoken|time zone unknown|a time zone of the number is not known|"
    r"\S+: (?:no consent on file|the contact is flagged): |"
    r"\S+: (?:.*; then )?no hour fits all \d+ zones|" + re.escape(UNREADABLE)
)
ACCOUNT = tuple(field.name for field in fields(Account))
S = TargetState


class ParsedRow(Protocol):
    """A row of the contacts file that was read and found right."""

    @property
    def contact(self) -> Contact: ...
    @property
    def account(self) -> Account: ...


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """new: not in this campaign before. changed: known, with other data than before. unchanged:
    also of people who are forgotten, whose data does not come back."""

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
    account: Account
    person: Person
    contract_hash: str
    digest: str


# A row, its (account id, digest, contact id) and its target id, both None where they are new.
_Todo: TypeAlias = tuple[_Row, "tuple[int, str, int] | None", "int | None"]


class Importer:
    """Of one lender. Each step is its own transaction: an import that is cut off is run again."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        lender: int,
        stops: StopStore,
        ledger: Ledger | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._stops = stops
        self._ledger = ledger
        self._keys = ContactKeys(database, vault, lender, stops)
        self._told_s = -TELL_S  # when daemons heard last that contacts were changed
        self._untold = False  # some were changed since

    def import_rows(self, campaign: int, rows: Iterable[ParsedRow]) -> ImportCounts:
        counts = ImportCounts()
        for batch in self._batches(rows):
            counts += self._import_batch(campaign, batch)
        return counts

    def imported(
        self, campaign: CampaignKey, sha256: str, counts: ImportCounts, refused: int, at_us: int
    ) -> None:
        """All rows of the file are in; refused: rows of it that are not. Nothing is written where
        the same file has changed nothing."""
        sql = "SELECT contacts_digest FROM campaign WHERE id = ?"
        (known,) = self._database.run(sql, (campaign.id,)).fetchall()[0]
        if known == sha256 and not counts.new + counts.changed:
            return
        with self._database.writing():
            self._database.run(
                "UPDATE campaign SET contacts_digest = ? WHERE id = ?", (sha256, campaign.id)
            )
            if self._untold:
                self._database.tell(self._lender, STOPS, "")
            if self._ledger is not None:
                body = {"campaign": campaign.name, "sha256": sha256, "refused": refused}
                self._ledger.add("import", body | asdict(counts), at_us)

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
        said = {name: getattr(account, name) for name in ACCOUNT}
        data = json.dumps([contact_data(contact), said], sort_keys=True, default=str)
        return _Row(
            account=account,
            person=Person.of(contact, self._vault),
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
            contacts = self._put_contacts(todo)
            new = sum(target is None for _, _, target in todo)
            self._put_accounts(todo, contacts)
            self._put_targets(campaign, [row for row, _, target in todo if target is None])
            if any(old and old[1] != row.digest for row, old, _ in todo):
                self._untold = time.monotonic() < self._told_s + TELL_S
                if not self._untold:
                    self._told_s = time.monotonic()
                    self._database.tell(self._lender, STOPS, "")
        return ImportCounts(new, len(todo) - new, len(batch) - len(todo))

    def _differing(self, campaign: int, batch: dict[str, _Row]) -> list[_Todo]:
        """Rows that change something."""
        known: dict[str, tuple[int, str, int, int | None]] = {}
        for some in chunks(list(batch)):
            sql = f"""SELECT a.contract_hash, a.id, a.digest, a.contact_id, t.id FROM account a
                LEFT JOIN target t ON t.account_id = a.id AND t.campaign_id = ?
                WHERE a.lender_id = ? AND a.contract_hash IN ({marks(some)})"""
            cursor = self._database.run(sql, (campaign, self._lender, *some))
            known.update((row[0], row[1:]) for row in cursor.fetchall())
        found: list[_Todo] = []
        for contract_hash, row in batch.items():
            old = known.get(contract_hash)
            if old is None:
                found.append((row, None, None))
            elif old[1] != row.digest or old[3] is None:
                found.append((row, old[:3], old[3]))
        return self._keys.without_forgotten(found)

    def _put_contacts(self, todo: list[_Todo]) -> dict[str, int]:
        """Insert or renew; person_hash -> id. One that is known keeps its key."""
        people = {row.person.person_hash: row.person for row, _, _ in todo}
        before = self._keys.before((row.person, old[2]) for row, old, _ in todo if old)
        self._database.run_many(
            "INSERT INTO contact (lender_id, person_hash, phone_hash, sealed, contact_key)"
            " VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (lender_id, person_hash) DO UPDATE SET sealed = excluded.sealed",
            [
                (
                    self._lender,
                    person_hash,
                    one.phone_hash,
                    self._vault.seal(contact_text(one.contact), f"contact:{person_hash}"),
                    one.key if one.contact.customer_id else before.get(person_hash, one.key),
                )
                for person_hash, one in people.items()
            ],
        )
        self._keys.carry_stops(people, before)
        return self._ids("contact", "person_hash", list(people))

    def _put_accounts(
        self,
        todo: list[_Todo],
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
                    contacts[row.person.person_hash],
                    row.contract_hash,
                    row.digest,
                    self._vault.seal(
                        account_text(row.account, row.person.contact),
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
            if contact != contacts[row.person.person_hash]:
                self._forget_contact(contact)

    def _after_change(self, row: _Row, account: int) -> None:
        """Its targets follow the number; those that only the old data kept back are open again."""
        sql = (
            """SELECT id, campaign_id, state, phone_hash, reason FROM target
            WHERE account_id = ? ORDER BY id"""
            + self._database.keeping
        )
        stopped = self._stopped([row.person.phone_hash])
        for target, campaign, state, old_hash, reason in self._database.run(
            sql, (account,)
        ).fetchall():
            moved = old_hash != row.person.phone_hash
            if moved:
                self._database.run(
                    "UPDATE target SET phone_hash = ? WHERE id = ?", (row.person.phone_hash, target)
                )
            if not _open_again(S(state), reason, moved) or row.person.phone_hash in stopped:
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
        stopped = self._stopped([row.person.phone_hash for row in rows])
        states = [S.DONE if row.person.phone_hash in stopped else S.NEW for row in rows]
        self._database.run_many(
            "INSERT INTO target (lender_id, campaign_id, account_id, phone_hash, state, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    self._lender,
                    campaign,
                    accounts[row.contract_hash],
                    row.person.phone_hash,
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
        return set(self._stops.stopped_for_ever(hashes))

    def _ids(self, table: str, column: str, hashes: list[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in chunks(hashes):
            sql = f"""SELECT {column}, id FROM {table}
                WHERE lender_id = ? AND {column} IN ({marks(some)})"""
            found.update(self._database.run(sql, (self._lender, *some)).fetchall())
        return found


def _open_again(state: TargetState, reason: str, moved: bool) -> bool:
    """Was this target kept back by data that has just changed?"""
    if state not in (S.DONE, S.WAITING):
        return False
    return bool(KEPT_BACK_BY_DATA.match(reason)) or (moved and reason == "invalid")
