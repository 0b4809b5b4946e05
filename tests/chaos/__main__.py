"""The long form: `make chaos`, or `python -m tests.chaos --help`. Exit code 1 on any violation."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from duecall.shell.freeswitch_layout import find_freeswitch
from duecall.shell.loopback_site import REPOSITORY, SwitchKind
from tests.chaos.harness import ChaosRun, DatabaseKind, Result, Settings
from tests.chaos.mayhem import Amounts

LAWS = {
    "L1": "one live call a number",
    "L3": "caps",
    "L4": "nothing after an opt-out, and none is lost",
    "L5": "durable before it rings, rung once",
    "L6": "one outcome, and a true one",
    "L7": "channels and rate of the trunk",
    "L9": "the books agree",
    "L10": "everything comes to an end",
    "audit": "duecall audit proves the log lawful",
    "-": "nothing fails inside",
}
SHOWN_MAX = 30
TELL_S = 15.0  # where there is no terminal to draw on
console = Console(width=None if sys.stdout.isatty() else 100)


@click.command()
@click.option("--contacts", default=500, show_default=True)
@click.option("--daemon-kills", default=100, show_default=True)
@click.option("--switch-kills", default=20, show_default=True)
@click.option("--database-kills", default=10, show_default=True, help="PostgreSQL only.")
@click.option(
    "--database",
    type=click.Choice(["postgres", "sqlite"]),
    default="postgres",
    show_default=True,
)
@click.option(
    "--switch",
    "kind",
    type=click.Choice(["freeswitch", "pocket"]),
    help="Default: FreeSWITCH where there is one.",
)
@click.option("--seed", type=int, help="Of an earlier run, to do the same things again.")
@click.option("--folder", type=click.Path(path_type=Path), help="Default: var/chaos/<time>.")
@click.option("--keep", is_flag=True, help="Keep the logs also when all is well.")
def main(
    contacts: int,
    daemon_kills: int,
    switch_kills: int,
    database_kills: int,
    database: DatabaseKind,
    kind: SwitchKind | None,
    seed: int | None,
    folder: Path | None,
    keep: bool,
) -> None:
    """Kill everything at random in mid-campaign; compare what was received with the books."""
    kind = kind or ("freeswitch" if find_freeswitch() else "pocket")
    seed = int(time.time()) % 1_000_000 if seed is None else seed
    folder = folder or REPOSITORY / "var" / "chaos" / datetime.now().strftime("%m%d-%H%M%S")
    amounts = amounts_for(
        daemon_kills, switch_kills, database_kills if database == "postgres" else 0
    )
    settings = Settings(folder, kind, amounts, seed, contacts, database)
    console.print(f"chaos on {kind} with {database}: {contacts} contacts, --seed {seed}")
    with _Bar() as bar:
        result = ChaosRun(settings, bar.tell).run()
    show(result)
    if result.verdict.violations:
        console.print(f"[red]FAILED[/red]; logs, database and mayhem.csv: {folder}", soft_wrap=True)
        sys.exit(1)
    if keep:
        console.print(f"logs: {folder}", soft_wrap=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def amounts_for(daemon_kills: int, switch_kills: int, database_kills: int) -> Amounts:
    """The kills that were asked for, and as much of the rest as goes with them."""
    return Amounts(
        daemon_kills=daemon_kills,
        switch_kills=switch_kills,
        database_kills=database_kills,
        daemon_freezes=daemon_kills // 10 + 1,
        switch_freezes=switch_kills // 4 + 1,
        database_freezes=database_kills // 2 + 1 if database_kills else 0,
        drains=daemon_kills // 12 + 1,
        hurried=daemon_kills // 20 + 1,
        cuts=switch_kills // 2 + 1,
        tears=switch_kills // 2 + 1,
        stalls=switch_kills // 4 + 1,
    )


class _Bar:
    """A bar on a terminal; a line now and then elsewhere."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=1)
        self._told_s = 0.0

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, what: str, done: int, of: int) -> None:
        self._progress.update(self._task, description=what, completed=done, total=of)
        if not console.is_terminal and time.monotonic() - self._told_s >= TELL_S:
            self._told_s = time.monotonic()
            console.print(f"{datetime.now():%H:%M:%S} {what}: {done} of {of}", highlight=False)


def show(result: Result) -> None:
    done = Table("what was done", "times", "with calls up", box=None, pad_edge=False)
    for part, what in sorted(result.hits):
        if part not in ("all", "trouble"):
            times, up = result.hits[part, what], result.with_calls[part, what]
            done.add_row(f"{part} {what}", str(times), str(up))
    judged = Table("law", "", "violations", box=None, pad_edge=False)
    by_law = dict.fromkeys(LAWS, 0)
    for violation in result.verdict.violations:
        by_law[violation.law] += 1
    for law, count in by_law.items():
        colour = "red" if count else "green"
        judged.add_row(law, LAWS[law], f"[{colour}]{count}[/{colour}]")
    console.print(done)
    console.print()
    console.print(judged)
    console.print()
    outcomes = ", ".join(f"{name} {count}" for name, count in result.outcomes.most_common())
    console.print(
        f"{result.settings.contacts} contacts, {result.outcomes.total()} attempts, "
        f"{result.calls} INVITEs, {result.presses} opt-out keys pressed",
        highlight=False,
    )
    console.print(f"outcomes: {outcomes}", highlight=False)
    for note, count in sorted(result.verdict.notes.items()):
        console.print(f"{note}: {count}", highlight=False)
    for text in result.ended_by_themselves:
        console.print(f"ended by itself: {text}", highlight=False, markup=False)
    console.print(
        f"{result.seconds:.0f} s; all contacts were done with {result.healed_s:.0f} s after the "
        "last fault",
        highlight=False,
    )
    for violation in result.verdict.violations[:SHOWN_MAX]:
        when = f"{datetime.fromtimestamp(violation.at):%H:%M:%S.%f} " if violation.at else ""
        text = f"{when}{violation.law} {violation.what}: {violation.detail}"
        console.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    if len(result.verdict.violations) > SHOWN_MAX:
        console.print(f"… and {len(result.verdict.violations) - SHOWN_MAX} more")


if __name__ == "__main__":
    main()
