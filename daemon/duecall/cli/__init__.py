"""The operator's commands. Each file holds the commands of one job; `main` is the front door."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
import gevent

from duecall.cli.common import EXIT_NO_DAEMON, Context, fail, in_words
from duecall.shell.config_file import ConfigFaults
from duecall.shell.control import ControlError, NoDaemon
from duecall.shell.database import DATABASE_ERRORS
from duecall.shell.esl_errors import LinkError
from duecall.speech.faults import SpeechError

EXIT_CODES = {
    0: "done",
    1: "it failed or faults were found",
    2: "wrong usage",
    3: "no daemon runs",
}
# What a command may meet in the world. Anything else is a fault of Duecall, and shows where.
FAULTS_OF_THE_WORLD = (
    OSError,
    RuntimeError,  # StoreError, VaultError, MigrationError, StartError
    SpeechError,
    ControlError,
    LinkError,
    *DATABASE_ERRORS,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="duecall", message="Duecall %(version)s")
@click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="DUECALL_CONFIG",
    default=Path("config.yaml"),
    show_default=True,
    help="The installation: switch, database, trunks, agents.",
)
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Duecall calls people about money that is due.

    \b
    A first campaign:
      duecall check campaigns/overdue-vi.yaml     is the file right?
      duecall listen campaigns/overdue-vi.yaml    what will they hear?
      duecall run                                 the daemon (leave it running)
      duecall start campaigns/overdue-vi.yaml     load the contacts and call
      duecall status --watch                      how is it going?
      duecall report overdue-vi --csv report.csv  what came of it?

    Exit codes: 0 done, 1 it failed or faults were found, 2 wrong usage, 3 no daemon runs.
    """
    context.obj = Context(config)


def load_commands() -> None:
    """Each module registers its commands with `cli`."""
    from duecall.cli import (  # noqa: F401
        audit,
        campaigns,
        demo,
        dnc,
        doctor,
        freeswitch,
        key,
        listen,
        operate,
        person,
        plan,
        recordings,
        replay,
        report,
        sounds,
        template,
        voice_recordings,
        why,
    )


def main() -> None:
    """Entry point. Faults in files are printed as they are: one a line, file:line:column first."""
    load_commands()
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)  # Ctrl-C is no fault to report on stderr
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of __main__: until here it ended us
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cli(prog_name="duecall")
    except ConfigFaults as faults:
        for line in str(faults).splitlines():
            click.echo(line, err=True)
        sys.exit(1)
    except NoDaemon as error:
        fail(str(error), EXIT_NO_DAEMON)
    except FAULTS_OF_THE_WORLD as error:
        fail(in_words(error))
