"""What all commands share: the site, the store, the daemon's socket, tables and exit codes."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duecall.core.site import Site
from duecall.shell import config_file, control
from duecall.shell.store import Store
from duecall.shell.vault import Vault

console = Console()
errors = Console(stderr=True)
EXIT_FAILED, EXIT_NO_DAEMON = 1, 3


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say it on stderr, and end."""
    errors.print(f"[red]error:[/red] {message}", highlight=False, soft_wrap=True)
    sys.exit(code)


class Context:
    """The installation that the command works on. root: the folder of config.yaml."""

    def __init__(self, config: Path) -> None:
        self.config = config

    @cached_property
    def site(self) -> Site:
        if not self.config.exists():
            fail(f"{self.config} does not exist; name one with --config, or begin with the "
                 "config.yaml that Duecall ships")
        return config_file.load_site(self.config)

    @property
    def root(self) -> Path:
        return self.config.resolve().parent

    def folder(self, name: str) -> Path:
        """One of the site's folders, made if need be; the owner's alone."""
        path = Path(getattr(self.site.folders, name))
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @property
    def socket(self) -> Path:
        return self.folder("var") / "duecall.sock"

    def vault(self) -> Vault:
        return Vault.load(self.folder("var") / "duecall.key")

    def store(self, vault: Vault | None = None) -> Store:
        """Opened anew; the caller closes it."""
        return Store(self.site.database, vault or self.vault(), self.site.lender)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """A question to the running daemon; ends the command where none runs or it says no."""
        try:
            return control.ask(self.socket, request)
        except control.NoDaemon as error:
            fail(str(error), EXIT_NO_DAEMON)
        except control.ControlError as error:
            fail(str(error))

    def password(self) -> str:
        """The Event Socket's: from the environment, else from the file of config.yaml."""
        from_environment = os.environ.get("DUECALL_ESL_PASSWORD")
        if from_environment:
            return from_environment
        path = Path(self.site.switch.password_file)
        try:
            mode = path.stat().st_mode
            password = path.read_text().strip()
        except FileNotFoundError:
            fail(
                f"no Event Socket password: set DUECALL_ESL_PASSWORD or write it to {path} "
                "(`duecall freeswitch install` makes one)"
            )
        if mode & 0o077:
            fail(f"{path} can be read by others: chmod 600 {path}")
        return password


def progress(unit: str) -> Progress:
    """A bar with count and time left; silent where nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=errors,
        transient=False,
        disable=not errors.is_terminal and not os.environ.get("DUECALL_PROGRESS"),
    )


pass_context = click.make_pass_decorator(Context)
