"""What was noted is decided again: over bad stories, in another process, by a broken core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core import retry
from duecall.core.attempt import Attempt, Stage, Target
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS, CallKey, PastCall
from duecall.core.campaign import Campaign
from duecall.core.campaign_run import CampaignRun
from duecall.core.dialer import Dialer
from duecall.core.gate_types import Horizon, Snapshot, Stop
from duecall.core.line import Line
from duecall.core.moment import Moment
from duecall.core.outcome import Ending as CallEnding
from duecall.core.outcome import Outcome
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import EffectiveRules
from duecall.core.sent_calls import SentCalls
from duecall.shell import journal, journal_codec
from duecall.shell.journal_file import Ending, segments_in
from duecall.shell.journal_replay import Replayed, replay, replay_folder
from duecall.shell.journal_text import differing
from duecall.shell.vault import KEY_VARIABLE, Vault, new_key_text
from fs_scripts.contract import KeyPress, Result
from tests.core import building
from tests.shell.journal_world import VAULT, Noted, entries_of, only_segment, site_in, story

SEEDS = 40


def replayed(folders: list[Path]) -> list[Replayed]:
    return [one for folder in folders for one in replay_folder(segments_in(folder), VAULT)]


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_a_replay_decides_the_same(
    tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_S", 40)  # of the story: many segments a life
    monkeypatch.setattr(journal, "BLOCK_MAX", 50)
    monkeypatch.setattr(journal_codec, "NUMBERED_MAX", 30)
    rotated = 0
    for seed in range(first, first + 10):
        folders = story(tmp_path / str(seed), seed)
        done = replayed(folders)
        assert all(one.same for one in done), (seed, [one.problem for one in done])
        assert {one.ending for one in done} == {Ending.CLOSED}
        assert sum(one.commands for one in done) > 20
        rotated += len(done) - len(folders)
    assert rotated > 10  # or no snapshot of a dialer in the middle of its calls was tried


ATTEMPT = Attempt("an-attempt", 2, building.target(), building.NOON_IN_HANOI)
KEYS = (KeyPress("1", 900, "message", meant=False),)
RESULT = Result("an-attempt", "key", "answer", KEYS, {"why": "late"}, 1, 2, 3)
ENDING = CallEnding("USER_BUSY", 486, answered=True, result=RESULT)
SAMPLES: dict[Any, Any] = {
    Moment: building.moment(3),
    Campaign: building.campaign(),
    Attempt: ATTEMPT,
    Target: ATTEMPT.target,
    Stage: Stage.WAITING,
    Outcome: Outcome.BUSY,
    Result: RESULT,
    CallEnding: ENDING,
    Horizon: Horizon(1, None, 3),
    Snapshot: Snapshot(
        {CallKey("number", "hash-1"): (PastCall(1, 2, ALL_EVENTS, ALL_CHANNELS),)},
        (Stop("dispute", "this contract", 5, "anna"),),
    ),
    EffectiveRules: rules_of(building.site(), building.campaign()),
    tuple[tuple[date, int, int], ...]: ((date(2026, 4, 19), 100, 3),),
    str: "text",
    int: 7,
    float: 0.1,
    bool: True,
    datetime | None: building.NOON_IN_HANOI,
    datetime: building.NOON_IN_HANOI,
    date | None: date(2026, 4, 19),
    frozenset[str]: frozenset({"a", "b"}),
    tuple[str, ...]: ("a", "b"),
    tuple[int, ...]: (1, 2),
    tuple[tuple[str, str], ...]: (("a", "b"),),
    tuple[Target, ...]: (ATTEMPT.target, building.target(2)),
    tuple[Campaign, ...]: (building.campaign(),),
    tuple[tuple[Attempt, Stage], ...]: ((ATTEMPT, Stage.SENT),),
}
KINDS = [
    kind
    for module, base in ((e, e.Event), (c, c.Command))
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, base) and kind is not base
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_event_and_command_is_held(kind: type[Any]) -> None:
    hints = get_type_hints(kind)
    value = kind(*(SAMPLES[hints[field.name]] for field in fields(kind)))
    told = (value, ()) if isinstance(value, e.Event) else (e.Woke(building.moment()), (value,))
    data = journal_codec.Encoder().block([(told[0], building.moment(1), told[1], "")])
    (entry,) = journal_codec.Decoder().block(data)
    assert entry == (told[0], building.moment(1), told[1], "")
    read = entry.event if isinstance(value, e.Event) else entry.commands[0]
    for field in fields(kind):
        assert type(getattr(read, field.name)) is type(getattr(value, field.name))


def test_other_processes_decide_the_same_whatever_the_order_of_their_sets(tmp_path: Path) -> None:
    """Strings hash differently in each process; nothing that is decided may hang on it."""
    key = new_key_text()
    folder = tmp_path / "var"
    noted = Noted(site_in(folder), building.moment(0), Vault(key))
    several = frozenset(f"stranger-{n}" for n in range(20))
    noted.handle(e.SwitchUp(building.moment(0), several))
    noted.handle(e.CampaignStarted(building.moment(0), building.campaign()))
    targets = tuple(building.target(n) for n in range(1, 21))
    noted.handle(e.TargetsLoaded(building.moment(0.1), "overdue", targets))
    for step in range(20):
        for attempt in list(noted.live):
            noted.handle(e.AttemptSaved(building.moment(1 + step), attempt))
    noted.handle(e.SwitchUp(building.moment(30), several, same_switch=False))
    noted.journal.close()
    (tmp_path / "config.yaml").write_text(
        "trunks: {demo: {proxy: '127.0.0.1:9', channels: 2, calls_per_second: 1}}\n"
    )
    answers = set()
    for number in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "duecall", "replay", str(noted.folder), "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": number, KEY_VARIABLE: key},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answers.add(done.stdout)
    (answer,) = answers
    assert json.loads(answer)["commands"] > 40


def later(rules: Any, past: Any, outcome: Any, at: Any) -> retry.RetryDecision:
    return retry.RetryDecision(at + timedelta(seconds=7), "a different rule")


def raises(*_: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        (retry, "decide", later),
        (Line, "may_save", lambda self, at_s: len(self.taken) < 2),
        (SentCalls, "keep_house", lambda self, at: None),
        (CampaignRun, "wanted", lambda self, at: 1 if not self.loading else 0),
        (Dialer, "_on_attempt_saved", raises),
    ],
)
def test_a_core_that_decides_otherwise_is_seen_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, instead: Any
) -> None:
    folders = story(tmp_path, 0)
    monkeypatch.setattr(owner, name, instead)
    found = [one.difference for one in replayed(folders) if one.difference]
    assert found
    for difference in found:
        assert difference.expected != difference.actual or difference.error


def test_the_first_difference_is_told_with_its_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = story(tmp_path, 0)
    monkeypatch.setattr(retry, "decide", later)
    found = next(one.difference for one in replayed(folders) if one.difference)
    assert isinstance(found.entry.event, e.CallEnded)
    assert isinstance(found.expected, c.SaveOutcome)
    assert isinstance(found.actual, c.SaveOutcome)
    assert found.entry.commands[found.command - 1] == found.expected
    assert {path for path, _, _ in differing(found.expected, found.actual)} == {
        "next_due",
        "reason",
    }


def test_what_the_dialer_raises_is_noted_and_raised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Noted(site_in(tmp_path), building.moment(0))
    noted.handle(e.CampaignStarted(building.moment(0), building.campaign()))
    original = Dialer._on_campaign_paused

    def fails(self: Dialer, event: Any) -> None:
        original(self, event)
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        # In the dialer itself: what it raised was raised by this very event.
        broken.setitem(noted.dialer._handlers, e.CampaignPaused, lambda event: fails(noted, event))
        with pytest.raises(ZeroDivisionError):
            noted.handle(e.CampaignPaused(building.moment(1), "overdue"))
    noted.handle(e.CampaignResumed(building.moment(2), "overdue"))
    noted.journal.close()
    assert [entry.error for entry in entries_of(only_segment(noted.folder))][1] == (
        "ZeroDivisionError"
    )
    mended = replay(only_segment(noted.folder), VAULT)
    assert mended.difference is not None
    assert (mended.difference.event, mended.difference.error) == (2, "")


def test_what_was_one_object_is_one_again_over_all_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core asks whether a call was planned by the very campaign that runs."""
    monkeypatch.setattr(journal, "BLOCK_MAX", 1)
    noted = Noted(site_in(tmp_path), building.moment(0))
    campaign = building.campaign()
    noted.handle(e.CampaignStarted(building.moment(0), campaign))
    noted.handle(e.AttemptsRecovered(building.moment(1), (), (campaign, building.campaign())))
    noted.journal.close()
    first, second = entries_of(only_segment(noted.folder))
    assert isinstance(first.event, e.CampaignStarted)
    assert isinstance(second.event, e.AttemptsRecovered)
    assert first.event.campaign is second.event.campaigns[0]
    assert first.event.campaign is not second.event.campaigns[1]


