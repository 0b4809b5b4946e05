"""`duecall doctor`: what is in place, what is not, and the remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
from rich.markup import escape
from rich.text import Text

from duecall.cli import cli
from duecall.cli.common import Context, hang, pass_context, print_lines
from duecall.shell.examination import Finding, examine

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}
VERDICT_WIDTH = max(map(len, COLOURS))


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
        print_lines(_lines(findings))
    raise SystemExit(any(finding.verdict == "wrong" for finding in findings))


def _lines(findings: list[Finding]) -> Iterator[Text]:
    """verdict, what, detail; the remedy on lines of its own."""
    beside = max(len(finding.what) for finding in findings)
    for finding in findings:
        colour = COLOURS[finding.verdict]
        what = f"{finding.verdict:<{VERDICT_WIDTH}}"
        label = f"[{colour}]{what}[/{colour}] {escape(finding.what):<{beside}}  "
        text = finding.detail + (f"\n-> {finding.remedy}" if finding.remedy else "")
        yield hang(label, text, VERDICT_WIDTH + 1 + beside + 2)


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
