"""The test field: an exchange, a SIPp process for each kind of callee, and agents. Loopback only.

    with Field() as field:
        …trunk proxy: field.proxy; agents: field.agents["agent-answers"]…
        field.invites()      # what the network saw
        field.statistics()   # what each callee counted

Ends all its processes when left, and also when the program that holds it dies.
"""

from __future__ import annotations

import csv
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from sipp_scenarios.number_plan import FOLDER, NUMBERS_CSV, callees_of, read_rows
from sipp_scenarios.sipp import CalleeStatistics, FieldError, SippProcess, find_sipp
from sipp_scenarios.sounds import write_sounds
from sipp_scenarios.timing import Timing

__all__ = [
    "AGENTS",
    "CalleeStatistics",
    "Field",
    "FieldError",
    "Invite",
    "KeySent",
    "Signal",
    "Timing",
]

AGENTS = ("agent-answers", "agent-busy")
_STARTS_MAX = 5  # another program may take the free port that was just found
_START_S = 120.0  # for a hung start: what has ended is seen at once
_END_S = 2.0

# Reads until the field is gone, for whatever reason; then ends the whole process group.
_GUARD = "trap '' TERM; cat >/dev/null; kill -TERM 0; sleep 1; kill -KILL 0"


@dataclass(frozen=True)
class Invite:
    """One INVITE that the exchange received. repeat: a retransmission of an earlier one."""

    at: datetime
    unix_time: float
    number: str  # E.164 with +
    call_id: str
    callee: str  # empty: nobody has the number
    repeat: bool


@dataclass(frozen=True)
class Signal:
    """What followed an INVITE: a request (BYE, ACK, CANCEL), or an answer (200 INVITE, 486 INVITE).

    side: who sent it, caller or callee.
    """

    unix_time: float
    call_id: str
    side: str
    what: str


@dataclass(frozen=True)
class KeySent:
    """A callee has pressed its key and released it."""

    unix_time: float
    call_id: str
    callee: str


