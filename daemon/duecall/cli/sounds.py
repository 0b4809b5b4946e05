"""The sounds that lie on disk: what there is, room for others, and the list made anew."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import click
from rich.table import Table

from duecall.cli import cli
from duecall.cli.common import Context, console, fail, pass_context
from duecall.cli.prompts import tell_room
from duecall.speech.cache import PERSONAL, WavCache
from duecall.speech.cache_room import MB, make_room

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@cli.group()
def sounds() -> None:
    """The sounds of messages, which lie in `tts_cache`: all may go, and are made anew.

    \b
    Example:
      duecall sounds show
    """


@sounds.command()
@JSON
@pass_context
def show(context: Context, as_json: bool) -> None:
    """How many sounds of which voice there are, their size, and when one was last needed.

    \b
    Example:
      duecall sounds show
    """
    cache = _cache(context)
    try:
        sums = cache.index.sums()
    except OSError as error:
        fail(f"{error}; make the list anew: duecall sounds rebuild")
    total, limit = sum(one.bytes for one in sums), context.site.tts_cache_max_mb
    if as_json:
        shown = [
            {"folder": one.folder, "files": one.files, "bytes": one.bytes, "used": _day(one.used_s)}
            for one in sums
        ]
        click.echo(json.dumps({"folders": shown, "bytes": total, "max_mb": limit}))
        return
    table = Table(box=None)
    for column in ("voice", "sounds", "MB", "last needed"):
        table.add_column(column, justify="left" if column == "voice" else "right")
    for one in sums:
        name = one.folder.removesuffix(f"/{PERSONAL}")
        kind = ": names and free words" if name != one.folder else ""
        table.add_row(name + kind, str(one.files), f"{one.bytes / MB:.1f}", _day(one.used_s))
    console.print(table)
    at_most = f"at most {limit} MB (tts_cache_max_mb)" if limit else "no limit"
    told = f"{total / MB:.1f} MB in {cache.root}, {at_most}"
    console.print(told, highlight=False, soft_wrap=True)


@sounds.command()
@pass_context
def rebuild(context: Context) -> None:
    """Make the list of sounds anew from the files: after a restore, or where it is damaged.

    \b
    Example:
      duecall sounds rebuild
    """
    cache = _cache(context)
    try:
        files = cache.index.rebuild()
    except OSError as error:
        fail(f"the list cannot be written: {error}")
    console.print(f"{files} sounds found in {cache.root}", highlight=False, soft_wrap=True)


@sounds.command()
@click.option("--names", is_flag=True, help="All names and free words, of every voice, as well.")
@click.option("--max-mb", type=click.IntRange(min=1), help="[default: tts_cache_max_mb]")
@pass_context
def clean(context: Context, names: bool, max_mb: int | None) -> None:
    """Remove what was not needed for longest, until the sounds have room; a daemon may run.

    What calls needed within the last 80 minutes stays. --names removes names all the same: say it
    while no daemon runs, or calls that are about to be placed are prepared once more.

    \b
    Example:
      duecall sounds clean
      duecall sounds clean --names --max-mb 200
    """
    cache = _cache(context)
    try:
        cache.sweep()
        if names:
            console.print(f"{cache.purge_personal()} names and free words were removed")
        cache.index.rebuild()
        room = make_room(cache, max_mb or context.site.tts_cache_max_mb)
    except OSError as error:
        fail(str(error))
    tell_room(room, context)
    left = f"{room.left_bytes / MB:.1f} MB are left in {cache.root}"
    console.print(left, highlight=False, soft_wrap=True)


def _cache(context: Context) -> WavCache:
    return WavCache(Path(context.site.folders.tts_cache))


def _day(used_s: int) -> str:
    return datetime.fromtimestamp(used_s, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
