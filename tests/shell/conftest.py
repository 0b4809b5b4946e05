"""A switch that misbehaves to order, and a Switch on it (test_switch_*.py); databases (store)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from duecall.shell import switch as switch_module
from tests.postgres_server import why_no_postgres
from tests.shell import store_world
from tests.shell.fake_switch import FakeSwitch
from tests.shell.service_world import Daemon
from tests.shell.switch_world import World


@pytest.fixture
def fake() -> Iterator[FakeSwitch]:
    made = FakeSwitch()
    yield made
    made.shut()


@pytest.fixture
def world(
    fake: FakeSwitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., World]]:
    monkeypatch.setattr(switch_module, "SETTLE_S", 0.02)  # the fake's list does not lag
    made: list[World] = []

    def build(**options: Any) -> World:
        made.append(World(fake, tmp_path, **options))
        return made[-1]

    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield build
    for one in made:
        one.switch.stop()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """The service as a greenlet of this process, on a store of its own."""
    daemon = Daemon(tmp_path)
    yield daemon
    if not daemon.running.dead:
        daemon.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses `database` runs on SQLite and on PostgreSQL; one of the marks `sqlite` and
    `postgres` says where it has a meaning alone."""
    if "database" not in metafunc.fixturenames:
        return
    found = metafunc.definition.get_closest_marker
    why = why_no_postgres()
    kinds = [
        pytest.param(
            kind, marks=[pytest.mark.skip(reason=why)] if why and kind == "postgres" else []
        )
        for kind in ("sqlite", "postgres")
        if not found("sqlite" if kind == "postgres" else "postgres")
    ]
    metafunc.parametrize("database", kinds, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The kind of the database behind `open_store(tmp_path)`, and behind all that use it."""
    kind: str = request.param
    if kind == "postgres":
        server = request.getfixturevalue("postgres_server")
        (tmp_path / store_world.URL_FILE).write_text(server.create_database())
    return kind
