"""PostgreSQL goes away at the worst moments; several stores work on one database."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import gevent
import pytest

from duecall.core import commands as c
from duecall.core.outcome import Outcome
from duecall.shell import attempt_store as reasons
from duecall.shell import store_worker, target_store
from duecall.shell.database import StoreError, StoreLost
from duecall.shell.life import Life
from duecall.shell.store import ApplyResult, Store
from duecall.shell.store_worker import StoreWorker
from fs_scripts.contract import Brief
from tests.postgres_relay import Cut, Relay
from tests.postgres_server import GUARDED, PostgresServer, database_name
from tests.shell.store_world import (
    NAME,
    NOON,
    URL_FILE,
    attempt,
    campaign,
    loaded,
    open_store,
    outcome,
    row,
    rows,
    save,
    url_of,
)

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("database")]
HOUR = timedelta(hours=1)


def joined(folder: Path, daemon: str = "main") -> Store:
    store = open_store(folder, daemon)
    store.join(Life.own())
    return store


def books_agree(store: Store) -> None:
    """The maintained counts are those of the rows."""
    run = store._database.run
    counts = store.status_counts(NAME)
    assert counts.targets == Counter(s for (s,) in run("SELECT state FROM target").fetchall())
    outcomes = Counter(o or "live" for (o,) in run("SELECT outcome FROM attempt").fetchall())
    assert counts.live == outcomes.pop("live", 0)
    assert counts.outcomes == outcomes


# ---- the server goes away


@pytest.fixture
def relay(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Relay]:
    """Between the stores of this test and the server."""
    made = Relay(postgres_server.port)
    direct = (tmp_path / URL_FILE).read_text()
    (tmp_path / URL_FILE).write_text(direct.replace(str(postgres_server.port), str(made.port)))
    yield made
    made.close()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_batch_whose_commit_was_not_answered_is_written_once_and_answered(
    tmp_path: Path, relay: Relay, cut: Cut
) -> None:
    loaded(tmp_path, 12).close()
    store = joined(tmp_path)
    first, second, third, fourth = store.due_targets(NAME, NOON, 4)
    store.apply([save(second)])
    batch = [
        save(first),
        outcome(attempt(second), Outcome.OPTED_OUT),
        c.DeferTarget(third.as_target(Brief("", ())), NOON + HOUR, "closed"),
        c.ReleaseTargets(NAME, (fourth.id,)),
        c.LoadTargets(NAME, 3),
    ]
    relay.cut = cut
    with pytest.raises(StoreLost):
        store.apply(batch, NOON)
    assert relay.commits_cut == 1
    done = store.apply(batch, NOON)
    assert (done.saved, done.refused) == ([attempt(first).id], [])
    assert (done.settled, done.repeated) == ([attempt(second).id], [])
    assert done.stopped_numbers == [second.phone_hash]
    (load,) = done.loads
    held = "SELECT id FROM target WHERE state = 'held' ORDER BY rank"
    assert [(row.id,) for row in load.rows] == store._database.run(held).fetchall()
    assert len(load.rows) == 3, "what was claimed is known to the one who holds it"
    counts = store.status_counts(NAME)
    assert (counts.attempts, counts.live) == (2, 1)
    books_agree(store)
    # And the next batch is a new one.
    assert len(store.apply([save(load.rows[0])]).saved) == 1
    store.close()


def test_a_batch_whose_end_is_not_known_comes_before_any_other(
    tmp_path: Path, relay: Relay
) -> None:
    loaded(tmp_path, 3).close()
    store = joined(tmp_path)
    first, second = store.due_targets(NAME, NOON, 2)
    relay.cut = "after"
    with pytest.raises(StoreLost):
        store.apply([save(first)])
    with pytest.raises(RuntimeError, match="applied again first"):
        store.apply([save(second)])
    assert len(store.apply([save(first)]).saved) == 1
    assert len(store.apply([save(second)]).saved) == 1
    store.close()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_attempts_taken_over_are_told_also_where_the_commit_was_not_answered(
    tmp_path: Path, relay: Relay, cut: Cut
) -> None:
    loaded(tmp_path, 2).close()
    gone, other = joined(tmp_path, "d1"), joined(tmp_path, "d2")
    (target,) = gone.due_targets(NAME, NOON, 1)
    planned = attempt(target, NOON - timedelta(days=9))
    gone.save_attempts([planned])
    other._database.run("UPDATE daemon SET lease_until = 1 WHERE name = 'd1'")
    relay.cut = cut
    with pytest.raises(StoreLost):
        other.take_over({})
    found: list[str] = []
    for _ in range(100):  # the server may not have noticed yet that the first one is gone
        found += [one.id for one, _ in other.take_over({}).attempts]
        gevent.sleep(0.01)
    assert found == [planned.id]
    other.close()


class Worker:
    """A daemon's store thread; its answers gathered."""

    def __init__(self, folder: Path) -> None:
        self.done = ApplyResult()
        self.alarms: list[c.Alarm] = []
        self.worker = StoreWorker(lambda: joined(folder), self._take, self.alarms.append)

    def _take(self, done: ApplyResult) -> None:
        for name in ("saved", "refused", "settled", "repeated", "loads"):
            getattr(self.done, name).extend(getattr(done, name))

    def load(self, limit: int) -> list[target_store.TargetRow]:
        self.worker.put([c.LoadTargets(NAME, limit)])
        assert self.worker.flush(10)
        return self.done.loads[-1].rows


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(store_worker, "RETRY_S", 0.05)
    loaded(tmp_path, 40).close()
    made = Worker(tmp_path)
    yield made
    made.worker.close()


