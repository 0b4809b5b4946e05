"""A real daemon calls over a real switch; what it noted of it is decided again, in a process of its
own."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duecall.shell.journal import GATHER_S
from duecall.shell.journal_file import segments_in
from duecall.shell.loopback_site import SwitchKind
from tests.e2e.world import World, rows_with

CALLEES = ("presses-1", "presses-2", "presses-9", "listens", "busy", "busy|presses-1")


@pytest.fixture
def world(switch_kind: SwitchKind, tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, switch_kind, rows_with(*CALLEES)) as world:
        world.start_everything()
        yield world


def verdict(world: World) -> dict[str, Any]:
    done = world.site.duecall("replay", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def shown(world: World) -> list[str]:
    done = world.site.duecall("replay", "--show")
    assert done.returncode == 0, done.stdout + done.stderr
    lines: list[str] = done.stdout.splitlines()
    return lines


def test_a_campaign_is_decided_again_as_it_was(world: World) -> None:
    world.wait_finished()
    outcomes = Counter(row["outcome"] for row in world.report())
    while_it_runs = verdict(world)
    assert while_it_runs["segments"][-1]["ending"] in ("open", "torn")
    world.site.stop_daemon()
    (only,) = verdict(world)["segments"]
    assert only["ending"] == "closed"
    lines = shown(world)
    settled = Counter(
        word.removeprefix("outcome=")
        for line in lines
        for word in line.rstrip().split()
        if word.startswith("outcome=")
    )
    assert settled == outcomes
    assert sum(line.count(" Originate ") for line in lines) == sum(world.rings().values())
    everything = b"".join(
        path.read_bytes() for path in segments_in(world.site.path("var") / "journal")
    )
    for row in world.rows:
        assert row.number.encode() not in everything
        assert row.number[1:] not in "\n".join(lines)


def test_after_a_kill_its_journal_ends_early_and_a_new_one_begins(world: World) -> None:
    world.wait(lambda status: status["sent"] >= 3)
    time.sleep(3 * GATHER_S)  # what is younger is lost with it
    world.site.kill_daemon()
    world.site.start_daemon()
    world.wait_finished()
    world.site.stop_daemon()
    first, second = verdict(world)["segments"]
    assert first["ending"] in ("open", "torn")
    assert second["ending"] == "closed"
    assert first["events"] > 5
    assert any(" AttemptsRecovered " in line for line in shown(world))
