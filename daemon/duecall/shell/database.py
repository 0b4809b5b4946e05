"""The connection below the store: opening, pragmas, transactions, plain SQL, the tally."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from peewee import DatabaseError, OperationalError, PeeweeException, SqliteDatabase

from duecall.shell import migrations
from duecall.shell.models import TargetState

BUSY_S = 30  # how long a writer waits for another process's transaction
PRAGMAS = (
    ("journal_mode", "wal"),  # readers and the writer do not wait for each other
    ("synchronous", "full"),  # a commit returns after its fsync: an attempt saved is durable
    ("fullfsync", 1),  # macOS: through the disk's own cache as well; elsewhere it does nothing
    ("foreign_keys", 1),
    ("cache_size", -65_536),  # KiB
    ("temp_store", "memory"),  # sorts never spill personal data to other files
)
DATABASE_ERRORS = (PeeweeException, sqlite3.Error)  # what a read may raise beside StoreError
CHUNK = 500  # parameters of one IN (…), well under the limit of every SQLite


class StoreError(RuntimeError):
    """The database cannot be opened, read or written. Says what to do."""


class StoreBusy(StoreError):
    """Another process held the database for too long. Nothing was written: try again."""


class Database:
    """One connection, for one thread at a time. Connects at once; `close` ends it.

    url: sqlite:///relative.db (seen from the working directory) or sqlite:////absolute.db
    """

    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
        self.path = path
        # check_same_thread: the daemon opens the store in one thread and may close it in another;
        # that two never use it at once is seen to below.
        self.db = SqliteDatabase(
            str(path),
            pragmas=PRAGMAS,
            timeout=BUSY_S,
            thread_safe=False,
            autoconnect=False,
            check_same_thread=False,
        )
        self._execute = cast(Any, self.db).execute_sql
        self._in_use = False
        self.tally: Counter[tuple[int, int, str, str]] = Counter()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self.db.connect()
            # Mostly it is up to date: then an import that is running is not waited for.
            if migrations.version_of(self.db) != migrations.VERSION:
                with self.db.atomic("EXCLUSIVE"):
                    migrations.migrate(self.db)
        except (OSError, DatabaseError) as error:
            self.db.close()
            raise StoreError(
                f"{path}: the database cannot be opened: {error}; "
                "check its rights, the space on its disk, and that it is a Duecall database"
            ) from error
        except migrations.MigrationError as error:
            self.db.close()
            raise StoreError(f"{path}: {error}") from None

    def close(self) -> None:
        self.db.close()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Execute; the cursor. `?` marks a parameter."""
        return self._execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        cast(Any, self.db).cursor().executemany(sql, rows)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that holds the write lock from its start; durable when it returns.

        Taken at the start, for SQLite does not wait when a reader wants to become a writer.
        """
        self._enter()
        self.tally.clear()
        try:
            with self.db.atomic("IMMEDIATE"):
                yield
                self._write_tally()
        except OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreBusy(
                    f"{self.path}: another process has held the database for {BUSY_S} s; "
                    "see which one with: fuser " + str(self.path)
                ) from error
            raise StoreError(f"{self.path}: {error}; look at its disk and its rights") from error
        finally:
            self.tally.clear()
            self._in_use = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One snapshot for many reads: their sums agree, whatever a daemon writes meanwhile."""
        self._enter()
        try:
            with self.db.atomic("DEFERRED"):
                yield
        finally:
            self._in_use = False

    def _enter(self) -> None:
        if self._in_use:
            raise RuntimeError(
                "the store is in a transaction already; it belongs to one thread at a time"
            )
        self._in_use = True

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
        for (lender, campaign, kind, name), n in sorted(self.tally.items()):
            if n:
                self.run(
                    "INSERT INTO tally (lender_id, campaign_id, kind, name, shard, n)"
                    " VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (campaign_id, kind, name, shard)"
                    " DO UPDATE SET n = tally.n + excluded.n",
                    (lender, campaign, kind, name, n),
                )


def sqlite_path(url: str) -> Path:
    """The file of a database URL. StoreError for what is not SQLite."""
    scheme, mark, rest = url.partition(":///")
    if scheme != "sqlite" or not mark or not rest or ":memory:" in rest:
        raise StoreError(
            f"database {url.partition('://')[0]}://… is not supported; "
            "write sqlite:///var/duecall.db in config.yaml"
        )
    return Path(rest)


def chunks(values: Sequence[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def marks(values: Sequence[Any]) -> str:
    """ "?, ?, ?" for an IN (…)."""
    return ", ".join("?" * len(values))