def test_a_connection_lost_in_the_middle_of_a_batch_costs_nothing(
    tmp_path: Path, world: Worker, postgres_server: PostgresServer
) -> None:
    targets = world.load(20)
    store = world.worker.store
    apply_one, broken = store._turn._apply_one, []

    def cut_in_the_middle(command: c.Command, done: ApplyResult, now: object) -> None:
        if len(done.saved) == 7 and not broken:
            broken.append(postgres_server.break_connections(database_name(url_of(tmp_path))))
        apply_one(command, done, now)  # type: ignore[arg-type]

    store._turn._apply_one = cut_in_the_middle  # type: ignore[method-assign]
    world.worker.put([save(target) for target in targets])
    world.worker.put([outcome(attempt(target)) for target in targets[:5]])
    assert world.worker.flush(20)
    assert broken == [1]
    assert [alarm.what for alarm in world.alarms] == ["the database refuses to write"]
    assert world.worker.trouble == ""
    assert world.done.saved == [attempt(target).id for target in targets]
    assert world.done.refused == world.done.repeated == []
    books_agree(store)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_what_comes_while_the_end_of_a_batch_is_not_known_waits_its_turn(
    relay: Relay, world: Worker, cut: Cut
) -> None:
    first, second, third = world.load(3)
    relay.cut = cut
    world.worker.put([save(first), save(second)])
    while not world.worker.trouble:
        gevent.sleep(0.005)
    world.worker.put([save(third), outcome(attempt(first))])
    assert world.worker.flush(20)
    assert relay.commits_cut == 1
    assert world.done.saved == [attempt(target).id for target in (first, second, third)]
    assert (world.done.settled, world.done.refused) == ([attempt(first).id], [])
    assert [alarm.what for alarm in world.alarms] == ["the database refuses to write"]
    books_agree(world.worker.store)


def test_a_server_that_is_killed_and_comes_back_has_all_that_was_reported(
    world: Worker, postgres_server: PostgresServer
) -> None:
    targets = world.load(40)
    for target in targets[:20]:
        world.worker.put([save(target)])
        gevent.sleep(0.01)
    reported = list(world.done.saved)
    assert reported
    postgres_server.kill()
    world.worker.put([save(target) for target in targets[20:]])
    assert not world.worker.flush(0.5)
    assert "StoreLost" in world.worker.trouble
    postgres_server.start()
    assert world.worker.flush(30)
    assert world.worker.trouble == ""
    assert sorted(world.done.saved) == sorted(attempt(target).id for target in targets)
    kept = {record.id for record in world.worker.store.attempts(NAME)}
    assert set(reported) <= kept == set(world.done.saved)
    books_agree(world.worker.store)


