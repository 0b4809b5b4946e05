"""Room in the cache: what was not needed for longest goes first, and nothing that a call may need.

A call's sounds were touched when its contact was prepared, and the daemon touches those of its
hopper and of its live calls again and again (shell/sound_keeper.py). What was touched within
KEPT_S is never taken, however full the disk is; so it needs no list of who needs what, and holds
for several daemons and commands that share one cache.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from duecall.speech.cache import TOUCHED_S, WavCache, locked_room

# The longest call (one hour), what the time of a file may be behind, and as much for good measure:
# also calls whose daemon was killed hear their sounds to the end.
KEPT_S = 3600 + 2 * TOUCHED_S
BATCH = 100  # files taken while nobody may touch one: milliseconds
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Room:
    """files, bytes: taken away. left_bytes: what there is now. over: still more than allowed,
    because all of it was needed lately."""

    files: int
    bytes: int
    left_bytes: int
    over: bool


def make_room(cache: WavCache, max_mb: int, *, kept_s: float = KEPT_S) -> Room:
    """Takes away until the cache has at most so many MB; max_mb 0: it may have any size.

    OSError where the folder or its index cannot be used.
    """
    left = cache.index.total_bytes()
    limit = max_mb * MB if max_mb else left
    files = taken = 0
    while left > limit:
        oldest = cache.index.unused(time.time() - kept_s, BATCH)
        if not oldest:
            break
        gone, needed = _take(cache.root, oldest, left - limit, kept_s)
        cache.index.gone([path for path, _ in gone])
        for path in needed:
            cache.index.note(path)
        size = sum(size for _, size in gone)
        files, taken, left = files + len(gone), taken + size, left - size
    return Room(files, taken, left, left > limit)


def _take(
    root: Path, oldest: list[tuple[Path, int]], wanted: int, kept_s: float
) -> tuple[list[tuple[Path, int]], list[Path]]:
    """(those that are gone, those that were touched since the index heard of them)."""
    gone: list[tuple[Path, int]] = []
    needed: list[Path] = []
    with locked_room(root):
        limit = time.time() - kept_s
        for path, size in oldest:
            if wanted <= 0:
                break
            try:
                if os.stat(path).st_mtime >= limit:
                    needed.append(path)
                    continue
                os.unlink(path)
            except FileNotFoundError:
                pass
            gone.append((path, size))
            wanted -= size
    return gone, needed
