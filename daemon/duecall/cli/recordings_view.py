"""Recordings and transcripts on a terminal of 80 columns, or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from duecall.cli.common import console, hang, print_lines
from duecall.shell.recording_index import THERE
from duecall.shell.recording_search import RecordingEntry
from duecall.shell.transcripts import Transcript

ATTEMPT_CHARS = 8
LABEL = 12


def tell(found: list[RecordingEntry], limit: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([one.data() for one in found], ensure_ascii=False))
        return
    if not found:
        click.echo("no recordings")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("when", "attempt", "number"):
        table.add_column(column, no_wrap=True)
    table.add_column("campaign", no_wrap=True, overflow="ellipsis", min_width=8)
    table.add_column("outcome", no_wrap=True)
    table.add_column("length", no_wrap=True, justify="right")
    table.add_column("sound", no_wrap=True)
    table.add_column("text", no_wrap=True)
    for one in found:
        table.add_row(
            f"{one.at:%y-%m-%d %H:%M}",
            one.attempt[:ATTEMPT_CHARS],
            one.phone,
            escape(one.campaign),
            one.outcome,
            _clock(one.length_ms),
            one.sound if one.state == THERE else one.state.upper(),
            one.transcript if one.transcript != "no" else "",
        )
    console.print(table, highlight=False)
    if len(found) == limit:
        click.echo(f"The newest {limit}; --limit shows more.")


def print_entry(entry: RecordingEntry, path: Path) -> None:
    sides = f"callee {entry.callee_ms / 1000:.0f} s, us {entry.us_ms / 1000:.0f} s"
    lines = [
        ("attempt", entry.attempt),
        ("when", f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("call", f"{entry.phone or '(erased)'}, campaign {entry.campaign}, {entry.outcome}"),
        ("file", f"{path} ({entry.state} when last looked at, daemon {entry.daemon})"),
        ("sound", f"{_clock(entry.length_ms)}, {entry.channels} channels: {sides}"),
        ("sha256", entry.sha256 or "(there was no file)"),
    ]
    print_lines(hang(label, text, LABEL) for label, text in lines)


def print_transcript(one: Transcript | None) -> None:
    if one is None:
        print_lines([hang("transcript", "none yet: duecall recordings transcribe", LABEL)])
        return
    made = f"{one.version}, model {one.model[:12]}, {one.language}, {one.at:%Y-%m-%d %H:%M} UTC"
    print_lines([hang("transcript", made, LABEL)])
    if one.error:
        print_lines([hang("", f"none: {one.error}", LABEL)])
    elif one.phrases is None:
        print_lines([hang("", "no key opens it", LABEL)])
    elif not one.phrases:
        print_lines([hang("", "nobody said a word", LABEL)])
    for said in one.phrases or ():
        phrase = said.phrase
        mark = f"{phrase.from_ms / 1000:7.1f} {said.side:<6} "
        print_lines([hang(mark, f"{phrase.text} ({phrase.sureness:.0%})", len(mark))])


def _clock(ms: int) -> str:
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"
