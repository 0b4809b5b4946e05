"""A whole campaign, on each switch: every way a callee behaves leads to the outcome it should."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from duecall.shell.loopback_site import SwitchKind
from tests.e2e.world import World, rows_with

CALLEES = (
    "presses-1",
    "presses-2",
    "presses-9",
    "listens",
    "hangs-up-midway",
    "busy",
    "no-answer",
    "rejects",
    "unknown-number",
    "congestion",
    "answering-machine",
    "answers-late",
    "presses-5-then-hears",
    "not-reachable",
    "answers-and-hangs-up-at-once",
    "presses-1-early",
    "presses-3",
    "busy|presses-1",
    "no-answer|busy|listens",
)


@pytest.fixture(scope="module")
def world(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"campaign-{switch_kind}")
    trap = folder / "executed"
    rows = rows_with(*CALLEES)
    nasty = (
        "${system touch " + str(trap) + "}",
        "{} ${bgsystem(touch " + str(trap) + ")} |,'\"",
        "A\nB\n\napi bgapi system touch " + str(trap),
        "x" * 10_000,
    )
    names = dict(zip((row.number for row in rows_with(*CALLEES[:4])), nasty, strict=True))
    with World(folder, switch_kind, rows, names=names) as world:
        world.trap = trap  # type: ignore[attr-defined]
        world.start_everything()
        world.wait_finished()
        yield world


def test_every_callee_leads_to_its_outcome(world: World) -> None:
    expected = {row.number: row.expected_outcome for row in world.rows}
    assert world.last_outcomes() == expected


def test_every_attempt_is_one_invite_and_every_invite_an_attempt(world: World) -> None:
    attempts = Counter(row["phone"] for row in world.report())
    assert attempts == world.rings()
    assert max(attempts.values()) <= 3


def test_a_retry_waits_as_long_as_its_rule_says(world: World) -> None:
    times: dict[str, list[float]] = {}
    for invite in world.field.invites():
        if not invite.repeat:
            times.setdefault(invite.number, []).append(invite.unix_time)
    for moments in times.values():
        for earlier, later in pairwise(moments):
            assert later - earlier >= 2.0


def test_names_are_data_and_nothing_else(world: World) -> None:
    assert not world.trap.exists()  # type: ignore[attr-defined]


def test_keys_are_written_down_with_their_step(world: World) -> None:
    keys = {row["phone"]: row["keys"] for row in world.report()}
    for callee, key in (("presses-2", "2"), ("presses-9", "9"), ("presses-5-then-hears", "5")):
        (row,) = rows_with(callee)
        assert keys[row.number] == f"message:{key}"


def test_an_answered_call_is_recorded_in_stereo_with_sound_on_both_sides(world: World) -> None:
    (row,) = rows_with("answering-machine")
    (attempt,) = [line for line in world.report() if line["phone"] == row.number]
    sound, rate = soundfile.read(world.site.path("recordings") / attempt["recording"])
    assert rate == 8000
    assert sound.ndim == 2
    callee, duecall = (float(np.sqrt(np.mean(side**2))) for side in sound.T)
    assert callee > 0.003
    assert duecall > 0.003


def test_the_index_knows_whose_sound_is_on_which_side(world: World) -> None:
    """The first channel is the callee's."""

    def entry(callee: str) -> dict[str, Any]:
        (row,) = rows_with(callee)
        asked = ("recordings", "list", "--json", "--number", row.number)
        for _ in range(40):  # it is looked at some seconds after the call
            told = world.site.duecall(*asked)
            assert told.returncode == 0, told.stderr
            if found := json.loads(told.stdout):
                (one,) = found
                return dict(one)
            time.sleep(0.5)
        raise AssertionError(f"{callee} is not in the index")

    listening, talking = entry("listens"), entry("answering-machine")
    assert listening["channels"] == talking["channels"] == 2
    assert 1_500 < listening["callee_ms"] < 3_000  # says some words, and hears a long message
    assert listening["us_ms"] > 2 * listening["callee_ms"]
    assert talking["callee_ms"] > 500 and talking["us_ms"] > 500
    path = world.site.path("recordings") / talking["name"]
    assert talking["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert abs(talking["length_ms"] - 1000 * soundfile.info(path).duration) < 2
    assert talking["state"] == "there" and talking["bytes"] == path.stat().st_size


def test_the_agent_is_on_our_side(world: World) -> None:
    (row,) = rows_with("presses-1")
    (attempt,) = [line for line in world.report() if line["phone"] == row.number]
    assert attempt["outcome"] == "transferred"
    sound, rate = soundfile.read(world.site.path("recordings") / attempt["recording"])
    talk = sound[-int(float(attempt["talk_s"]) * rate) :]
    assert len(talk) > rate
    assert float(np.sqrt(np.mean(talk[:, 1] ** 2))) > 0.003


def test_the_books_agree(world: World) -> None:
    lines = world.report()
    named = {line["recording"] for line in lines if line["recording"]}
    folder = world.site.path("recordings")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.wav")}
    assert named == there
    status = world.status()
    assert status["settled"] == status["sent"] == len(lines)
    assert sum(status["campaigns"][0]["outcomes"].values()) == len(lines)
    assert status["alarms"] == []


def test_who_opted_out_is_never_called_again(world: World) -> None:
    (row,) = rows_with("presses-9")
    before = world.rings()[row.number]
    again = world.folder / "again.yaml"
    again.write_text(world.campaign.read_text().replace("name: quick", "name: again"))
    done = world.site.duecall("start", str(again))
    assert done.returncode == 0, done.stderr
    held = world.wait(
        lambda status: any(
            c["name"] == "again" and c["done_for"].get("number is on the stop list", 0) == 1
            for c in status["campaigns"]
        )
    )
    assert held
    world.site.duecall("stop", "again")
    assert world.rings()[row.number] == before


def test_personal_data_is_not_readable_in_the_database_or_the_log(world: World) -> None:
    data = b"".join(path.read_bytes() for path in world.site.path("var").glob("duecall.db*"))
    log = (world.folder / "daemon.log").read_bytes()
    for row in world.rows:
        assert row.number.encode() not in data
        assert row.number.encode() not in log
    assert "Nguyễn Văn An".encode() not in data
    assert "Nguyễn Văn An".encode() not in log


def test_call_records_are_put_away_when_settled(world: World) -> None:
    cdr = world.site.path("cdr")
    attempts = {line["attempt"] for line in world.report()}

    def waiting(_: object) -> bool:
        return not {path.name.split(".")[0] for path in cdr.glob("*.cdr.json")} & attempts

    world.wait(waiting)


def test_the_script_takes_the_brief_away_from_call_records(world: World) -> None:
    records = [path.read_text() for path in Path(world.site.path("cdr")).rglob("*.cdr.json")]
    answered = [record for record in records if "duecall_result" in record]
    assert len(answered) >= 10
    assert not any("duecall_brief" in record for record in answered)
