"""The store's thread: when the disk is full, the file is locked, or a command is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import peewee
import pytest

from duecall.core import commands as c
from duecall.core.outcome import Outcome
from duecall.shell import store_worker
from duecall.shell.attempt_store import AttemptStore
from duecall.shell.store import ApplyResult, Store, StoreBusy, StoreError
from duecall.shell.store_worker import StoreWorker
from fs_scripts.contract import KEY, Brief, Result
from tests.shell import store_world as build

pytestmark = pytest.mark.usefixtures("database")


class World:
    """One worker over a real file; `fail` is raised by the store for the commands it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = ApplyResult()
        self.alarms: list[c.Alarm] = []
        self.failing: dict[type[c.Command], Exception] = {}
        self.disk_full = ""
        build.loaded(folder, 5).close()
        self.worker = StoreWorker(self._open, self._take, self.alarms.append)

    def _open(self) -> Store:
        store = build.open_store(self.folder)
        apply_one = store._turn._apply_one

        def failing(command: c.Command, done: ApplyResult, now: Any) -> None:
            if self.disk_full:
                raise peewee.OperationalError(self.disk_full)
            error = self.failing.get(type(command))
            if error is not None:
                raise error
            apply_one(command, done, now)

        store._turn._apply_one = failing  # type: ignore[method-assign]
        return store

    def _take(self, done: ApplyResult) -> None:
        for name in ("saved", "refused", "settled", "repeated", "loads"):
            getattr(self.answers, name).extend(getattr(done, name))

    def load(self, limit: int = 5) -> list[Any]:
        self.worker.put([c.LoadTargets(build.NAME, limit)])
        assert self.worker.flush(10)
        return self.answers.loads[-1].rows


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(store_worker, "RETRY_S", 0.01)
    world = World(tmp_path)
    yield world
    world.worker.close()


def test_while_the_disk_is_full_everything_waits_and_then_goes_in_its_order(world: World) -> None:
    first, second = world.load()[:2]
    world.disk_full = "database or disk is full"
    attempt = build.attempt(first, build.NOON)
    world.worker.put([c.SaveAttempt(attempt)])
    world.worker.put([build.outcome(attempt), build.save(second)])
    assert not world.worker.flush(0.05)
    assert world.worker.waiting == 3
    assert "disk is full" in world.worker.trouble
    assert [alarm.what for alarm in world.alarms] == ["the database refuses to write"]
    world.disk_full = ""
    assert world.worker.flush(10)
    assert world.worker.trouble == ""
    assert world.answers.saved == [attempt.id, build.attempt(second).id]
    assert world.answers.settled == [attempt.id]


def test_a_damaged_file_is_no_fault_of_the_commands(world: World) -> None:
    (first, *_) = world.load()
    world.failing[c.SaveAttempt] = peewee.DatabaseError("database disk image is malformed")
    world.worker.put([build.save(first)])
    assert not world.worker.flush(0.05)
    world.failing.clear()
    assert world.worker.flush(10)
    assert world.answers.saved == [build.attempt(first).id]


def test_an_attempt_that_can_never_be_saved_is_refused(world: World) -> None:
    """Else its channel and its number would be taken for ever."""
    first, second = world.load()[:2]
    world.failing[c.SaveAttempt] = ValueError("a fault of ours")
    world.worker.put([build.save(first), c.ReleaseTargets(build.NAME, (second.id,))])
    assert world.worker.flush(10)
    assert [refused[0] for refused in world.answers.refused] == [build.attempt(first).id]
    assert [alarm.what for alarm in world.alarms] == ["the store dropped a command"]
    world.failing.clear()
    assert [row.id for row in world.load()] == [second.id], "the others were carried out"


@pytest.mark.parametrize("campaign", [build.NAME, "no-such-campaign"])
def test_each_load_is_answered_also_where_it_fails(world: World, campaign: str) -> None:
    if campaign == build.NAME:
        world.failing[c.LoadTargets] = ValueError("a fault of ours")
    world.worker.put([c.LoadTargets(campaign, 5)])
    assert world.worker.flush(10)
    (load,) = world.answers.loads
    assert (load.campaign, load.rows) == (campaign, [])
    assert load.failed


