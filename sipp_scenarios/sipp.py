"""One SIPp process: a callee or an agent. Command line, ports, readiness, statistics."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sipp_scenarios.number_plan import FOLDER

# These send back what they hear; the others send sounds of their own, or none (bench-answer).
ECHOING = frozenset({"soak-listens"})

_GLOBALS = re.compile(r'<Global variables="([^"]*)"/>')
_CAP_NET_RAW = 13  # Linux capability bit: play_pcap_audio sends through a raw socket


class FieldError(RuntimeError):
    """The callees cannot be started: says what is missing and the remedy."""


@dataclass(frozen=True)
class CalleeStatistics:
    """Counts of one SIPp process, as of its last report (each second)."""

    calls: int
    successful: int
    failed: int  # a SIP dialogue that went otherwise than the scenario foresees


def find_sipp() -> str:
    """Path of `sipp`, able to play sound. FieldError with the remedy otherwise."""
    path = shutil.which("sipp")
    if path is None:
        raise FieldError("`sipp` is not installed: apt-get install sip-tester (Debian, Ubuntu)")
    if not _may_use_raw_sockets(path):
        raise FieldError(
            "SIPp may not send sound: it needs raw sockets. "
            f"Run as root, or once: sudo setcap cap_net_raw+ep {os.path.realpath(path)}"
        )
    return path


def _may_use_raw_sockets(path: str) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.M)
    if found is not None and int(found.group(1), 16) >> _CAP_NET_RAW & 1:
        return True
    try:
        return bool(os.getxattr(os.path.realpath(path), "security.capability"))
    except OSError:
        return False


def scenario_names() -> set[str]:
    """All callees and agents there are: the XML files beside this one."""
    return {path.stem for path in FOLDER.glob("*.xml")}


class SippProcess:
    """One scenario, listening on a port of its own on 127.0.0.1."""

    def __init__(
        self,
        sipp: str,
        name: str,
        work_dir: Path,
        variables: Mapping[str, int],
        process_group: int,
        trace_messages: bool = False,
    ) -> None:
        """variables: value of each global variable a scenario may have, in ms.

        work_dir must hold the scenario's sounds. The process joins process_group.
        """
        source = FOLDER / f"{name}.xml"
        if not source.is_file():
            known = ", ".join(sorted(scenario_names()))
            raise FieldError(f"no scenario {name!r} in {FOLDER}; there are: {known}")
        self.name = name
        self._work_dir = work_dir
        self._stats = work_dir / f"{name}.stats.csv"
        self.errors = work_dir / f"{name}.errors.log"
        self.keys = work_dir / f"{name}.keys.log"  # of scenarios that tell when a key was sent
        self._stderr = work_dir / f"{name}.stderr.log"
        # SIPp looks for sounds beside the scenario first.
        scenario = work_dir / source.name
        shutil.copyfile(source, scenario)
        self._command = [
            *(sipp, "-sf", str(scenario)),
            *("-i", "127.0.0.1", "-bind_local", "-mi", "127.0.0.1", "-ci", "127.0.0.1"),
            *("-nostdin", "-aa"),
            *("-watchdog_interval", "0"),  # or SIPp ends itself on a machine that is busy
            *("-trace_err", "-error_file", str(self.errors)),
            *("-trace_stat", "-stf", str(self._stats), "-fd", "1"),
        ]
        if name in ECHOING:
            self._command.append("-rtp_echo")
        if trace_messages:
            messages = work_dir / f"{name}.messages.log"
            self._command += ["-trace_msg", "-message_file", str(messages)]
        text = source.read_text(encoding="utf-8")
        if "<log " in text:
            self._command += ["-trace_logs", "-log_file", str(self.keys)]
        found = _GLOBALS.search(text)
        for variable in found.group(1).split(",") if found else ():
            if variable not in variables:
                raise FieldError(f"{source.name} wants the variable {variable}, which has no value")
            self._command += ["-set", variable, str(variables[variable])]
        self._group = process_group
        self._process: subprocess.Popen[bytes] | None = None
        self.port = self._last_port = 0

    def start(self) -> None:
        """Start on free ports. To be called again when it ended: a port was taken meanwhile."""
        self.port = _free_udp_ports(1)
        media = _free_udp_ports(3)  # RTP, RTCP, video
        self._last_port = _free_udp_ports(1)  # for remote control: SIPp takes it after all others
        ports = ["-p", str(self.port), "-mp", str(media), "-cp", str(self._last_port)]
        group = self._group
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*self._command, *ports],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the screen
                stderr=stderr,
                cwd=self._work_dir,
                env={**os.environ, "TERM": "dumb"},
                preexec_fn=lambda: os.setpgid(0, group),
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Exit code, or None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def listens(self) -> bool:
        """With all its ports: it ends when one that it wants later is taken."""
        ports = (self.port, self._last_port)
        return self.ended is None and all(udp_port_is_bound(port) for port in ports)

    def complaint(self) -> str:
        """The last of what SIPp said before it ended."""
        texts = [p.read_text(errors="replace") for p in (self._stderr, self.errors) if p.is_file()]
        return " ".join(texts)[-600:].strip() or "no message"

    def wait_for_end(self, timeout_s: float) -> bool:
        """Whether it has ended within timeout_s."""
        assert self._process is not None
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def statistics(self) -> CalleeStatistics:
        """From the last line of SIPp's statistics file; zeros before the first."""
        last: dict[str, str] = {}
        if self._stats.is_file():
            with self._stats.open(encoding="utf-8", errors="replace", newline="") as file:
                for row in csv.DictReader(file, delimiter=";"):
                    if row.get("FailedCall(C)"):  # else: half a line, being written
                        last = {key: value or "" for key, value in row.items() if key}
        return CalleeStatistics(
            calls=int(last.get("IncomingCall(C)", 0)),
            successful=int(last.get("SuccessfulCall(C)", 0)),
            failed=int(last.get("FailedCall(C)", 0)),
        )


def _free_udp_ports(count: int) -> int:
    """First of `count` neighbouring free ports of 127.0.0.1, an even one where count > 1 (RTP)."""
    for _ in range(200):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if count == 1:
                return port
            if port % 2 or port + count > 65_535:
                continue
            if all(_is_free(port + step) for step in range(1, count)):
                return port
    raise FieldError(f"no {count} free UDP ports in a row on 127.0.0.1; end what holds them")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def udp_port_is_bound(port: int) -> bool:
    """Whether some process listens there. Reads the kernel's table: touches nothing."""
    wanted = f":{port:04X}"
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(line.split()[1].endswith(wanted) for line in table.readlines()[1:])
