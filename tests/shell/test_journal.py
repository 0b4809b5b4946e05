"""The journal beside a daemon: bounded, and whatever happens to it, the calling goes on."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from pydantic import ValidationError

from duecall.core import events as e
from duecall.core.moment import Moment
from duecall.core.outcome import Ending as CallEnding
from duecall.core.scalars import MAX_SIZE, MIN_SIZE, size_text
from duecall.core.site import JournalSettings
from duecall.shell import journal, journal_codec, journal_writer
from duecall.shell.journal_file import Ending, segments_in
from duecall.shell.journal_replay import replay, replay_folder
from duecall.shell.journal_writer import JournalWriter
from tests.core import building
from tests.shell.journal_world import KEEP, VAULT, Noted, entries_of, only_segment, site_in
from tests.shell.service_world import Daemon, until
from tests.shell.store_world import rows


class Life:
    """A dialer that calls one contact after another, in time of its own."""

    def __init__(self, folder: Path, keep: int = KEEP) -> None:
        self.now_s = 0.0
        self.number = 0
        self.noted = Noted(site_in(folder, keep), self.moment())
        self.noted.handle(e.SwitchUp(self.moment(), frozenset()))
        self.noted.handle(e.CampaignStarted(self.moment(), building.campaign()))

    def moment(self) -> Moment:
        return building.moment(self.now_s)

    def go_on(self, calls: int) -> None:
        """Some events a call."""
        for _ in range(calls):
            self.number += 1
            self.now_s += 0.25
            at = self.moment()
            target = building.target(self.number)
            self.noted.handle(e.TargetsLoaded(at, "overdue", (target,)))
            for attempt in list(self.noted.live):
                self.noted.handle(e.AttemptSaved(at, attempt))
                self.noted.handle(e.CallRang(at, attempt))
                ending = CallEnding("USER_BUSY", 486, script_started=False)
                self.noted.handle(e.CallEnded(at, attempt, ending))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.noted.handle(e.Woke(self.moment()))

    @property
    def alarms(self) -> list[str]:
        return [alarm.what for alarm in self.noted.alarms]


def flush(life: Life) -> None:
    assert life.noted.journal.flush(20)


# ---- bounded


def test_the_oldest_segments_go(tmp_path: Path) -> None:
    keep = 120_000
    life = Life(tmp_path, keep)
    seen: set[Path] = set()
    for _ in range(60):
        life.go_on(40)
        flush(life)
        there = segments_in(life.noted.folder)
        assert sum(path.stat().st_size for path in there) <= keep
        seen.update(there)
    life.noted.journal.close()
    there = segments_in(life.noted.folder)
    assert 3 <= len(there) < len(seen)
    assert there == sorted(seen)[-len(there) :]
    done = replay_folder(there, VAULT)
    assert all(one.same and one.ending is Ending.CLOSED for one in done)
    assert life.alarms == []


def test_a_daemon_that_is_started_again_and_again_leaves_no_heap_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "SEGMENTS_MAX", 5)
    for start in range(9):
        noted = Noted(site_in(tmp_path), building.moment(start))
        noted.journal.close()
    assert [path.stem[-7:-1] for path in segments_in(noted.folder)] == [
        f"05000{start}" for start in range(4, 9)
    ]


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    note = tmp_path / "journal" / "note.txt"
    note.write_text("x" * 200_000)
    life = Life(tmp_path, 120_000)
    life.go_on(200)
    life.noted.journal.close()
    assert note.exists()


def test_after_an_hour_a_new_segment_begins(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.go_on(3)
    life.wait(journal.SEGMENT_S + 1)
    life.go_on(3)
    life.noted.journal.close()
    done = replay_folder(segments_in(life.noted.folder), VAULT)
    assert [one.same for one in done] == [True, True]
    assert done[1].about["follows"]["name"] == done[0].about["name"]


def test_time_that_brings_nothing_is_not_worth_a_block_each(tmp_path: Path) -> None:
    life = Life(tmp_path)
    flush(life)
    path = only_segment(life.noted.folder)
    before = path.stat().st_size
    for _ in range(journal.QUIET_MAX - 5):
        life.wait(1)
    gevent.sleep(journal.GATHER_S + 0.3)
    assert path.stat().st_size == before
    life.noted.journal.close()
    events = [type(entry.event) for entry in entries_of(path)]
    assert events.count(e.Woke) == journal.QUIET_MAX - 5  # at the end they are written all the same


# ---- when the disk fails


@contextmanager
def files_no_longer_than(length: int) -> Iterator[None]:
    """As on a full disk: a write is cut short, the next one fails. Of the whole process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_in_the_middle_costs_that_part_of_the_journal(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.go_on(20)
    flush(life)
    first = only_segment(life.noted.folder)
    whole = first.stat().st_size
    with files_no_longer_than(whole + 100):
        life.go_on(20)
        flush(life)
        assert life.alarms == ["the journal cannot be written"]
        assert "too large" in life.noted.journal.trouble
        life.go_on(20)
        flush(life)
        assert len(life.alarms) == 1
    assert first.stat().st_size == whole  # nothing half stands there
    life.wait(journal.AGAIN_S + 1)
    life.go_on(20)
    life.noted.journal.close()
    assert life.noted.journal.trouble == ""
    done = replay_folder(segments_in(life.noted.folder), VAULT)
    assert all(one.same for one in done), [one.problem for one in done]
    assert (done[0].ending, done[-1].ending) == (Ending.OPEN, Ending.CLOSED)
    assert done[-1].about["follows"] is None  # between the two something is missing
    assert life.noted.totals.settled > 70  # and calling never noticed


def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("in the way")
    life = Life(tmp_path)
    life.go_on(5)
    flush(life)
    for _ in range(3):
        life.wait(journal.AGAIN_S + 1)
        life.go_on(5)
        flush(life)
    assert life.alarms == ["the journal cannot be written"]
    (tmp_path / "journal").unlink()
    life.wait(journal.AGAIN_S + 1)
    life.go_on(5)
    life.noted.journal.close()
    done = replay(only_segment(life.noted.folder), VAULT)
    assert done.same
    assert done.ending is Ending.CLOSED


def test_a_disk_that_stands_still_costs_journal_and_not_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "WAITING_MAX", 200)
    life = Life(tmp_path)
    flush(life)
    moves = threading.Event()
    write = JournalWriter.write

    def stuck(self: JournalWriter, items: Any) -> None:
        assert moves.wait(60)
        write(self, items)

    monkeypatch.setattr(JournalWriter, "write", stuck)
    for calls in (10, 100, 100, 100):
        life.go_on(calls)
        assert not life.noted.journal.flush(0.1)  # the hub turns, the thread does not
        assert len(life.noted.journal._waiting) <= 201
    assert life.alarms == ["the journal cannot be written"]
    moves.set()
    flush(life)
    life.wait(journal.AGAIN_S + 1)
    life.go_on(10)
    life.noted.journal.close()
    assert life.noted.journal.trouble == ""
    done = replay_folder(segments_in(life.noted.folder), VAULT)
    assert all(one.same for one in done), [one.problem for one in done]
    assert len(done) > 1
    assert done[-1].events > 30
    assert done[-1].about["follows"] is None
    assert sum(one.events for one in done) < 900  # the others were dropped
    assert life.noted.totals.settled > 300


