"""Ready scripts to begin a campaign from: which there are, what they say, a file of one's own."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import click

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, hang, pass_context, print_lines
from duecall.core.campaign import Language
from duecall.shell import template_library as library
from duecall.shell.clock import now

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # a campaign's, as core/campaign.py has it
NAME = click.argument("name")


@cli.group()
def template() -> None:
    """Ready, polite scripts to begin a campaign from, in four languages.

    \b
    Example:
      duecall template list --language vi
      duecall template new overdue-vi campaigns/my.yaml
    """


@template.command("list")
@click.option("--language", type=click.Choice(get_args(Language)), help="Of this language.")
@click.option(
    "--use", type=click.Choice(tuple(library.uses())), metavar="USE", help="For this occasion."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(language: str | None, use: str | None, as_json: bool) -> None:
    """Which scripts there are, what for, and what their contacts files have to hold.

    \b
    Example:
      duecall template list --use overdue
    """
    found = [(name, *library.parts_of(name)) for name in library.names()]
    found = [one for one in found if use in (None, one[1].name) and language in (None, one[2])]
    if as_json:
        told = [
            {
                "name": name,
                "use": one.name,
                "language": spoken,
                "purpose": one.purpose,
                "about": one.about,
                "columns": one.columns,
                "may_be_empty": one.or_empty,
            }
            for name, one, spoken in found
        ]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    width = 2 + max(len(name) for name, _, _ in found)
    print_lines(hang(name, one.about, width) for name, one, _ in found)


@template.command()
@NAME
def show(name: str) -> None:
    """The campaign file, as `duecall template new` would write it.

    \b
    Example:
      duecall template show overdue-vi
    """
    click.echo(_text(name, f"{name}.csv"), nl=False)


@template.command()
@NAME
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def new(context: Context, name: str, file: Path) -> None:
    """Writes a campaign file, and beside it a contacts file with a few people who do not exist.

    `duecall check` takes the two as they are. Files that are there already are left alone. Trunk
    and agents are those of config.yaml.

    \b
    Example:
      duecall template new overdue-vi campaigns/my.yaml
    """
    if file.suffix not in (".yaml", ".yml") or not _NAME.fullmatch(file.stem):
        fail(
            f"{file}: a campaign's file is called by lower-case letters, digits and -, and .yaml "
            "behind them"
        )
    contacts = file.with_suffix(".csv")
    site = context.site if context.config.exists() else None
    trunk = _chosen("demo", site.trunks if site else ())
    agents = _chosen("front-desk", site.agents if site else ())
    text = _text(name, contacts.name, trunk, agents)
    _write({file: text, contacts: library.sample_text(name, _today(name))})
    console.print(
        f"{file} and {contacts} are written; next: duecall check {file}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if site is not None and not site.agents and library.transfers(name):
        errors.print(
            f"note: a key of it leads to agents, and {context.config} has none",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _text(name: str, contacts: str, trunk: str = "demo", agents: str = "front-desk") -> str:
    try:
        return library.campaign_text(name, contacts, _today(name), trunk, agents)
    except library.NoTemplate as error:
        fail(str(error))


def _today(name: str) -> date:
    """Where the lender is."""
    try:
        return now().wall.astimezone(ZoneInfo(library.zone_of(name))).date()
    except library.NoTemplate as error:
        fail(str(error))


def _chosen(usual: str, there: Collection[str]) -> str:
    return usual if usual in there or not there else next(iter(there))


def _write(texts: dict[Path, str]) -> None:
    """All of these files, or none of them."""
    made: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        there = isinstance(error, FileExistsError)
        why = "is there already; name another file" if there else error.strerror
        fail(f"{error.filename}: {why}; nothing was written")
