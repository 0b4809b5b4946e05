"""The switch's own call records: the second path by which the end of a call reaches us.

mod_json_cdr writes `<uuid>.cdr.json` for each channel when it is gone. A record whose attempt is
settled moves to `settled/<day>/`; one that nobody asked for follows when it is old: those of
agents' channels, and those of a daemon that ended before it had put them away.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Container, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from duecall.core.outcome import Ending
from duecall.shell.switch_events import ending_of

log = logging.getLogger(__name__)
SUFFIX = ".cdr.json"
SETTLED = "settled"
LAG_SWEEPS = 3  # the record may be written a little after the event that settled the call
OLD_S = 3600  # a record that nobody asked for is put away then
SWEEPS_A_SEARCH = 60  # the folder is searched for such ones once in so many sweeps
WAITING_MAX = 100_000  # where records cannot be put away, the search finds them later
RECORD_MAX_BYTES = 1_000_000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class CdrJournal:
    """folder: where the switch writes (config.yaml: folders.cdr)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_archive: dict[str, int] = {}  # attempt id -> sweeps it has waited
        self._sweeps = 0

    def ending(self, attempt_id: str) -> Ending | None:
        """How this attempt's call ended, by its record; None where there is no whole record yet."""
        if not _UUID.match(attempt_id):
            return None
        path = self._folder / f"{attempt_id}{SUFFIX}"
        try:
            if path.stat().st_size > RECORD_MAX_BYTES:
                log.warning("a call record is too long to be one: attempt=%s", attempt_id)
                return None
            record = json.loads(path.read_bytes().decode("utf-8", "replace"))
            variables: dict[str, Any] = record["variables"]
            if not isinstance(variables, dict):
                raise TypeError("no variables")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            # Half written: the next question finds it whole.
            log.warning("a call record cannot be read: attempt=%s error=%s", attempt_id, error)
            return None

        def variable(name: str) -> str:
            value = variables.get(name)
            return value if isinstance(value, str) else ""

        return ending_of(variable, attempt_id)

    def settled(self, attempt_id: str) -> None:
        """This attempt has its outcome: its record is to be put away."""
        if len(self._to_archive) < WAITING_MAX:
            self._to_archive[attempt_id] = 0

    def sweep(self, live: Container[str] | None = None) -> int:
        """Put away the records of settled attempts; how many were moved.

        live: attempts whose records may still be asked for; without it no old ones are sought.
        """
        moved = 0
        try:
            today = self._folder / SETTLED / datetime.now(timezone.utc).strftime("%Y-%m-%d")
            today.mkdir(parents=True, exist_ok=True, mode=0o700)
            if live is not None:
                if self._sweeps % SWEEPS_A_SEARCH == 0:
                    self._to_archive.update((name, 0) for name in self._old_ones(live))
                self._sweeps += 1
            for attempt_id, sweeps in list(self._to_archive.items()):
                path = self._folder / f"{attempt_id}{SUFFIX}"
                try:
                    os.replace(path, today / path.name)
                    moved += 1
                except FileNotFoundError:
                    if sweeps < LAG_SWEEPS:
                        self._to_archive[attempt_id] = sweeps + 1
                        continue
                del self._to_archive[attempt_id]
        except OSError as error:
            log.warning("call records cannot be put away: %s", error)
        return moved

    def _old_ones(self, live: Container[str]) -> Iterator[str]:
        """Channel ids of records that have lain here for long, of no attempt that is live."""
        old = time.time() - OLD_S
        with os.scandir(self._folder) as entries:
            for entry in entries:
                channel = entry.name.removesuffix(SUFFIX)
                if channel in live or not _UUID.match(channel):
                    continue
                if entry.stat(follow_symlinks=False).st_mtime < old:
                    yield channel
