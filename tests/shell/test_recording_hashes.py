"""Each recording's hash comes into the ledger, once, whatever happens in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from duecall.core import commands as c
from duecall.core.attempt import recording_name
from duecall.core.moment import Moment
from duecall.shell import recording_hashes, recording_index
from duecall.shell.clock import now
from duecall.shell.recording_hashes import RecordingHashes
from duecall.shell.store import StoreBusy
from duecall.shell.store_answers import ApplyResult
from duecall.shell.store_worker import StoreWorker
from tests.shell.service_world import until
from tests.shell.store_world import NAME, NOON, attempt, loaded, open_store, outcome, save

pytestmark = pytest.mark.usefixtures("database")


class Desk:
    """A store in its thread, whose answers go to the hashes, as in the daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alarms: list[c.Alarm] = []
        self.results: list[ApplyResult] = []
        loaded(folder, 20).close()
        self.worker = StoreWorker(lambda: open_store(folder), self._stored, self.alarms.append)
        self.hashes = self.fresh()

    def fresh(self) -> RecordingHashes:
        return RecordingHashes(self.folder / "rec", self.worker, "main", self.alarms.append)

    def _stored(self, done: ApplyResult) -> None:
        self.results.append(done)
        self.hashes.settled(done.recordings)

    def call(self, content: bytes | None, recorded: bool = True) -> tuple[str, str]:
        """(attempt, name of its recording). content: of the file; None: there is none."""
        (target,) = self.worker.call(lambda store: store.due_targets(NAME, NOON, 1))
        plan = attempt(target)
        name = recording_name(plan)
        if content is not None:
            path = self.folder / "rec" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.worker.put([save(target), outcome(plan, recording=name if recorded else "")])
        assert self.worker.flush(20)
        return plan.id, name

    def noted(self) -> list[tuple[str, dict[str, Any]]]:
        sql = "SELECT attempt_id, body FROM ledger WHERE kind = 'recording' ORDER BY seq"
        rows = self.worker.call(lambda store: store.parts.database.run(sql).fetchall())
        return [(attempt_id, json.loads(body)) for attempt_id, body in rows]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(recording_hashes, "LAG_S", 0.05)
    monkeypatch.setattr(recording_hashes, "LOOK_S", 0.02)
    monkeypatch.setattr(recording_hashes, "AGAIN_S", 0.05)
    with gevent.Timeout(60, AssertionError("the test hangs")):
        desk = Desk(tmp_path)
        running = gevent.spawn(lambda: desk.hashes.run())
        yield desk
    running.kill()
    desk.worker.close()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_hash_and_the_length_of_each_recording(desk: Desk) -> None:
    content = b"RIFF" + bytes(3_000_000)
    attempt_id, name = desk.call(content)
    desk.call(None, recorded=False)
    until(desk.noted)
    gevent.sleep(0.2)
    assert desk.noted() == [
        (attempt_id, {"name": name, "sha256": sha(content), "bytes": len(content)})
    ]


def test_a_missing_one_is_noted_and_told_once(desk: Desk) -> None:
    missing = [desk.call(None) for _ in range(3)]
    until(lambda: len(desk.noted()) == 3)
    assert [body for _, body in desk.noted()] == [
        {"name": name, "sha256": "", "bytes": 0} for _, name in missing
    ]
    assert [alarm.what for alarm in desk.alarms] == ["a recording is missing"]
    desk.call(b"here again")
    desk.call(None)
    until(lambda: len(desk.noted()) == 5)
    assert len(desk.alarms) == 2


def test_what_an_earlier_life_has_left_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_hashes, "PAGE", 2)
    monkeypatch.setattr(recording_hashes, "now", lambda: _at_noon())
    done = [desk.call(b"1")]
    until(lambda: len(desk.noted()) == 1)
    desk.hashes = RecordingHashes(desk.folder, desk.worker, "main", desk.alarms.append)
    done += [desk.call(bytes([n])) for n in range(5)]  # nobody runs for these
    desk.hashes = desk.fresh()
    with gevent.Timeout(20):
        running = gevent.spawn(desk.hashes.run)
        until(lambda: len(desk.noted()) == 6)
    running.kill()
    assert sorted(attempt_id for attempt_id, _ in desk.noted()) == sorted(one for one, _ in done)


def _at_noon() -> Any:
    return Moment(NOON, now().mono_s)


def test_told_twice_it_is_noted_once(desk: Desk) -> None:
    desk.call(b"one")
    until(desk.noted)
    for result in list(desk.results):
        desk.hashes.settled(result.recordings * 2)
    gevent.sleep(0.5)
    assert len(desk.noted()) == 1 and desk.hashes.waiting == 0


def test_while_the_database_refuses_it_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = recording_hashes.write_sums, []

    def busy(*values: Any) -> int:
        if len(refused) < 3:
            refused.append(values)
            raise StoreBusy("another program holds it")
        return real(*values)

    monkeypatch.setattr(recording_hashes, "write_sums", busy)
    desk.call(b"one")
    until(desk.noted)
    assert len(refused) == 3


def test_files_are_read_off_the_hub(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    real = recording_index.look_at

    def noting(path: Path) -> Any:
        threads.append(gevent.monkey.get_original("threading", "get_ident")())
        return real(path)

    monkeypatch.setattr(recording_hashes, "look_at", noting)
    desk.call(b"one")
    until(desk.noted)
    assert threads and threads[0] != gevent.monkey.get_original("threading", "get_ident")()
