"""Running: the daemon, and the commands that reach it."""

from __future__ import annotations

import fcntl
import json
import logging
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

import click
import gevent
from rich.live import Live
from rich.logging import RichHandler

from duecall.cli import cli
from duecall.cli.campaigns import load_contacts
from duecall.cli.common import Context, console, errors, fail, pass_context
from duecall.cli.prompts import make_prompts
from duecall.cli.speakable import leave_out, prove_contacts
from duecall.cli.status_view import status_view
from duecall.shell import config_file, control
from duecall.shell.campaign_files import campaign_file, campaign_name
from duecall.shell.config_voices import check_voices
from duecall.shell.daemon_start import DaemonStart
from duecall.shell.garbage import collect_seldom
from duecall.shell.life import own_daemon_id
from duecall.shell.operator import Operator
from duecall.shell.service import Service
from duecall.shell.store import Store


@cli.command()
@click.option(
    "--drain",
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM or Ctrl-C: how long live calls may go on.",
)
@click.option("--log-file", type=click.Path(path_type=Path), help="Log there, not to the screen.")
@click.option("--verbose", "-v", is_flag=True, help="Log every call.")
@pass_context
def run(context: Context, drain: int, log_file: Path | None, verbose: bool) -> None:
    """The daemon: connects to the switch and calls what `duecall start` has started.

    It waits for its database, and for the switch, as long as it takes; `duecall status` says so.
    A first SIGTERM or Ctrl-C lets live calls end (see --drain), a second one ends at once;
    neither loses anything.

    \b
    Example:
      duecall run --log-file var/duecall.log
    """
    _log_to(log_file, verbose)
    lock = _only_one(context.folder("var") / "duecall.lock")
    # Read here, while a fault can still be shown as an answer to the command.
    password, vault = context.password(), context.vault()
    daemon_id = own_daemon_id(context.folder("var"))
    for folder in ("recordings", "cdr", "tts_cache"):
        context.folder(folder)

    def open_store() -> Store:
        vault.refresh()  # the key may have been changed while the database was waited for
        return context.store(vault, daemon_id)

    service: Service | None = None
    begins = DaemonStart(open_store)

    def asked_to_stop() -> None:
        if service is None:
            begins.stop()
        elif service.stopping:
            errors.print("ending at once")
            sys.stderr.flush()
            service.abandon()
        else:
            service.stop()

    server = control.ControlServer(context.socket, begins.answer)
    server.start()
    collect_seldom()
    gevent.signal_handler(signal.SIGTERM, asked_to_stop)
    gevent.signal_handler(signal.SIGINT, asked_to_stop)
    try:
        begun = begins.wait()
        if begun is None:
            return
        service = Service(
            context.site,
            root=context.root,
            begun=begun,
            password=password,
            daemon_id=daemon_id,
            vault=vault,
        )
        begins.hand_over(Operator(service).answer)
        if begins.stopping:
            service.stop()
        service.run(drain_s=drain)
    finally:
        server.stop()
        lock.close()


@cli.command()
@click.argument("campaign", type=click.Path(path_type=Path))
@click.option("--paused", is_flag=True, help="Load everything, but place no call yet.")
@leave_out
@pass_context
def start(context: Context, campaign: Path, paused: bool, leave_out: bool) -> None:
    """Check a campaign, load its contacts, and let the daemon call them.

    Every row that may be called is proven first: one that cannot be read aloud, and nothing is
    loaded. Sounds are made before the first call. Starting again after a change of the file is
    safe: contacts already called stay called.

    \b
    Example:
      duecall start campaigns/overdue-vi.yaml
      duecall start overdue-vi --leave-out-unspeakable
    """
    path = campaign_file(campaign, context.root)
    loaded = config_file.load_campaign(path, context.site)
    check_voices(path, context.site, loaded)
    context.ask({"do": "status"})  # without a daemon nothing is loaded and no sound is made
    left_out = prove_contacts(context, loaded, leave_out=leave_out)
    counts = load_contacts(context, loaded, path)
    console.print(f"contacts: {counts}", highlight=False)
    make_prompts(context, loaded)
    proven = {"proven": True, "left_out": left_out}
    reply = context.ask({"do": "start", "file": str(path.resolve()), "paused": paused, **proven})
    state = "loaded, paused" if paused else "started"
    console.print(f"[green]{reply['campaign']}[/green] {state}")


def _simple(name: str, text: str, done: str) -> None:
    @cli.command(name, help=f"{text}\n\n\b\nExample:\n  duecall {name} overdue-vi")
    @click.argument("campaign")
    @pass_context
    def command(context: Context, campaign: str) -> None:
        wanted = campaign_name(campaign)
        context.ask({"do": name, "campaign": wanted})
        console.print(f"[green]{wanted}[/green] {done}")


_simple("pause", "No new calls of this campaign; live ones go on.", "paused")
_simple("resume", "Go on with a paused campaign.", "resumed")
_simple(
    "stop", "End a campaign: no new calls, also not after a restart. Live ones go on.", "stopped"
)


@cli.command()
@click.option("--watch", is_flag=True, help="Stay, and show it anew each second.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def status(context: Context, watch: bool, as_json: bool) -> None:
    """What the daemon is doing: calls, campaigns, outcomes, and why contacts are held back.

    \b
    Example:
      duecall status --watch
      duecall status --json | jq .live
    """
    if as_json:
        click.echo(_as_json(context.ask({"do": "status"})))
        return
    if not watch:
        console.print(status_view(context.ask({"do": "status"})))
        return
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            try:
                live.update(status_view(context.ask({"do": "status"})), refresh=True)
                time.sleep(1.0)
            except KeyboardInterrupt:
                return


def _as_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _log_to(path: Path | None, verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.INFO
    if path is not None:
        handler: logging.Handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    elif sys.stderr.isatty():
        handler = RichHandler(console=errors, show_path=False, markup=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("duecall").setLevel(level)


def _only_one(path: Path) -> IO[str]:
    """Two daemons on one SQLite file would dial the same contacts; it dies with its holder."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail("another daemon of this installation is running; see: duecall status")
    return lock
