"""The commands that speak to a running daemon. It has no switch here, so nobody is called."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from duecall.cli.status_view import status_view
from duecall.shell import control
from tests.cli.desk import HEADER, Answer, Desk, row

NAMES = ("Nguyễn Văn An", "Trần Thị Bích", "Lê Hoàng Phúc")


def status_of(desk: Desk) -> dict[str, Any]:
    """The daemon's own answer, without the half second that a command takes to start."""
    return control.ask(desk.folder / "var" / "duecall.sock", {"do": "status"})


def test_status_without_campaigns(daemon_desk: Desk) -> None:
    deadline = time.monotonic() + 30
    while status_of(daemon_desk)["switch"] == "connecting":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    shown, script = daemon_desk.run_all([("status",), ("status", "--json")])
    assert "switch: not connected" in shown.good
    told = json.loads(script.good)
    assert told["sent"] == 0
    assert told["switch"].startswith("not connected")


def test_start_makes_every_sound_before_the_daemon_is_told(daemon_desk: Desk) -> None:
    rows = [row(n, NAMES[n % 3]) for n in range(12)]
    path = daemon_desk.campaign(
        name="loud",
        csv=HEADER + "".join(rows),
        message="Kính chào {{ name }}. Quý khách còn nợ {{ balance }}.",
        keys={"2": {"do": "claims_paid", "say": "Cảm ơn quý khách."}},
    )
    cache = daemon_desk.folder / "tts_cache"
    before = set(cache.rglob("*.wav"))
    started = daemon_desk.run("start", path, "--paused", DUECALL_PROGRESS="1")
    assert "contacts: 12 new, " in started.good
    made = set(cache.rglob("*.wav")) - before
    assert f"prompts: {len(made)} sounds made for 12 contacts" in started.good
    assert len(made) >= 12 + 3  # each sum, each name, and the words between
    assert "12/12 contacts" in started.err
    assert started.good.endswith("loud loaded, paused\n")
    status = status_of(daemon_desk)
    (mine,) = [c for c in status["campaigns"] if c["name"] == "loud"]
    assert (mine["state"], mine["ready"]) == ("paused", 12)
    # Again: all is there.
    again = daemon_desk.run("start", path, "--paused")
    assert "prompts: 0 sounds made for 12 contacts" in again.good


def test_a_campaign_with_a_row_that_cannot_be_spoken_does_not_start(daemon_desk: Desk) -> None:
    names = ["An", "Bình", "⁂⁂⁂", "Chi"]
    csv = HEADER + "".join(row(50 + n, name) for n, name in enumerate(names))
    path = daemon_desk.campaign(name="mute", csv=csv, message="{{ name }}")
    refused = daemon_desk.run("start", path, "--paused")
    assert refused.error.startswith("1 of 4 rows cannot be spoken, so nothing was loaded or ")
    (line,) = (line for line in refused.err.splitlines() if not line.startswith("error: "))
    assert line.startswith("cannot be spoken: row 4: name: this name holds no letter")
    assert "⁂" not in refused.err  # no terminal: this may be a log
    assert refused.out == ""
    assert "mute" not in [one["name"] for one in status_of(daemon_desk)["campaigns"]]
    # Neither does the daemon take it up from another program that asks it to.
    socket = daemon_desk.folder / "var" / "duecall.sock"
    with pytest.raises(control.ControlError, match=r"row 4: name: cannot be spoken: this name"):
        control.ask(socket, {"do": "start", "file": str(path), "paused": True})
    started = daemon_desk.run("start", path, "--paused", "--leave-out-unspeakable")
    assert "left out: 1 of 4 rows cannot be spoken\n" in started.good
    assert "contacts: 4 new" in started.good
    assert started.good.endswith("mute loaded, paused\n")
    assert '"left_out":1' in ledger_of(daemon_desk, "mute")


def ledger_of(desk: Desk, campaign: str) -> str:
    """The last word of the ledger on the state of this campaign."""
    with sqlite3.connect(desk.folder / "var" / "duecall.db") as database:
        rows = database.execute("SELECT body FROM ledger WHERE kind = 'campaign' ORDER BY at")
        return [body for (body,) in rows if f'"{campaign}"' in body][-1]


def test_rows_that_the_selection_never_picks_need_not_be_speakable(daemon_desk: Desk) -> None:
    csv = HEADER + row(80) + row(81, "⁂⁂⁂")
    path = daemon_desk.campaign(
        name="picked", csv=csv, selection={"balance": {"max": 1_080_000}}, message="{{ name }}"
    )
    assert daemon_desk.run("start", path, "--paused").good.endswith("picked loaded, paused\n")


def test_start_makes_no_sound_for_those_who_are_not_selected(daemon_desk: Desk) -> None:
    csv = HEADER + row(70, "Đặng Quốc Bảo") + row(71, "Vũ Thị Linh")
    selection = {"balance": {"min": 1_071_000}}
    path = daemon_desk.campaign(name="few", csv=csv, selection=selection)
    assert "for 1 contacts" in daemon_desk.run("start", path, "--paused").good


