"""Which switches the tests run on: the pocket switch always, FreeSWITCH where one is found."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from duecall.shell.freeswitch_layout import find_freeswitch, why_no_freeswitch
from tests.postgres_server import PostgresServer, why_no_postgres

KINDS = ("pocket", "freeswitch")
# Hundreds of commands are started: none needs to compile our code anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# An example that is slow tells of a busy machine, not of a fault.
settings.register_profile("duecall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("duecall")
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones begin first: side by side with the others nobody waits for them at the end."""

    def turn(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOW.index(folder) if folder in SLOW else len(SLOW)

    items.sort(key=turn)


class ByFileAndSwitch:
    """Tests of one file stay in one process, those of its two switches apart: each has its own
    fixtures, some of which take a minute."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from xdist.scheduler.loadscope import LoadScopeScheduling

        class Scheduling(LoadScopeScheduling):
            def _split_scope(self, nodeid: str) -> str:
                file, _, test = nodeid.partition("::")
                kinds = [kind for kind in KINDS if kind in re.split(r"[\[\]-]", test)]
                return "@".join([file, *kinds])

        return Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ByFileAndSwitch())


def _has_pjsip() -> bool:
    return importlib.util.find_spec("pjsua2") is not None