def test_a_question_after_a_restart_of_the_server_is_answered(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    store = loaded(tmp_path, 3)
    postgres_server.restart()
    assert store.status_counts(NAME).targets == {"ready": 3}
    postgres_server.restart()
    store.set_campaign_state(NAME, "running")
    assert [known.state.value for known in store.campaigns()] == ["running"]
    store.close()


def test_a_frozen_server_is_told_as_trouble_and_holds_up_only_the_store(
    world: Worker, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_worker, "SLOW_S", 0.1)
    targets = world.load(2)
    postgres_server.freeze()
    try:
        world.worker.put([save(targets[0])])
        assert not world.worker.flush(0.5)  # and the hub runs: this has returned
        assert "no answer from the database" in world.worker.trouble
    finally:
        postgres_server.thaw()
    assert world.worker.flush(20)
    assert world.worker.trouble == ""
    assert world.done.saved == [attempt(targets[0]).id]


def test_a_server_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    url = "postgresql://duecall@127.0.0.1:9/nowhere"
    (tmp_path / URL_FILE).write_text(url)
    with pytest.raises(StoreLost, match=r"127\.0\.0\.1:9/nowhere cannot be reached"):
        open_store(tmp_path)


def test_the_password_comes_from_the_environment_and_its_lack_is_told_with_the_remedy(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(tmp_path, 1).close()
    name = database_name(url_of(tmp_path))
    found = postgres_server.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{GUARDED}'")
    if not found:
        postgres_server.sql(f"CREATE ROLE {GUARDED} LOGIN SUPERUSER PASSWORD 'open sesame'")
    (tmp_path / URL_FILE).write_text(postgres_server.url(name, GUARDED))
    with pytest.raises(StoreError, match="DUECALL_DATABASE_PASSWORD or PGPASSWORD"):
        open_store(tmp_path)
    monkeypatch.setenv("DUECALL_DATABASE_PASSWORD", "wrong")
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path)
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("DUECALL_DATABASE_PASSWORD", "open sesame")
    open_store(tmp_path).close()


# ---- several stores at once


def test_two_stores_never_hand_out_one_target_twice(tmp_path: Path) -> None:
    loaded(tmp_path, 1_500).close()
    start = threading.Barrier(3)
    overlaps = []

    def claim(daemon: str) -> list[int]:
        store = joined(tmp_path, daemon)
        taken: list[int] = []
        start.wait()
        while rows := store.due_targets(NAME, NOON, 9):
            taken += [row.id for row in rows]
            overlaps.append(daemon)
        store.close()
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(claim, ("a", "b", "c")))
    everyone = [target for mine in taken for target in mine]
    assert len(everyone) == len(set(everyone)) == 1_500
    assert all(len(mine) > 100 for mine in taken), "they did work at the same time"
    turns = sum(first != second for first, second in pairwise(overlaps))
    assert turns > 20
    store = open_store(tmp_path)
    assert store.status_counts(NAME).targets == {"held": 1_500}
    books_agree(store)


def test_what_another_is_claiming_is_passed_over_and_not_waited_for(tmp_path: Path) -> None:
    one, two = loaded(tmp_path, 6), open_store(tmp_path, "second")
    key = one._campaigns.key(NAME)
    with one._database.writing():
        first = [row.id for row in one._targets.take_due(key, NOON, 3)]
        second = [row.id for row in two.due_targets(NAME, NOON, 3)]
    assert first and second and not set(first) & set(second)


def test_law_l1_two_stores_that_call_one_number_at_the_same_moment(tmp_path: Path) -> None:
    one, two = open_store(tmp_path), open_store(tmp_path, "second")
    one.put_campaign(campaign(), "x")
    phone = "+84900000001"
    one.import_rows(NAME, [row(1, phone=phone), row(2, phone=phone, name="Another")])
    one.rank(NAME)
    (mine,), (theirs,) = one.due_targets(NAME, NOON, 1), two.due_targets(NAME, NOON, 1)
    with ThreadPoolExecutor(1) as pool:
        with one._database.writing():
            assert one._attempts.save(attempt(mine)) is None
            waiting = pool.submit(two.apply, [save(theirs)])
            gevent.sleep(0.3)
            assert not waiting.done(), "the second waits for what becomes of the first"
        assert waiting.result(20).refused == [(attempt(theirs).id, reasons.NUMBER_LIVE, False)]
    one.apply([outcome(attempt(mine))])
    assert len(two.apply([save(theirs)]).saved) == 1
    books_agree(one)


