"""The program itself: how it starts, how it refuses to, and what a dead worker does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.pocket_switch.pocket import PASSWORD, Pocket

SOURCES = Path(__file__).resolve().parents[2] / "daemon"


def _run(*arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """Without the installed packages (-S), as on a machine that has no pjsua2."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)}
    if password:
        environment["DUECALL_ESL_PASSWORD"] = password
    command = [sys.executable, "-S", "-m", "pocket_switch", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)


def test_without_pjsua2_it_names_the_remedy() -> None:
    done = _run()
    assert done.returncode == 2
    assert "NOT FreeSWITCH" in done.stderr
    assert "pjsua2-python" in done.stderr
    assert "--workers 0" in done.stderr


def test_without_a_password_it_does_not_start() -> None:
    done = _run("--workers", "0", password="")
    assert done.returncode == 2
    assert "--password-file" in done.stderr


def test_a_taken_port_is_named(tmp_path: Path, null_switch: Pocket) -> None:
    port = str(null_switch.port)
    done = _run("--workers", "0", "--esl-port", port, "--cdr", str(tmp_path / "cdr"))
    assert done.returncode == 1
    assert port in done.stderr


def test_the_password_is_read_from_a_file(tmp_path: Path) -> None:
    done = _run("--password-file", str(tmp_path / "none"), password="")
    assert str(tmp_path / "none") in done.stderr


@pytest.mark.switch
def test_calls_of_a_worker_that_dies_are_told_and_another_takes_its_place(tmp_path: Path) -> None:
    with Pocket(tmp_path, "--workers", "0") as switch:
        client = switch.client()
        leg = client.originate("null/1", "&park()")
        client.wait_for("CHANNEL_PARK", leg)
        (worker,) = psutil.Process(switch.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
        assert client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)["Hangup-Cause"] == "CRASH"
        assert client.api(f"uuid_exists {leg}") == "false"
        again = client.originate("null/1", "'hangup:' inline")
        assert client.job(again) == f"+OK {again}\n"


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    with Pocket(tmp_path, "--workers", "0") as switch:
        client = switch.client()
        client.wait_for("CHANNEL_PARK", client.originate("null/1", "&park()"))
        everyone = [psutil.Process(switch.pid), *psutil.Process(switch.pid).children()]
        assert len(everyone) == 2
    assert [one for one in everyone if one.is_running()] == []


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with Pocket(tmp_path, "--workers", "0") as switch:
        client = switch.client()
        client.wait_for("CHANNEL_PARK", client.originate("null/1", "&park()"))
        (worker,) = psutil.Process(switch.pid).children()
        os.kill(switch.pid, signal.SIGKILL)
        worker.wait(60)
        assert not worker.is_running()
