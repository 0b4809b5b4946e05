"""The switch and the way to it: killed, frozen, cut off, slow, silent. Nobody is rung twice for one
attempt, no key is lost, and `status` says what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from duecall.shell.loopback_site import SwitchKind
from sipp_scenarios.number_plan import Row
from tests.e2e.relay import Relay
from tests.e2e.test_faults import books_hold
from tests.e2e.world import World, rows_with

# Pinged each 5 s, and waited for 10 s; the rest is for a machine that does other things as well.
CALLED_DEAD_S = 60.0


class FaultWorld(World):
    def relayed(self) -> Relay:
        """The daemon's way to the switch leads over a relay from now on."""
        relay = Relay(self.site.esl_port)
        config = yaml.safe_load(self.site.config.read_text())
        config["switch"]["port"] = relay.port
        self.site.config.write_text(yaml.safe_dump(config, allow_unicode=True))
        return relay

    def down(self, timeout_s: float = CALLED_DEAD_S) -> dict[str, Any]:
        return self.wait(lambda s: s["switch"].startswith("not connected"), timeout_s)

    def up_and_idle(self) -> None:
        self.wait(lambda s: s["switch"] == "connected" and not s["live"])

    def signal_switch(self, number: signal.Signals) -> None:
        os.killpg(self.site.switch_pid, number)

    def stop_list(self) -> int:
        with contextlib.closing(sqlite3.connect(self.site.path("var") / "duecall.db")) as database:
            return int(database.execute("SELECT count(*) FROM stop").fetchone()[0])

    def records(self, pattern: str) -> list[Path]:
        return list(self.site.path("cdr").glob(pattern))

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()


def made(
    kind: SwitchKind, factory: pytest.TempPathFactory, rows: list[Row], **options: Any
) -> FaultWorld:
    return FaultWorld(factory.mktemp(f"faults-{kind}"), kind, rows, **options)


@pytest.fixture
def world(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultWorld]:
    rows = rows_with("listens", "presses-2", "presses-9", "presses-1", "busy")
    with made(switch_kind, tmp_path_factory, rows) as world:
        yield world


@pytest.mark.parametrize(
    ("callee", "outcome"), [("presses-9", "opted_out"), ("presses-2", "claims_paid")]
)
def test_a_key_outlives_a_switch_that_is_killed_right_after_it(
    switch_kind: SwitchKind,
    tmp_path_factory: pytest.TempPathFactory,
    callee: str,
    outcome: str,
) -> None:
    """Result variable, event and call record die with the process; what the callee wants does not.
    The daemon is dead as well: it comes back to a switch that knows nothing."""
    with made(switch_kind, tmp_path_factory, rows_with(callee)) as world:
        world.start_everything()
        deadline = time.monotonic() + 60
        while not world.records("*.keys.json"):
            assert time.monotonic() < deadline, "no key was written down"
            time.sleep(0.005)
        world.signal_switch(signal.SIGKILL)
        world.site.kill_daemon()
        assert world.records("*.cdr.json") == []
        world.site.stop_switch()
        world.site.start_switch()
        world.site.start_daemon()
        world.wait_finished()
        assert [row["outcome"] for row in world.report()] == [outcome]
        assert sum(world.rings().values()) == 1
        assert world.stop_list() == (outcome == "opted_out")


@pytest.mark.parametrize("agents", [("agent-answers",), ("agent-busy",)])
def test_a_callee_who_asked_for_an_agent_while_the_daemon_was_dead_gets_one(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory, agents: tuple[str, ...]
) -> None:
    """Or the words for those whom no agent takes: the new daemon has to make them anew."""
    with made(switch_kind, tmp_path_factory, rows_with("presses-1"), agents=agents) as world:
        world.start_everything()
        world.wait(lambda s: s["live"].get("answered", 0) == 1)
        world.site.kill_daemon()
        deadline = time.monotonic() + 60
        while not world.records("*.keys.json"):
            assert time.monotonic() < deadline, "no key was written down"
            time.sleep(0.05)
        time.sleep(3)  # what is said after the key ends, and the leg parks
        world.site.start_daemon()
        world.wait_finished()
        (attempt,) = world.report()
        if agents == ("agent-answers",):
            assert attempt["outcome"] == "transferred"
        else:
            assert attempt["outcome"] == "agent_unavailable"
            (path,) = world.site.path("cdr").rglob(f"{attempt['attempt']}.cdr.json")
            applications = json.loads(path.read_text("utf-8", "replace"))["app_log"]["applications"]
            played = [one["app_data"] for one in applications if one["app_name"] == "playback"]
            assert [sounds for sounds in played if "hold_music" not in sounds]
        assert sum(world.rings().values()) == 1


def test_a_link_that_is_cut_loses_no_call_and_repeats_none(world: FaultWorld) -> None:
    world.site.start_switch()
    with world.relayed() as relay:
        world.site.start_daemon()
        world.start_campaign()
        for stage in ("ringing", "answered"):
            world.wait(lambda s, stage=stage: s["live"].get(stage, 0) >= 1)
            relay.cut()
            world.wait(lambda s: s["switch"] == "connected")
        world.wait_finished()
        books_hold(world)
        assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}
        alarms = [alarm["what"] for alarm in world.status()["alarms"]]
        assert "the switch is not there" in alarms
        assert "the switch is not there" in world.log()


def test_a_slow_link_is_borne_and_a_stalled_one_is_called_dead(world: FaultWorld) -> None:
    world.site.start_switch()
    with world.relayed() as relay:
        world.site.start_daemon()
        relay.delay_s = 0.25
        world.start_campaign()
        world.wait(lambda s: s["live"].get("answered", 0) >= 1)
        assert world.status()["switch"] == "connected"
        relay.delay_s = 0.0
        relay.stall()
        reason = world.down()["switch"]
        assert "did not answer" in reason
        sent = world.status()["sent"]
        time.sleep(2)
        assert world.status()["sent"] == sent, "nothing is sent into a link that is dead"
        relay.cut()
        relay.flow()
        world.wait(lambda s: s["switch"] == "connected")
        world.wait_finished()
        books_hold(world)


def test_a_frozen_switch_is_noticed_and_goes_on_where_it_was(world: FaultWorld) -> None:
    world.start_everything()
    world.wait(lambda s: s["live"].get("answered", 0) >= 2)
    world.signal_switch(signal.SIGSTOP)
    try:
        reason = world.down()["switch"]
        assert "did not answer" in reason or "did not ask" in reason
        time.sleep(3)
    finally:
        world.signal_switch(signal.SIGCONT)
    world.up_and_idle()
    world.wait_finished()
    books_hold(world)
    assert world.stop_list() == 1
    assert not [row for row in world.report() if row["outcome"] == "script_error"]


def test_news_that_is_lost_is_asked_for_within_a_minute(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A switch whose queue overflows drops events without a word (switch_event.c)."""
    rows = rows_with("listens", "presses-9")
    with made(switch_kind, tmp_path_factory, rows) as world:
        world.site.start_switch()
        with world.relayed() as relay:
            world.site.start_daemon()
            world.wait(lambda s: s["switch"] == "connected")
            relay.loses = lambda frame: b"CHANNEL_HANGUP_COMPLETE" in frame
            world.start_campaign()
            world.wait(lambda s: s["live"].get("answered", 0) == 2)
            world.wait(lambda s: not s["live"], timeout_s=75)  # the calls may take 300 s and more
            assert relay.lost >= 2
            world.wait_finished()
            assert world.last_outcomes() == {row.number: row.expected_outcome for row in rows}
            assert world.stop_list() == 1
