"""Waiting until a process that was just started is ready; and what became of it when it is not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# Only a hung start waits so long: a slow machine is given its time, and an end is seen at once.
START_S = 180.0
_SAID_CHARACTERS = 4_000


def wait_for_start(
    name: str,
    process: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    log: Path,
    within_s: float = START_S,
) -> None:
    """Returns when ready() holds. RuntimeError when it has ended or is late: with its exit code or
    what it is at, and the end of its log."""
    deadline = time.monotonic() + within_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text("utf-8", "replace").strip() if log.is_file() else ""
            said = said[-_SAID_CHARACTERS:] or "it said nothing"
            raise RuntimeError(f"{name} did not start: {_what_became(process, within_s)}:\n{said}")
        time.sleep(0.05)


def _what_became(process: subprocess.Popen[bytes], within_s: float) -> str:
    code = process.returncode
    if code is not None:
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with code {code}"
    load, used_s = os.getloadavg()[0], _processor_s(process.pid)
    used = "" if used_s is None else f"has used {used_s:.1f} s of processor time, "
    return (
        f"after {within_s:.0f} s it still runs, {used}and is not ready "
        f"(load of the machine: {load:.0f} on {os.cpu_count()} processors)"
    )


def _processor_s(pid: int) -> float | None:
    """None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
