"""What dies, and what then still holds: nobody is rung twice for one attempt, nothing is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from duecall.shell.loopback_site import SwitchKind
from tests.e2e.world import World, rows_with


@pytest.fixture
def world(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"faults-{switch_kind}")
    rows = rows_with("listens", "presses-2", "presses-9", "presses-1", "hangs-up-midway")
    with World(folder, switch_kind, rows) as world:
        yield world


def open_attempts(world: World) -> list[dict[str, str]]:
    return [row for row in world.report() if row["outcome"] == "open"]


def books_hold(world: World) -> None:
    """Every attempt has its outcome; every INVITE an attempt of its own. An attempt without an
    INVITE is one that died with the daemon or the switch, and says so."""
    attempts = world.report()
    assert not open_attempts(world)
    planned = Counter(row["phone"] for row in attempts)
    rung = Counter(world.rings())
    assert not rung - planned
    lost = Counter(
        row["phone"] for row in attempts if row["outcome"] in ("unknown", "technical", "congestion")
    )
    assert not (planned - rung) - lost


def test_a_switch_that_is_not_there_is_waited_for(world: World) -> None:
    world.site.start_daemon()
    world.start_campaign()
    status = world.wait(lambda s: s["switch"].startswith("not connected"))
    assert status["sent"] == 0
    world.site.start_switch()
    world.wait_finished()
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}


def test_a_wrong_password_is_said_with_its_place(world: World) -> None:
    world.site.start_switch()
    password = world.site.path("var") / "esl.password"
    password.write_text("not the right one at all")
    world.site.start_daemon()
    status = world.wait(lambda s: s["switch"].startswith("not connected"))
    assert "password" in status["switch"]
    assert "esl.password" in status["switch"]
    assert "not the right one" not in (world.folder / "daemon.log").read_text()


def test_a_killed_daemon_finds_its_calls_again_and_rings_nobody_twice(world: World) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 3)
    world.site.kill_daemon()
    world.site.start_daemon()
    world.wait_finished()
    books_hold(world)
    # The calls went on without the daemon, and what was pressed in them is known.
    outcomes = world.last_outcomes()
    (opted_out,) = rows_with("presses-9")
    (paid,) = rows_with("presses-2")
    assert outcomes[opted_out.number] == "opted_out"
    assert outcomes[paid.number] == "claims_paid"


def test_a_killed_switch_leaves_no_attempt_open(world: World) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 2)
    os.killpg(world.site.switch_pid, signal.SIGKILL)
    world.site.stop_switch()
    world.wait(lambda s: s["switch"].startswith("not connected"))
    world.site.start_switch()
    world.wait(lambda s: s["switch"] == "connected" and not s["live"])
    books_hold(world)
    outcomes = Counter(row["outcome"] for row in world.report())
    assert outcomes["unknown"] >= 2


def test_sigterm_lets_live_calls_end_and_loses_none(world: World) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 3)
    assert world.site.stop_daemon(timeout_s=60) == 0
    assert world.report()
    books_hold(world)
