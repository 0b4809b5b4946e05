"""A process that does not start says what became of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duecall.shell.loopback_site import rtp_range
from duecall.shell.process_start import wait_for_start

Started = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    running: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("wb") as log:
            running.append(subprocess.Popen([sys.executable, "-c", program], stderr=log))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def _never() -> bool:
    return False


def test_one_that_becomes_ready_is_waited_for(started: Started, tmp_path: Path) -> None:
    made = tmp_path / "made"
    process = started(f"import time; time.sleep(0.3); open({str(made)!r}, 'w'); time.sleep(60)")
    wait_for_start("it", process, made.exists, tmp_path / "log")
    assert process.poll() is None


def test_an_exit_code_and_the_last_words_are_told(started: Started, tmp_path: Path) -> None:
    process = started("import sys; sys.exit('the port is taken')")
    with pytest.raises(RuntimeError, match="it did not start: it ended with code 1:\nthe port"):
        wait_for_start("it", process, _never, tmp_path / "log")


def test_a_death_without_a_word_is_told_from_slowness(started: Started, tmp_path: Path) -> None:
    process = started("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(RuntimeError, match="it was killed by signal 9:\nit said nothing"):
        wait_for_start("it", process, _never, tmp_path / "log")


def test_one_that_is_late_tells_how_much_it_could_work(started: Started, tmp_path: Path) -> None:
    process = started("import time; time.sleep(60)")
    told = r"after 1 s it still runs, has used \d+\.\d s of processor time, and is not ready"
    with pytest.raises(RuntimeError, match=told):
        wait_for_start("it", process, _never, tmp_path / "log", within_s=1.0)


def test_two_sites_on_one_machine_never_share_ports_for_sound() -> None:
    """Not even while no call of the other holds one: its callees may still send to them."""
    mine = rtp_range()
    program = "from duecall.shell import loopback_site as site; site._slot = {slot}; "
    program += "print(*site.rtp_range())"
    slot = (mine[0] - 10_000) // 800
    done = subprocess.run(
        [sys.executable, "-c", program.format(slot=slot)],
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = (int(word) for word in done.stdout.split())
    assert last < mine[0] or first > mine[1]
