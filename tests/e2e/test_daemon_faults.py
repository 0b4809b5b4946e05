"""The daemon and what it stands on: stopped and continued, told to end, its database locked, its
disk full. What is said of it in `status`, and that the books hold afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duecall.shell import loopback_site
from duecall.shell.loopback_site import SwitchKind
from sipp_scenarios.number_plan import Row
from tests.e2e.test_faults import books_hold, open_attempts
from tests.e2e.world import NUMBERS, RETRIED, World, rows_with
from tests.small_disk import small_disk

CPS = 2
DISK_MB = 24


def vietnamese(count: int) -> list[Row]:
    rows = [row for row in NUMBERS.values() if row.number.startswith("+849000001")]
    assert len(rows) >= count
    return rows[:count]


def shortest_s_of(world: World, count: int) -> float:
    """The shortest time in which so many calls were sent, by the daemon's own books: on the wire a
    busy machine adds to one call what it takes from the next."""
    with contextlib.closing(sqlite3.connect(world.site.path("var") / "duecall.db")) as database:
        found = database.execute("SELECT sent_at FROM attempt WHERE sent_at > 0 ORDER BY sent_at")
        sent_us = [row[0] for row in found]
    assert len(sent_us) >= count
    return min(b - a for a, b in zip(sent_us, sent_us[count - 1 :], strict=False)) / 1e6


def alarms(world: World) -> list[str]:
    return [alarm["what"] for alarm in world.status()["alarms"]]


@pytest.fixture
def world(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"daemon-faults-{switch_kind}")
    rows = rows_with("listens", "presses-2", "presses-9", "presses-1", "hangs-up-midway")
    with World(folder, switch_kind, rows) as world:
        yield world


def test_a_daemon_that_was_stopped_for_a_minute_does_not_make_up_for_it(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(f"stopped-{switch_kind}")
    with World(folder, switch_kind, vietnamese(14), calls_per_second=CPS) as world:
        world.start_everything()
        world.wait(lambda s: s["sent"] >= 4)
        pid = world.site.daemon_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(61)
        finally:
            os.kill(pid, signal.SIGCONT)
        world.wait_finished(timeout_s=180)
        assert "the daemon stood still" in alarms(world)
        books_hold(world)
        assert shortest_s_of(world, CPS + 1) >= 0.999
        # What ended meanwhile is known.
        assert not [row for row in world.report() if row["outcome"] == "unknown"]


SET_CLOCK = """
import sys
from datetime import timedelta
from pathlib import Path
from gevent import monkey
monkey.patch_all()
from duecall.core.moment import Moment
from duecall.shell import clock
real, offset = clock.now, Path({path!r})
def now():
    moment = real()
    return Moment(moment.wall + timedelta(seconds=float(offset.read_text())), moment.mono_s)
clock.now = now  # before anybody takes it by its name
from duecall.cli import main
main()
"""


@pytest.mark.parametrize("step_s", [90_000, -3_600], ids=["a day on", "an hour back"])
def test_a_wall_clock_that_is_set_neither_stops_nor_hurries_the_calling(
    switch_kind: SwitchKind,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    step_s: int,
) -> None:
    """The daemon's own clock is set, not the machine's: that needs rights, and reaches others."""
    folder = tmp_path_factory.mktemp(f"clock-{switch_kind}")
    offset, program = folder / "offset", folder / "daemon.py"
    offset.write_text("0")
    program.write_text(SET_CLOCK.format(path=str(offset)))
    # None that is tried again: after a step back, who waits for a retry waits the longer for it.
    rows = [row for row in vietnamese(15) if row.expected_outcome not in RETRIED][:10]
    with World(folder, switch_kind, rows, calls_per_second=CPS) as world:
        world.site.start_switch()
        with monkeypatch.context() as patch:
            patch.setattr(loopback_site, "COMMAND", (sys.executable, str(program)))
            world.site.start_daemon()
        world.start_campaign()
        world.wait(lambda s: s["live"].get("answered", 0) >= 1 and s["sent"] < len(rows) - 2)
        offset.write_text(str(step_s))
        world.wait(lambda s: s["sent"] >= len(rows) and not s["live"])
        books_hold(world)
        assert "the clock was set, or the machine slept" in alarms(world)
        assert shortest_s_of(world, CPS + 1) >= 0.999
        outcomes = world.last_outcomes()
        wanted = {row.number: row.expected_outcome for row in rows}
        assert outcomes == {number: wanted[number] for number in outcomes}
        assert len(outcomes) == len(rows)


def test_a_drain_ends_in_its_time_and_leaves_the_rest_to_the_next_start(world: World) -> None:
    world.site.start_switch()
    world.site.start_daemon("--drain", "1")
    world.start_campaign()
    world.wait(lambda s: s["live"].get("answered", 0) >= 3)
    began = time.monotonic()
    assert world.site.stop_daemon(timeout_s=60) == 0
    assert time.monotonic() - began < 30  # it has no longer than 1 s for calls; the rest is ours
    assert open_attempts(world), "their calls go on in the switch"
    world.site.start_daemon()
    world.wait_finished()
    books_hold(world)
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}


def test_a_second_sigterm_ends_it_at_once_and_loses_nothing(world: World) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 3)
    daemon = world.site._daemon
    assert daemon is not None
    daemon.terminate()
    world.wait(lambda s: s["draining"])
    daemon.terminate()
    assert daemon.wait(20) == 0
    world.site._daemon = None
    assert open_attempts(world)
    world.site.start_daemon()
    world.wait_finished()
    books_hold(world)
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}


def test_a_database_that_another_program_holds_is_waited_for(world: World) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 2)
    path = world.site.path("var") / "duecall.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        held = world.wait(lambda s: s["database"], timeout_s=60)
        assert "database" in held["database"]
        assert held["database_waiting"] > 0
        world.wait(lambda s: "the database refuses to write" in alarms(world), timeout_s=60)
        rung = sum(world.rings().values())
        time.sleep(2)
        assert sum(world.rings().values()) == rung, "nothing becomes durable, so nobody is called"
        holder.execute("ROLLBACK")
    world.wait(lambda s: not s["database"] and not s["database_waiting"], timeout_s=60)
    world.wait_finished()
    books_hold(world)
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}


@pytest.fixture
def full_soon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("small-disk"), DISK_MB * 1024) as disk:
        yield disk


def test_a_full_disk_stops_the_calling_and_nothing_else(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory, full_soon: Path
) -> None:
    """The disk of the database alone; sounds and call records are elsewhere."""
    folder = tmp_path_factory.mktemp(f"full-disk-{switch_kind}")
    rows = rows_with("listens", "presses-9", "presses-2", "busy")
    (folder / "var").symlink_to(full_soon)
    with World(folder, switch_kind, rows, calls_per_second=1) as world:
        world.start_everything()
        world.wait(lambda s: s["live"].get("answered", 0) >= 1)
        ballast = full_soon / "ballast"
        _fill(ballast)
        full = world.wait(lambda s: s["database"], timeout_s=60)
        assert "full" in full["database"]
        assert "the database refuses to write" in alarms(world)
        shown = world.site.duecall("status").stdout
        assert "\ndatabase: " in shown and " changes wait for it" in shown
        ballast.unlink()
        world.wait(lambda s: not s["database"], timeout_s=60)
        world.wait_finished()
        books_hold(world)
        assert world.last_outcomes() == {row.number: row.expected_outcome for row in rows}


def _fill(path: Path) -> None:
    block: Any = bytes(4096)
    with path.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(block):
            pass
