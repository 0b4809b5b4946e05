"""Two daemons, each with a switch of its own, share a campaign on one PostgreSQL; one is killed."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from duecall.core.report import AttemptRecord
from duecall.shell import control
from duecall.shell.loopback_site import LoopbackSite, SwitchKind
from duecall.shell.store import Store
from duecall.shell.vault import Vault
from sipp_scenarios.number_plan import Row
from tests.e2e.world import NUMBERS, World
from tests.postgres_server import PostgresServer

LONG = ("soak-listens", "bench-answer", "not-reachable", "answers-late", "answering-machine")
AGENTS = ("presses-1", "presses-1-early", "presses-1-and-2")  # each daemon knows its own alone
LEFT_OUT = (*LONG, *AGENTS)
NO_CALL = ("unknown", "technical", "congestion")  # the attempt may have died before its INVITE


def some_of_each() -> list[Row]:
    """Vietnamese numbers: two of each kind of callee, without those that take long."""
    kinds: Counter[str] = Counter()
    rows = []
    for row in NUMBERS.values():
        kind = "|".join(row.callees)
        kinds[kind] += 1
        wanted = row.number.startswith("+849") and not any(c in LEFT_OUT for c in row.callees)
        if wanted and kinds[kind] <= 2:
            rows.append(row)
    return rows


@pytest.fixture
def world(
    switch_kind: SwitchKind, tmp_path: Path, postgres_server: PostgresServer
) -> Iterator[World]:
    with World(
        tmp_path,
        switch_kind,
        some_of_each(),
        channels=4,
        calls_per_second=3,
        database=postgres_server.create_database(),
    ) as world:
        yield world


def second_site(world: World) -> LoopbackSite:
    """Another installation: a copy of the key and of nothing else."""
    site = LoopbackSite(
        world.folder / "second",
        world.kind,
        proxy=world.field.proxy,
        agents=[world.field.agents[name] for name in world.agents],
        channels=4,
        calls_per_second=3,
        agent_ring_s=5,
        agent_wait_s=15,
        tts_cache=world.site.path("tts_cache"),
        database=world.database,
    )
    shutil.copy(world.site.path("var") / "duecall.key", site.path("var") / "duecall.key")
    return site


def status(site: LoopbackSite) -> dict[str, Any]:
    return control.ask(site.path("var") / "duecall.sock", {"do": "status"})


def attempts(world: World) -> list[AttemptRecord]:
    vault = Vault.load(world.site.path("var") / "duecall.key", {})
    store = Store(world.database, vault, "demo", "a test")
    try:
        return list(store.attempts("quick", unseal=True))
    finally:
        store.close()


def until(check: Any, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.2)


def test_one_of_two_daemons_dies_in_mid_campaign_and_nobody_is_called_by_two(
    world: World,
) -> None:
    first = world.site
    first.start_switch()
    first.start_daemon()
    second = second_site(world)
    try:
        second.start_switch()
        second.start_daemon()
        world.start_campaign()  # said to one of them
        until(lambda: status(first)["sent"] >= 5 and status(second)["sent"] >= 5, 60)
        until(lambda: status(first)["live"].get("answered", 0) >= 1, 60)
        sent = status(second)["sent"]
        first.kill_daemon()
        # The other goes on, also with what the dead one had claimed.
        until(lambda: status(second)["sent"] >= sent + 5, 60)
        until(lambda: held_by(world) <= {own_name(second)}, 60)
        first.start_daemon()
        until(lambda: finished(world), 180)
        found = attempts(world)
        assert status(first)["sent"] + status(second)["sent"] >= 10
        assert status(first)["alarms"] == status(second)["alarms"] == []
    finally:
        second.stop()
    every_contact_has_one_outcome(world, found)
    no_number_is_in_two_calls(found)
    every_invite_has_an_earlier_attempt(world, found)


def own_name(site: LoopbackSite) -> str:
    return (site.path("var") / "daemon.id").read_text().strip()


def rows_of(world: World, sql: str) -> list[tuple[Any, ...]]:
    vault = Vault.load(world.site.path("var") / "duecall.key", {})
    store = Store(world.database, vault, "demo", "a test")
    try:
        return list(store._database.run(sql).fetchall())
    finally:
        store.close()


def held_by(world: World) -> set[str]:
    return {name for (name,) in rows_of(world, "SELECT held_by FROM target WHERE state = 'held'")}


def finished(world: World) -> bool:
    return rows_of(world, "SELECT state FROM campaign") == [("finished",)]


def every_contact_has_one_outcome(world: World, found: list[AttemptRecord]) -> None:
    assert all(attempt.outcome is not None for attempt in found)
    states = Counter(rows_of(world, "SELECT state FROM target"))
    assert states == {("done",): len(world.rows)}
    last = {attempt.phone: attempt for attempt in sorted(found, key=lambda one: one.number)}
    expected = {row.number: row.expected_outcome for row in world.rows}
    got = {number: last[number].outcome.value for number in expected}  # type: ignore[union-attr]
    # Where no evidence was left, it says so; nothing else may differ.
    other = {n: got[n] for n in expected if got[n] not in (expected[n], *NO_CALL)}
    assert other == {}
    assert sum(got[number] != expected[number] for number in expected) <= 4
    both = Counter(trunk_of for (trunk_of,) in rows_of(world, "SELECT daemon FROM attempt"))
    assert len(both) == 2 and min(both.values()) >= 5, "both have called"


def no_number_is_in_two_calls(found: list[AttemptRecord]) -> None:
    by_number: dict[str, list[AttemptRecord]] = {}
    for attempt in found:
        by_number.setdefault(attempt.phone, []).append(attempt)
    for mine in by_number.values():
        mine.sort(key=lambda one: one.saved_at)
        assert [one.number for one in mine] == list(range(1, len(mine) + 1))
        for earlier, later in pairwise(mine):
            assert earlier.settled_at is not None
            assert earlier.settled_at <= later.saved_at


def every_invite_has_an_earlier_attempt(world: World, found: list[AttemptRecord]) -> None:
    """By what the callees received, whichever switch it came from."""
    invites = [invite for invite in world.field.invites() if not invite.repeat]
    planned = Counter(attempt.phone for attempt in found)
    rung = Counter(invite.number for invite in invites)
    assert not rung - planned
    may_be_silent = Counter(
        attempt.phone for attempt in found if attempt.outcome and attempt.outcome.value in NO_CALL
    )
    assert not (planned - rung) - may_be_silent
    for number in rung:
        saved = sorted(one.saved_at.timestamp() for one in found if one.phone == number)
        rang = sorted(invite.unix_time for invite in invites if invite.number == number)
        assert all(early <= late for early, late in zip(saved, rang, strict=False))
