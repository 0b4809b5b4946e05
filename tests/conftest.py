"""Which switches the tests run on: the pocket switch always, FreeSWITCH where one is found."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

from duecall.shell.freeswitch_layout import find_freeswitch, why_no_freeswitch
from tests.postgres_server import PostgresServer, why_no_postgres

KINDS = ("pocket", "freeswitch")
# Hundreds of commands are started: none needs to compile our code anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
SLOW = ("e2e", "chaos", "freeswitch", "pocket_switch")  # folders; their calls take real time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--switch", choices=(*KINDS, "all"), default="all", help="only on this switch")


def pytest_report_header() -> str:
    found = find_freeswitch()
    where = f"FreeSWITCH at {found}" if found else f"no FreeSWITCH ({why_no_freeswitch()})"
    database = f"no PostgreSQL ({why_no_postgres()})" if why_no_postgres() else "PostgreSQL"
    pocket = "pocket switch" if _has_pjsip() else "no pocket switch"
    return f"switches: {pocket}, {where}; databases: SQLite, {database}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for all tests of this process; each takes a database of its own."""
    if why_no_postgres():
        pytest.skip(why_no_postgres())
    with PostgresServer() as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `switch_kind` runs once on each switch."""
    if "switch_kind" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--switch")
    params = []
    for kind in KINDS:
        marks = [pytest.mark.switch]
        if kind == "freeswitch":
            marks.append(pytest.mark.freeswitch)
            if find_freeswitch() is None:
                marks.append(pytest.mark.skip(reason=f"no FreeSWITCH: {why_no_freeswitch()}"))
        elif not _has_pjsip():
            marks.append(
                pytest.mark.skip(reason="no pjsua2-python here (it needs CPython 3.10-3.12)")
            )
        if wanted in ("all", kind):
            params.append(pytest.param(kind, marks=marks))
    metafunc.parametrize("switch_kind", params, scope="module")


@pytest.hookimpl(tryfirst=True)  # xdist writes the groups into the names of tests in this hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones begin first: side by side with the others nobody waits for them at the end.

    Tests of one file stay together, those of its two switches apart: each has its own fixtures.
    """
    for item in items:
        call = getattr(item, "callspec", None)
        kind = call.params.get("switch_kind", "") if call else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.name}{kind}"))

    def turn(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOW.index(folder) if folder in SLOW else len(SLOW)

    items.sort(key=turn)


def _has_pjsip() -> bool:
    return importlib.util.find_spec("pjsua2") is not None
