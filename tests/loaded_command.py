"""`duecall`, loaded once: a command is a fork of a process that has loaded it and done no more.

Most of a command's time is Python's start. What a fork then does is what a process of its own would
do from the call of `main` on, to the interpreter's end, in its own folder, environment and pipes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[1]
LOOKS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
READ_AT_START = ("PYTHON", "LC_", "LANG", "TERM", *LOOKS)  # by Python or rich: not changed later
ASKED_MAX_BYTES = 200_000


@dataclass
class Running:
    """A command that was started. Its output is whole when `wait` has returned."""

    pid: int
    _end: IO[bytes]
    _out: IO[bytes]
    _err: IO[bytes]

    def wait(self, timeout_s: float) -> tuple[int, str, str]:
        """Exit code (or minus the signal), output, errors. Killed where it takes longer."""
        in_time = _readable(self._end, timeout_s)
        if not in_time:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        ended = self._end.readline()
        with self._end, self._out, self._err:
            if not in_time:
                raise subprocess.TimeoutExpired("duecall", timeout_s)
            return int(ended), _text(self._out), _text(self._err)


class LoadedCommand:
    """The process that is forked; it ends with whoever made it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.loaded_command", str(theirs.fileno())],
                cwd=REPOSITORY,
                env=plain_environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Whoever runs the tests in the background may have Ctrl-C ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def start(self, arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> Running:
        """environment: it cannot differ from plain_environment in what is read at the start."""
        assert _at_start(environment) == _at_start(plain_environment())
        asked = {"arguments": arguments, "cwd": str(cwd), "environment": dict(environment)}
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # of Running
        reading, writing = os.pipe()
        end = os.fdopen(reading, "rb")
        try:
            fds = [writing, out.fileno(), err.fileno()]
            socket.send_fds(self._ours, [json.dumps(asked).encode()], fds)
        finally:
            os.close(writing)
        return Running(int(end.readline()), end, out, err)

    def close(self) -> None:
        self._ours.close()
        self._process.wait(20)


@cache
def loaded_command() -> LoadedCommand:
    """One for all tests of this process."""
    made = LoadedCommand()
    atexit.register(made.close)
    return made


def plain_environment() -> dict[str, str]:
    """Ours without what would change the look of things."""
    return {name: value for name, value in os.environ.items() if name not in LOOKS}


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def _readable(pipe: IO[bytes], timeout_s: float) -> bool:
    return bool(select.select([pipe], [], [], timeout_s)[0])


def _text(file: IO[bytes]) -> str:
    """As a pipe that is read as text gives it."""
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")


def serve(fd: int) -> list[str]:
    """Forks at each order. Returns in each fork the arguments of its command, and never else."""
    import posix  # not `os`: gevent has put its own into that, and its hub must not live before

    from gevent import monkey

    orders = monkey.get_original("socket", "socket")(fileno=fd)
    while True:
        with contextlib.suppress(ChildProcessError):
            while posix.waitpid(-1, posix.WNOHANG)[0]:
                pass
        data, fds, _, _ = socket.recv_fds(orders, ASKED_MAX_BYTES, 3)
        if not data:
            posix._exit(0)
        end, out, err = fds
        if posix.fork():
            for one in fds:
                posix.close(one)
            continue
        if command := posix.fork():  # this one waits for the command alone
            posix.close(out)
            posix.close(err)
            posix.write(end, b"%d\n" % command)
            status = posix.waitpid(command, 0)[1]
            posix.write(end, b"%d\n" % os.waitstatus_to_exitcode(status))
            posix._exit(0)
        orders.close()
        posix.close(end)
        _become(json.loads(data), out, err)
        return ["duecall", *json.loads(data)["arguments"]]


def _become(asked: dict[str, Any], out: int, err: int) -> None:
    import time

    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()


if __name__ == "__main__":
    from duecall import __main__ as command  # all that `python -m duecall` does before `main`
    from duecall.cli import load_commands

    load_commands()
    sys.argv = serve(int(sys.argv[1]))
    command.main()
