"""Put Duecall into an installed FreeSWITCH."""

from __future__ import annotations

from pathlib import Path

import click

from duecall.cli import cli
from duecall.cli.common import Context, errors, fail, hang, pass_context, print_lines
from duecall.shell.freeswitch_config import ConfigError, SwitchConfig
from duecall.shell.freeswitch_install import install as install_into
from duecall.shell.freeswitch_layout import FreeSwitchMissing, find_freeswitch, why_no_freeswitch

WIDTH = len("make folder") + 2  # of the longest action


@cli.group()
def freeswitch() -> None:
    """Set up FreeSWITCH for Duecall (docs/freeswitch.md tells how to get one).

    \b
    Example:
      duecall freeswitch install --dry-run
    """


@freeswitch.command()
@click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where FreeSWITCH is, such as /usr/local/freeswitch.  [default: it is looked for]",
)
@click.option(
    "--sip-ip",
    default="127.0.0.1",
    show_default=True,
    help="This machine's address for SIP and sound.",
)
@click.option("--sip-port", type=click.IntRange(1, 65535), default=5060, show_default=True)
@click.option("--external-ip", default="", help="What the carrier sees of it, behind a NAT.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_context
def install(
    context: Context,
    prefix: Path | None,
    sip_ip: str,
    sip_port: int,
    external_ip: str,
    dry_run: bool,
) -> None:
    """Put dialplan, scripts and settings into FreeSWITCH, hardened, and say what was done.

    What is changed is kept beside it first. Run it again after a change of config.yaml or of
    Duecall; then restart FreeSWITCH.

    \b
    Example:
      duecall freeswitch install --dry-run
      duecall freeswitch install --prefix /usr --sip-ip 192.0.2.10
    """
    found = prefix or find_freeswitch()
    if found is None:
        fail(f"{why_no_freeswitch()}; name it with --prefix, or see docs/freeswitch.md")
    try:
        config = SwitchConfig(sip_ip=sip_ip, sip_port=sip_port, external_ip=external_ip)
        actions = install_into(found, context.site, context.root, config=config, dry_run=dry_run)
    except (FreeSwitchMissing, ConfigError, OSError) as error:
        fail(str(error))
    for action in actions:
        note = f" ({action.note})" if action.note else ""
        print_lines([hang(f"{action.action:<{WIDTH}}", f"{action.path}{note}", WIDTH)])
    errors.print("Restart FreeSWITCH, then: duecall doctor" if not dry_run else "Nothing changed.")
