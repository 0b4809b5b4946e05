"""What does `duecall plan` cost for a million contacts, in time and in memory?

    python benchmarks/plan.py [--targets 1000000] [--against] [--folder DIR]

Reads and judges every open contact by the law of Vietnam, in a store on disk (SQLite), once for a
hundredth of them and once for all. The measures are contacts a second of this process's time, and
by how much the process grew from the small campaign to the large one.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.cli.explained import Bank, person, settings
from tests.cli.test_plan import only, write

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi
GROWTH_MB = 100


def peak_mb() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, count: int, against: bool) -> float:
    """Print what it took; the peak in MB. Loading the contacts is not measured."""
    folder.mkdir()
    people = (person(n, f"+849{n:08d}") for n in range(count))
    bank = Bank(folder, "vn", people, NOON - timedelta(hours=1), order=[{"field": "due_date"}])
    older = settings("vn", calendar={"hours": [{"from": "14:00", "to": "20:00"}]})
    path = write(folder, older) if against else None
    began, used = time.perf_counter(), time.process_time()
    planning = only(bank.plan(NOON, against=path))
    took_s, used_s = time.perf_counter() - began, time.process_time() - used
    assert planning.plan.now == count == planning.plan.open
    bank.store.close()
    print(
        f"{count:,} contacts: {took_s:.1f} s, {used_s:.1f} s of processor time, "
        f"{count / used_s:,.0f} a second; {peak_mb():.0f} MB at most"
    )
    return peak_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=1_000_000)
    parser.add_argument("--against", action="store_true", help="an older file as well")
    parser.add_argument("--folder", help="where to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        small = measure(Path(name) / "small", max(1, options.targets // 100), options.against)
        large = measure(Path(name) / "large", options.targets, options.against)
    growth = large - small
    print(f"the process grew by {growth:.0f} MB")
    sys.exit(0 if growth < GROWTH_MB else f"more than {GROWTH_MB} MB")


if __name__ == "__main__":
    main()
