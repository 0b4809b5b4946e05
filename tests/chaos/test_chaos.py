"""The short form: everything dies a few times in a small campaign, and nothing is lost or twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from duecall.shell.loopback_site import SwitchKind
from tests.chaos.harness import ChaosRun, DatabaseKind, Settings
from tests.chaos.mayhem import Amounts, plan
from tests.postgres_server import why_no_postgres

AMOUNTS = Amounts(
    daemon_kills=4,
    switch_kills=2,
    database_kills=0,
    daemon_freezes=1,
    switch_freezes=1,
    database_freezes=0,
    drains=1,
    hurried=1,
    cuts=1,
    tears=1,
    stalls=1,
    frozen_max_s=3.0,
)
SEED, CONTACTS = 7, 28


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_twice(switch_kind: SwitchKind, tmp_path: Path) -> None:
    database: DatabaseKind = "sqlite"
    amounts = AMOUNTS
    if switch_kind == "freeswitch" and not why_no_postgres():
        database, amounts = "postgres", replace(AMOUNTS, database_kills=1, database_freezes=1)
    settings = Settings(tmp_path, switch_kind, amounts, SEED, CONTACTS, database)
    result = ChaosRun(settings).run()
    assert result.verdict.violations == [], f"all logs: {tmp_path}"
    # It would be easy to keep every law where nothing happens.
    assert result.hits["daemon", "killed"] >= AMOUNTS.daemon_kills
    assert result.hits["switch", "killed"] == AMOUNTS.switch_kills
    assert result.hits["database", "killed"] == amounts.database_kills
    assert result.with_calls["daemon", "killed"] >= 1
    assert result.calls >= CONTACTS // 2
    assert result.presses >= 1
    witnessed = result.verdict.notes["INVITEs whose attempt was seen in the database as they came"]
    assert witnessed >= result.calls // 2


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(AMOUNTS, 3) == plan(AMOUNTS, 3)
    assert plan(AMOUNTS, 3) != plan(AMOUNTS, 4)
    steps = plan(AMOUNTS, 3)["daemon"]
    assert sum(step.what == "kill" for step in steps) == AMOUNTS.daemon_kills
    assert [step.after for step in steps] == sorted(step.after for step in steps)
    assert steps[0].what == "kill" and steps[0].in_call
