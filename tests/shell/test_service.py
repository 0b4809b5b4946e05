"""The daemon's own part: one answer to each question, nothing lost on the way, a clean end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Stage
from duecall.core.outcome import Ending, Outcome
from duecall.shell import service as service_module
from duecall.shell.clock import now
from duecall.shell.life import own_daemon_id
from duecall.shell.loaded_targets import LoadedTargets
from fs_scripts.contract import Brief
from tests.shell import store_world as build
from tests.shell.service_world import Daemon, campaign, until

pytestmark = pytest.mark.usefixtures("database")


QUICK = [{"text": "xin chào"}]  # the same words for all: one sound


def switch_seems_up(daemon: Daemon) -> None:
    """To the dialer only: there are no links, so nothing rings."""
    until(lambda: daemon.service.switch_state.startswith("not connected"))
    daemon.service.put(e.SwitchUp(now(), frozenset()))


def counts(daemon: Daemon) -> dict[str, int]:
    store = daemon.store()
    try:
        return store.status_counts(build.NAME).targets
    finally:
        store.close()


def test_rows_that_cannot_be_spoken_do_not_hide_those_behind_them(daemon: Daemon) -> None:
    mute = [build.row(n, name="☎☎☎") for n in range(1, 251)]
    good = [build.row(n) for n in range(251, 261)]
    daemon.fill([*mute, *good], order=[])
    daemon.start()
    run = daemon.service.dialer.runs
    until(lambda: build.NAME in run and len(run[build.NAME].hopper) == 10)
    assert not run[build.NAME].finished
    until(lambda: counts(daemon) == {"done": 250, "held": 10})


def test_without_a_voice_the_campaign_waits_and_says_why(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(daemon.folder))
    daemon.fill(build.rows(5))
    daemon.start()
    until(lambda: daemon.service.alarms)
    runs = daemon.service.dialer.runs
    until(lambda: runs[build.NAME].trouble)
    assert "espeak-ng is not installed" in runs[build.NAME].trouble
    assert not runs[build.NAME].finished
    assert not runs[build.NAME].loading
    until(lambda: counts(daemon) == {"ready": 5})
    assert [alarm["what"] for alarm in daemon.service.alarms if "prompts" in alarm["what"]] == [
        "prompts cannot be made"
    ]


def test_the_end_leaves_no_target_held_and_no_attempt_open(daemon: Daemon) -> None:
    daemon.fill(build.rows(200), message=QUICK)
    daemon.start()
    switch_seems_up(daemon)
    until(lambda: daemon.service.dialer.totals.settled > 5)
    daemon.stop()
    store = daemon.store()
    assert store.status_counts(build.NAME).live == 0
    assert "held" not in store.status_counts(build.NAME).targets
    assert store.recover() == []
    outcomes = {record.outcome for record in store.attempts(build.NAME)}
    store.close()
    assert outcomes == {Outcome.TECHNICAL}


def test_a_second_signal_ends_at_once_and_the_call_is_found_again(daemon: Daemon) -> None:
    daemon.fill(build.rows(1), message=QUICK)
    daemon.start()
    service = daemon.service
    service._switch_commands[c.Originate] = lambda command: None
    switch_seems_up(daemon)
    until(lambda: service.dialer.totals.sent == 1)
    service.stop()
    gevent.sleep(0.2)
    assert not daemon.running.dead
    service.abandon()
    daemon.running.join(10)
    assert daemon.running.successful()
    store = daemon.store()
    ((attempt, stage),) = store.recover()
    store.close()
    assert stage is Stage.SENT
    assert attempt.target.campaign == build.NAME


@pytest.mark.parametrize("state", ["stopped", "finished", "paused", "running"])
def test_open_attempts_are_asked_after_whatever_became_of_their_campaign(
    daemon: Daemon, state: str
) -> None:
    daemon.fill(build.rows(1), message=QUICK)
    store = daemon.store()
    (row,) = store.due_targets(build.NAME, build.NOON, 1)
    store.apply([build.save(row)])
    store.set_campaign_state(build.NAME, state)
    store.close()
    daemon.start()
    attempt = build.attempt(row)
    until(lambda: attempt.id in daemon.service.dialer.live)
    daemon.service.put(e.CallEnded(now(), attempt.id, Ending("USER_BUSY", 486)))
    until(lambda: not daemon.service.dialer.live)
    daemon.stop()
    store = daemon.store()
    assert [record.outcome for record in store.attempts(build.NAME)] == [Outcome.BUSY]
    store.close()


def test_what_was_decided_before_a_fault_is_carried_out(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.fill(build.rows(3), message=QUICK)
    daemon.start()
    service = daemon.service
    until(lambda: build.NAME in service.dialer.runs and service.dialer.runs[build.NAME].hopper)

    def fails(self: Any, at: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(type(service.dialer), "_send", fails)
        service.put(e.CampaignPaused(now(), build.NAME))
        until(lambda: any("failed at an event" in alarm["what"] for alarm in service.alarms))
        until(lambda: counts(daemon) == {"ready": 3})


def test_a_daemon_whose_loop_has_failed_ends(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.fill(build.rows(1), message=QUICK)

    def fails(self: Any, at: Any) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(service_module.Dialer, "next_wakeup_s", fails)
    daemon.start()
    daemon.running.join(20)
    assert daemon.running.dead


def test_targets_loaded_while_it_ends_are_given_back(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.fill(build.rows(30), message=QUICK)
    prepare = LoadedTargets.prepare
    late: list[Any] = []

    def slow(self: LoadedTargets, load: Any) -> None:
        late.append(load)
        until(lambda: daemon.service.stopping)
        prepare(self, load)

    monkeypatch.setattr(LoadedTargets, "prepare", slow)
    daemon.start()
    until(lambda: late)
    daemon.stop()
    store = daemon.store()
    store.recover()
    assert store.status_counts(build.NAME).targets == {"ready": 30}
    store.close()


def test_the_daemons_name_survives_and_an_empty_one_is_replaced(tmp_path: Path) -> None:
    name = own_daemon_id(tmp_path)
    assert name
    assert own_daemon_id(tmp_path) == name
    (tmp_path / "daemon.id").write_text("")
    assert own_daemon_id(tmp_path)


def test_a_new_version_judges_anew_whom_the_old_one_kept_back(daemon: Daemon) -> None:
    """A campaign whose words were wrong is mended and started again."""
    daemon.fill(build.rows(30), message=[{"text": "chào {{ title }}"}])
    daemon.start()
    until(lambda: counts(daemon) == {"done": 30})
    mended = campaign(message=QUICK)
    daemon.service.start_campaign(mended, "name: overdue\n# mended\n")
    runs = daemon.service.dialer.runs
    until(lambda: runs[build.NAME].campaign is mended and len(runs[build.NAME].hopper) == 30)
    store = daemon.store()
    found = store.status_counts(build.NAME)
    state = store.campaigns()[0].state.value
    store.close()
    assert (found.targets, found.done, state) == ({"held": 30}, {}, "running")


def test_a_new_version_does_not_call_those_who_said_no_or_were_called(daemon: Daemon) -> None:
    daemon.fill(build.rows(3), message=QUICK)
    store = daemon.store()
    first, second, third = store.due_targets(build.NAME, build.NOON, 3)
    store.apply([build.save(first), build.outcome(build.attempt(first))])
    store.apply([c.ReleaseTargets(build.NAME, (second.id, third.id))])
    store.stop_number(second.contact.phone, "dnc", "a test")
    store.apply([c.DeferTarget(third.as_target(Brief("", ())), None, "not selected: balance")])
    store.close()
    daemon.start()
    daemon.service.start_campaign(campaign(message=QUICK), "name: overdue\n")
    runs = daemon.service.dialer.runs
    until(lambda: build.NAME in runs and [t.id for t in runs[build.NAME].hopper] == [third.id])
