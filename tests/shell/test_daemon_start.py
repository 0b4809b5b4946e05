"""A daemon that starts before its database: what is waited for, and what is not."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import peewee
import pytest

from duecall.core.attempt import Stage
from duecall.shell import daemon_start, database_postgres, database_sqlite, migrations
from duecall.shell.control import ControlError
from duecall.shell.daemon_start import WAITING, Begun, DaemonStart
from duecall.shell.database import StoreBusy, StoreError, StoreLost
from duecall.shell.store import Store
from tests.postgres_server import GUARDED, PostgresServer, database_name
from tests.shell import store_world as build
from tests.shell.service_world import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(daemon_start, "PAUSE_FIRST_S", 0.05)
    monkeypatch.setattr(daemon_start, "STATUS_S", 0.0)
    monkeypatch.setattr(daemon_start, "REQUEST_S", 0.0)
    with gevent.Timeout(120, AssertionError("the test hangs")):
        yield


class Starting:
    """A DaemonStart at work on the database of the folder."""

    def __init__(self, folder: Path, open_store: Callable[[], Store] | None = None) -> None:
        self.start = DaemonStart(open_store or (lambda: build.open_store(folder)))
        self._waiting = gevent.spawn(self.start.wait)

    def status(self) -> dict[str, Any]:
        return self.start.answer({"do": "status"})

    def until_it_says(self, words: str) -> None:
        until(lambda: words in self.status()["database"])

    def get(self) -> Begun | None:
        """What `wait` returns or raises."""
        begun: Begun | None = self._waiting.get(timeout=60)
        return begun

    def begun(self) -> Begun:
        got = self.get()
        assert got is not None
        return got


# ---- how it waits


def test_the_pauses_grow_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_start, "PAUSE_MAX_S", 0.2)
    tries: list[float] = []

    def away() -> Store:
        tries.append(time.monotonic())
        raise StoreLost("it is away")

    starting = Starting(Path(), away)
    until(lambda: len(tries) == 6)
    starting.start.stop()
    assert starting.get() is None
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.2, 0.2), strict=True):
        assert least <= pause + 0.01 and pause < least + 5


def test_an_operator_hears_what_is_waited_for_and_since_when(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_start, "ALARM_S", 0.2)

    def away() -> Store:
        raise StoreLost("there is no server")

    starting = Starting(Path(), away)
    starting.until_it_says("there is no server")
    status = starting.status()
    assert (status["ok"], status["state"], status["campaigns"]) == (True, WAITING, [])
    since = status["since"]
    with pytest.raises(
        ControlError, match=r"waiting for the database since .*: there is no server"
    ):
        starting.start.answer({"do": "pause", "campaign": "overdue"})
    until(lambda: starting.status()["alarms"])
    (alarm,) = starting.status()["alarms"]
    assert (alarm["what"], alarm["why"]) == ("the database is not there", "there is no server")
    assert starting.status()["since"] == since
    starting.start.stop()
    assert starting.get() is None
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 1 and told[0].endswith("there is no server"), "once, and not at each try"


def test_the_daemons_own_operator_answers_as_soon_as_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon_start, "REQUEST_S", 30.0)
    start = DaemonStart(lambda: build.open_store(Path()))
    answers = gevent.spawn(start.answer, {"do": "pause"})
    gevent.sleep(0.05)
    assert not answers.ready()
    start.hand_over(lambda request: {"ok": True, "heard": request})
    assert answers.get(timeout=5) == {"ok": True, "heard": {"do": "pause"}}
    assert start.answer({"do": "status"})["heard"] == {"do": "status"}


def test_it_ends_at_once_also_while_a_try_hangs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hanging, closed = threading.Event(), threading.Event()

    class Late:
        shared = True

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def close(self) -> None:
            closed.set()

    def hang() -> Any:
        hanging.wait(60)
        return Late()

    starting = Starting(Path(), hang)
    gevent.sleep(0.1)
    began = time.monotonic()
    starting.start.stop()
    assert starting.get() is None
    assert time.monotonic() - began < 2
    assert "asked to end while waiting for the database" in caplog.text
    hanging.set()
    until(closed.is_set)  # what it still got is given back


def test_who_is_asked_to_end_in_the_moment_of_success_ends() -> None:
    closed = threading.Event()

    class Just:
        shared = True

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def close(self) -> None:
            closed.set()

    def opens() -> Any:
        starting.start.stop()
        return Just()

    starting = Starting(Path(), opens)
    assert starting.get() is None
    until(closed.is_set)


def test_what_no_waiting_mends_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[StoreError] = [StoreLost("away"), StoreBusy("held"), StoreError("another key")]

    def fails() -> Store:
        raise tries.pop(0)

    with pytest.raises(StoreError, match="another key"):
        Starting(Path(), fails).get()
    assert tries == []
    assert "waiting for the database is of no use: another key" in caplog.text


# ---- SQLite


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_that_another_program_writes_to_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fresh: bool
) -> None:
    monkeypatch.setattr(database_sqlite, "BUSY_S", 0.1)
    if not fresh:
        store = build.loaded(tmp_path, 1)
        (row,) = store.due_targets(build.NAME, build.NOON, 1)
        store.apply([build.save(row)])
        store.close()
    other = sqlite3.connect(tmp_path / "duecall.db", isolation_level=None)
    other.execute(f"BEGIN {kind}")
    other.execute("CREATE TABLE imported (row INTEGER)")
    starting = Starting(tmp_path)
    starting.until_it_says("another process holds the database; see which one with: fuser")
    other.execute("ROLLBACK")
    other.close()
    begun = starting.begun()
    assert [stage for _, stage in begun.recovered] == ([] if fresh else [Stage.SAVED])
    begun.store.close()


def test_a_newer_schema_is_not_waited_for(tmp_path: Path) -> None:
    build.loaded(tmp_path, 1).close()
    with sqlite3.connect(tmp_path / "duecall.db") as database:
        database.execute("INSERT INTO schema_version VALUES (9999, 'tomorrow')")
    database.close()
    with pytest.raises(StoreError, match="schema version 9999") as caught:
        Starting(tmp_path).get()
    assert not isinstance(caught.value, (StoreBusy, StoreLost))


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "duecall.db").write_bytes(b"a letter to the bank" * 500)
    with pytest.raises(StoreError, match="the database cannot be opened"):
        Starting(tmp_path).get()


# ---- PostgreSQL


@pytest.fixture
def server(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """With a database for this test; it runs again afterwards, whatever was done to it."""
    (tmp_path / build.URL_FILE).write_text(postgres_server.create_database())
    yield postgres_server
    if postgres_server._process is None:
        postgres_server.start()
    postgres_server.thaw()


def test_a_server_that_comes_later_is_waited_for(tmp_path: Path, server: PostgresServer) -> None:
    store = build.loaded(tmp_path, 2)
    (row,) = store.due_targets(build.NAME, build.NOON, 1)
    store.apply([build.save(row)])
    store.close()
    server.kill()
    starting = Starting(tmp_path)
    starting.until_it_says("cannot be reached")
    server.start()
    begun = starting.begun()
    assert [attempt.id for attempt, _ in begun.recovered] == [build.attempt(row).id]
    assert [known.campaign.name for known in begun.campaigns] == [build.NAME]
    begun.store.close()


def test_a_server_that_stands_still_is_waited_for_and_operators_are_answered(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_start, "SLOW_S", 0.2)
    server.freeze()
    starting = Starting(tmp_path)
    starting.until_it_says("it gives no answer")
    gaps, last = [], time.monotonic()
    while "cannot be reached" not in starting.status()["database"]:
        gevent.sleep(0.01)
        gaps.append(time.monotonic() - last)
        last += gaps[-1]
    assert max(gaps) < database_postgres.CONNECT_S - 1, "the hub stood still"
    server.thaw()
    starting.begun().store.close()


@pytest.mark.parametrize("where", ["before", "inside"])
def test_a_server_that_is_killed_during_the_migration_is_waited_for(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    migrate, killed = migrations.migrate, threading.Event()

    def interrupted(db: Any) -> int:
        if killed.is_set():
            return migrate(db)
        if where == "inside":  # its tables are there, and not committed
            migrate(db)
        server.kill()
        killed.set()
        return migrate(db)

    monkeypatch.setattr(migrations, "migrate", interrupted)
    starting = Starting(tmp_path)
    until(killed.is_set)
    starting.until_it_says("connection is lost")
    server.start()
    begun = starting.begun()
    name = database_name(build.url_of(tmp_path))
    versions = server.sql("SELECT version FROM schema_version ORDER BY version", name)
    assert [version for (version,) in versions] == list(range(1, migrations.VERSION + 1))
    begun.store.close()


@pytest.mark.parametrize("step", ["join", "news_seq", "recover", "campaigns"])
def test_a_server_that_goes_away_between_is_waited_for_and_nothing_is_forgotten(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = build.loaded(tmp_path, 3)
    saved, _held = store.due_targets(build.NAME, build.NOON, 2)
    store.apply([build.save(saved)])
    store.close()
    killed = threading.Event()
    real = getattr(Store, step)

    def interrupted(self: Store, *arguments: Any) -> Any:
        if not killed.is_set():
            server.kill()
            killed.set()
        return real(self, *arguments)

    monkeypatch.setattr(Store, step, interrupted)
    starting = Starting(tmp_path)
    starting.until_it_says("cannot be reached")
    server.start()
    begun = starting.begun()
    assert [attempt.id for attempt, _ in begun.recovered] == [build.attempt(saved).id]
    counts = begun.store.status_counts(build.NAME).targets
    assert counts == {"ready": 2, "calling": 1}, "what was held is ready again"
    begun.store.close()


def test_a_connection_that_breaks_at_every_read_is_a_server_that_is_away(
    tmp_path: Path, server: PostgresServer
) -> None:
    store = build.open_store(tmp_path)
    database: Any = store._database
    name = database_name(build.url_of(tmp_path))

    def cut_and_read() -> Any:
        server.break_connections(name)
        return peewee.PostgresqlDatabase.execute_sql(database.db, "SELECT 1")

    with pytest.raises(StoreLost, match="the connection is lost"):
        database._guarded(cut_and_read)
    store.close()


def test_a_program_that_migrates_is_waited_for(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_start, "SLOW_S", 0.5)
    import zlib

    import psycopg

    lock = zlib.crc32(database_postgres.MIGRATING.encode())
    with psycopg.connect(build.url_of(tmp_path)) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (lock,))
        starting = Starting(tmp_path)
        until(lambda: starting.start._told)
        assert starting.status()["state"] == WAITING
        starting.until_it_says("it gives no answer")
        assert not starting._waiting.ready()
    starting.begun().store.close()


def test_a_server_whose_connections_are_all_taken_is_waited_for(
    tmp_path: Path, server: PostgresServer
) -> None:
    import psycopg

    held: list[Any] = []
    with pytest.raises(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(build.url_of(tmp_path)))
    starting = Starting(tmp_path)
    starting.until_it_says("too many clients")
    for one in held:
        one.close()
    starting.begun().store.close()


@pytest.mark.parametrize("fault", ["database", "user", "password", "no_password", "tls", "option"])
def test_what_the_server_refuses_for_good_is_not_waited_for(
    tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    name = database_name(build.url_of(tmp_path))
    if not server.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{GUARDED}'"):
        server.sql(f"CREATE ROLE {GUARDED} LOGIN SUPERUSER PASSWORD 'open sesame'")
    if fault == "password":
        monkeypatch.setenv("DUECALL_DATABASE_PASSWORD", "wrong")
    url, words = {
        "database": (server.url("nowhere"), "nowhere"),
        "user": (server.url(name, "nobody_knows"), "nobody_knows"),
        "password": (server.url(name, GUARDED), "DUECALL_DATABASE_PASSWORD"),
        "no_password": (server.url(name, GUARDED), "DUECALL_DATABASE_PASSWORD"),
        "tls": (server.url(name) + "?sslmode=require", "SSL"),
        "option": (server.url(name) + "?no_such_option=1", "no_such_option"),
    }[fault]
    (tmp_path / build.URL_FILE).write_text(url)
    with pytest.raises(StoreError, match=words) as caught:
        Starting(tmp_path).get()
    assert not isinstance(caught.value, (StoreBusy, StoreLost))


def test_a_database_of_a_newer_duecall_is_not_waited_for(
    tmp_path: Path, server: PostgresServer
) -> None:
    build.loaded(tmp_path, 1).close()
    name = database_name(build.url_of(tmp_path))
    server.sql("INSERT INTO schema_version VALUES (9999, 'tomorrow')", name)
    with pytest.raises(StoreError, match="schema version 9999") as caught:
        Starting(tmp_path).get()
    assert not isinstance(caught.value, (StoreBusy, StoreLost))
