"""`duecall replay`: tell the dialer again what a daemon heard; does it decide the same?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from duecall.cli import cli
from duecall.cli.common import Context, complain, fail, pass_context, print_lines
from duecall.shell.journal import journal_folder
from duecall.shell.journal_codec import Entry
from duecall.shell.journal_file import Ending, segments_in
from duecall.shell.journal_replay import Difference, Replayed, replay_folder
from duecall.shell.journal_text import command_line, differing, entry_line, time_text
from duecall.shell.vault import KEY_VARIABLE, Vault

NOTES = {
    Ending.OPEN: "not closed: it is being written, or its daemon was killed",
    Ending.TORN: "its last block is torn: the daemon was killed, or is writing it",
}


@cli.command()
@click.argument("journal", required=False, type=click.Path(path_type=Path))
@click.option("--show", is_flag=True, help="One line an event, with what was decided.")
@click.option("--json", "as_json", is_flag=True, help="The verdict, for scripts.")
@click.option("--any-version", is_flag=True, help="Also what another version of Duecall wrote.")
@pass_context
def replay(
    context: Context, journal: Path | None, show: bool, as_json: bool, any_version: bool
) -> None:
    """Does the dialer decide today what it decided then? JOURNAL is a file, or a folder of them.

    Without JOURNAL, this installation's own: var/journal. The daemon may run meanwhile; nothing is
    called and nothing is changed. The first difference is shown with the event that led to it.

    Exit codes: 0 the same, 1 a difference, or a file that cannot be read to its end.

    \b
    Example:
      duecall replay
      duecall replay var/journal/00000042-20261122T081755Z.journal --show
    """
    if show and as_json:
        raise click.UsageError("--show and --json exclude each other")
    paths = _segments(context, journal)

    def line(number: int, entry: Entry) -> None:
        click.echo(entry_line(number, entry))

    done = replay_folder(
        paths, _vault(context), any_version=any_version, watch=line if show else None
    )
    if as_json:
        click.echo(json.dumps(_plain(done), ensure_ascii=False, indent=2))
    else:
        print_lines(shown for one in done for shown in _lines(one))
        if len(done) > 1 and all(one.same for one in done):
            print_lines([Text(f"in all: {_counts(done)}: the same", style="green")])
    for one in done:
        if one.problem:
            complain(one.problem)
    raise SystemExit(not all(one.same for one in done))


def _segments(context: Context, journal: Path | None) -> list[Path]:
    own = journal_folder(context.site)
    path = journal or own
    if path.is_file():
        return [path]
    if not path.is_dir() and journal is not None:
        fail(f"{path} does not exist; the journal of this installation is {own}")
    found = segments_in(path)
    if not found:
        fail(
            f"no journal in {path}: has the daemon run, and does `journal` in {context.config} "
            "keep any?"
        )
    return found


def _vault(context: Context) -> Vault:
    """The key that sealed it; a new one would open nothing."""
    key = Path(context.site.folders.var) / "duecall.key"
    if not key.exists() and not os.environ.get(KEY_VARIABLE):
        fail(f"{key} does not exist: put back the key of the daemon, or set {KEY_VARIABLE}")
    return context.vault()


def _lines(done: Replayed) -> Iterator[Text]:
    """The verdict on one segment; a problem stands on stderr."""
    if done.about and not done.same_core:
        note = f"{done.path.name}: the code that decides has changed since it was written"
        yield Text(note, style="yellow")
    if done.ending in NOTES:
        yield Text(f"{done.path.name}: {NOTES[done.ending]}", style="yellow")
    if done.difference is not None:
        yield from _difference(done, done.difference)
    elif done.problem and done.events:
        yield Text(f"{done.path.name}: {_counts([done])}: the same so far", style="yellow")
    elif not done.problem:
        yield Text(f"{done.path.name}: {_counts([done])}: the same", style="green")


def _counts(done: list[Replayed]) -> str:
    events, commands = sum(one.events for one in done), sum(one.commands for one in done)
    return f"{events:,} events, {commands:,} commands"


def _difference(done: Replayed, found: Difference) -> Iterator[Text]:
    entry = found.entry
    at = time_text(entry.now.wall)
    where = f"{done.path.name}: event {found.event:,} at {at} led to something else"
    yield Text(where, style="red")
    yield Text("  " + entry_line(found.event, entry))
    if found.command:
        yield Text(f"  command {found.command}")
        yield Text(f"    then: {command_line(found.expected)}")
        yield Text(f"    now:  {command_line(found.actual)}")
        if type(found.expected) is type(found.actual):
            for path, then, today in differing(found.expected, found.actual):
                yield Text(f"    {path}: then {then}, now {today}")
    if entry.error != found.error:
        yield Text(f"    then: {_raised(entry.error)}, now: {_raised(found.error)}")


def _raised(error: str) -> str:
    return f"raised {error}" if error else "nothing raised"


def _plain(done: list[Replayed]) -> dict[str, Any]:
    return {
        "same": all(one.same for one in done),
        "events": sum(one.events for one in done),
        "commands": sum(one.commands for one in done),
        "segments": [
            {
                "file": str(one.path),
                "began": one.about.get("began"),
                "duecall": one.about.get("duecall"),
                "same_code": one.same_core,
                "events": one.events,
                "commands": one.commands,
                "ending": one.ending.value if one.ending else None,
                "problem": one.problem,
                "difference": _plain_difference(one.difference) if one.difference else None,
            }
            for one in done
        ],
    }


def _plain_difference(found: Difference) -> dict[str, Any]:
    return {
        "event": found.event,
        "entry": entry_line(found.event, found.entry),
        "command": found.command,
        "then": command_line(found.expected),
        "now": command_line(found.actual),
        "fields": [
            {"field": path, "then": then, "now": today}
            for path, then, today in differing(found.expected, found.actual)
        ],
        "raised": {"then": found.entry.error, "now": found.error},
    }
