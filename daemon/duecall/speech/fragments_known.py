"""Fragments that this process has found whole: found again by one look at the file a second.

The look sees a file that was deleted, cut short, written anew or not needed for long; such a one
is asked of the cache again, which opens it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterable

from duecall.speech.cache import TOUCHED_S, Fragment

KNOWN_MAX = 200_000  # about 100 MB
LOOK_S = 1.0


class _Known:
    __slots__ = ("fragment", "look_s", "size", "time_ns")

    def __init__(self, fragment: Fragment, state: os.stat_result) -> None:
        self.fragment = fragment
        self.size = state.st_size
        self.time_ns = state.st_mtime_ns
        self.look_s = time.monotonic() + LOOK_S

    def is_there(self) -> bool:
        try:
            state = os.stat(self.fragment.path)
        except OSError:
            return False
        same = state.st_size == self.size and state.st_mtime_ns == self.time_ns
        return same and time.time() - state.st_mtime <= TOUCHED_S


class KnownFragments:
    """Of one voice in a book. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}

    def find(self, steps: Iterable[Hashable]) -> list[Fragment | None]:
        """None where the cache is to be asked."""
        get, now_s = self._known.get, time.monotonic()
        found: list[Fragment | None] = []
        for step in steps:
            known = get(step)
            if known is not None and now_s >= known.look_s:
                known = self._looked_at(step, known, now_s)
            found.append(None if known is None else known.fragment)
        return found

    def put(self, step: Hashable, fragment: Fragment) -> None:
        """The cache has just found it whole."""
        try:
            state = os.stat(fragment.path)
        except OSError:
            return
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[step] = _Known(fragment, state)

    def _looked_at(self, step: Hashable, known: _Known, now_s: float) -> _Known | None:
        if known.is_there():
            known.look_s = now_s + LOOK_S
            return known
        self._known.pop(step, None)
        return None
