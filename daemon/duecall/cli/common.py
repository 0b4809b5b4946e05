"""What all commands share: the site, the store, the daemon's socket, lines that fit a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from duecall.core.site import Site
from duecall.shell import config_file, control
from duecall.shell.store import Store
from duecall.shell.vault import Vault

console = Console()
errors = Console(stderr=True)
EXIT_FAILED, EXIT_NO_DAEMON = 1, 3
REFRESH_S = 0.1
SOCKET_PATH_MAX = 107  # bytes; the kernel's sun_path has 108, one of them ends it


def complain(message: str) -> None:
    """Say it on stderr."""
    errors.print(f"[red]error:[/red] {escape(message)}", highlight=False, soft_wrap=True)


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """The same, and end."""
    complain(message)
    sys.exit(code)


def in_words(error: BaseException) -> str:
    """An error for people: `file: what is wrong` of the system's, the text of any other."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def hang(label: str, text: str, indent: int) -> Text:
    """A label, and beside it a text that wraps at words under itself; paths are never broken.

    label: as wide as `indent` at most, with its blank; markup is taken. text: taken as it is.
    """
    width = max(console.width, indent + 20)
    wrapped = [
        line
        for part in text.splitlines()
        for line in textwrap.wrap(
            part, width - indent, break_long_words=False, break_on_hyphens=False
        )
        or [""]
    ]
    shown = Text.from_markup(label)
    shown.pad_right(max(0, indent - shown.cell_len))
    shown.append(("\n" + " " * indent).join(wrapped))
    return shown


def print_lines(lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


class Context:
    """The installation that the command works on. root: the folder of config.yaml."""

    def __init__(self, config: Path) -> None:
        self.config = config

    @cached_property
    def site(self) -> Site:
        if not self.config.exists():
            fail(
                f"{self.config} does not exist; name one with --config, or begin with the "
                "config.yaml that Duecall ships"
            )
        return config_file.load_site(self.config)

    @property
    def root(self) -> Path:
        return self.config.resolve().parent

    def folder(self, name: str) -> Path:
        """One of the site's folders, made if need be. Ours and our group's: FreeSWITCH may run as
        another user of it, and reads sounds there. Keys and passwords have narrower rights."""
        path = Path(getattr(self.site.folders, name))
        path.mkdir(parents=True, exist_ok=True, mode=0o770)
        return path

    @property
    def socket(self) -> Path:
        path = self.folder("var") / "duecall.sock"
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_MAX:
            fail(
                f"{path} is {length} bytes long, and a Unix socket's path may have "
                f"{SOCKET_PATH_MAX}: set a shorter `var` under `folders` in {self.config}, or move "
                "the installation"
            )
        return path

    @property
    def key_path(self) -> Path:
        return Path(self.site.folders.var) / "duecall.key"

    def vault(self) -> Vault:
        return Vault.load(self.folder("var") / self.key_path.name)

    def store(self, vault: Vault | None = None, daemon: str = "cli") -> Store:
        """Opened anew; the caller closes it. daemon: whose claims and attempts are its own."""
        return Store(self.site.database, vault or self.vault(), self.site.lender, daemon)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """A question to the running daemon. NoDaemon or ControlError end the command (see main)."""
        return control.ask(self.socket, request)

    def ask_if_there(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The same; None where no daemon runs."""
        try:
            return self.ask(request)
        except control.NoDaemon:
            return None

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


class _Bar(Progress):
    """Drawn when it is told of progress: work that never yields would starve a drawing greenlet."""

    _drawn_s = float("-inf")

    def update(self, *args: Any, **options: Any) -> None:
        super().update(*args, **options)
        now_s = time.monotonic()
        if not self.disable and now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self.refresh()


def progress(unit: str) -> Progress:
    """A bar with count and time left; silent where nobody watches.

    unit: of the count, "bytes" with k and M. DUECALL_PROGRESS=1 shows the last state in a log, too.
    """
    count: list[ProgressColumn] = [MofNCompleteColumn(), TextColumn(unit)]
    return _Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        *([DownloadColumn()] if unit == "bytes" else count),
        TimeRemainingColumn(),
        console=errors,
        auto_refresh=False,
        disable=not errors.is_terminal and not os.environ.get("DUECALL_PROGRESS"),
    )


pass_context = click.make_pass_decorator(Context)