def test_a_snapshot_in_the_middle_of_calls_goes_on_as_they_do(tmp_path: Path) -> None:
    """Hopper, live calls, rates and numbers: all of it, and nothing shared with the original."""
    site = site_in(tmp_path)
    dialer = Dialer(site, building.moment(0))
    dialer.handle(e.SwitchUp(building.moment(0), frozenset()))
    dialer.handle(e.CampaignStarted(building.moment(0), building.campaign()))
    targets = tuple(building.target(n) for n in range(1, 31))
    dialer.handle(e.TargetsLoaded(building.moment(1), "overdue", targets))
    for step in range(8):
        dialer.handle(e.Woke(building.moment(1 + step / 4)))
        for attempt in list(dialer.live):
            dialer.handle(e.AttemptSaved(building.moment(1 + step / 4), attempt))
            if step % 2:  # of the last ones the switch has said nothing yet
                dialer.handle(e.CallAccepted(building.moment(1 + step / 4), attempt))
    twin = journal_codec.Decoder().snapshot(journal_codec.Encoder().snapshot(dialer))
    assert list(twin.live) == list(dialer.live)
    assert len(twin.live) > 3
    assert twin.runs["overdue"].hopper == dialer.runs["overdue"].hopper
    assert all(call.line is twin.lines["demo"] for call in twin.live.values())
    assert all(call.campaign is twin.runs["overdue"].campaign for call in twin.live.values())
    at = building.moment(4)
    events: list[Callable[[Any, str], e.Event]] = [e.CallRang, e.CallAnswered]
    decided = 0
    for make in events:
        for attempt in list(dialer.live):
            out = dialer.handle(make(at, attempt))
            assert twin.handle(make(at, attempt)) == out
            decided += len(out)
    assert decided > 6
