"""The list of what lies in the cache: `<root>/index.db`, SQLite.

It serves to see what there is and what was not needed for longest, without a look at a million
files. The files are the truth: an index that is lost, damaged or behind is made anew from them
(`rebuild`), and a write that fails is forgotten. Who takes a file away looks at the file itself.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX_FILE = "index.db"
BUSY_S = 0.2  # the hub waits for nobody longer
_SCHEMA = """
CREATE TABLE IF NOT EXISTS fragment (
    path TEXT PRIMARY KEY, folder TEXT NOT NULL, bytes INTEGER NOT NULL, used_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fragment_by_use ON fragment (used_s);
"""
_PUT = "INSERT OR REPLACE INTO fragment VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class FolderSum:
    """folder: a voice, with /personal for names. used_s: the last use of any, since 1970."""

    folder: str
    files: int
    bytes: int
    used_s: int


class CacheIndex:
    """Of one cache. Nothing is opened before the first use. Safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, ...] = ()  # which file it is open on

    def note(self, path: Path) -> None:
        """The file is there, and was used when its time says."""
        with suppress(OSError):
            state = os.stat(path)
            name = str(path.relative_to(self._root))
            self._write(
                lambda db: db.execute(
                    _PUT, (name, _folder(name), state.st_size, int(state.st_mtime))
                )
            )

    def gone(self, paths: Sequence[Path]) -> None:
        names = [(str(path.relative_to(self._root)),) for path in paths]
        self._write(lambda db: db.executemany("DELETE FROM fragment WHERE path = ?", names))

    def sums(self) -> list[FolderSum]:
        sql = """SELECT folder, count(*), sum(bytes), max(used_s) FROM fragment
            GROUP BY folder ORDER BY folder"""
        return [FolderSum(*row) for row in self._read(sql)]

    def total_bytes(self) -> int:
        return int(self._read("SELECT coalesce(sum(bytes), 0) FROM fragment")[0][0])

    def unused(self, before_s: float, limit: int) -> list[tuple[Path, int]]:
        """(file, bytes) of those not used since then, the longest unused first."""
        sql = "SELECT path, bytes FROM fragment WHERE used_s < ? ORDER BY used_s, path LIMIT ?"
        rows = self._read(sql, (int(before_s), limit))
        return [(self._root / path, size) for path, size in rows]

    def rebuild(self) -> int:
        """From the files; how many. OSError where the folder cannot be read, or not be written."""
        rows = list(_scanned(self._root))
        with self._lock:
            try:
                self._rewrite(rows)
            except sqlite3.DatabaseError:
                self._drop()
                try:
                    self._rewrite(rows)
                except sqlite3.Error as error:
                    raise OSError(0, f"{error}", str(self._root / INDEX_FILE)) from None
        return len(rows)

    # ---- SQLite

    def _rewrite(self, rows: Sequence[tuple[str, str, int, int]]) -> None:
        database = self._opened()
        with database:
            database.execute("DELETE FROM fragment")
            database.executemany(_PUT, rows)

    def _write(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """A write that fails is forgotten: the next `rebuild` knows better."""
        with self._lock, suppress(sqlite3.Error):
            database = self._opened()
            with database:
                change(database)

    def _read(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """An index that is no database is made anew, once."""
        for again in (True, False):
            with self._lock:
                try:
                    return self._opened().execute(sql, values).fetchall()
                except sqlite3.DatabaseError as error:
                    if not again or isinstance(error, sqlite3.OperationalError):
                        raise OSError(0, f"{error}", str(self._root / INDEX_FILE)) from None
            self.rebuild()
        raise AssertionError

    def _opened(self) -> sqlite3.Connection:
        path = self._root / INDEX_FILE
        if self._database is not None and _identity(path) != self._file:
            self._database.close()  # somebody has deleted it, or all of the cache
            self._database = None
        if self._database is None:
            fresh = not path.exists()
            database = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            try:
                # What a power cut takes of it, the files give back.
                database.execute("PRAGMA journal_mode = wal")
                database.execute("PRAGMA synchronous = off")
                database.executescript(_SCHEMA)
            except sqlite3.Error:
                database.close()
                raise
            if fresh:
                with suppress(OSError):
                    path.chmod(0o660)
                with database:
                    database.executemany(_PUT, _scanned(self._root))
            self._database, self._file = database, _identity(path)
        return self._database

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{self._root / INDEX_FILE}{end}")


def _identity(path: Path) -> tuple[int, ...]:
    try:
        state = os.stat(path)
    except OSError:
        return ()
    return state.st_dev, state.st_ino


def _folder(name: str) -> str:
    """espeak-vi/personal/ab/ab12.wav -> espeak-vi/personal."""
    return str(Path(name).parent.parent)


def _scanned(root: Path) -> Iterator[tuple[str, str, int, int]]:
    for file in _files(root):
        with suppress(FileNotFoundError):
            state = file.stat()
            name = str(file.relative_to(root))
            yield name, _folder(name), state.st_size, int(state.st_mtime)


def _files(root: Path) -> Iterable[Path]:
    yield from root.glob("*/??/*.wav")
    yield from root.glob("*/personal/??/*.wav")
