"""`duecall replay`: what it says of journals: good ones, and those that it cannot read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from duecall.cli import cli, load_commands
from duecall.core import events as e
from duecall.core import retry
from duecall.core.attempt import Target
from duecall.core.dialer import Dialer
from duecall.core.outcome import Ending
from duecall.shell import journal, journal_replay
from duecall.shell.journal_file import segments_in
from duecall.shell.vault import KEY_VARIABLE, Vault, new_key_text
from tests.cli.desk import Desk
from tests.core import building
from tests.shell.journal_world import Noted, site_in

KEY = new_key_text()
load_commands()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """An installation whose daemon has called some contacts, in two segments."""
    desk = Desk(tmp_path)
    monkeypatch.setattr(journal, "SEGMENT_S", 5)
    monkeypatch.setattr(journal, "BLOCK_MAX", 20)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    key = tmp_path / "var" / "duecall.key"
    key.parent.mkdir()
    key.write_text(KEY)
    key.chmod(0o600)
    noted = Noted(site_in(tmp_path / "var"), building.moment(0), Vault(KEY))
    noted.handle(e.SwitchUp(building.moment(0), frozenset()))
    noted.handle(e.CampaignStarted(building.moment(0), building.campaign()))
    targets = tuple(building.target(n) for n in range(1, 21))
    noted.handle(e.TargetsLoaded(building.moment(1), "overdue", targets))
    for step in range(30):
        at = building.moment(1 + step / 4)
        noted.handle(e.Woke(at))
        for attempt in list(noted.live):
            noted.handle(e.AttemptSaved(at, attempt))
            ending = Ending("USER_BUSY", 486, script_started=False)
            noted.handle(e.CallEnded(at.after(0.1), attempt, ending))
    noted.journal.close()
    assert len(segments_in(noted.folder)) == 2
    yield desk


def replay_of(desk: Desk, *arguments: object) -> Result:
    """In this process, so that its core can be broken."""
    return CliRunner().invoke(cli, ["--config", str(desk.config), "replay", *map(str, arguments)])


def files(desk: Desk) -> list[Path]:
    return segments_in(desk.folder / "var" / "journal")


def error_of(answer: Result) -> str:
    assert answer.exit_code == 1, answer.output
    (line,) = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


def test_the_same_is_said_of_each_segment_and_of_all(desk: Desk) -> None:
    for argument in ([], [desk.folder / "var" / "journal"]):
        answer = replay_of(desk, *argument)
        assert answer.exit_code == 0, answer.output
        lines = answer.stdout.splitlines()
        assert [line.endswith(": the same") for line in lines] == [True] * 3
        assert lines[2].startswith("in all: ")
    (line,) = replay_of(desk, files(desk)[0]).stdout.splitlines()
    assert " events, " in line
    assert " commands: the same" in line


def test_scripts_get_json(desk: Desk) -> None:
    verdict = json.loads(replay_of(desk, "--json").stdout)
    assert verdict["same"] is True
    assert [one["ending"] for one in verdict["segments"]] == ["closed", "closed"]
    assert verdict["events"] == sum(one["events"] for one in verdict["segments"]) > 60
    assert verdict["commands"] > 60


def test_shown_are_all_events_and_nobodys_data(desk: Desk) -> None:
    out = replay_of(desk, "--show").stdout
    lines = out.splitlines()
    assert sum(" CallEnded " in line for line in lines) > 10
    (first, *_) = [line for line in lines if " CallEnded " in line]
    assert first.startswith("2026-11-23T05:00:0")
    assert "ending=(cause=USER_BUSY sip_status=486)" in first
    assert "-> SaveOutcome attempt=" in first
    assert "outcome=busy" in first
    for number in range(1, 21):
        target = building.target(number)
        for text in (target.contact.phone[3:], target.contact.name, target.account.contract_number):
            assert text not in out
    assert "1250000" not in out


def later(rules: Any, past: Any, outcome: Any, at: Any) -> retry.RetryDecision:
    return retry.RetryDecision(at + timedelta(seconds=7), "call +84900000001 again")


def test_the_first_difference_is_told_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "decide", later)
    monkeypatch.setattr(journal_replay, "core_digest", lambda: "another")
    answer = replay_of(desk)
    assert answer.exit_code == 1
    lines = answer.stdout.splitlines()
    assert "the code that decides has changed since" in lines[0]
    assert "led to something else" in lines[1]
    assert " CallEnded attempt_id=" in lines[2]
    assert lines[3] == "  command 1"
    assert "then: SaveOutcome attempt=" in lines[4]
    assert "now:  SaveOutcome attempt=" in lines[5]
    assert lines[6].startswith("    next_due: then 2026-11-23T05:1")
    assert lines[7] == "    reason: then 'retry after busy', now 'call +84…001 again'"
    assert len(lines) == 8  # the second segment is not looked at: it would be no news
    found = json.loads(replay_of(desk, "--json").stdout)["segments"][-1]["difference"]
    assert [field["field"] for field in found["fields"]] == ["next_due", "reason"]
    assert found["command"] == 1


def test_a_difference_in_a_person_is_told_without_the_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Dialer._plan

    def renamed(self: Dialer, run: Any, target: Target, *rest: Any) -> None:
        contact = replace(target.contact, name="Somebody", phone="+84900009999")
        plan(self, run, replace(target, contact=contact), *rest)

    monkeypatch.setattr(Dialer, "_plan", renamed)
    answer = replay_of(desk)
    assert answer.exit_code == 1
    assert "attempt.target.contact.name: then …, now …" in answer.stdout
    assert "attempt.target.contact.phone: then …, now …" in answer.stdout
    assert "Somebody" not in answer.output
    assert "9999" not in answer.output


def test_a_core_that_raises_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(retry, "decide", fails)
    answer = replay_of(desk)
    assert answer.exit_code == 1
    assert "now:  nothing" in answer.stdout
    assert "then: nothing raised, now: raised ZeroDivisionError" in answer.stdout


def test_what_cannot_be_replayed_is_told_with_its_remedy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = desk.folder / "nowhere"
    assert "does not exist; the journal of this installation is" in error_of(
        replay_of(desk, nowhere)
    )
    assert "not a journal" in error_of(replay_of(desk, desk.config))
    empty = desk.folder / "empty"
    empty.mkdir()
    assert f"no journal in {empty}" in error_of(replay_of(desk, empty))
    monkeypatch.setattr(journal_replay.metadata, "version", lambda name: "99.0")
    both = replay_of(desk)
    assert both.exit_code == 1
    assert both.stderr.count("this is 99.0: replay it with that one") == 2
    assert replay_of(desk, "--any-version").exit_code == 0
    monkeypatch.undo()
    key = desk.folder / "var" / "duecall.key"
    key.write_text(new_key_text())
    assert replay_of(desk).stderr.count("not in the key file") == 2
    key.unlink()
    assert "put back the key of the daemon" in error_of(replay_of(desk))
    assert not key.exists()  # none is made for this
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert replay_of(desk).exit_code == 0


def test_a_damaged_segment_does_not_hide_the_others(desk: Desk) -> None:
    first, _ = files(desk)
    data = bytearray(first.read_bytes())
    data[-200] ^= 1
    first.write_bytes(bytes(data))
    answer = replay_of(desk)
    problem = error_of(answer)
    assert str(first) in problem
    assert "damaged at block" in problem
    assert [line.rpartition(": ")[2] for line in answer.stdout.splitlines()] == [
        "the same so far",
        "the same",
    ]


def test_a_torn_end_is_told_and_no_fault(desk: Desk) -> None:
    last = files(desk)[-1]
    last.write_bytes(last.read_bytes()[:-3])
    answer = replay_of(desk)
    assert answer.exit_code == 0
    assert "its last block is torn" in answer.stdout


def test_one_view_at_a_time(desk: Desk) -> None:
    assert replay_of(desk, "--show", "--json").exit_code == 2
