"""Two whole daemons, without a switch, on one database: what one does the other hears."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from duecall.core import events as e
from duecall.core.attempt import Stage
from duecall.core.outcome import Outcome
from duecall.shell import daemon_store, other_daemons
from duecall.shell.clock import now
from duecall.shell.life import Life
from duecall.shell.operator import Operator
from duecall.shell.stop_list import Named as StopNamed
from duecall.shell.store import DaemonTwice, Store
from tests.shell import store_world as build
from tests.shell.service_world import Daemon, campaign, until

pytestmark = pytest.mark.usefixtures("database")
QUICK = [{"text": "xin chào"}]


class Named(Daemon):
    """A daemon with a name and folders of its own, on the database of `shared`."""

    def __init__(self, shared: Path, name: str) -> None:
        folder = shared / name
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.shared, self.name = shared, name

    def store(self) -> Store:
        return build.open_store(self.shared, self.name)

    @property
    def hopper(self) -> list[int]:
        run = self.service.dialer.runs.get(build.NAME)
        return [target.id for target in run.hopper] if run else []

    def seems_up(self) -> None:
        """To the dialer only: what it sends goes nowhere, and it may be frozen or dead."""
        until(lambda: self.service.switch_state.startswith("not connected"))
        self.service._switch_commands.clear()
        self.service.put(e.SwitchUp(now(), frozenset()))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Named]]:
    made: list[Named] = []

    def build_one(name: str) -> Named:
        made.append(Named(tmp_path, name))
        made[-1].start()
        until(lambda: made[-1].service.others._steady_since_s or made[-1].running.dead)
        return made[-1]

    with gevent.Timeout(120, AssertionError("the test hangs")):
        yield build_one
        for daemon in made:
            daemon.service.abandon()
            if not daemon.running.dead:
                daemon.stop()


def counts(daemon: Named) -> dict[str, int]:
    return daemon.service.worker.call(lambda store: store.status_counts(build.NAME)).targets


def test_commands_beside_the_daemon_are_heard_also_where_nobody_tells_it(
    tmp_path: Path, start: Callable[[str], Named]
) -> None:
    shutil.rmtree(tmp_path / "d1", ignore_errors=True)
    Named(tmp_path, "d1").fill(build.rows(3), message=QUICK)
    daemon = start("d1")
    until(lambda: len(daemon.hopper) == 3)
    store = daemon.store()
    store.stop_number(build.row(2).contact.phone, "dnc", "operator")
    until(lambda: len(daemon.hopper) == 2)
    store.import_rows(build.NAME, [build.row(9)])
    store.rank(build.NAME)
    until(lambda: len(daemon.hopper) == 3)
    store.set_campaign_state(build.NAME, "stopped")
    until(lambda: daemon.hopper == [])
    store.put_campaign(campaign(name="another", message=QUICK), "name: another\n")
    store.set_campaign_state("another", "running")
    until(lambda: "another" in daemon.service.dialer.runs)
    store.close()


@pytest.mark.postgres
def test_an_operator_at_one_daemon_is_obeyed_by_the_others(
    tmp_path: Path, start: Callable[[str], Named]
) -> None:
    Named(tmp_path, "d1").fill(build.rows(300), message=QUICK)
    one, two = start("d1"), start("d2")
    until(lambda: one.hopper and two.hopper)
    assert not set(one.hopper) & set(two.hopper)
    runs = two.service.dialer.runs
    operator = Operator(one.service)
    operator.answer({"do": "pause", "campaign": build.NAME})
    until(lambda: not runs[build.NAME].active and not two.hopper)
    operator.answer({"do": "resume", "campaign": build.NAME})
    until(lambda: runs[build.NAME].active and two.hopper)
    version = campaign(message=[{"text": "chào"}])
    one.service.start_campaign(version, "name: overdue\n# new\n")
    until(lambda: runs[build.NAME].campaign == version and two.hopper)
    # What it heard of itself it has not taken for news.
    assert one.service.dialer.runs[build.NAME].campaign is version
    operator.answer({"do": "stop", "campaign": build.NAME})
    until(lambda: not runs[build.NAME].active and not two.hopper)


@pytest.mark.postgres
def test_an_opt_out_at_one_daemon_empties_the_hopper_of_the_other(
    tmp_path: Path, start: Callable[[str], Named]
) -> None:
    phone = build.row(1).contact.phone
    rows = [build.row(n, phone=phone, name=f"n{n}") for n in range(300)]
    Named(tmp_path, "d1").fill(rows, message=QUICK)
    one, two = start("d1"), start("d2")
    until(lambda: one.hopper and two.hopper)
    one.seems_up()
    until(lambda: one.service.dialer.live)
    (call,) = one.service.dialer.live.values()
    until(lambda: call.stage is Stage.SENT)
    one.service.worker.put([build.outcome(call.attempt, Outcome.OPTED_OUT, at=call.attempt.at)])
    until(lambda: not two.hopper)
    until(lambda: counts(two).get("done") == 300)


@pytest.mark.postgres
def test_a_second_daemon_of_one_name_does_not_start(
    tmp_path: Path, start: Callable[[str], Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Life, "own", lambda: ELSEWHERE)
        first = start("d1")
    second = Named(tmp_path, "d1")
    with pytest.raises(DaemonTwice):
        second.start()
    assert not first.running.dead


ELSEWHERE = Life("elsewhere/boot", 1, "1", "token")


@pytest.mark.postgres
def test_what_a_frozen_daemon_held_is_called_by_the_other_and_by_nobody_else(
    tmp_path: Path, start: Callable[[str], Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_store, "LEASE_S", 1.5)
    monkeypatch.setattr(other_daemons, "LEASE_S", 1.5)
    monkeypatch.setattr(other_daemons, "RENEW_S", 0.3)
    monkeypatch.setattr(other_daemons, "POLL_S", 0.1)
    Named(tmp_path, "d1").fill(build.rows(8), message=QUICK)
    frozen = start("d1")
    until(lambda: len(frozen.hopper) == 8)
    held = set(frozen.hopper)
    # Only its renewals stop: the rest of it does not know, like a process that was stopped.
    frozen.service.others._carefully = lambda do: None  # type: ignore[method-assign]
    other = start("d2")
    until(lambda: set(other.hopper) == held, timeout_s=30)
    frozen.seems_up()
    until(lambda: not frozen.hopper)
    until(lambda: not frozen.service.dialer.live)
    assert frozen.service.dialer.totals.sent == 0
    other.seems_up()
    until(lambda: other.service.dialer.totals.sent == 8)


@pytest.mark.postgres
def test_after_the_server_was_away_nobody_is_judged_before_a_whole_lease(
    tmp_path: Path, start: Callable[[str], Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_daemons, "RENEW_S", 0.2)
    daemon = start("d1")
    judged: list[float] = []
    others = daemon.service.others
    others._take_over = lambda: judged.append(now().mono_s)  # type: ignore[method-assign]
    began = now().mono_s
    others._steady_since_s = began - 100
    until(lambda: judged)
    others._leased_until_s = now().mono_s - 1  # as if no renewal had come through for so long
    until(lambda: others._steady_since_s > began)
    judged.clear()
    gevent.sleep(1.0)
    assert judged == []


def test_a_daemon_that_ends_leaves_nothing_to_wait_for(
    tmp_path: Path, start: Callable[[str], Named], database: str
) -> None:
    daemon = start("d1")
    daemon.stop()
    store = daemon.store()
    lives = store._database.run("SELECT life, lease_until FROM daemon").fetchall()
    assert lives == ([("", 0)] if database == "postgres" else [])
    store.close()


@pytest.mark.postgres
def test_a_campaign_is_finished_by_the_last_daemon_that_is_busy_with_it(
    tmp_path: Path, start: Callable[[str], Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_daemons, "LEASE_S", 0.5)
    monkeypatch.setattr(other_daemons, "RENEW_S", 0.2)
    Named(tmp_path, "d1").fill(build.rows(1), message=QUICK)
    busy = start("d1")
    until(lambda: len(busy.hopper) == 1)
    idle = start("d2")
    run = idle.service.dialer.runs
    until(lambda: build.NAME in run and run[build.NAME].finished)
    gevent.sleep(0.5)

    def state() -> str:
        return idle.service.worker.call(lambda store: store.campaigns()[0].state.value)

    assert state() == "running"
    stop = StopNamed(
        "number",
        busy.service.dialer.runs[build.NAME].hopper[0].contact.phone,
        "dnc",
        source="a test",
    )
    idle.service.worker.call(lambda store: store.stop_list.add(stop, now().wall))
    until(lambda: counts(idle) == {"done": 1})
    until(lambda: state() == "finished")


def test_a_campaign_that_cannot_be_read_does_not_keep_the_daemon_from_calling_the_others(
    tmp_path: Path, start: Callable[[str], Named]
) -> None:
    filled = Named(tmp_path, "d1")
    filled.fill(build.rows(3), message=QUICK)
    store = filled.store()
    store.put_campaign(campaign(name="odd"), "x")
    store._database.run("UPDATE campaign SET settings = '{}' WHERE name = 'odd'")
    store.close()
    daemon = start("d1")
    until(lambda: len(daemon.hopper) == 3)
    told = [alarm for alarm in daemon.service.alarms if "campaign" in alarm["what"]]
    assert [alarm["campaign"] for alarm in told] == ["odd"]
