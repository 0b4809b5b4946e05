"""What an operator may ask, and what he is told when it cannot be."""

from __future__ import annotations

import sqlite3

import gevent
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.outcome import Ending
from duecall.shell import operator as operator_module
from duecall.shell.clock import now
from duecall.shell.control import ControlError
from duecall.shell.operator import Operator
from tests.shell import store_world as build
from tests.shell.service_world import Daemon, until

pytestmark = pytest.mark.usefixtures("database")


def state(daemon: Daemon) -> str:
    store = daemon.store()
    try:
        return store.campaigns()[0].state.value
    finally:
        store.close()


def test_contacts_imported_into_a_finished_campaign_are_called_also_after_a_restart(
    daemon: Daemon,
) -> None:
    daemon.fill([])
    daemon.start()
    runs = daemon.service.dialer.runs
    until(lambda: build.NAME in runs and runs[build.NAME].finished)
    until(lambda: state(daemon) == "finished")
    daemon.fill(build.rows(2), state="finished", message=[{"text": "xin chào"}])
    assert Operator(daemon.service).answer({"do": "imported", "campaign": build.NAME})["ok"]
    until(lambda: len(runs[build.NAME].hopper) == 2)
    until(lambda: state(daemon) == "running")


@pytest.mark.sqlite
def test_a_status_comes_also_while_the_database_is_held_by_another(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_module, "COUNT_S", 0.05)
    daemon.fill(build.rows(3), state="paused")
    daemon.start()
    operator = Operator(daemon.service)
    until(lambda: operator.answer({"do": "status"})["campaigns"])
    until(lambda: operator.answer({"do": "status"})["campaigns"][0]["contacts"] == 3)
    other = sqlite3.connect(daemon.folder / "duecall.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    daemon.service.worker.put([c.FinishCampaign(build.NAME)])  # it waits for the lock
    gevent.sleep(0.05)
    status = operator.answer({"do": "status"})
    assert status["campaigns"][0]["contacts"] == 3
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "dance"},
        {"do": "start"},
        {"do": "start", "file": "/no/such/file.yaml"},
        {"do": "pause", "campaign": "unknown"},
    ],
)
def test_what_cannot_be_is_refused_with_words(daemon: Daemon, request_: dict[str, str]) -> None:
    daemon.fill(build.rows(1), state="stopped")
    daemon.start()
    with pytest.raises(ControlError):
        Operator(daemon.service).answer(request_)


def test_a_stopped_campaign_is_told_from_a_paused_one(daemon: Daemon) -> None:
    daemon.fill(build.rows(1), state="paused", message=[{"text": "xin chào"}])
    daemon.start()
    operator = Operator(daemon.service)

    def shown() -> str:
        campaigns = operator.answer({"do": "status"})["campaigns"]
        return str(campaigns[0]["state"]) if campaigns else ""

    until(lambda: shown() == "paused")
    for do, told in (("stop", "stopped"), ("pause", "paused"), ("stop", "stopped")):
        operator.answer({"do": do, "campaign": build.NAME})
        until(lambda told=told: shown() == told)  # type: ignore[misc]
        assert state(daemon) == told
    operator.answer({"do": "resume", "campaign": build.NAME})
    until(lambda: shown() == "running")


def test_status_tells_what_is_left_of_an_earlier_daemon(daemon: Daemon) -> None:
    daemon.fill(build.rows(1), message=[{"text": "xin chào"}])
    store = daemon.store()
    (row,) = store.due_targets(build.NAME, build.NOON, 1)
    store.apply([build.save(row)])
    store.close()
    daemon.start()
    operator = Operator(daemon.service)
    until(lambda: operator.answer({"do": "status"})["earlier"] == 1)
    until(lambda: daemon.service.switch_state.startswith("not connected"))
    status = operator.answer({"do": "status"})
    assert (status["links"], status["given_up"], status["database"]) == ({}, 0, "")
    assert status["switch_since"] == status["since"]
    attempt = build.attempt(row)
    daemon.service.put(e.CallEnded(now(), attempt.id, Ending("USER_BUSY", 486)))
    until(lambda: operator.answer({"do": "status"})["earlier"] == 0)
