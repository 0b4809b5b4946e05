"""Run a FreeSWITCH of our own from one folder, for tests and `duecall demo`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from duecall.shell.freeswitch_layout import (
    FreeSwitchMissing,
    find_freeswitch,
    layout_of,
    why_no_freeswitch,
)

__all__ = [
    "FreeSwitchMissing",
    "FreeSwitchProcess",
    "StartError",
    "find_freeswitch",
    "why_no_freeswitch",
]

_START_S = 180.0  # for a hung start: an end is seen at once
_STOP_S = 20.0
_FOLDERS = ("log", "db", "run", "temp", "scripts", "sounds", "storage", "cache", "certs")


class StartError(RuntimeError):
    """FreeSWITCH ended, or did not open its Event Socket in time. Carries the end of its log."""


class FreeSwitchProcess:
    """One FreeSWITCH process over a folder that `write_minimal` has written.

    prefix: as from find_freeswitch(). Use as a context manager, or start() and stop().
    """

    def __init__(
        self, prefix: Path, run_dir: Path, esl_port: int, *, recordings: Path | None = None
    ) -> None:
        self.layout = layout_of(prefix)
        self.run_dir = run_dir.resolve()
        self.esl_port = esl_port
        self.recordings = recordings or self.run_dir / "recordings"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = _START_S) -> None:
        """Returns when the Event Socket answers, which it does when all modules are loaded."""
        command = [str(self.layout.binary), "-nf", "-nc", "-nonat", "-np", "-nocal"]
        command += ["-conf", str(self.run_dir / "conf"), "-mod", str(self.layout.modules)]
        for folder in _FOLDERS:
            (self.run_dir / folder).mkdir(parents=True, exist_ok=True)
            command += [f"-{folder}", str(self.run_dir / folder)]
        command += ["-recordings", str(self.recordings)]
        with (self.run_dir / "log" / "console.log").open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.run_dir,
                env=_environment(),
                start_new_session=True,  # a signal to us is not one to it; stop() ends the group
            )
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self.process.poll() is not None:
                raise StartError(f"FreeSWITCH ended with {self.process.returncode}\n{self.log()}")
            if time.monotonic() > deadline:
                self.stop()
                raise StartError(f"no Event Socket after {timeout_s:.0f} s\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it: politely, then not. Safe to call twice."""
        process = self.process
        if process is None:
            return
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
            try:
                process.wait(_STOP_S)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log(self, last: int = 60) -> str:
        """The last lines of its log, for error messages and tests."""
        lines: list[str] = []
        for name in ("console.log", "freeswitch.log"):
            path = self.run_dir / "log" / name
            if path.is_file():
                lines += path.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-last:])

    def __enter__(self) -> FreeSwitchProcess:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.esl_port), timeout=1) as link:
                link.settimeout(2)
                return link.recv(64).startswith(b"Content-Type: auth/request")
        except OSError:
            return False


def _environment() -> dict[str, str]:
    """Ours without what would send mod_python3's Python to our virtual environment."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "VIRTUAL_ENV", "DUECALL_"))
    }
