"""The operator's commands on a running daemon, and what they say where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from duecall.shell.loopback_site import SwitchKind
from tests.e2e.world import World, rows_with


@pytest.fixture
def world(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"operating-{switch_kind}")
    rows = rows_with("listens", "presses-2", "busy")
    with World(folder, switch_kind, rows, channels=1, calls_per_second=1) as world:
        yield world


def test_pause_resume_stop_and_status_reach_the_daemon_at_once(world: World) -> None:
    site = world.site
    site.start_switch()
    site.start_daemon()
    assert site.duecall("status").stdout.count("no campaign is started") == 1
    started = site.duecall("start", str(world.campaign), "--paused")
    assert "3 new, 0 changed, 0 unchanged, 0 rows refused" in started.stdout
    status = json.loads(site.duecall("status", "--json").stdout)
    assert status["campaigns"][0]["state"] == "paused"
    assert status["sent"] == 0
    assert site.duecall("resume", "quick").returncode == 0
    world.wait(lambda s: s["sent"] >= 1)
    assert site.duecall("pause", "quick").returncode == 0
    paused = world.wait(lambda s: not s["live"])
    assert paused["campaigns"][0]["state"] == "paused"
    world.wait(lambda s: s["campaigns"][0]["hopper"] == 0)
    sent = world.status()["sent"]
    assert site.duecall("stop", "quick").returncode == 0
    # A stopped campaign stays so over a restart of the daemon.
    assert site.stop_daemon() == 0
    site.start_daemon()
    world.wait(lambda s: s["switch"] == "connected")
    assert world.status()["campaigns"] == []
    assert sum(world.rings().values()) == sent
    # Started again, it goes on where it was: nobody who was done with is called again.
    again = site.duecall("start", str(world.campaign))
    assert "0 new, 0 changed, 3 unchanged" in again.stdout
    world.wait_finished()
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}
    (listener,) = rows_with("listens")
    assert world.rings()[listener.number] == 1


def test_unknown_campaigns_and_missing_daemons_are_said_plainly(world: World) -> None:
    site = world.site
    nobody = site.duecall("status")
    assert nobody.returncode == 3
    assert "start one with: duecall run" in nobody.stderr
    assert site.duecall("pause", "quick").returncode == 3
    site.start_switch()
    site.start_daemon()
    unknown = site.duecall("pause", "quick")
    assert unknown.returncode == 1
    assert "no campaign 'quick' is started" in unknown.stderr
    second = site.duecall("run")
    assert second.returncode == 1
    assert "another daemon of this installation is running" in second.stderr


def test_the_doctor_says_what_it_talks_to_and_what_is_wrong(world: World) -> None:
    site = world.site
    before = site.duecall("doctor", "--json")
    assert before.returncode == 1
    wrong = {f["what"]: f for f in json.loads(before.stdout) if f["verdict"] == "wrong"}
    assert set(wrong) == {"switch"}
    assert wrong["switch"]["remedy"]
    site.start_switch()
    findings = {f["what"]: f for f in json.loads(site.duecall("doctor", "--json").stdout)}
    assert not [f for f in findings.values() if f["verdict"] == "wrong"]
    if world.kind == "pocket":
        assert findings["switch"]["verdict"] == "warning"
        assert "pocket switch" in findings["switch"]["detail"]
    else:
        assert "FreeSWITCH" in findings["switch"]["detail"]
        assert findings["records"]["verdict"] == "ok"
    # A script that is not ours any more is found.
    script = next((world.folder / "freeswitch").rglob("call_flow.py"), None)
    if script is not None:
        script.write_text(script.read_text() + "\n")
        tampered = site.duecall("doctor")
        assert tampered.returncode == 1
        assert "is not this version's" in " ".join(tampered.stdout.split())


def test_a_campaign_that_is_changed_and_started_again_takes_the_change(world: World) -> None:
    site = world.site
    site.start_switch()
    site.start_daemon()
    world.start_campaign()
    world.wait_finished()
    text = world.campaign.read_text()
    world.campaign.write_text(text.replace("trunk: demo", "trunk: no-such-trunk"))
    refused = site.duecall("start", str(world.campaign))
    assert refused.returncode == 1
    assert "trunk: 'no-such-trunk' is no trunk of config.yaml" in refused.stderr
    assert world.status()["campaigns"][0]["state"] == "finished"
