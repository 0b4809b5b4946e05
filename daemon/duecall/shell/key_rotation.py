"""A fresh key in place of the one that seals, while daemons run. Nothing is ever without its key.

    1  the new key stands BEHIND the old one in the key file: it opens, and seals nothing yet
    2  wait until everybody who works with the key file, and every daemon, knows it
    3  the database says that the new key seals (who does not know it cannot open it any more)
    4  the new key stands in FRONT
    5  wait until everybody seals with it
    6  all rows are sealed anew, in short transactions
    7  the old key is dropped, where no segment of the journal needs it; else `finish` does it later

Each step can be cut off anywhere: the next run finds out from the key file and the database how far
it came. A daemon takes up a changed key file by itself (Service); one that cannot, because its key
comes from the environment or its machine has another copy of the file, is waited for, and then
named: nothing is sealed with a key that it does not know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from duecall.shell import key_file
from duecall.shell.database import Database
from duecall.shell.journal_file import keys_of_segments
from duecall.shell.life import Life
from duecall.shell.store import Store
from duecall.shell.store_parts import BEGUN
from duecall.shell.vault import (
    KEY_VARIABLE,
    Vault,
    VaultError,
    key_id,
    key_text,
    new_key,
    parse_key,
    read_key_file,
)

WAIT_S = 45.0  # a daemon looks for a new key file every ten seconds
POLL_S = 0.2
PAGE = 500


class RotationError(RuntimeError):
    """It cannot go on now. Says what to do; nothing is lost, and the next run goes on from here."""


class SealedColumn(NamedTuple):
    """Column `sealed` of a table. contexts: the first seals, all are tried to open."""

    table: str
    key: str
    named: str
    contexts: tuple[str, ...]
    first_key: int | str = 0


SEALED = (
    SealedColumn("contact", "id", "person_hash", ("contact",)),
    SealedColumn("account", "id", "contract_hash", ("account",)),
    SealedColumn("attempt", "id", "id", ("attempt",), ""),
    SealedColumn("stop", "id", "key", ("stop", "suppression")),
    SealedColumn("transcript", "attempt_id", "attempt_id", ("transcript",), ""),
)
OTHERS = "lender_id = ? AND length(sealed) > 0 AND substr(sealed, 2, 4) <> ?"


@dataclass(slots=True)
class Rotated:
    """key: id of the key that seals. rows: sealed anew. unreadable: rows that no key opens; they
    were so before. segments: of the journal that still need an older key; empty: it is dropped."""

    key: str
    rows: int = 0
    unreadable: int = 0
    segments: tuple[Path, ...] = ()
    dropped: tuple[str, ...] = ()


class KeyRotation:
    """path: the key file. tell(what, done, total): for a progress bar. daemon_keys: the ids that
    the daemon of this installation knows, the one first that it seals with; None: no daemon runs.
    """

    def __init__(
        self,
        path: Path,
        open_store: Callable[[Vault], Store],
        journal: Path,
        *,
        environ: Mapping[str, str],
        tell: Callable[[str, int, int], None],
        daemon_keys: Callable[[], Sequence[str] | None],
        wait_s: float = WAIT_S,
        now_us: Callable[[], int],
    ) -> None:
        """RotationError where the key does not come from the file."""
        if environ.get(KEY_VARIABLE):
            raise RotationError(
                f"the key comes from {KEY_VARIABLE}, and only a key file can be changed: write it "
                f"to {path} (chmod 600), start everything without {KEY_VARIABLE}, and try again"
            )
        self._path = path
        self._open_store = open_store
        self._journal = journal
        self._tell = tell
        self._daemon_keys = daemon_keys
        self._wait_s = wait_s
        self._now_us = now_us
        self._hash_key = b""
        self._keys: list[bytes] = []

    # ---- the whole of it

    def rotate(self) -> Rotated:
        """All steps; goes on where an earlier run was cut off. RotationError, VaultError."""
        with self._alone() as store:
            self._step_on(store)
            return self._reseal_and_drop(store)

    def finish(self) -> Rotated:
        """Drop the older keys, and nothing else. RotationError while anything needs them."""
        with self._alone() as store:
            sealing, _, pending = self._said(store).partition(BEGUN)
            if pending or sealing not in ("", self._ids[0]) or self._others(store):
                raise RotationError("the key is not changed everywhere yet: duecall key rotate")
            self._wait(store, self._ids[0], first=True)
            done = Rotated(self._ids[0])
            self._drop(done)
        if done.segments:
            count = len(done.segments)
            raise RotationError(
                f"{count} files of the journal are sealed with the older key, the last one is "
                f"{done.segments[-1]}. They go by themselves as new ones are written, or may be "
                "deleted but for the newest; then try again"
            )
        return done

    @contextmanager
    def _alone(self) -> Iterator[Store]:
        try:
            with key_file.changing(self._path):
                text, held = read_key_file(self._path)
                held.close()
                self._hash_key, *self._keys = parse_key(text)
                store = self._open_store(self._vault())
                try:
                    yield store
                finally:
                    store.close()
        except BlockingIOError:
            raise RotationError("another `duecall key rotate` is at it; wait for it") from None

    def _step_on(self, store: Store) -> None:
        sealing, _, pending = self._said(store).partition(BEGUN)
        if pending and pending in self._ids[1:]:
            self._put_in_front(store, pending)
        elif not pending and sealing in self._ids[1:]:
            self._swap(sealing)  # cut off between 3 and 4
        elif pending or len(self._keys) == 1 or not self._others(store):
            self._put_in_front(store, self._add(store))
        self._wait(store, self._ids[0], first=True)

    def _add(self, store: Store) -> str:
        """Step 1. What the database says of it comes first, so that the next run knows which of the
        keys in the file is the new one."""
        self._wait_for_former()
        fresh = new_key()
        added = key_id(fresh).hex()
        self._say(store, f"{self._ids[0]}{BEGUN}{added}")
        self._write([*self._keys, fresh])
        return added

    def _put_in_front(self, store: Store, added: str) -> None:
        """Steps 2 to 4."""
        self._wait(store, added, first=False)
        self._say(store, added)
        self._swap(added)

    def _swap(self, first: str) -> None:
        self._wait_for_former()
        self._write(sorted(self._keys, key=lambda key: key_id(key).hex() != first))

    def _reseal_and_drop(self, store: Store) -> Rotated:
        """Steps 6 and 7."""
        done = Rotated(self._ids[0])
        parts, vault = store.parts, self._vault()
        total, seen = self._others(store), 0
        for column in SEALED:
            last: Any = column.first_key
            while page := self._page(parts.database, parts.lender, column, last):
                last = page[-1][0]
                changed = []
                for row_key, named, sealed in page:
                    try:
                        fresh = _sealed_anew(vault, column, named, bytes(sealed))
                    except VaultError:
                        done.unreadable += 1
                        continue
                    changed.append((fresh, row_key, sealed))
                done.rows += parts.database.repeated(
                    lambda c=column, rows=changed: _write_rows(parts.database, c, rows)  # type: ignore[misc]
                )
                seen += len(page)
                self._tell("rows", min(seen, total), total)
        if self._others(store) > done.unreadable:
            raise RotationError("rows were sealed with the older key meanwhile; try again")
        self._drop(done)
        return done

    def _drop(self, done: Rotated) -> None:
        if len(self._keys) == 1:
            return
        needed = keys_of_segments(self._journal)
        older = set(self._ids[1:])
        done.segments = tuple(path for path, ids in needed if ids & older)
        if not done.segments:
            done.dropped = tuple(self._ids[1:])
            self._write(self._keys[:1])
            if key_file.former_holders(self._path) is None:
                key_file.forget_former(self._path)

    # ---- the rows

    def _others(self, store: Store) -> int:
        """Rows that another key than the first has sealed."""
        parts = store.parts
        values = (parts.lender, bytes.fromhex(self._ids[0]))
        counts = [
            parts.database.run(f"SELECT count(*) FROM {c.table} WHERE {OTHERS}", values).fetchone()
            for c in SEALED
        ]
        return sum(int(count) for (count,) in counts)

    def _page(
        self, database: Database, lender: int, column: SealedColumn, last: int | str
    ) -> list[Any]:
        sql = f"""SELECT {column.key}, {column.named}, sealed FROM {column.table}
            WHERE {OTHERS} AND {column.key} > ? ORDER BY {column.key} LIMIT {PAGE}"""
        values = (lender, bytes.fromhex(self._ids[0]), last)
        return list(database.run(sql, values).fetchall())

    # ---- the key file and who knows it

    @property
    def _ids(self) -> list[str]:
        return [key_id(key).hex() for key in self._keys]

    def _vault(self) -> Vault:
        return Vault(key_text([self._hash_key, *self._keys]))

    def _write(self, keys: Sequence[bytes]) -> None:
        key_file.replace(self._path, key_text([self._hash_key, *keys]))
        self._keys = list(keys)

    def _said(self, store: Store) -> str:
        sql = "SELECT seal_key FROM lender WHERE id = ?"
        return str(store.parts.database.run(sql, (store.parts.lender,)).fetchone()[0])

    def _say(self, store: Store, text: str) -> None:
        parts = store.parts
        with parts.database.writing():
            sql = "UPDATE lender SET seal_key = ? WHERE id = ?"
            parts.database.run(sql, (text, parts.lender))
            if BEGUN not in text:
                parts.ledger.add("key", {"did": "rotated", "key_id": text}, self._now_us())

    def _wait(self, store: Store, key: str, *, first: bool) -> None:
        """Until all know this key. first: until all seal with it."""

        def missing() -> str:
            return (
                self._holders()
                or self._own_daemon(key, first)
                or _other_daemons(store.parts.database, store.parts.lender, key, first)
            )

        self._wait_while(missing)
        key_file.forget_former(self._path)

    def _wait_for_former(self) -> None:
        self._wait_while(self._holders)

    def _wait_while(self, missing: Callable[[], str]) -> None:
        give_up = time.monotonic() + self._wait_s
        while problem := missing():
            if time.monotonic() > give_up:
                raise RotationError(f"{problem}. Then go on with: duecall key rotate")
            time.sleep(POLL_S)

    def _holders(self) -> str:
        found = key_file.former_holders(self._path)
        if found is None:
            return ""
        which = f" ({', '.join(map(str, found))})" if found else ""
        return (
            f"a process{which} of this installation still works with the key file of before: let "
            "it end, or start it anew"
        )

    def _own_daemon(self, key: str, first: bool) -> str:
        ids = self._daemon_keys()
        if ids is None or _knows(ids, key, first):
            return ""
        return (
            f"the daemon does not take up {self._path}; does its key come from {KEY_VARIABLE}? "
            "Start it anew with the key file"
        )


def _other_daemons(database: Database, lender: int, key: str, first: bool) -> str:
    """Those that share the database and live, as they said within their lease."""
    if not database.shared:
        return ""
    sql = "SELECT life, seal_keys FROM daemon WHERE lender_id = ? AND lease_until > ?"
    for text, ids in database.run(sql, (lender, database.now_us())).fetchall():
        life = Life.parse(text)
        if not _knows(ids.split(), key, first) and not (life and life.is_known_dead()):
            host = life.host if life else "another machine"
            return f"the daemon on {host} has another key file: copy this one to it"
    return ""


def _knows(ids: Sequence[str], key: str, first: bool) -> bool:
    return key in (ids[:1] if first else ids)


def _sealed_anew(vault: Vault, column: SealedColumn, named: str, sealed: bytes) -> bytes:
    """VaultError where no key opens it in any of its contexts."""
    for context in column.contexts:
        try:
            return vault.seal(
                vault.open(sealed, f"{context}:{named}"), f"{column.contexts[0]}:{named}"
            )
        except VaultError as error:
            failed = error
    raise failed


def _write_rows(database: Database, column: SealedColumn, rows: Sequence[Any]) -> int:
    """Those that nobody has changed meanwhile: what is written now is sealed with the new key."""
    sql = f"UPDATE {column.table} SET sealed = ? WHERE {column.key} = ? AND sealed = ?"
    with database.writing():
        return sum(database.run(sql, row).rowcount for row in rows)
