"""What came of a campaign: tables for people, CSV and JSON for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from duecall.cli import cli
from duecall.cli.common import Context, console, pass_context, print_lines
from duecall.core.report import Summary, summarise
from duecall.shell.campaign_files import campaign_name
from duecall.shell.report_csv import write_report


@cli.command()
@click.argument("campaign")
@click.option(
    "--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="One row an attempt."
)
@click.option("--full-phones", is_flag=True, help="Phone numbers whole, not masked, in the CSV.")
@click.option("--json", "as_json", is_flag=True, help="The tables, for scripts.")
@pass_context
def report(
    context: Context, campaign: str, csv_path: Path | None, full_phones: bool, as_json: bool
) -> None:
    """Outcomes, keys, answers and promises of a campaign; all sums agree with each other.

    \b
    Example:
      duecall report overdue-vi
      duecall report overdue-vi --csv overdue.csv
    """
    name = campaign_name(campaign)
    store = context.store()
    try:
        with store.reading():
            summary = summarise(store.attempts(name), store.targets(name))
            if csv_path is not None:
                csv_path.parent.mkdir(parents=True, exist_ok=True)
                with csv_path.open("w", encoding="utf-8-sig", newline="") as out:
                    write_report(out, store.attempts(name, unseal=True), full_phones=full_phones)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(_plain(summary), ensure_ascii=False, indent=2))
        return
    _show(name, summary)


def _show(name: str, summary: Summary) -> None:
    people = (
        f"{summary.contacts} contacts: {summary.reached} spoken with, {summary.done} done with, "
        f"{summary.open} open"
    )
    calls = (
        f"{summary.attempts} attempts: {summary.spoke} answered "
        f"({_share(summary.spoke, summary.attempts)})"
    )
    print_lines([Text(name, style="bold"), Text(people), Text(calls)])
    _table("outcome", summary.by_outcome, summary.attempts)
    _table("share of the message heard", summary.share_heard, summary.spoke)
    _table("key", {f"{step}: {key}": n for (step, key), n in summary.keys.items()})
    for question, options in summary.answers.items():
        _table(f"answer to {question}", options, sum(options.values()))
    promised = {str(day or "no day named"): n for day, n in summary.promises.items()}
    _table("promised to pay by", promised)
    _table("voice", _voices(summary), sum(line.attempts for line in summary.voices))


def _table(title: str, counts: dict[str, int], total: int | None = None) -> None:
    """total: what the shares are of; None: no shares. Nothing is shown where nothing happened."""
    if not any(counts.values()):
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold")
    table.add_column("count", justify="right", no_wrap=True)
    if total is not None:
        table.add_column("share", justify="right", no_wrap=True)
    for name, count in counts.items():
        share = [] if total is None else [_share(count, total)]
        table.add_row(escape(name), str(count), *share)
    console.print()
    console.print(table)


def _voices(summary: Summary) -> dict[str, int]:
    """Each voice, and apart from it the attempts where it stood in for the chosen one."""
    shown: dict[str, int] = {}
    for line in summary.voices:
        if chosen := line.attempts - line.stood_in:
            shown[line.voice] = chosen
        if line.stood_in:
            shown[f"{line.voice} (stood in for the chosen one)"] = line.stood_in
    return shown


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _plain(summary: Summary) -> dict[str, object]:
    return {
        "contacts": summary.contacts,
        "reached": summary.reached,
        "done": summary.done,
        "open": summary.open,
        "attempts": summary.attempts,
        "settled": summary.settled,
        "spoke": summary.spoke,
        "by_outcome": summary.by_outcome,
        "by_number": [
            {"number": line.number, "attempts": line.attempts, "spoke": line.spoke}
            for line in summary.by_number
        ],
        "keys": [
            {"step": step, "key": key, "presses": n} for (step, key), n in summary.keys.items()
        ],
        "answers": summary.answers,
        "share_heard": summary.share_heard,
        "promises": {str(day or ""): n for day, n in summary.promises.items()},
        "done_reasons": summary.done_reasons,
        "voices": [
            {"voice": line.voice, "attempts": line.attempts, "stood_in": line.stood_in}
            for line in summary.voices
        ],
    }
