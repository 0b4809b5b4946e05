"""The processes that are killed: each can be started, killed, frozen and asked to end.

A part remembers whether it is meant to be up, so that one that ends by itself is noticed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from duecall.core.attempt import Stage
from duecall.shell import control
from duecall.shell.control import ControlError, NoDaemon
from duecall.shell.loopback_site import COMMAND, LoopbackSite
from tests.postgres_server import PostgresServer

ANSWER_S = 5.0
DRAIN_S = 6  # of the daemon
END_S = DRAIN_S + 30.0  # it may also wait 10 s for a database that is gone
# Here a callee's telephone has rung for certain.
_IN_CALL = (Stage.RINGING, Stage.ANSWERED, Stage.WAITING, Stage.BRIDGED)


@dataclass(frozen=True)
class Happening:
    """at: Unix seconds. part: daemon, switch, database, link."""

    at: float
    part: str
    what: str


@dataclass
class Diary:
    """What was done to whom, and when; also as a CSV file, so that a failure can be read."""

    path: Path
    happenings: list[Happening] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, part: str, what: str, at: float | None = None) -> None:
        entry = Happening(time.time() if at is None else at, part, what)
        with self._lock:
            self.happenings.append(entry)
            with self.path.open("a", encoding="utf-8") as out:
                out.write(f"{entry.at:.3f},{part},{what}\n")

    def times(self, part: str, what: str) -> list[float]:
        with self._lock:
            return [h.at for h in self.happenings if (h.part, h.what) == (part, what)]


class Part(Protocol):
    """One at a time may do something to a part: whoever holds `lock`."""

    @property
    def name(self) -> str: ...
    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    @property
    def up(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class _ProcessPart:
    """A process group of its own."""

    name = ""

    def __init__(self, diary: Diary) -> None:
        self.lock = threading.RLock()
        self.wanted = False  # up, as far as anybody here knows
        self.frozen = False
        self._diary = diary

    def _process(self) -> subprocess.Popen[bytes] | None:
        raise NotImplementedError

    @property
    def up(self) -> bool:
        process = self._process()
        return process is not None and process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all of it, as a power cut would."""
        process = self._process()
        assert process is not None
        self.wanted = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.frozen = False
        self._diary.note(self.name, "killed")

    def freeze(self) -> None:
        process = self._process()
        assert process is not None
        self._diary.note(self.name, "frozen")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        process = self._process()
        if process is not None and self.frozen:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
            self._diary.note(self.name, "thawed")
        self.frozen = False

    def ended_by_itself(self) -> int | None:
        """Its exit code, where it is meant to be up and is not."""
        with self.lock:
            process = self._process()
            if not self.wanted or process is None or process.poll() is None:
                return None
            self.wanted = False
            return process.returncode


class DaemonPart(_ProcessPart):
    """`duecall run`, with its log in daemon.log and what it prints in daemon.err."""

    name = "daemon"

    def __init__(self, diary: Diary, site: LoopbackSite) -> None:
        super().__init__(diary)
        self._site = site
        self._running: subprocess.Popen[bytes] | None = None
        self.socket = site.path("var") / "duecall.sock"

    def _process(self) -> subprocess.Popen[bytes] | None:
        return self._running

    def start(self) -> None:
        """Returns at once; `ready` tells when it answers."""
        folder = self._site.folder
        command = [*COMMAND, "--config", str(self._site.config), "run", "--drain", str(DRAIN_S)]
        with (folder / "daemon.err").open("ab") as errors:
            self._running = subprocess.Popen(
                [*command, "--log-file", str(folder / "daemon.log")],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        self.wanted = True
        self._diary.note(self.name, "started")

    def ready(self) -> bool:
        """Whether it has begun: it waits for its database no more."""
        return self.up and self._status().get("state") == "running"

    def in_call(self) -> bool:
        """Whether it says that a callee's telephone rings or that somebody talks."""
        live = self._status().get("live", {})
        return any(live.get(stage.name.lower()) for stage in _IN_CALL)

    def _status(self) -> dict[str, Any]:
        """Empty where it gives no answer."""
        try:
            return control.ask(self.socket, {"do": "status"}, ANSWER_S)
        except (NoDaemon, ControlError):
            return {}

    def end(self, *, hurry_after_s: float | None = None) -> int:
        """SIGTERM, and a second one after so long. Its exit code; one that does not end is killed,
        and -SIGKILL is returned."""
        assert self._running is not None
        self.wanted = False
        self._diary.note(self.name, "asked to end")
        with contextlib.suppress(ProcessLookupError):
            self._running.terminate()
        if hurry_after_s is not None:
            time.sleep(hurry_after_s)
            self._diary.note(self.name, "asked to end at once")
            with contextlib.suppress(ProcessLookupError):
                self._running.terminate()
        try:
            code = self._running.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        self._diary.note(self.name, f"ended with {code}")
        return code


class SwitchPart(_ProcessPart):
    """FreeSWITCH or the pocket switch of a LoopbackSite, on the same ports all its lives."""

    name = "switch"

    def __init__(self, diary: Diary, site: LoopbackSite) -> None:
        super().__init__(diary)
        self._site = site

    def _process(self) -> subprocess.Popen[bytes] | None:
        return self._site.switch_process

    def start(self) -> None:
        """Returns when its Event Socket answers."""
        self._site.start_switch()
        self.wanted = True
        self._diary.note(self.name, "started")


class DatabasePart:
    """A PostgreSQL server of our own."""

    name = "database"

    def __init__(self, diary: Diary, server: PostgresServer) -> None:
        self.lock = threading.RLock()
        self.up = True
        self.frozen = False
        self._diary = diary
        self._server = server
        # The server ends with the thread that started it (PR_SET_PDEATHSIG): one that stays.
        self._hands = ThreadPoolExecutor(1, "database")

    def start(self) -> None:
        """Returns when it answers."""
        self._hands.submit(self._server.start).result()
        self.up = True
        self._diary.note(self.name, "started")

    def kill(self) -> None:
        self.up = False
        self._server.kill()
        self._diary.note(self.name, "killed")

    def freeze(self) -> None:
        self.frozen = True
        self._diary.note(self.name, "frozen")
        self._server.freeze()

    def thaw(self) -> None:
        self._server.thaw()
        self._diary.note(self.name, "thawed")
        self.frozen = False


def wait_until(check: Callable[[], bool], timeout_s: float, what: str) -> None:
    """RuntimeError after timeout_s."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not in {timeout_s:.0f} s: {what}")
        time.sleep(0.05)
