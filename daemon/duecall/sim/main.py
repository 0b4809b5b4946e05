"""The simulator's command line: tells many stories and says what is wrong with any of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duecall.sim import faults
from duecall.sim.law_setting import LAWS
from duecall.sim.stories import Stopwatch, Sums, commit, keep, repeat_line, seed_of, tell_many

ROOT = Path(__file__).resolve().parents[3]
FAILURES = Path("tests") / "sim" / "failures"
SEEDS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all laws were kept in all stories; 1: not."""
    options = argparse.ArgumentParser(
        prog="python -m duecall.sim",
        description="Runs the real dialer in a simulated world full of faults, judges the laws "
        "L1-L10, and lets the audit prove it. One seed is one story, the same each time.",
        epilog="example: python -m duecall.sim --seeds 1000 --jobs 2",
    )
    options.add_argument("--seeds", type=int, default=SEEDS, help=f"stories (default {SEEDS})")
    options.add_argument("--first", type=int, help="the first seed (default: from the commit)")
    options.add_argument("--contacts", type=int, help="in each story (default: drawn, 8 to 80)")
    options.add_argument("--law", choices=LAWS, help="pack, or none, or own rules (default: drawn)")
    options.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    options.add_argument(
        "--failures", type=Path, default=FAILURES, help=f"where to keep them (default {FAILURES})"
    )
    given = options.parse_args(arguments)
    source = commit(ROOT)
    first = seed_of(source) if given.first is None else given.first
    if given.seeds < 1 or given.jobs < 1 or (given.contacts or 1) < 1:
        options.error("--seeds, --jobs and --contacts are 1 or more")
    console = Console(highlight=False)
    console.print(f"{given.seeds} stories, seeds {first} to {first + given.seeds - 1}")
    sums, watch = Sums(), Stopwatch()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("0 failed", total=given.seeds)
        for told in tell_many(first, given.seeds, given.contacts, given.jobs, given.law):
            sums.add(told)
            progress.update(task, advance=1, description=f"{len(sums.failed)} failed")
            if not console.is_terminal and sums.stories % max(1, given.seeds // 10) == 0:
                console.print(f"{sums.stories} told, {len(sums.failed)} failed")
            if told.found:
                path = keep(told, given.contacts, given.failures, source)
                progress.console.print(f"seed {told.seed} breaks a law ({path}):", soft_wrap=True)
                for line in told.found:
                    progress.console.print(f"  {line}", soft_wrap=True, markup=False)
                progress.console.print(f"  again: {repeat_line(told, given.contacts)}")
    _report(console, sums, watch.seconds)
    return 1 if sums.failed else 0


def _report(console: Console, sums: Sums, real_s: float) -> None:
    rate, ratio = sums.stories / real_s, sums.virtual_s / real_s
    console.print("faults met:")
    for fault in faults.TABLE:
        console.print(f"  {fault.name:<20} {sums.met[fault.name]:>10,}")
    by_law = ", ".join(f"{law} {sums.by_law[law]:,}" for law in LAWS if sums.by_law[law])
    console.print(f"attempts by law: {by_law}")
    console.print(f"{sums.attempts:,} attempts in {sums.virtual_s / 86_400:,.0f} virtual days")
    console.print(
        f"{real_s:.1f} s, {rate:.1f} stories and {sums.attempts / real_s:,.0f} attempts a second, "
        f"virtual time {ratio:,.0f} x real time",
        soft_wrap=True,
    )
    verdict = f"{len(sums.failed)} break a law" if sums.failed else "all laws kept"
    console.print(f"{sums.stories} stories: {verdict}")
