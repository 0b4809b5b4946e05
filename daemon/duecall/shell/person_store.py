"""Everything that is held of one person, found by a contract, a number or a customer id.

A person is all contacts with one contact_key: one number each, or several where the contacts file
names the person by customer_id. What was done stays theirs by the account as well, for a name that
was spelled otherwise in a later file makes another key of the same person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duecall.core.contact import Contact
from duecall.shell.column_values import from_us, maybe_from_us
from duecall.shell.contact_json import contact_of
from duecall.shell.database import marks
from duecall.shell.store_parts import StoreParts
from duecall.shell.vault import VaultError, mask_phone

EMPTY_SEALED_BYTES = 33  # of nothing: a number that was erased
SHOWN_MAX = 5
_LIKE_A_PHONE = re.compile(r"\+[0-9 ().-]{5,25}\Z")
_NOT_DIGITS = re.compile(r"[^0-9+]")

KEYS_BY_CONTRACT = """SELECT DISTINCT c.contact_key FROM account a JOIN contact c
    ON c.id = a.contact_id WHERE a.lender_id = ? AND a.contract_hash = ?"""
KEYS_BY_OWN_ID = "SELECT contact_key FROM contact WHERE lender_id = ? AND contact_key = ? LIMIT 1"
KEYS_BY_NUMBER = "SELECT DISTINCT contact_key FROM contact WHERE lender_id = ? AND phone_hash = ?"
# A number that was theirs once.
KEYS_BY_FORMER_NUMBER = """SELECT DISTINCT c.contact_key FROM attempt x JOIN account a
    ON a.id = x.account_id JOIN contact c ON c.id = a.contact_id
    WHERE x.lender_id = ? AND x.phone_hash = ?"""
CONTACTS = """SELECT id, person_hash, phone_hash, sealed FROM contact
    WHERE lender_id = ? AND contact_key = ? ORDER BY id"""
ACCOUNTS = """SELECT id, contact_id, contract_hash, sealed, balance_minor, currency, interest_rate,
    due_date FROM account WHERE contact_id IN ({}) ORDER BY id"""
ATTEMPTS = """SELECT x.id, k.name, x.target_id, x.account_id, x.phone_hash, x.sealed, x.saved_at,
    x.settled_at, x.recording, x.daemon FROM attempt x JOIN campaign k ON k.id = x.campaign_id
    WHERE x.lender_id = ? AND (x.contact_key = ? OR x.account_id IN ({}))
    ORDER BY x.saved_at, x.id"""
OTHERS_AT_NUMBER = """SELECT DISTINCT phone_hash FROM contact
    WHERE lender_id = ? AND phone_hash IN ({}) AND contact_key <> ?"""


class NoSuchPerson(RuntimeError):
    """Nobody is found, or more than one. Says what to ask for."""


@dataclass(frozen=True, slots=True)
class ContactEntry:
    """contact: with an empty phone where it was erased, None where no key opens it."""

    id: int
    person_hash: str
    phone_hash: str
    contact: Contact | None


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """data: contract_number, card_number, fields; empty ones where they were erased; None where no
    key opens it."""

    id: int
    contact_id: int
    contract_hash: str
    data: dict[str, Any] | None
    balance_minor: int
    currency: str
    interest_rate: str
    due_date: str


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """has_number: the number that was called is there, sealed."""

    id: str
    campaign: str
    target_id: int
    account_id: int
    phone_hash: str
    has_number: bool
    saved_at: datetime
    settled_at: datetime | None
    recording: str
    daemon: str


@dataclass(frozen=True, slots=True)
class Person:
    """key: contact_key. numbers: hashes of all that are or were theirs."""

    key: str
    contacts: tuple[ContactEntry, ...]
    accounts: tuple[AccountEntry, ...]
    attempts: tuple[AttemptEntry, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        found = [contact.phone_hash for contact in self.contacts]
        found += [attempt.phone_hash for attempt in self.attempts]
        return tuple(dict.fromkeys(found))

    @property
    def account_ids(self) -> tuple[int, ...]:
        return tuple(account.id for account in self.accounts)


class PersonStore:
    """Reads, within the caller's transaction or without one."""

    def __init__(self, parts: StoreParts) -> None:
        self._database = parts.database
        self._vault = parts.vault
        self._lender = parts.lender

    def find(self, text: str) -> Person:
        """text: a contract number, a phone with its plus and country, or a customer id."""
        text = text.strip()
        keys = self._keys(text)
        if not keys:
            shown = mask_phone(text) if _LIKE_A_PHONE.match(text) else text
            raise NoSuchPerson(
                f"no contract number, phone (with + and country) or customer id {shown} is known"
            )
        if len(keys) > 1:
            contracts = [
                account.data["contract_number"] or "(erased)"
                for key in keys
                for account in self.person(key).accounts
                if account.data
            ]
            raise NoSuchPerson(
                f"{len(keys)} persons are meant by it; name one by a contract number: "
                + ", ".join(contracts[:SHOWN_MAX])
                + (", …" if len(contracts) > SHOWN_MAX else "")
            )
        return self.person(keys[0])

    def _keys(self, text: str) -> list[str]:
        questions = [
            (KEYS_BY_CONTRACT, self._vault.keyed_hash("contract", text)),
            (KEYS_BY_OWN_ID, self._vault.keyed_hash("customer", text)),
        ]
        if _LIKE_A_PHONE.match(text):
            try:
                number = self._vault.phone_hash(_NOT_DIGITS.sub("", text))
            except ValueError:
                pass
            else:
                questions += [(KEYS_BY_NUMBER, number), (KEYS_BY_FORMER_NUMBER, number)]
        for sql, value in questions:
            found = self._database.run(sql, (self._lender, value)).fetchall()
            if found:
                return [key for (key,) in found]
        return []

    def person(self, key: str) -> Person:
        contacts = self._contacts(key)
        accounts = self._accounts([contact.id for contact in contacts])
        ids = [account.id for account in accounts]
        sql = ATTEMPTS.format(marks(ids) or "-1")
        rows = self._database.run(sql, (self._lender, key, *ids)).fetchall()
        return Person(key, contacts, accounts, tuple(_attempt(row) for row in rows))

    def numbers_of_others(self, person: Person) -> set[str]:
        """Those of the person's numbers that somebody else has as well."""
        sql = OTHERS_AT_NUMBER.format(marks(person.numbers) or "''")
        rows = self._database.run(sql, (self._lender, *person.numbers, person.key))
        return {number for (number,) in rows.fetchall()}

    def _contacts(self, key: str) -> tuple[ContactEntry, ...]:
        found = []
        rows = self._database.run(CONTACTS, (self._lender, key)).fetchall()
        for row_id, person_hash, phone_hash, sealed in rows:
            try:
                contact = contact_of(self._vault.open(sealed, f"contact:{person_hash}"))
            except VaultError:
                contact = None
            found.append(ContactEntry(row_id, person_hash, phone_hash, contact))
        return tuple(found)

    def _accounts(self, contacts: Sequence[int]) -> tuple[AccountEntry, ...]:
        found = []
        for row in self._database.run(ACCOUNTS.format(marks(contacts)), contacts).fetchall():
            try:
                data = json.loads(self._vault.open(row[3], f"account:{row[2]}"))
            except VaultError:
                data = None
            found.append(AccountEntry(row[0], row[1], row[2], data, *row[4:]))
        return tuple(found)


def _attempt(row: Sequence[Any]) -> AttemptEntry:
    attempt_id, campaign, target, account, phone_hash, sealed, saved, settled, recording, daemon = (
        row
    )
    return AttemptEntry(
        id=attempt_id,
        campaign=campaign,
        target_id=target,
        account_id=account,
        phone_hash=phone_hash,
        has_number=len(sealed) > EMPTY_SEALED_BYTES,
        saved_at=from_us(saved),
        settled_at=maybe_from_us(settled),
        recording=recording,
        daemon=daemon,
    )
