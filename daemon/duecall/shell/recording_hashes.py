"""The hash of each recording into the ledger, a little after its call: later it can be shown that
it was not changed. What was found of it goes into the index (recording_index.py).

A file is read in a thread of its own. What was not done when the daemon ended is done by its next
life. A recording that is not there is noted as well, once, with an empty hash: so nobody can say
later that it was there and is gone. It is looked for again each hour of the next seven days: what
comes late is noted as late.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import gevent
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.shell.call_files import CallFiles
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.recording_index import Look, index, late_ones, look_at
from duecall.shell.store import Store, StoreError
from duecall.shell.store_answers import Recorded
from duecall.shell.store_parts import StoreParts
from duecall.shell.store_worker import StoreWorker

log = logging.getLogger(__name__)
LAG_S = 5.0  # the switch closes the file about when the call ends
LOOK_S = 1.0
WAITING_MAX = 50_000  # with more, the next life looks after those that were left out
TAKE = 50
AGAIN_S = 30.0
LATE_S = 3600.0
CATCH_UP = timedelta(days=7)
PAGE = 500

RECORDED = """SELECT x.id, x.target_id, x.recording, x.saved_at, r.attempt_id FROM attempt x
    LEFT JOIN recording r ON r.attempt_id = x.id
    WHERE x.campaign_id = ? AND (x.saved_at, x.id) > (?, ?) AND x.daemon = ? AND x.recording <> ''
    ORDER BY x.saved_at, x.id LIMIT ?"""
NOTED = """SELECT body FROM ledger WHERE lender_id = ? AND target_id = ? AND kind = 'recording'
    AND attempt_id = ?"""


class RecordingHashes:
    """Of one daemon. `settled` from its hub; `run` is a greenlet."""

    def __init__(
        self,
        recordings: Path,
        worker: StoreWorker,
        daemon: str,
        alarm: Callable[[c.Alarm], None],
    ) -> None:
        self._files = CallFiles(recordings, recordings)
        self._worker = worker
        self._daemon = daemon
        self._alarm = alarm
        self._waiting: deque[tuple[float, Recorded]] = deque()
        self._pool = ThreadPool(1)
        self._missing = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def settled(self, recordings: Sequence[Recorded]) -> None:
        """These calls are over. Never waits."""
        due_s = now().mono_s + LAG_S
        for one in recordings:
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append((due_s, one))

    def run(self) -> None:
        """For ever."""
        self._catch_up()
        late_s = now().mono_s
        while True:
            gevent.sleep(LOOK_S)
            at_s = now().mono_s
            if at_s >= late_s:
                late_s = at_s + LATE_S
                self._look_for_late_ones()
            some: list[Recorded] = []
            while self._waiting and self._waiting[0][0] <= at_s and len(some) < TAKE:
                some.append(self._waiting.popleft()[1])
            if some:
                self.note(some)

    def note(self, some: Sequence[Recorded]) -> None:
        """Read these files and write their hashes down; those that it fails for come again."""
        found = [(one, self._sum(one)) for one in some]
        at_us = to_us(now().wall)
        try:
            self._worker.call(lambda store: write_sums(store.parts, found, at_us))
        except StoreError as error:
            log.warning("hashes of recordings wait for the database: %s", error)
            again_s = now().mono_s + AGAIN_S
            self._waiting.extend((again_s, one) for one in some)

    def _look_for_late_ones(self) -> None:
        """Files that were not there, and are now."""
        since = to_us(now().wall - CATCH_UP)
        try:
            missing = self._worker.call(
                lambda store: late_ones(store.parts, self._daemon, since, WAITING_MAX)
            )
        except StoreError as error:
            log.warning("recordings that were missing are not looked for: %s", error)
            return
        found = [(one, self._pool.apply(self._look_or_why, (one.name,))) for one in missing]
        late = [(one, look) for one, look in found if isinstance(look, Look)]
        at_us = to_us(now().wall)
        try:
            for start in range(0, len(late), TAKE):
                some = late[start : start + TAKE]
                self._worker.call(partial(_write, found=some, at_us=at_us))
        except StoreError as error:
            log.warning("recordings that came late wait for the database: %s", error)

    def _sum(self, one: Recorded) -> Look | None:
        found: Look | str = self._pool.apply(self._look_or_why, (one.name,))
        if isinstance(found, Look):
            self._missing = False
            return found
        log.warning("no recording of attempt %s: %s", one.attempt_id, found)
        if not self._missing:  # one alarm, not one for each call while a disk is full
            fields = (("attempt", one.attempt_id), ("why", found))
            self._alarm(c.Alarm("a recording is missing", fields))
        self._missing = True
        return None

    def _look_or_why(self, name: str) -> Look | str:
        """Raises nothing: gevent's pool would print it to stderr."""
        try:
            return look_at(self._files.recording(name))
        except (OSError, ValueError) as error:
            return str(error)

    def _catch_up(self) -> None:
        """What an earlier life has left."""
        since = to_us(now().wall - CATCH_UP)
        try:
            for campaign in self._worker.call(campaign_ids):
                last: tuple[int, str] | None = (since, "")
                while last is not None:
                    look = partial(without_sum, campaign=campaign, daemon=self._daemon, after=last)
                    found, last = self._worker.call(look)
                    known = {one.attempt_id for _, one in self._waiting}
                    self.settled([one for one in found if one.attempt_id not in known])
        except StoreError as error:
            log.warning("recordings of an earlier run are not looked at: %s", error)


def campaign_ids(store: Store) -> list[int]:
    parts = store.parts
    sql = "SELECT id FROM campaign WHERE lender_id = ?"
    return [int(row[0]) for row in parts.database.run(sql, (parts.lender,)).fetchall()]


def without_sum(
    store: Store, campaign: int, daemon: str, after: tuple[int, str]
) -> tuple[list[Recorded], tuple[int, str] | None]:
    """Of a page of this daemon's attempts, the recordings that the index does not know. And where
    the next page begins; None: this was the last one."""
    parts = store.parts
    values = (campaign, *after, daemon, PAGE)
    rows = parts.database.run(RECORDED, values).fetchall()
    found = [Recorded(*row[:3]) for row in rows if row[4] is None]
    return found, (rows[-1][3], rows[-1][0]) if len(rows) == PAGE else None


def write_sums(parts: StoreParts, found: Sequence[tuple[Recorded, Look | None]], at_us: int) -> int:
    """Into the index, and into the ledger: each once, whatever was written before, and once more
    where a missing one has come. How many entries were made."""

    def write() -> int:
        made = 0
        with parts.database.writing():
            for one, its in found:
                index(parts, one, its, at_us)
                sums = _noted(parts, one.attempt_id, one.target_id)
                if any(sums) or (sums and its is None):
                    continue
                body = {
                    "name": one.name,
                    "sha256": its.sha256 if its else "",
                    "bytes": its.size if its else 0,
                }
                if sums:
                    body["late"] = True
                parts.ledger.add(
                    "recording",
                    body,
                    at_us,
                    target_id=one.target_id,
                    attempt_id=one.attempt_id,
                )
                made += 1
        return made

    return parts.database.repeated(write)


def _write(store: Store, found: Sequence[tuple[Recorded, Look | None]], at_us: int) -> int:
    return write_sums(store.parts, found, at_us)


def _noted(parts: StoreParts, attempt_id: str, target_id: int) -> list[str]:
    """The hashes that the ledger has of it; an empty one: it was missing."""
    values = (parts.lender, target_id, attempt_id)
    rows = parts.database.run(NOTED, values).fetchall()
    return [str(json.loads(body)["sha256"]) for (body,) in rows]