def test_law_l4_an_opt_out_in_one_store_reaches_an_attempt_that_waits_in_another(
    tmp_path: Path,
) -> None:
    """The number's first call ends with an opt-out just when the second one is saved."""
    one, two = open_store(tmp_path), open_store(tmp_path, "second")
    one.put_campaign(campaign(), "x")
    phone = "+84900000001"
    one.import_rows(NAME, [row(1, phone=phone), row(2, phone=phone, name="Another")])
    one.rank(NAME)
    (mine,), (theirs,) = one.due_targets(NAME, NOON, 1), two.due_targets(NAME, NOON, 1)
    one.apply([save(mine)])
    with ThreadPoolExecutor(1) as pool:
        with one._database.writing():
            one._turn._apply_one(outcome(attempt(mine), Outcome.OPTED_OUT), ApplyResult(), None)
            waiting = pool.submit(two.apply, [save(theirs)])
            gevent.sleep(0.3)
            assert not waiting.done()
        (refused,) = waiting.result(20).refused
    assert refused[1] in (reasons.NUMBER_STOPPED, reasons.NOT_HELD)
    assert one.status_counts(NAME).live == 0
    assert two.due_targets(NAME, NOON, 9) == []
    books_agree(one)


def test_two_imports_at_once_make_each_contact_once(tmp_path: Path) -> None:
    loaded(tmp_path, 0).close()

    def take(daemon: str) -> int:
        store = open_store(tmp_path, daemon)
        new = store.import_rows(NAME, rows(3_000)).new
        store.rank(NAME)
        store.close()
        return new

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(take, ("a", "b"))) == 3_000
    store = open_store(tmp_path)
    assert store.status_counts(NAME).targets == {"ready": 3_000}
    books_agree(store)


def test_stores_that_wait_for_each_other_both_come_through(tmp_path: Path) -> None:
    """Two batches that call the same two numbers, in opposite order: the server ends one of them,
    and it is applied again."""
    one, two = open_store(tmp_path), open_store(tmp_path, "second")
    one.put_campaign(campaign(), "x")
    phones = ("+84900000001", "+84900000002")
    for n in range(2):
        one.import_rows(
            NAME, [row(10 * n + i, phone=p, name=f"n{n}") for i, p in enumerate(phones)]
        )
    one.rank(NAME)
    targets = one.due_targets(NAME, NOON, 4)
    by_phone = {p: [t for t in targets if t.contact.phone == p] for p in phones}
    one.apply([c.ReleaseTargets(NAME, tuple(by_phone[p][1].id for p in phones))])
    theirs = {t.contact.phone: t for t in two.due_targets(NAME, NOON, 4)}
    both = threading.Barrier(2)
    for store, batch in (
        (one, [save(by_phone[p][0]) for p in phones]),
        (two, [save(theirs[p]) for p in reversed(phones)]),
    ):
        store._pending = batch  # type: ignore[attr-defined]
        apply_one = store._turn._apply_one
        seen: list[int] = []

        def slowly(command, done, now, apply_one=apply_one, seen=seen):  # type: ignore[no-untyped-def]
            apply_one(command, done, now)
            seen.append(1)
            if len(seen) == 1:
                both.wait(20)

        store._turn._apply_one = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda s: s.apply(s._pending), (one, two)))
    assert sum(len(one_done.saved) for one_done in done) == 2
    assert sum(len(one_done.refused) for one_done in done) == 2
    books_agree(one)


# ---- plans


def test_hot_queries_walk_an_index(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3_000)
    run = store._database.run

    def plan(sql: str, *parameters: object) -> str:
        return "\n".join(line for (line,) in run("EXPLAIN " + sql, parameters).fetchall())

    claiming = store._database.claiming
    take = plan(target_store.TAKE + claiming, 1, 10)
    assert "target_campaign_id_state_rank" in take and "Sort" not in take
    fallen = plan(target_store.FALLEN_DUE + claiming, 1, 1, 10)
    assert "target_campaign_id_state_due_at_rank" in fallen
    held = plan(target_store.HELD_BY, 1, "main")
    open_now = plan(reasons.OPEN, 1, "main")
    for query in (take, fallen, held, open_now):
        assert "Seq Scan on target" not in query and "Seq Scan on account" not in query
    assert "Seq Scan on attempt" not in open_now or store.status_counts(NAME).attempts == 0
    store.close()


PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import gevent
from duecall.shell.store_worker import StoreWorker
from tests.shell.store_world import open_store

worker = StoreWorker(lambda: open_store(Path(sys.argv[1])), print, print)
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1
gevent.spawn(tick)
worker.call(lambda store: store._database.run("SELECT pg_sleep(1)").fetchall())
print(ticks)
worker.close()
"""


def test_the_hub_runs_while_the_server_takes_its_time(tmp_path: Path) -> None:
    """In a process whose sockets and selectors gevent has patched, as in the daemon."""
    done = subprocess.run(
        [sys.executable, "-c", PATCHED, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10