def test_pause_resume_stop_and_import_reach_the_daemon(daemon_desk: Desk) -> None:
    path = daemon_desk.campaign(name="turns")
    assert daemon_desk.run("start", path).good

    def state() -> str:
        status = status_of(daemon_desk)
        return next((c["state"] for c in status["campaigns"] if c["name"] == "turns"), "")

    assert state() == "running"
    assert daemon_desk.run("pause", path).good == "turns paused\n"
    assert state() == "paused"
    assert daemon_desk.run("resume", "turns").good == "turns resumed\n"
    assert state() == "running"
    daemon_desk.campaign(name="turns", csv=HEADER + "".join(row(n) for n in range(5)))
    assert "2 new, 0 changed, 3 unchanged" in daemon_desk.run("import", path).good
    assert daemon_desk.run("stop", "turns").good == "turns stopped\n"
    nobody = daemon_desk.run("pause", "nobody").error
    assert "no campaign 'nobody' is started" in nobody


def test_a_second_daemon_is_refused(daemon_desk: Desk) -> None:
    error = daemon_desk.run("run").error
    assert error == "another daemon of this installation is running; see: duecall status"


def test_a_fault_in_the_file_is_told_as_by_check(daemon_desk: Desk) -> None:
    path = daemon_desk.campaign(name="faulty", trunk="dmeo")
    answer = daemon_desk.run("start", path)
    assert answer.code == 1
    assert f"{path}:" in answer.err
    assert "'dmeo' is no trunk of config.yaml (did you mean demo?)" in answer.err


def test_watching_ends_with_ctrl_c_without_a_word(daemon_desk: Desk) -> None:
    process = daemon_desk.start("status", "--watch")
    socket = daemon_desk.folder / "var" / "duecall.sock"
    assert socket.exists()
    wait_until_it_sleeps(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    answer = Answer(process.returncode, out, err)
    assert (answer.code, answer.err) == (0, "")
    assert "switch: not connected" in answer.out


def wait_until_it_sleeps(pid: int, timeout_s: float = 30.0) -> None:
    """Until it has used no CPU for half a second: it has drawn, and waits for its next second."""
    deadline, used, since = time.monotonic() + timeout_s, -1, time.monotonic()
    while time.monotonic() - since < 0.5 or used < 10:
        assert time.monotonic() < deadline
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        now = int(fields[11]) + int(fields[12])  # user and system time, in ticks
        if now != used:
            used, since = now, time.monotonic()
        time.sleep(0.05)


def test_the_daemon_that_does_not_answer_can_be_left(daemon_desk: Desk) -> None:
    assert daemon_desk.site is not None
    pid = daemon_desk.site.daemon_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        process = daemon_desk.start("status")
        wait_until_it_sleeps(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        os.kill(pid, signal.SIGCONT)
    answer = Answer(process.returncode, out, err)
    assert (answer.code, answer.err.strip()) == (1, "Aborted!")


def test_status_fits_80_columns_whatever_it_holds(daemon_desk: Desk) -> None:
    assert daemon_desk.run("start", daemon_desk.campaign(name="wide"), "--paused").good
    status = status_of(daemon_desk)
    # The daemon's own answer, with the largest figures that one may meet.
    (wide,) = [c for c in status["campaigns"] if c["name"] == "wide"]
    wide.update({key: 1_234_567 for key, value in wide.items() if isinstance(value, int)})
    wide["name"] = "overdue-" + "x" * 40
    wide["state"] = "finished"
    wide["held_back"] = {
        "no hour fits all 11 zones this number may be in: give the contact a zone": 1_234_567
    }
    wide["trouble"] = "the cache folder cannot be used: no room on its disk"
    wide["next_due"] = "2026-11-23T01:00:00+00:00"
    status["outcomes"] = {"agent_unavailable": 1_234_567, "busy": 3}
    status["live"] = {"ringing": 800, "answered": 200, "waiting": 12, "bridged": 90}
    status.update(sent=12_345_678, settled=12_345_600, draining=True, earlier=500, given_up=12)
    status["switch"] = "not connected: the switch did not answer `userauth` within 5 s, " + "x" * 60
    status.update(database="StoreLost: " + "the server is gone " * 8, database_waiting=12_345)
    status["alarms"] = [
        {"at": "2026-11-23T01:00:00+00:00", "what": "the switch is not there", "reason": "y" * 90}
    ]
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(status_view(status))
    shown = capture.get()
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "…" not in shown
    for whole in ("contacts", "attempts", "1234567", "agent_unavailable", "finished"):
        assert whole in shown.split()
    words = " ".join(shown.split())
    for said in (
        "500 of an earlier daemon, being asked after",
        "12 given up, kept until their phones cannot ring",
        "12345 changes wait for it",
        "ALARM 2026-11-23",
    ):
        assert said in words
    assert "nobody is called: the cache folder" in " ".join(shown.split())
    assert "outcomes since the daemon started\n" in shown