def test_a_disk_that_fills_up_beside_a_faulty_command_writes_nothing_twice(world: World) -> None:
    first, second, third = world.load()[:3]
    world.failing[c.SaveStage] = ValueError("a fault of ours")
    stage: Any = c.SaveStage("no attempt", 3, build.NOON)  # type: ignore[arg-type]
    world.worker.put([build.save(first), stage, build.save(second), build.save(third)])
    saved = world._take

    def full_after_first(done: ApplyResult) -> None:
        saved(done)
        if len(world.answers.saved) == 2:
            world.disk_full = "database or disk is full"
            gevent.spawn_later(0.05, setattr, world, "disk_full", "")

    world.worker._answer = full_after_first
    assert world.worker.flush(10)
    assert world.answers.saved == [build.attempt(row).id for row in (first, second, third)]
    assert world.answers.refused == []


def test_an_answer_that_cannot_be_taken_in_does_not_end_the_writing(world: World) -> None:
    def broken(done: ApplyResult) -> None:
        raise KeyError("somebody's fault")

    world.worker._answer, take = broken, world._take
    world.worker.put([c.LoadTargets(build.NAME, 1)])
    assert world.worker.flush(10)
    world.worker._answer = take
    assert len(world.load()) == 4


@pytest.mark.sqlite
def test_a_question_does_not_wait_for_ever_for_a_locked_file(world: World) -> None:
    other = sqlite3.connect(world.folder / "duecall.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    world.worker.put([c.LoadTargets(build.NAME, 1)])
    gevent.sleep(0.05)
    with pytest.raises(StoreBusy):
        world.worker.call(lambda store: store.status_counts(build.NAME), 0.05)
    other.execute("ROLLBACK")
    other.close()
    assert world.worker.flush(40)
    assert world.worker.call(lambda store: store.status_counts(build.NAME)).targets["held"] == 1


def test_a_finished_campaign_is_opened_again_and_a_stopped_one_is_not(world: World) -> None:
    def state() -> str:
        return world.worker.call(lambda store: store.campaigns()[0].state.value)

    world.worker.call(lambda store: store.set_campaign_state(build.NAME, "running"))
    world.worker.put([c.FinishCampaign(build.NAME)])
    assert world.worker.flush(10)
    assert state() == "running", "somebody else is busy with it"
    rows = world.load()
    done = [c.DeferTarget(row.as_target(Brief("", ())), None, "not selected") for row in rows]
    world.worker.put([*done, c.FinishCampaign(build.NAME)])
    assert world.worker.flush(10)
    assert state() == "finished"
    world.worker.put([c.ReopenCampaign(build.NAME)])
    assert world.worker.flush(10)
    assert state() == "running"
    world.worker.call(lambda store: store.set_campaign_state(build.NAME, "stopped"))
    world.worker.put([c.ReopenCampaign(build.NAME), c.FinishCampaign(build.NAME)])
    assert world.worker.flush(10)
    assert state() == "stopped"


def test_targets_that_cannot_be_unsealed_do_not_hide_those_behind_them(tmp_path: Path) -> None:
    store = build.loaded(tmp_path, 5)
    store._database.run(
        "UPDATE account SET sealed = 'x' WHERE id IN (SELECT account_id FROM target"
        " WHERE rank <= 3)"
    )
    rows = store.due_targets(build.NAME, build.NOON, 2)
    assert len(rows) == 2
    assert store.status_counts(build.NAME).targets == {"held": 2, "done": 3}
    store.close()


def test_a_store_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    def open_store() -> Store:
        raise StoreError("no such disk")

    with pytest.raises(StoreError, match="no such disk"):
        StoreWorker(open_store, lambda done: None, lambda alarm: None)


def test_an_outcome_whose_details_cannot_be_written_is_written_without_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its attempt would be open, and its number busy, until the next start."""
    settle = AttemptStore.settle

    def fussy(self: AttemptStore, command: c.SaveOutcome) -> bool:
        if command.ending.result is not None:
            raise peewee.DataError("too long")
        return settle(self, command)

    monkeypatch.setattr(AttemptStore, "settle", fussy)
    (row,) = world.load(1)
    attempt = build.attempt(row)
    result = Result(attempt.id, KEY, action="opt_out")
    said = build.outcome(attempt, Outcome.OPTED_OUT, said=result)
    world.worker.put([build.save(row), said])
    assert world.worker.flush(10)
    assert world.answers.settled == [said.attempt.id]
    assert world.answers.repeated == []
    assert world.alarms == []
