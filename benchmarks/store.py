"""How many attempts a second become durable and are settled, by the size of the group commit.

    python benchmarks/store.py [--attempts 2000] [--folder DIR]

Every commit waits for its fsync, so the disk under DIR decides; the ratio between the sizes is what
group commit brings. The same on a private PostgreSQL server, where there is one: its data lie in
the folder for temporary files. The last line tells what the fsync alone costs on this disk.
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

from duecall.shell.life import Life
from tests.postgres_server import PostgresServer, why_no_postgres
from tests.shell.store_world import NAME, URL_FILE, attempt, loaded, outcome, save

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)
SIZES = (1, 10, 100)


def rate(folder: Path, attempts: int, size: int) -> tuple[float, float]:
    """Attempts a second, each saved in one commit and settled in a later one; and microseconds of
    this process's time for each."""
    store = loaded(folder, attempts)
    store.join(Life.own())
    targets = store.due_targets(NAME, NOON, attempts)
    plans = [attempt(target) for target in targets]
    began, used = time.perf_counter(), time.process_time()
    for start in range(0, attempts, size):
        done = store.apply([save(target) for target in targets[start : start + size]])
        assert len(done.saved) == len(targets[start : start + size])
        done = store.apply([outcome(plan) for plan in plans[start : start + size]])
        assert len(done.settled) == len(targets[start : start + size])
    took_s, used_s = time.perf_counter() - began, time.process_time() - used
    assert store.status_counts(NAME).attempts == attempts
    store.close()
    return attempts / took_s, used_s / attempts * 1e6


def measure(kind: str, server: PostgresServer | None, attempts: int, parent: str | None) -> None:
    rates: dict[int, float] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=parent) as name:
            if server is not None:
                (Path(name) / URL_FILE).write_text(server.create_database())
            rates[size], used_us = rate(Path(name), attempts, size)
        print(
            f"{kind}, group of {size:>3}: {rates[size]:>8,.0f} attempts/s saved and settled,"
            f" {rates[size] / rates[SIZES[0]]:.1f} x; {used_us:,.0f} us of processor time each"
        )


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
    measure("SQLite", None, options.attempts, options.folder)
    if why_no_postgres():
        print(f"PostgreSQL: not measured, {why_no_postgres()}")
    else:
        with PostgresServer() as server:
            measure("PostgreSQL", server, options.attempts, options.folder)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"one fsync on this disk: {fsync_ms(Path(folder)):.2f} ms")


if __name__ == "__main__":
    main()
