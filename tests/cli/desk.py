"""An operator's desk: an installation in a folder of its own, and the commands typed there."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from duecall.shell.loopback_site import LoopbackSite
from tests.loaded_command import Running, loaded_command, plain_environment

COMMAND = (sys.executable, "-m", "duecall")
TIMEOUT_S = 120.0
HEADER = "name,contract_number,balance,interest_rate,due_date,dpd,phone\n"
CONFIG = "trunks: {demo: {proxy: '127.0.0.1:9', channels: 2, calls_per_second: 1}}\n"
KEPT_OUT = ("DUECALL_PROGRESS", "DUECALL_ESL_PASSWORD")
CAMPAIGN = {
    "contacts": "people.csv",
    "contacts_as_of": "2026-11-22",
    "language": "vi",
    "country": "VN",
    "rules": {"pack": "none", "pack_reason": "callees on this machine"},
    "currency": "VND",
    "zone": "Asia/Ho_Chi_Minh",
    "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
    "message": "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}.",
    "retry": {"max_attempts": 1},
    "caller_id": "842412345678",
    "trunk": "demo",
}


def row(n: int, name: str = "Nguyễn Văn An") -> str:
    return (
        f"{name},HD-{n:06d},{1_000_000 + n * 1_000},18.5,2026-11-01,21,+849{12_000_000 + n:08d}\n"
    )


class Desk:
    """folder: holds config.yaml and the campaigns. site: whose config.yaml it is, where there is
    a daemon."""

    def __init__(self, folder: Path, site: LoopbackSite | None = None) -> None:
        self.folder = folder
        self.site = site
        self.config = folder / "config.yaml"
        if site is None:
            self.config.write_text(CONFIG)

    def campaign(
        self, name: str = "people", csv: str | bytes | None = None, **changes: Any
    ) -> Path:
        """A campaign's file, and its contacts beside it: three of them where none are given."""
        contacts = self.folder / f"{name}.csv"
        if csv is None:
            csv = HEADER + "".join(row(n) for n in range(3))
        contacts.write_bytes(csv.encode() if isinstance(csv, str) else csv)
        path = self.folder / f"{name}.yaml"
        settings = {**CAMPAIGN, "contacts": contacts.name, **changes}
        path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """Ours without what would change the look of things."""
        plain = plain_environment().items()
        kept = {name: value for name, value in plain if name not in KEPT_OUT}
        return {**kept, **more}

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        options.setdefault("env", self.environment())
        options.setdefault("stderr", subprocess.PIPE)
        # Whoever runs the tests in the background may have Ctrl-C ignored, also by its children.
        options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        return subprocess.Popen(
            [*COMMAND, "--config", str(self.config), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            **options,
        )

    def begin(self, *arguments: object, **environment: str) -> Running:
        """A command whose answer is all that is wanted of it: see loaded_command."""
        typed = ["--config", str(self.config), *map(str, arguments)]
        return loaded_command().start(typed, self.folder, self.environment(**environment))

    def run(self, *arguments: object, **environment: str) -> Answer:
        return Answer(*self.begin(*arguments, **environment).wait(TIMEOUT_S))

    def run_all(self, commands: Sequence[Sequence[object]]) -> list[Answer]:
        """Side by side."""
        return [Answer(*one.wait(TIMEOUT_S)) for one in [self.begin(*each) for each in commands]]

    @staticmethod
    def run_each(desks: Sequence[Desk], *arguments: object) -> list[Answer]:
        """The same command at several desks, side by side."""
        return [Answer(*one.wait(TIMEOUT_S)) for one in [desk.begin(*arguments) for desk in desks]]


class Answer:
    """What a command said. Whatever happened, it was no traceback, and not in colours."""

    def __init__(self, code: int, out: str, err: str) -> None:
        assert "Traceback" not in err, err
        assert "\x1b" not in out + err
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        assert self.code == 1, (self.code, self.out, self.err)
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("error: ")

    @property
    def good(self) -> str:
        """The output of a command that did what it was told."""
        assert self.code == 0, (self.code, self.out, self.err)
        return self.out


def answer_of(process: subprocess.Popen[str], timeout_s: float = TIMEOUT_S) -> Answer:
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Answer(process.returncode, out, err or "")
