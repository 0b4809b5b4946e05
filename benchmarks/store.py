"""How many attempts a second become durable and are settled, by the size of the group commit.

    python benchmarks/store.py [--attempts 2000] [--folder DIR]

Every commit waits for its fsync, so the disk under DIR decides; the ratio between the sizes is what
group commit brings. The last lines tell what the fsync alone costs on this disk.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.shell.store_world import NAME, attempt, loaded, outcome, save

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)
SIZES = (1, 10, 100)


def rate(folder: Path, attempts: int, size: int) -> float:
    """Attempts a second, each saved in one commit and settled in a later one."""
    store = loaded(folder, attempts)
    targets = store.due_targets(NAME, NOON, attempts)
    plans = [attempt(target) for target in targets]
    began = time.perf_counter()
    for start in range(0, attempts, size):
        done = store.apply([save(target) for target in targets[start : start + size]])
        assert len(done.saved) == len(targets[start : start + size])
        done = store.apply([outcome(plan) for plan in plans[start : start + size]])
        assert len(done.settled) == len(targets[start : start + size])
    took_s = time.perf_counter() - began
    assert store.status_counts(NAME).attempts == attempts
    store.close()
    return attempts / took_s


def fsync_ms(folder: Path, times: int = 200) -> float:
    """Milliseconds of one small append and its fsync."""
    handle = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    began = time.perf_counter()
    for _ in range(times):
        os.write(handle, b"x" * 4096)
        os.fsync(handle)
    took_s = time.perf_counter() - began
    os.close(handle)
    return took_s / times * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=2_000)
    parser.add_argument("--folder", help="where to write; its disk is what is measured")
    options = parser.parse_args()
    rates = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rates[size] = rate(Path(folder), options.attempts, size)
        print(
            f"group of {size:>3}: {rates[size]:>8,.0f} attempts/s saved and settled,"
            f" {rates[size] / rates[SIZES[0]]:.1f} x"
        )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"one fsync on this disk: {fsync_ms(Path(folder)):.2f} ms")


if __name__ == "__main__":
    main()
