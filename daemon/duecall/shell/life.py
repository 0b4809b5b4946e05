"""Which daemon this is, and which run of it, so that two are told apart that have one name.

A restart after a crash must not wait for the lease of the life before it; a second machine with a
copy of `var/` must not start at all, for both would settle each other's calls.
"""

from __future__ import annotations

import os
import platform
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
START_TIME = 19  # of the fields behind the name in /proc/PID/stat: since boot, in clock ticks


@dataclass(frozen=True, slots=True)
class Life:
    """machine: host and its boot. started: of the process, by the machine's own count."""

    machine: str
    pid: int
    started: str
    token: str

    def __str__(self) -> str:
        return "|".join((self.machine, str(self.pid), self.started, self.token))

    @classmethod
    def own(cls) -> Life:
        """A new one of this process."""
        return cls(_machine(), os.getpid(), _started(os.getpid()), secrets.token_hex(8))

    @classmethod
    def parse(cls, text: str) -> Life | None:
        parts = text.split("|")
        if len(parts) != 4 or not parts[1].isdigit():
            return None
        return cls(parts[0], int(parts[1]), parts[2], parts[3])

    @property
    def host(self) -> str:
        return self.machine.partition("/")[0]

    def is_known_dead(self) -> bool:
        """Its process was of this machine and is no more, or is this one. False: who knows."""
        if self.machine != _machine():
            return False
        return self.pid == os.getpid() or _started(self.pid) != self.started


@cache
def _machine() -> str:
    try:
        boot = BOOT_ID.read_text().strip()
    except OSError:  # not Linux
        boot = ""
    return f"{platform.node()}/{boot}".replace("|", "_")


def _started(pid: int) -> str:
    """Empty where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else _signalled(pid)
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[START_TIME]


def _signalled(pid: int) -> str:
    """Where there is no /proc: whether any process has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "some"


def own_daemon_id(var: Path) -> str:
    """Names this installation's channels in the switch. The same after a restart, so that a new
    daemon finds the calls of the old one."""
    path = var / "daemon.id"
    known = path.read_text().strip() if path.exists() else ""
    if not known:  # or cut off by a crash: an empty name would mean every daemon's channels
        known = os.urandom(4).hex()
        fresh = path.with_suffix(".new")
        fresh.write_text(known)
        os.replace(fresh, path)
    return known
