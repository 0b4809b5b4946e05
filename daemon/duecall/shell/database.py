"""The connection below the store: transactions, plain SQL, the tally and the news.

`open_database` is the door. What differs between SQLite and PostgreSQL (opening, locking, what an
error means) stands in database_sqlite.py and database_postgres.py; the SQL is the same for both.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

import peewee
from peewee import PeeweeException

from duecall.shell.column_values import TargetState

DATABASE_ERRORS = (PeeweeException, sqlite3.Error)  # what a read may raise beside StoreError
CONFLICTS_MAX = 5
T = TypeVar("T")
CHUNK = 500  # parameters of one IN (…), well under the limit of every SQLite
BUSY_S = 30  # how long a writer waits for another program's transaction


class StoreError(RuntimeError):
    """The database cannot be opened, read or written. Says what to do."""


class StoreBusy(StoreError):
    """Another program held the database for too long. Nothing was written: try again."""


class StoreConflict(StoreBusy):
    """Two programs waited for each other, and this one gave way: try again at once."""


class StoreLost(StoreError):
    """The database's server is gone, or was restarted. Nothing was written; the next use connects
    anew."""


class CommitUnsure(StoreLost):
    """The connection broke while it was being committed: it was written whole, or not at all."""


class Database:
    """One connection, for one thread at a time. Connects at once; `close` ends it.

    name: for people, without a password. shared: several daemons may work on it at once.
    """

    shared = False
    name: str
    db: peewee.Database
    # The end of a SELECT whose rows, those of `t`, are taken: what others are taking is left out.
    claiming = ""
    keeping = ""  # the end of a SELECT whose rows nobody may change until the transaction ends

    def __init__(self) -> None:
        self._in_use = False
        self._writing = False
        self.shard = 0  # of the tally: a daemon's own rows, where daemons would wait for another
        self.tally: Counter[tuple[int, int, str, str]] = Counter()
        self._told: list[tuple[int, str, str]] = []
        self._at_end: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def close(self) -> None:
        raise NotImplementedError

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Execute; the cursor. `?` marks a parameter."""
        raise NotImplementedError

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        raise NotImplementedError

    def table_of(self, rows: Sequence[tuple[str, bytes]]) -> tuple[str, list[Any]]:
        """For a FROM: a table `v` of these rows, its columns `column1` and `column2`; and the
        parameters that it needs."""
        values = ", ".join(["(?, ?)"] * len(rows))
        return f"(VALUES {values}) v", [value for row in rows for value in row]

    def alone(self, what: str) -> None:
        """Until this transaction ends, no other is in a part of that name."""

    now_sql = "0"  # microseconds since 1970, where daemons need one clock

    def now_us(self) -> int:
        """By the database's clock."""
        (now_us,) = self.run(f"SELECT {self.now_sql}").fetchone()
        return int(now_us)

    def analyse(self) -> None:
        """Much was written at once: the planner may look at it."""

    def _transaction(self, *, write: bool) -> AbstractContextManager[None]:
        """Errors of the driver become StoreErrors."""
        raise NotImplementedError

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; durable when it returns. Where it raises, nothing was written, but for
        CommitUnsure."""
        self._enter()
        self._forget()
        self._writing = True
        try:
            with self._transaction(write=True):
                yield
                self._write_tally()
                for write, _ in self._at_end:
                    write()
                self._write_news()
        finally:
            self._forget()
            self._in_use = self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One snapshot for many reads: their sums agree, whatever a daemon writes meanwhile."""
        self._enter()
        try:
            with self._transaction(write=False):
                yield
        finally:
            self._in_use = False

    def repeated(self, do: Callable[[], T]) -> T:
        """For whole transactions: again, where another program was in the way."""
        for _ in range(CONFLICTS_MAX):
            with suppress(StoreConflict):
                return do()
        return do()

    @property
    def is_writing(self) -> bool:
        """A writing transaction has begun, and goes on."""
        return self._writing

    def at_end(self, write: Callable[[], None], forget: Callable[[], None]) -> None:
        """write: at the end of each writing transaction, within it. forget: what was gathered for
        it, before the transaction and after."""
        self._at_end.append((write, forget))

    def _enter(self) -> None:
        if self._in_use:
            raise RuntimeError(
                "the store is in a transaction already; it belongs to one thread at a time"
            )
        self._in_use = True

    def _forget(self) -> None:
        self.tally.clear()
        self._told.clear()
        for _, forget in self._at_end:
            forget()

    # ---- the tally: counts that move with what they count, in the same transaction

    def count(self, lender: int, campaign: int, kind: str, name: str, n: int = 1) -> None:
        self.tally[lender, campaign, kind, name] += n

    def moved(
        self, lender: int, campaign: int, old: TargetState, new: TargetState, n: int = 1
    ) -> None:
        """n targets went from one state to another."""
        self.count(lender, campaign, "target", old.value, -n)
        self.count(lender, campaign, "target", new.value, n)

    def _write_tally(self) -> None:
        rows = [(*key, self.shard, n) for key, n in sorted(self.tally.items()) if n]
        if rows:
            self.run_many(
                "INSERT INTO tally (lender_id, campaign_id, kind, name, shard, n)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (campaign_id, kind, name, shard)"
                " DO UPDATE SET n = tally.n + excluded.n",
                rows,
            )

    # ---- news for the other daemons, and for this one of what commands write

    def tell(self, lender: int, kind: str, name: str) -> None:
        """This transaction changes something that every daemon must hear of."""
        if (lender, kind, name) not in self._told:
            self._told.append((lender, kind, name))

    def _write_news(self) -> None:
        """The very last of a transaction. Each waits here for the one before it to commit, so the
        numbers come to light in their order: who has read up to one of them has missed none."""
        for lender, kind, name in self._told:
            (number,) = self.run(
                "UPDATE lender SET news_seq = news_seq + 1 WHERE id = ? RETURNING news_seq",
                (lender,),
            ).fetchall()[0]
            self.run(
                "INSERT INTO news (lender_id, seq, kind, name) VALUES (?, ?, ?, ?)",
                (lender, number, kind, name),
            )


def open_database(url: str) -> Database:
    """url: sqlite:///relative.db (seen from the working directory), sqlite:////absolute.db, or
    postgresql://user@host:port/name. Raises StoreError."""
    scheme = url.partition("://")[0]
    if scheme == "postgresql":
        from duecall.shell.database_postgres import PostgresDatabase

        return PostgresDatabase(url)
    from duecall.shell.database_sqlite import SqliteFile

    return SqliteFile(url)


def chunks(values: Sequence[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def marks(values: Sequence[Any]) -> str:
    """ "?, ?, ?" for an IN (…)."""
    return ", ".join("?" * len(values))
