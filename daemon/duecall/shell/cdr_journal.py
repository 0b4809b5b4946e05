"""What the switch leaves on disk: the second and the third path by which a result reaches us.

mod_json_cdr writes `<uuid>.cdr.json` for each channel when it is gone. The script writes
`<attempt>.keys.json` when a key decides, so that the key outlives a switch that is killed in the
same call; where there is a call record it says all of that and more.

Records whose attempt is settled move to `settled/<day>/`; those that nobody asked for follow when
they are old: of agents' channels, and of a daemon that ended before it had put them away.
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

from duecall.core.outcome import LOST, Ending
from duecall.shell.switch_events import ending_of
from fs_scripts.contract import KEYS_SUFFIX, RESULT_MAX_BYTES, ContractError, Result

log = logging.getLogger(__name__)
SUFFIX = ".cdr.json"
PART = ".part"  # of a record that was being written when its switch was killed
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
        """How this attempt's call ended, by its call record; where there is none, by the keys that
        were written down: cause LOST, and the result so far. None where there is neither.

        Ask only when the call is over: the keys are there long before it is.
        """
        if not _UUID.match(attempt_id):
            return None
        return self.recorded(attempt_id) or self._keys(attempt_id)

    def recorded(self, attempt_id: str) -> Ending | None:
        """By its call record alone, which is written when the call is over."""
        record = self._read(attempt_id, SUFFIX, RECORD_MAX_BYTES)
        if record is None:
            return None
        try:
            variables: dict[str, Any] = json.loads(record.decode("utf-8", "replace"))["variables"]
            if not isinstance(variables, dict):
                raise TypeError("no variables")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            # Half written: the next question finds it whole.
            log.warning("a call record cannot be read: attempt=%s error=%s", attempt_id, error)
            return None

        def variable(name: str) -> str:
            value = variables.get(name)
            return value if isinstance(value, str) else ""

        return ending_of(variable, attempt_id)

    def _keys(self, attempt_id: str) -> Ending | None:
        """A key was pressed, so somebody answered; how the call ended, nobody knows."""
        data = self._read(attempt_id, KEYS_SUFFIX, RESULT_MAX_BYTES)
        if data is None:
            return None
        try:
            result = Result.from_json(data)
        except ContractError as error:
            log.warning("a record of keys cannot be read: attempt=%s error=%s", attempt_id, error)
            return None
        if result.attempt_id != attempt_id:
            log.warning("a record of keys is about another attempt: attempt=%s", attempt_id)
            return None
        log.info("a result is taken from the record of its keys: attempt=%s", attempt_id)
        return Ending(LOST, answered=True, result=result)

    def _read(self, attempt_id: str, suffix: str, limit: int) -> bytes | None:
        path = self._folder / f"{attempt_id}{suffix}"
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a record cannot be read: attempt=%s error=%s", attempt_id, error)
            return None
        if len(data) > limit:
            log.warning("a record is too long to be one: attempt=%s", attempt_id)
            return None
        return data

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
                found = self._put_away(attempt_id, today, last=sweeps == LAG_SWEEPS)
                moved += found
                if not found and sweeps < LAG_SWEEPS:
                    self._to_archive[attempt_id] = sweeps + 1
                else:
                    del self._to_archive[attempt_id]
        except OSError as error:
            log.warning("call records cannot be put away: %s", error)
        return moved

    def _put_away(self, attempt_id: str, today: Path, *, last: bool) -> bool:
        """Its call record, or in the end the record of its keys. True if there was one."""
        record = self._folder / f"{attempt_id}{SUFFIX}"
        keys = self._folder / f"{attempt_id}{KEYS_SUFFIX}"
        try:
            os.replace(record, today / record.name)
            keys.unlink(missing_ok=True)  # the call record says the same
            return True
        except FileNotFoundError:
            if not last:
                return False
        try:
            os.replace(keys, today / keys.name)
        except FileNotFoundError:
            return False
        return True

    def _old_ones(self, live: Container[str]) -> Iterator[str]:
        """Channel ids of records that have lain here for long, of no attempt that is live."""
        old = time.time() - OLD_S
        with os.scandir(self._folder) as entries:
            for entry in entries:
                channel, dot, rest = entry.name.partition(".")
                if channel in live or not _UUID.match(channel):
                    continue
                if entry.stat(follow_symlinks=False).st_mtime >= old:
                    continue
                if rest.endswith(PART):
                    os.unlink(entry.path)
                elif dot + rest in (SUFFIX, KEYS_SUFFIX):
                    yield channel
