"""What a call leaves on this machine's disk: its recording, and the switch's records of it.

Both say who was called, so they go when the attempt's data goes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from duecall.core.attempt import agent_leg_id
from duecall.shell.cdr_journal import SETTLED, SUFFIX
from fs_scripts.contract import KEYS_SUFFIX

AGENTS_MAX = 9  # legs of agents that one call may have had
LATER_DAYS = 3  # a record is put away a little after the call, or when the daemon runs again
READ_BYTES = 1 << 20
FOLDER_IN_USE_S = 2 * 86_400  # the switch may be about to write into a younger one


class Sum(NamedTuple):
    """sha256: hex."""

    sha256: str
    size: int


class CallFiles:
    """recordings, cdr: the site's folders."""

    def __init__(self, recordings: Path, cdr: Path) -> None:
        self._recordings = recordings
        self._cdr = cdr

    def recording(self, name: str) -> Path:
        """Of that name, as an attempt's row has it. ValueError where it would lie elsewhere."""
        path = self._recordings / name
        if not name or ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(f"{name!r} is no name of a recording")
        return path

    def remove_recording(self, name: str) -> bool:
        """False: there was none."""
        path = self.recording(name)
        try:
            old = path.parent.stat().st_mtime < time.time() - FOLDER_IN_USE_S
            path.unlink()
        except FileNotFoundError:
            return False
        if old:
            _remove_if_empty(path.parent)
        return True

    def remove_records(self, attempt_id: str, settled: date | None, *, anywhere: bool) -> int:
        """Of the callee's leg and the agents'. settled: the day. anywhere: look into the folders of
        all days. How many were removed."""
        folders = [self._cdr, *self._days(settled, anywhere)]
        legs = [attempt_id, *(agent_leg_id(attempt_id, n) for n in range(1, AGENTS_MAX + 1))]
        removed = 0
        for folder in folders:
            for leg in legs:
                for suffix in (SUFFIX, KEYS_SUFFIX):
                    removed += _unlink(folder / f"{leg}{suffix}")
        return removed

    def _days(self, settled: date | None, anywhere: bool) -> Iterable[Path]:
        put_away = self._cdr / SETTLED
        if anywhere:
            return sorted(path for path in put_away.glob("*") if path.is_dir())
        if settled is None:
            return []
        days = (settled + timedelta(days=n) for n in range(LATER_DAYS + 1))
        return [path for day in days if (path := put_away / day.isoformat()).is_dir()]


def sum_of(path: Path) -> Sum:
    """Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
            size += len(block)
    return Sum(digest.hexdigest(), size)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # another call of that day
        os.rmdir(folder)