class Field:
    """Callees, exchange and agents in processes of their own."""

    def __init__(
        self,
        work_dir: Path | None = None,
        *,
        numbers: Path = NUMBERS_CSV,
        callees: Iterable[str] | None = None,
        agents: Iterable[str] = AGENTS,
        timing: Timing = Timing(),
        listen: str = "127.0.0.1:0",
        home: str = "84",
        trace_messages: bool = False,
        trace_calls: bool = False,
    ) -> None:
        """work_dir: logs go there and stay; None: a temporary folder, removed at the end.

        callees: only these are started (None: all that `numbers` names); calls to the rest get a
        503. home: country code for numbers dialled with a leading 0. trace_calls: the exchange
        stays in the way of each call and logs it to its end, for `wire()`.
        """
        self._own_dir = work_dir is None
        self.work_dir = work_dir or Path(tempfile.mkdtemp(prefix="duecall-field-"))
        self._numbers = numbers
        wanted = callees_of(read_rows(numbers)) if callees is None else set(callees)
        self._callee_names = sorted(wanted)
        self._agent_names = sorted(set(agents))
        self._timing = timing
        self._listen = listen
        self._home = home
        self._trace_messages = trace_messages
        self._trace_calls = trace_calls
        self._guard: subprocess.Popen[bytes] | None = None
        self._exchange: subprocess.Popen[bytes] | None = None
        self._processes: dict[str, SippProcess] = {}
        self._proxy = ""

    def __enter__(self) -> Field:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def proxy(self) -> str:
        """Address of the exchange, as `host:port`: the trunk's proxy."""
        return self._proxy

    @property
    def agents(self) -> dict[str, str]:
        """SIP address of each agent, by scenario: {"agent-answers": "sip:agent@127.0.0.1:…"}."""
        return {
            name: f"sip:agent@127.0.0.1:{self._processes[name].port}" for name in self._agent_names
        }

    @property
    def exchange_pid(self) -> int:
        assert self._exchange is not None
        return self._exchange.pid

    def start(self) -> None:
        """Start everything and wait until all of it listens. FieldError with the remedy."""
        sipp = find_sipp()
        self.work_dir.mkdir(parents=True, exist_ok=True)
        names = [*self._callee_names, *self._agent_names]
        write_sounds(self.work_dir, [*names, "listens"], self._timing)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD], stdin=subprocess.PIPE, preexec_fn=os.setpgrp
        )
        variables = asdict(self._timing)
        for name in names:
            process = SippProcess(
                sipp, name, self.work_dir, variables, self._guard.pid, self._trace_messages
            )
            process.start()
            self._processes[name] = process
        self.wait_ready()
        self._start_exchange()

    def wait_ready(self, timeout_s: float = _START_S) -> None:
        """Until every SIPp process listens; one whose port was taken meanwhile is started again."""
        deadline_s = time.monotonic() + timeout_s
        starts = dict.fromkeys(self._processes, 1)
        waiting = list(self._processes.values())
        while waiting:
            for process in list(waiting):
                if process.listens():
                    waiting.remove(process)
                elif process.ended is not None:
                    if starts[process.name] == _STARTS_MAX:
                        raise FieldError(f"SIPp {process.name}.xml ended: {process.complaint()}")
                    starts[process.name] += 1
                    process.start()
            if waiting and time.monotonic() > deadline_s:
                late = ", ".join(process.name for process in waiting)
                raise FieldError(f"SIPp does not listen after {timeout_s:.0f} s: {late}")
            if waiting:
                time.sleep(0.02)

    def _start_exchange(self) -> None:
        assert self._guard is not None
        group = self._guard.pid
        command = [sys.executable, "-m", "sipp_scenarios.exchange", "--listen", self._listen]
        command += ["--numbers", str(self._numbers.resolve()), "--home", self._home]
        command += ["--log", str(self._invites_csv.resolve())]
        if self._trace_calls:
            command += ["--wire-log", str(self._wire_csv.resolve())]
        for name in self._callee_names:
            command += ["--callee", f"{name}=127.0.0.1:{self._processes[name].port}"]
        path = os.pathsep.join(filter(None, (str(FOLDER.parent), os.environ.get("PYTHONPATH"))))
        errors = self.work_dir / "exchange.stderr.log"
        with errors.open("wb") as stderr:
            self._exchange = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": path},
                preexec_fn=lambda: os.setpgid(0, group),
            )
        assert self._exchange.stdout is not None
        ready, _, _ = select.select([self._exchange.stdout], [], [], _START_S)
        line = self._exchange.stdout.readline().decode() if ready else ""
        if not line.startswith("ready "):
            raise FieldError(f"the exchange did not start: {errors.read_text()[-600:].strip()}")
        self._proxy = line.split()[1]

    def stop(self) -> None:
        """End all processes. May be called twice."""
        if self._guard is not None:
            self._end_group(self._guard)
            self._guard = None
        if self._own_dir:
            shutil.rmtree(self.work_dir, ignore_errors=True)

    def _end_group(self, guard: subprocess.Popen[bytes]) -> None:
        """TERM for all, so that SIPp writes its last statistics; then KILL for what is left."""
        os.killpg(guard.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + _END_S
        for process in self._processes.values():
            process.wait_for_end(max(0.0, deadline_s - time.monotonic()))
        os.killpg(guard.pid, signal.SIGKILL)
        for process in self._processes.values():
            process.wait_for_end(10.0)
        if self._exchange is not None:
            self._exchange.wait(10.0)
            assert self._exchange.stdout is not None
            self._exchange.stdout.close()
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(10.0)

    @property
    def _invites_csv(self) -> Path:
        return self.work_dir / "invites.csv"

    @property
    def _wire_csv(self) -> Path:
        return self.work_dir / "wire.csv"

    def invites(self) -> list[Invite]:
        """All INVITEs the exchange has received so far, in order, repeats included."""
        with self._invites_csv.open(encoding="utf-8", newline="") as file:
            return [
                Invite(
                    at=datetime.fromisoformat(row["time_utc"]),
                    unix_time=float(row["unix_time"]),
                    number=row["number"],
                    call_id=row["call_id"],
                    callee=row["callee"],
                    repeat=row["repeat"] == "1",
                )
                for row in csv.DictReader(file)
            ]

    def wire(self) -> list[Signal]:
        """What followed the INVITEs so far, in order, nothing twice. Only with trace_calls."""
        with self._wire_csv.open(encoding="utf-8", newline="") as file:
            return [
                Signal(float(row["unix_time"]), row["call_id"], row["side"], row["what"])
                for row in csv.DictReader(file)
            ]

    def keys_sent(self) -> list[KeySent]:
        """When callees had pressed and released a key, of those that tell it (presses-9)."""
        found = []
        for process in self._processes.values():
            if process.keys.is_file():
                for line in process.keys.read_text(encoding="utf-8", errors="replace").splitlines():
                    if len(words := line.split()) != 3:
                        continue  # being written
                    seconds, microseconds, call_id = words
                    unix_time = float(seconds) + float(microseconds) / 1e6
                    found.append(KeySent(unix_time, call_id, process.name))
        return sorted(found, key=lambda key: key.unix_time)

    def statistics(self) -> dict[str, CalleeStatistics]:
        """Counts of each callee and agent; up to a second old."""
        return {name: process.statistics() for name, process in self._processes.items()}

    def check_alive(self) -> None:
        """FieldError when the exchange, a callee or an agent has ended."""
        for process in self._processes.values():
            if process.ended is not None:
                raise FieldError(f"SIPp {process.name}.xml ended: {process.complaint()}")
        if self._exchange is not None and self._exchange.poll() is not None:
            raise FieldError("the exchange ended: see exchange.stderr.log")
