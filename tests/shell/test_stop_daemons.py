"""A command beside a daemon: within a second all that is in its hopper knows of a stop, and of its
lifting. The gate looks at it in the last moment (core/gate.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import gevent
import pytest

from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.stop_list import Named, What
from duecall.shell.store import Store
from tests.shell import store_world as build
from tests.shell.service_world import until
from tests.shell.test_other_daemons import QUICK
from tests.shell.test_other_daemons import Named as Daemon

pytestmark = pytest.mark.usefixtures("database")
SOON_S = 1.0
START_S = 30  # the machine may be busy with other tests: what is measured is told, not judged


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "d1").mkdir()
    made = Daemon(tmp_path, "d1")
    made.fill(build.rows(6), message=QUICK)
    with gevent.Timeout(120, AssertionError("the test hangs")):
        made.start()
        until(lambda: len(made.hopper) == 6)
        yield made
        made.service.abandon()
        if not made.running.dead:
            made.stop()


def callable_(daemon: Daemon) -> set[int]:
    """Of those in the hopper, as build.row counts: who is not known there to be stopped."""
    hopper = daemon.service.dialer.runs[build.NAME].hopper
    return {int(target.contact.phone[4:]) for target in hopper if not target.known.stops}


def named(what: What, n: int, **changes: object) -> Named:
    one = build.row(n)
    value = {
        "number": one.contact.phone,
        "prefix": one.contact.phone[:10],
        "contract": one.account.contract_number,
        "person": one.account.contract_number,
    }[what]
    return Named(what, value, "dispute", **changes)  # type: ignore[arg-type]


def took_s(reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    until(reached, timeout_s=START_S)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("what", "scope", "for_ever"),
    [
        ("number", "", True),
        ("number", build.NAME, True),
        ("number", "", False),
        ("contract", "", True),
        ("person", "", False),
    ],
)
def test_who_is_stopped_is_known_in_the_hopper_and_who_is_lifted_too(
    daemon: Daemon,
    what: What,
    scope: str,
    for_ever: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    until_us = None if for_ever else to_us(now().wall + timedelta(hours=1))
    store: Store = daemon.store()
    stop = named(what, 2, campaign=scope, until_us=until_us)
    store.stop_list.add(stop, now().wall)
    gone_s = took_s(lambda: callable_(daemon) == {1, 3, 4, 5, 6})
    with capsys.disabled():
        print(f"\n  known in the hopper after {gone_s:.2f} s (wanted: {SOON_S} s)")
    gevent.sleep(0.5)  # the daemon puts what was stopped off: it must not do so behind the lifting
    store.stop_list.lift(store.stop_list.find(stop), "operator", now().wall)
    until(lambda: callable_(daemon) == {1, 2, 3, 4, 5, 6}, timeout_s=START_S)
    store.close()


def test_a_prefix_and_a_file_reach_the_hopper_too(daemon: Daemon) -> None:
    store = daemon.store()
    store.stop_list.add(named("prefix", 1), now().wall)  # all of them
    until(lambda: daemon.hopper and not callable_(daemon), timeout_s=START_S)
    store.stop_list.lift(store.stop_list.find(named("prefix", 1)), "operator", now().wall)
    until(lambda: len(callable_(daemon)) == 6, timeout_s=START_S)
    file = [named("number", n, line=n) for n in range(3, 2_000)]
    assert store.stop_list.take_in(file, now().wall).added == 1_997
    until(lambda: callable_(daemon) == {1, 2}, timeout_s=START_S)
    store.close()


def test_what_was_about_to_be_sent_is_not(daemon: Daemon) -> None:
    """The commit refuses it, whatever the daemon has heard."""
    daemon.service.others._hear = lambda: None  # type: ignore[method-assign]
    store = daemon.store()
    for n in (1, 2, 3):
        store.stop_list.add(named("contract", n), now().wall)
    store.stop_list.add(named("number", 4), now().wall)
    daemon.seems_up()
    until(lambda: daemon.service.dialer.totals.sent >= 2, timeout_s=START_S)
    gevent.sleep(0.5)
    called = {int(record.phone[4:]) for record in store.attempts(build.NAME, unseal=True)}
    assert called == {5, 6}
    store.close()
