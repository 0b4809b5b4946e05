"""The database, opened to be read and for nothing else: one snapshot, by plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

FETCH = 5_000  # rows that are held at once


class AuditError(RuntimeError):
    """There is nothing to audit, or it cannot be read. Says what to do."""


class Source:
    """`?` marks a parameter. All that is read is of one moment."""

    name: str

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """A few at a time."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def open_source(url: str, password: str = "") -> Source:
    """url: as `database` in config.yaml. password: of PostgreSQL, where the driver finds none by
    itself. Raises AuditError."""
    if url.startswith("sqlite:///"):
        return _Sqlite(Path(url.removeprefix("sqlite:///")))
    return _Postgres(url, password)


class _Sqlite(Source):
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        if not path.is_file():
            raise AuditError(f"{path} does not exist; is it the right config.yaml?")
        try:
            address = f"file:{quote(str(path))}?mode=ro"
            self._db = sqlite3.connect(address, uri=True, isolation_level=None)
            self._db.execute("BEGIN")
            self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise AuditError(f"{path} cannot be read: {error}") from error

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(sql, parameters)
        except sqlite3.Error as error:
            raise AuditError(f"{self.name}: {error}; is it a Duecall database?") from error

    def close(self) -> None:
        self._db.close()


class _Postgres(Source):
    def __init__(self, url: str, password: str) -> None:
        self.name = url.partition("?")[0]
        try:
            import psycopg
        except ImportError as error:
            remedy = "pip install 'duecall[postgres]'"
            raise AuditError(f"PostgreSQL needs its driver: {remedy}") from error
        self._error: type[Exception] = psycopg.Error
        given: dict[str, Any] = {"password": password} if password else {}
        try:
            self._db = psycopg.connect(url, autocommit=True, **given)
            self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        except psycopg.Error as error:
            raise AuditError(f"{self.name} cannot be read: {_first_line(error)}") from error

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            with self._db.cursor("audit") as cursor:
                cursor.itersize = FETCH
                cursor.execute(sql.replace("?", "%s"), parameters)
                yield from cursor
        except self._error as error:
            raise AuditError(f"{self.name}: {_first_line(error)}") from error

    def close(self) -> None:
        self._db.close()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
