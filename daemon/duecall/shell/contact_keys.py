"""A contact's key: by it calls to a person are counted and a person's stops are found.

It is the keyed hash of the lender's customer id where the file names one; else of number and name.
A new number or a mended name must not make another person of somebody without an id: such a contact
takes over the key that its account had so far. Where the key does change, as the file begins to
name ids, the stops of the old key go with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from duecall.core.contact import Contact
from duecall.shell import clock
from duecall.shell.column_values import to_us
from duecall.shell.contact_json import contact_of
from duecall.shell.database import Database, chunks, marks
from duecall.shell.stop_store import FORGOTTEN, StopStore
from duecall.shell.vault import Vault, VaultError


@dataclass(frozen=True, slots=True)
class Person:
    """Of one row of the file. person_hash: of number, name and id; plain: without the id. key: what
    its key is where nothing was known of it before."""

    contact: Contact
    phone_hash: str
    person_hash: str
    plain: str
    key: str

    @classmethod
    def of(cls, contact: Contact, vault: Vault) -> Person:
        identity = [contact.phone, contact.name.casefold()]
        plain = person_hash = key = vault.keyed_hash("person", json.dumps(identity))
        if contact.customer_id:
            identity.append(contact.customer_id)
            person_hash = vault.keyed_hash("person", json.dumps(identity))
            key = vault.keyed_hash("customer", contact.customer_id)
        return cls(contact, vault.phone_hash(contact.phone), person_hash, plain, key)


class _Row(Protocol):
    @property
    def person(self) -> Person: ...


KeyedRow = TypeVar("KeyedRow", bound=tuple[_Row, "tuple[int, str, int] | None", "int | None"])


class ContactKeys:
    """Of one lender. All within the caller's transaction."""

    def __init__(self, database: Database, vault: Vault, lender: int, stops: StopStore) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._stops = stops
        self._any_forgotten: bool | None = None  # looked up once an import

    def before(self, moves: Iterable[tuple[Person, int]]) -> dict[str, str]:
        """Of the people that stand for another contact now: person_hash -> the key that this one
        had, where it is the same person. moves: (who, id of the contact so far)."""
        asked = list(moves)
        known: dict[int, tuple[str, str, str, bytes]] = {}
        for some in chunks(sorted({contact for _, contact in asked})):
            sql = f"""SELECT id, person_hash, phone_hash, contact_key, sealed FROM contact
                WHERE id IN ({marks(some)})"""
            known.update((row[0], row[1:]) for row in self._database.run(sql, some).fetchall())
        found = {}
        for person, contact in asked:
            person_hash, phone_hash, key, sealed = known[contact]
            if person_hash != person.person_hash:
                old = self._opened(sealed, person_hash)
                if _same(old, phone_hash, person):
                    found[person.person_hash] = key
        return found

    def without_forgotten(self, rows: Sequence[KeyedRow]) -> list[KeyedRow]:
        """Rows of the file: (row, (account, digest, contact) so far, target). Those of people who
        are forgotten (shell/person_erasing.py) are left out."""
        if self._any_forgotten is None:
            sql = """SELECT 1 FROM stop WHERE lender_id = ? AND key_kind = 'contact' AND kind = ?
                LIMIT 1"""
            found = self._database.run(sql, (self._lender, FORGOTTEN)).fetchone()
            self._any_forgotten = found is not None
        if not self._any_forgotten:
            return list(rows)
        owners: dict[int, str] = {}
        for some in chunks(sorted({old[2] for _, old, _ in rows if old})):
            sql = f"SELECT id, contact_key FROM contact WHERE id IN ({marks(some)})"
            owners.update(self._database.run(sql, some).fetchall())
        keys = {
            number: {row.person.key, row.person.plain, owners[old[2]] if old else ""}
            for number, (row, old, _) in enumerate(rows)
        }
        forgotten: set[str] = set()
        for some in chunks(sorted(set().union(*keys.values()))):
            sql = f"""SELECT key FROM stop WHERE lender_id = ? AND key_kind = 'contact'
                AND key IN ({marks(some)}) AND kind = ?"""
            values = (self._lender, *some, FORGOTTEN)
            forgotten.update(key for (key,) in self._database.run(sql, values).fetchall())
        return [row for number, row in enumerate(rows) if not keys[number] & forgotten]

    def _opened(self, sealed: bytes, person_hash: str) -> Contact | None:
        try:
            return contact_of(self._vault.open(sealed, f"contact:{person_hash}"))
        except VaultError:
            return None

    def carry_stops(self, people: Mapping[str, Person], before: Mapping[str, str]) -> None:
        """To the keys that these people have now, from those they had, and from those they would
        have without their id. people: by person_hash, as are the keys of `before`."""
        if not self._any_stop():
            return
        wanted: dict[str, set[str]] = {}  # old key -> new ones
        now = self._keys(list(people))
        for person_hash, person in people.items():
            for old in {before.get(person_hash, person.plain), person.plain} - {now[person_hash]}:
                wanted.setdefault(old, set()).add(now[person_hash])
        at_us = to_us(clock.now().wall)
        for some in chunks(self._stopped(list(wanted))):
            theirs = f"s.key_kind = 'contact' AND s.key IN ({marks(some)})"
            for stored in list(self._stops.all(theirs, some)):
                for key in sorted(wanted[stored.stop.key]):
                    self._stops.add(replace(stored.stop, key=key), at_us)

    def _any_stop(self) -> bool:
        sql = "SELECT 1 FROM stop WHERE lender_id = ? AND key_kind = 'contact' LIMIT 1"
        return self._database.run(sql, (self._lender,)).fetchone() is not None

    def _stopped(self, keys: list[str]) -> list[str]:
        found: set[str] = set()
        for some in chunks(keys):
            sql = f"""SELECT key FROM stop WHERE lender_id = ? AND key_kind = 'contact'
                AND key IN ({marks(some)})"""
            rows = self._database.run(sql, (self._lender, *some)).fetchall()
            found.update(key for (key,) in rows)
        return sorted(found)

    def _keys(self, hashes: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for some in chunks(hashes):
            sql = f"""SELECT person_hash, contact_key FROM contact
                WHERE lender_id = ? AND person_hash IN ({marks(some)})"""
            found.update(self._database.run(sql, (self._lender, *some)).fetchall())
        return found


def _same(old: Contact | None, phone_hash: str, new: Person) -> bool:
    """In doubt it is: a call that counts too much, or a stop that is kept, harms nobody."""
    if old is None:
        return phone_hash == new.phone_hash
    if old.customer_id and new.contact.customer_id:
        return old.customer_id == new.contact.customer_id
    return phone_hash == new.phone_hash or old.name.casefold() == new.contact.name.casefold()
