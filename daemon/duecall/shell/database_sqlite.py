"""The store on one SQLite file: for one daemon, and commands beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import peewee
from peewee import DatabaseError, OperationalError, SqliteDatabase

from duecall.shell import migrations
from duecall.shell.database import BUSY_S, Database, StoreBusy, StoreError

SQLITE_MIN = (3, 35)  # RETURNING
PRAGMAS = (
    ("journal_mode", "wal"),  # readers and the writer do not wait for each other
    ("synchronous", "full"),  # a commit returns after its fsync: an attempt saved is durable
    ("fullfsync", 1),  # macOS: through the disk's own cache as well; elsewhere it does nothing
    ("foreign_keys", 1),
    ("cache_size", -65_536),  # KiB
    ("temp_store", "memory"),  # sorts never spill personal data to other files
)


class SqliteFile(Database):
    """url: sqlite:///relative.db (seen from the working directory) or sqlite:////absolute.db"""

    def __init__(self, url: str) -> None:
        super().__init__()
        if sqlite3.sqlite_version_info < SQLITE_MIN:
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} is too old, 3.35 is needed; "
                "use a newer Python, or PostgreSQL (docs/operating.md)"
            )
        path = sqlite_path(url)
        self.name = str(path)
        # check_same_thread: the daemon opens the store in one thread and may close it in another;
        # that two never use it at once is seen to by the caller.
        self.db = SqliteDatabase(
            str(path),
            pragmas=PRAGMAS,
            timeout=BUSY_S,
            thread_safe=False,
            autoconnect=False,
            check_same_thread=False,
        )
        self._execute = cast(Any, self.db).execute_sql
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
            if _is_held(error):
                raise self._busy() from error
            raise StoreError(
                f"{path}: the database cannot be opened: {_first(error)}; "
                "check its rights, the space on its disk, and that it is a Duecall database"
            ) from error
        except migrations.MigrationError as error:
            self.db.close()
            raise StoreError(f"{path}: {error}") from None

    def close(self) -> None:
        self.db.close()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with cast(Any, peewee).__exception_wrapper__:
            cast(Any, self.db).cursor().executemany(sql, rows)

    def _busy(self) -> StoreBusy:
        return StoreBusy(
            f"{self.name}: another process holds the database; "
            f"see which one with: fuser {self.name}"
        )

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[None]:
        """A writer takes the lock at the start, for SQLite does not wait when a reader wants to
        become a writer."""
        if not write:
            with self.db.atomic("DEFERRED"):
                yield
            return
        try:
            with self.db.atomic("IMMEDIATE"):
                yield
        except OperationalError as error:
            if _is_held(error):
                raise self._busy() from error
            problem = f"{self.name}: {_first(error)}; look at its disk and its rights"
            raise StoreError(problem) from error


def _is_held(error: BaseException) -> bool:
    """By another process; SQLite itself, whose words these are, speaks English everywhere."""
    return isinstance(error, OperationalError) and ("locked" in str(error) or "busy" in str(error))


def _first(error: BaseException) -> BaseException:
    """On a full disk SQLite takes a transaction back by itself: that there is nothing to take back
    is what is told last."""
    earlier = error.__context__
    hidden = earlier is not None and "no transaction is active" in str(error)
    return _first(earlier) if hidden and earlier is not None else error


def sqlite_path(url: str) -> Path:
    """The file of a database URL. StoreError for what is not SQLite."""
    scheme, mark, rest = url.partition(":///")
    if scheme != "sqlite" or not mark or not rest or ":memory:" in rest:
        raise StoreError(
            f"database {url.partition('://')[0]}://… is not supported; "
            "write sqlite:///var/duecall.db or postgresql://user@host/name in config.yaml"
        )
    return Path(rest)
