"""What the database says in the end. Read with plain SQL: nothing of Duecall's own store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Entry:
    """One attempt as it was written down. Times in Unix seconds; outcome "" while it is open."""

    id: str
    number: str  # E.164
    target: int
    tried: int  # the how-manieth attempt of its target
    saved_at: float
    settled_at: float | None = None
    outcome: str = ""
    cause: str = ""
    sent_at: float | None = None


@dataclass(frozen=True)
class Aim:
    """One target: an account of a contact in the campaign."""

    id: int
    number: str
    state: str
    reason: str = ""


@dataclass
class Books:
    """stopped: number -> since when it is on the stop list. report: `duecall report --json`."""

    entries: list[Entry]
    aims: list[Aim]
    stopped: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


class Reader(Protocol):
    """A connection of our own to the daemon's database."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """`?` marks a value. Unavailable where the database is not there."""
        ...

    def close(self) -> None: ...


class Unavailable(Exception):
    """The database is killed, frozen, or not there yet."""


class SqliteReader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                if not self._path.exists():
                    raise Unavailable(f"{self._path} is not there yet")
                self._connection = sqlite3.connect(
                    self._path, timeout=2.0, isolation_level=None, check_same_thread=False
                )
                self._connection.execute("PRAGMA query_only = 1")
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise Unavailable(str(error)) from error

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


class PostgresReader:
    """url: as in config.yaml. A frozen server keeps the asker waiting until it is thawed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        import psycopg

        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
            query = sql.replace("?", "%s").encode()
            found: list[tuple[Any, ...]] = self._connection.execute(query, values).fetchall()
            return found
        except psycopg.Error as error:
            self.close()
            raise Unavailable(str(error)) from error

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None


def read_books(reader: Reader, numbers: Mapping[str, str], report: dict[str, Any]) -> Books:
    """numbers: hash of each number -> number."""
    return Books(
        entries=list(_entries(reader, numbers)),
        aims=[
            Aim(target, numbers[phone], state, reason)
            for target, phone, state, reason in reader.rows(
                "SELECT id, phone_hash, state, reason FROM target ORDER BY id"
            )
        ],
        stopped={
            numbers[phone]: at / 1e6
            for phone, at in reader.rows(
                "SELECT key, min(at) FROM stop WHERE key_kind = 'number' AND campaign_id = 0"
                " AND expires_at IS NULL GROUP BY key"
            )
        },
        report=report,
    )


def _entries(reader: Reader, numbers: Mapping[str, str]) -> Iterator[Entry]:
    for row in reader.rows(
        "SELECT id, phone_hash, target_id, number, saved_at, settled_at, outcome, cause, sent_at"
        " FROM attempt ORDER BY saved_at, id"
    ):
        attempt, phone, target, tried, saved_at, settled_at, outcome, cause, sent_at = row
        yield Entry(
            id=str(attempt),
            number=numbers[phone],
            target=target,
            tried=tried,
            saved_at=saved_at / 1e6,
            settled_at=None if settled_at is None else settled_at / 1e6,
            outcome=outcome or "",
            cause=cause,
            sent_at=None if sent_at is None else sent_at / 1e6,
        )


def open_entries_of(reader: Reader, phone_hash: str) -> list[str]:
    """Ids of the attempts of a number that have no outcome at this moment."""
    return [
        str(row[0])
        for row in reader.rows(
            "SELECT id FROM attempt WHERE phone_hash = ? AND settled_at IS NULL", (phone_hash,)
        )
    ]


def share_done(reader: Reader) -> float:
    """0.0-1.0 of the targets; 0.0 where there are none yet. Unavailable as the reader raises."""
    counts = dict(reader.rows("SELECT state, count(*) FROM target GROUP BY state"))
    total = sum(counts.values())
    return counts.get("done", 0) / total if total else 0.0


def states(reader: Reader) -> dict[str, int]:
    """state of targets -> how many."""
    return dict(reader.rows("SELECT state, count(*) FROM target GROUP BY state"))


def all_done(counts: Mapping[str, int]) -> bool:
    return bool(counts) and set(counts) == {"done"}
