"""The daemon's daily sweep: off the hub, told where it fails, tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from duecall.core import commands as c
from duecall.core.moment import Moment
from duecall.shell import daily_retention
from duecall.shell.clock import now
from duecall.shell.daily_retention import DailyRetention
from duecall.shell.store_worker import StoreWorker
from tests.shell.service_world import until
from tests.shell.store_world import NAME, open_store
from tests.shell.test_person_erasing import World, person_row
from tests.shell.test_retention import later, site, years

pytestmark = pytest.mark.usefixtures("database")


class Desk:
    def __init__(self, folder: Path) -> None:
        self.world = World(folder, [person_row(n, contract=f"HD-{n}") for n in range(1, 4)])
        self.world.call("HD-1")
        self.alarms: list[c.Alarm] = []
        self.worker = StoreWorker(lambda: open_store(folder), lambda _: None, self.alarms.append)
        chosen = site(years("log", 2), years("recording", 1))
        files = self.world.files
        self.daily = DailyRetention(chosen, files, self.worker, "main", self.alarms.append)

    def left(self) -> int:
        return len(list(self.world.store.attempts(NAME)))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(daily_retention, "now", lambda: Moment(later(years=3), now().mono_s))
    monkeypatch.setattr(daily_retention, "FIRST_S", 0.01)
    with gevent.Timeout(60, AssertionError("the test hangs")):
        desk = Desk(tmp_path)
        yield desk
    desk.worker.close()


def test_what_is_old_goes_soon_after_the_start(desk: Desk) -> None:
    running = gevent.spawn(desk.daily.run)
    until(lambda: desk.left() == 0)
    running.kill()
    assert not list(desk.world.folder.rglob("*.wav")) and desk.alarms == []


def test_what_cannot_be_removed_is_told_once_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daily_retention, "AGAIN_S", 0.05)
    sweeps: list[bool] = []
    real = desk.daily.sweep
    monkeypatch.setattr(desk.daily, "sweep", lambda: sweeps.append(real()) or sweeps[-1])
    (path,) = desk.world.folder.rglob("*.wav")
    path.unlink()
    path.mkdir()  # no unlink removes a folder
    running = gevent.spawn(desk.daily.run)
    until(lambda: len(sweeps) >= 3)
    assert not any(sweeps) and desk.left() == 1
    assert [alarm.what for alarm in desk.alarms] == ["old records cannot be removed"]
    path.rmdir()
    path.write_bytes(b"RIFF")
    until(lambda: desk.left() == 0)
    running.kill()
    assert "Traceback" not in capfd.readouterr().err


def test_the_hub_goes_on_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real_sleep = gevent.monkey.get_original("time", "sleep")
    real = desk.world.files.remove_recording

    def slow(name: str) -> bool:
        real_sleep(0.5)
        return real(name)

    monkeypatch.setattr(desk.world.files, "remove_recording", slow)
    turns: list[Any] = []

    def count() -> None:
        while True:
            gevent.sleep(0.01)
            turns.append(1)

    counting = gevent.spawn(count)
    assert desk.daily.sweep()
    counting.kill()
    assert len(turns) >= 15 and desk.left() == 0
