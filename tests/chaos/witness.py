"""Looks into the database at every INVITE: is its attempt already durable?

A thread of its own follows the exchange's log, and asks the database the moment a line appears.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.books import Reader, Unavailable, open_entries_of

POLL_S = 0.01
ANSWER_MAX_S = 0.5  # an answer that took longer is none: the database stood still


class Witness:
    """hashes: number -> its hash in the database. seen: Call-ID -> ids of open attempts then."""

    def __init__(self, invites_csv: Path, reader: Reader, hashes: Mapping[str, str]) -> None:
        self.seen: dict[str, tuple[str, ...] | None] = {}
        self._path = invites_csv
        self._reader = reader
        self._hashes = hashes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="witness", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._reader.close()

    def _follow(self) -> None:
        with self._path.open(encoding="utf-8", newline="") as log:
            rest = ""
            while not self._ended.wait(POLL_S):
                rest += log.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    self._look(line.split(","))

    def _look(self, columns: list[str]) -> None:
        """Columns as in exchange.LOG_COLUMNS."""
        number, call_id, repeat = columns[2], columns[3], columns[5]
        if repeat != "0" or number not in self._hashes:
            return
        began = time.monotonic()
        try:
            found: tuple[str, ...] | None = tuple(
                open_entries_of(self._reader, self._hashes[number])
            )
        except Unavailable:
            found = None
        self.seen[call_id] = found if time.monotonic() - began < ANSWER_MAX_S else None
