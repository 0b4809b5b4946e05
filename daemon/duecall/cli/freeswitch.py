"""Put Duecall into an installed FreeSWITCH."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, pass_context
from duecall.shell.freeswitch_config import ConfigError
from duecall.shell.freeswitch_install import install as install_into
from duecall.shell.freeswitch_layout import FreeSwitchMissing, find_freeswitch, why_no_freeswitch


@cli.group()
def freeswitch() -> None:
    """Set up FreeSWITCH for Duecall (docs/freeswitch.md tells how to get one)."""


@freeswitch.command()
@click.option("--prefix", type=click.Path(path_type=Path, file_okay=False),
              help="Where FreeSWITCH is, such as /usr/local/freeswitch.  [default: it is looked for]")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_context
def install(context: Context, prefix: Path | None, dry_run: bool) -> None:
    """Put dialplan, scripts and settings into FreeSWITCH, hardened, and say what was done.

    What is changed is kept beside it first. Run it again after a change of config.yaml or of
    Duecall; then restart FreeSWITCH.

    \b
    Example:
      duecall freeswitch install --prefix /usr/local/freeswitch --dry-run
    """
    found = prefix or find_freeswitch()
    if found is None:
        fail(f"{why_no_freeswitch()}; name it with --prefix, or see docs/freeswitch.md")
    try:
        actions = install_into(found, context.site, context.root, dry_run=dry_run)
    except (FreeSwitchMissing, ConfigError, OSError) as error:
        fail(str(error))
    table = Table(box=None, pad_edge=False)
    for title in ("done" if not dry_run else "would do", "file", "note"):
        table.add_column(title, overflow="fold")
    for action in actions:
        table.add_row(action.action, str(action.path), action.note)
    console.print(table)
    errors.print("Restart FreeSWITCH, then: duecall doctor" if not dry_run else "Nothing changed.")
