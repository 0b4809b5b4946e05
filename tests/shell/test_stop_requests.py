"""Stops that other programs ask the daemon for: an agent's desk, the bank's own systems."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from duecall.core.outcome import Outcome
from duecall.shell.control import ControlError, ControlServer, ask
from duecall.shell.operator import Operator
from duecall.shell.stop_list import WHATS
from tests.shell import store_world as build
from tests.shell.service_world import Daemon, until

pytestmark = pytest.mark.usefixtures("database")
AGENT = {"kind": "opted_out", "source": "agent lan"}


def running(daemon: Daemon, people: int = 3) -> Operator:
    """A daemon with full hoppers, and no switch: nobody is called before we have asked."""
    daemon.fill(build.rows(people))
    daemon.start()
    operator = Operator(daemon.service)
    runs = daemon.service.dialer.runs
    until(lambda: build.NAME in runs and len(runs[build.NAME].hopper) == people)
    return operator


def left(daemon: Daemon) -> int:
    return len(daemon.service.dialer.runs[build.NAME].hopper)


def test_a_number_in_the_hopper_is_called_no_more(daemon: Daemon) -> None:
    operator = running(daemon)
    phone = daemon.service.dialer.runs[build.NAME].hopper[0].contact.phone
    request = {"do": "add_stop", "number": phone, **AGENT}
    assert operator.answer(request) == {"ok": True, "added": True}
    assert operator.answer(request) == {"ok": True, "added": False}
    until(lambda: left(daemon) == 2)
    assert operator.answer({**request, "do": "lift_stop"}) == {"ok": True, "lifted": 1}
    counts = daemon.service.worker.call(lambda store: store.status_counts(build.NAME))
    states = {state: n for state, n in counts.targets.items() if n}
    assert sum(states.values()) == 3 and states.keys() <= {"ready", "held"}, states


def test_the_callee_of_a_call_is_stopped_by_the_attempts_id(daemon: Daemon) -> None:
    daemon.fill(build.rows(1))
    store = daemon.store()
    (row,) = store.due_targets(build.NAME, build.NOON, 1)
    store.apply([build.save(row)])
    store.apply([build.outcome(build.attempt(row), Outcome.TRANSFERRED)])
    store.close()
    daemon.start()
    operator = Operator(daemon.service)
    asked = {"do": "add_stop", "attempt": build.attempt(row).id, **AGENT}
    assert operator.answer(asked)["added"]
    (stop,) = daemon.service.worker.call(lambda store: list(store.stop_list.all()))
    assert (WHATS[stop.stop.key_kind], stop.clear) == ("number", row.contact.phone)
    assert (stop.stop.kind, stop.stop.source) == ("opted_out", "agent lan")
    with pytest.raises(ControlError, match="no attempt of this id; name the number"):
        operator.answer({**asked, "attempt": "another"})


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "name one of: attempt, number"),
        ({"number": "+84901234567", "prefix": "+84"}, "name one of"),
        ({"number": "0901234567"}, "country"),
        ({"number": "+84901234567", "source": ""}, "who says so"),
        ({"number": "+84901234567", "until": "soon"}, "no day and no time"),
        ({"number": "+84901234567", "until": "2025-12-31"}, "until 2025-12-31 is over already"),
        ({"number": "+84901234567", "campain": "x"}, "unknown 'campain'"),
        ({"number": "+84901234567", "campaign": "other"}, "other"),
        ({"contract": "none"}, "contract"),
        ({"number": "+84901234567", "kind": "No!"}, "kind"),
    ],
)
def test_what_cannot_be_is_refused_with_words(
    daemon: Daemon, asked: dict[str, Any], why: str
) -> None:
    daemon.fill(build.rows(1), state="stopped")
    daemon.start()
    with pytest.raises(ControlError, match=why):
        Operator(daemon.service).answer({"do": "add_stop", **AGENT, **asked})


def test_over_the_socket_as_another_program_asks(daemon: Daemon) -> None:
    operator = running(daemon, 1)
    path = daemon.folder / "duecall.sock"
    server = ControlServer(path, operator.answer)
    server.start()
    request = {"do": "add_stop", "prefix": "+84", "campaign": build.NAME, **AGENT}
    answer = gevent.get_hub().threadpool.apply(ask, (path, request))
    assert answer == {"added": True}
    until(lambda: left(daemon) == 0)
    server.stop()
