"""The field starts, says what is missing, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sipp_scenarios.field import Field, FieldError
from sipp_scenarios.timing import Timing
from tests.sipp_scenarios.sip_caller import Caller

ROOT = Path(__file__).resolve().parents[2]


def _running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _children(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.add(int(entry.name))
    return found


def _wait_gone(pids: set[int]) -> None:
    deadline_s = time.monotonic() + 15.0
    while any(_running(pid) for pid in pids):
        assert time.monotonic() < deadline_s, [pid for pid in pids if _running(pid)]
        time.sleep(0.05)


def test_ends_its_processes_and_removes_its_folder() -> None:
    before = _children(os.getpid())
    with Field(callees=["listens"], agents=["agent-busy"], timing=Timing(ring_ms=0)) as field:
        started = _children(os.getpid()) - before
        with Caller(field.proxy, "+84900000104") as caller:  # a call still up at the end
            caller.talk()
        folder = field.work_dir
    assert len(started) >= 4  # guard, exchange, callee, agent
    assert not folder.exists()
    assert not any(_running(pid) for pid in started)


def test_a_callee_that_was_not_started_is_congestion_and_not_silence() -> None:
    with Field(callees=["busy"], agents=[]) as field, Caller(field.proxy, "+84900000104") as caller:
        caller.invite()
        final = caller.wait()
        assert final.status == 503
        assert "listens was not started" in final.header("Warning")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ends_with_the_program_that_holds_it(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sipp_scenarios", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--work-dir", str(tmp_path / "logs")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(4)]
        started = _children(program.pid)
        os.kill(program.pid, number)
    assert [line.split()[0] for line in lines] == ["proxy", "agent", "agent", "logs"]
    assert len(started) > 15
    _wait_gone(started)


def test_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FieldError, match="sip-tester"):
        Field(tmp_path / "work").start()


def test_an_unknown_callee_is_named_with_the_known_ones() -> None:
    with pytest.raises(FieldError, match=r"no scenario 'sings'.*presses-1"):
        Field(callees=["sings"]).__enter__()


def test_a_taken_address_is_an_error_that_says_so() -> None:
    with (
        Field(callees=["busy"], agents=[]) as first,
        pytest.raises(FieldError, match="already in use"),
        Field(callees=["busy"], agents=[], listen=first.proxy),
    ):
        pass
