"""Sounds that calls may need stay, whatever else needs room; lost ones are asked for anew."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import gevent
import numpy as np
import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Stage, Target
from duecall.core.campaign_run import CampaignRun
from duecall.core.dialer import Dialer
from duecall.core.live_call import LiveCall
from duecall.core.rule_choice import rules_of
from duecall.core.site import Folders
from duecall.shell.sound_keeper import SoundKeeper
from duecall.speech import audio
from duecall.speech.cache import TOUCHED_S, WavCache
from duecall.speech.cache_room import KEPT_S
from fs_scripts.contract import Brief, Step
from tests.core import building

SOUND = audio.pcm16(np.full(50_000, 0.1, np.float32))  # 100 kB
OLD_S = KEPT_S + 600


class Desk:
    """A dialer with a target in its hopper and a live call, over a real cache of at most 1 MB."""

    def __init__(self, folder: Path) -> None:
        folders = Folders(tts_cache=str(folder)).model_dump()
        self.site = building.site(folders=folders, tts_cache_max_mb=1)
        self.cache = WavCache(folder)
        self.dialer = Dialer(self.site, building.moment())
        self.events: list[e.Event] = []
        self.alarms: list[c.Alarm] = []
        self.keeper = SoundKeeper(self.site, self.dialer, self.events.append, self.alarms.append)
        self.paths = [self.put(n) for n in range(30)]
        campaign = building.campaign()
        run = CampaignRun(campaign, rules_of(self.site, campaign), 5, building.moment())
        run.hopper.append(self.target(1, self.paths[:2], no_agent=self.paths[2:3]))
        self.dialer.runs[campaign.name] = run
        live = Attempt("a-1", 1, self.target(2, self.paths[3:5]), building.moment().wall)
        self.dialer.live["a-1"] = LiveCall(live, campaign, None, Stage.SENT)

    def put(self, number: int, unused_s: float = OLD_S) -> Path:
        path = Path(self.cache.obtain("v", f"{number:032x}", lambda: SOUND).path)
        os.utime(path, (time.time() - unused_s,) * 2)
        self.cache.index.note(path)
        return path

    def target(self, n: int, paths: list[Path], no_agent: list[Path] | None = None) -> Target:
        brief = Brief("", (Step("message", tuple(map(str, paths)), 1_000),))
        return replace(
            building.target(n), brief=brief, no_agent=tuple(map(str, no_agent or [])), voice=""
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "tts")


def test_what_hopper_and_live_calls_need_stays(desk: Desk) -> None:
    desk.keeper.keep()
    room = desk.keeper.make_room()
    assert room is not None
    assert not room.over
    assert [path.exists() for path in desk.paths[:5]] == [True] * 5
    assert sum(path.exists() for path in desk.paths) == 9
    assert not desk.events
    assert not desk.alarms


def test_without_the_keeper_they_would_be_gone(desk: Desk) -> None:
    """So that the test above can fail."""
    assert desk.keeper.make_room() is not None
    assert sum(path.exists() for path in desk.paths[:5]) < 5


def test_the_hopper_of_another_daemon_is_safe_as_well(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "tts")
    other.dialer.runs.clear()
    other.dialer.live.clear()
    desk.keeper.keep()
    assert other.keeper.make_room() is not None
    assert [path.exists() for path in desk.paths[:5]] == [True] * 5


def test_a_lost_sound_has_its_contact_prepared_anew(desk: Desk) -> None:
    desk.paths[2].unlink()
    desk.keeper.keep()
    (event,) = desk.events
    assert isinstance(event, e.TargetsChanged)
    assert event.campaign == building.campaign().name
    desk.paths[4].unlink()  # of a live call: nothing can be done
    desk.events.clear()
    desk.paths[2].write_bytes(desk.paths[1].read_bytes())
    desk.keeper.keep()
    assert not desk.events


def test_a_lost_sound_is_noticed_before_more_than_a_second_of_calls_went_without_it(
    desk: Desk,
) -> None:
    running = gevent.spawn(desk.keeper.run)
    gevent.sleep(1.5)
    assert not desk.events
    times = [path.stat().st_mtime_ns for path in desk.paths[:5]]
    desk.paths[2].unlink()
    gevent.sleep(1.5)
    assert desk.events
    assert all(isinstance(event, e.TargetsChanged) for event in desk.events)
    del times[2]
    there = [*desk.paths[:2], *desk.paths[3:5]]
    assert [path.stat().st_mtime_ns for path in there] == times
    running.kill()


def test_what_was_touched_of_late_is_left_alone(desk: Desk) -> None:
    desk.keeper.keep()
    before = [path.stat().st_mtime_ns for path in desk.paths[:5]]
    desk.keeper.keep()
    assert [path.stat().st_mtime_ns for path in desk.paths[:5]] == before
    os.utime(desk.paths[0], (time.time() - TOUCHED_S,) * 2)
    desk.keeper.keep()
    assert desk.paths[0].stat().st_mtime_ns > before[0]


def test_a_limit_that_is_too_small_is_told_once(desk: Desk) -> None:
    for path in desk.paths:
        os.utime(path)
    for _ in range(2):
        room = desk.keeper.make_room()
        assert room is not None
        assert room.over
    (alarm,) = desk.alarms
    assert alarm.what == "the sounds need more room than tts_cache_max_mb"


def test_a_folder_that_cannot_be_used_is_told(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site = building.site(folders=Folders(tts_cache=str(tmp_path / "file" / "tts")).model_dump())
    keeper = SoundKeeper(site, desk.dialer, desk.events.append, desk.alarms.append)
    assert keeper.make_room() is None
    (alarm,) = desk.alarms
    assert alarm.what == "no room can be made for sounds"
    gevent.sleep(0)
