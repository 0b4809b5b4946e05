"""`duecall doctor`: what is in place, what is not, and the remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.table import Table

from duecall.cli import cli
from duecall.cli.common import Context, console, pass_context
from duecall.shell.examination import Finding, examine

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def doctor(context: Context, as_json: bool) -> None:
    """Is everything in place? Database, folders, speech, switch, its modules, scripts and trunks.

    Exit code 1 if something is wrong.

    \b
    Example:
      duecall doctor
    """
    findings = list(examine(context.site, password=_password(context), open_store=context.store))
    if as_json:
        click.echo(json.dumps([_plain(finding) for finding in findings], indent=2))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            colour = COLOURS[finding.verdict]
            text = finding.detail + (f"\n-> {finding.remedy}" if finding.remedy else "")
            table.add_row(f"[{colour}]{finding.verdict}[/{colour}]", finding.what, text)
        console.print(table)
    raise SystemExit(any(finding.verdict == "wrong" for finding in findings))


def _password(context: Context) -> str | None:
    path = Path(context.site.switch.password_file)
    if "DUECALL_ESL_PASSWORD" in os.environ or path.is_file():
        return context.password()
    return None


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "verdict": finding.verdict,
        "what": finding.what,
        "detail": finding.detail,
        "remedy": finding.remedy,
    }