def test_what_cannot_be_written_down_costs_no_call(tmp_path: Path) -> None:
    life = Life(tmp_path)
    run = life.noted.dialer.runs["overdue"]
    run.trouble = (n for n in range(3))  # type: ignore[assignment]  # nobody can store a generator
    life.wait(journal.SEGMENT_S + 1)
    assert life.alarms == ["the journal cannot be written"]
    assert "no snapshot" in life.noted.journal.trouble
    run.trouble = ""
    life.wait(journal.AGAIN_S + 1)
    life.go_on(5)
    life.noted.journal.close()
    assert all(one.same for one in replay_folder(segments_in(life.noted.folder), VAULT))


def test_a_dialer_without_memory_of_the_journal_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer forgets what it has written, now and then: it holds no contact for ever."""
    monkeypatch.setattr(journal_codec, "NUMBERED_MAX", 6)
    monkeypatch.setattr(journal, "BLOCK_MAX", 7)
    life = Life(tmp_path)
    for _ in range(20):
        life.go_on(5)
        flush(life)
        encoder = life.noted.journal._segment.encoder  # type: ignore[union-attr]
        assert len(encoder._known) < 6 + 2 * 7
    life.noted.journal.close()
    done = replay(only_segment(life.noted.folder), VAULT)
    assert done.same
    assert done.commands > 300


# ---- its setting


def test_sizes_are_read_and_written() -> None:
    for text, size in (("10MB", MIN_SIZE), ("2 GB", 2 * 10**9), ("1000GB", MAX_SIZE), ("off", 0)):
        assert JournalSettings.model_validate({"keep": text}).keep == size
        assert size_text(size) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["9MB", "1001GB", "200", "200mb", "-5GB", "1.5GB", "on", ""])
def test_other_sizes_are_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValidationError, match=r"a size from 10MB to 1000GB, or off"):
        JournalSettings.model_validate({"keep": text})


# ---- beside a real store and real prompts


def test_a_daemon_keeps_a_journal_and_closes_it(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.fill(rows(5))
    daemon.start(vault=VAULT)
    until(lambda: daemon.service.dialer.runs and daemon.service.dialer.runs["overdue"].hopper)
    daemon.stop()
    path = only_segment(daemon.folder / "var" / "journal")
    done = replay(path, VAULT)
    assert done.same
    assert done.ending is Ending.CLOSED
    heard = [type(entry.event) for entry in entries_of(path)]
    assert {e.CampaignStarted, e.TargetsLoaded, e.DrainAsked} <= set(heard)


def test_an_event_at_which_the_dialer_fails_is_noted_with_what_it_raised(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.fill(rows(5))
    daemon.start(vault=VAULT)
    until(lambda: daemon.service.dialer.runs)

    def fails(event: Any) -> None:
        raise ZeroDivisionError

    daemon.service.dialer._handlers[e.TargetsChanged] = fails
    daemon.service.put(e.TargetsChanged(daemon.service.started, "overdue"))
    until(lambda: daemon.service.alarms)
    daemon.stop()
    path = only_segment(daemon.folder / "var" / "journal")
    (failed,) = [entry for entry in entries_of(path) if entry.error]
    assert (type(failed.event), failed.error) == (e.TargetsChanged, "ZeroDivisionError")
    difference = replay(path, VAULT).difference  # the dialer of this replay does not fail
    assert difference is not None
    assert difference.entry == failed


def test_without_a_journal_there_is_no_folder(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.site = daemon.site.model_copy(update={"journal": JournalSettings(keep=0)})
    daemon.fill(rows(5))
    daemon.start(vault=VAULT)
    until(lambda: daemon.service.dialer.runs)
    daemon.stop()
    assert daemon.service.journal is None
    assert not (daemon.folder / "var" / "journal").exists()
