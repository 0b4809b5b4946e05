"""What was found of each recording: both sides, late ones, changed ones; and the search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import pytest
import soundfile

from duecall.core.attempt import recording_name
from duecall.core.outcome import Outcome
from duecall.shell import recording_hashes, recording_search
from duecall.shell.column_values import to_us
from duecall.shell.recording_checking import check_files
from duecall.shell.recording_hashes import write_sums
from duecall.shell.recording_index import index, late_ones, look_at, read_sides
from duecall.shell.recording_search import (
    NoSuchRecording,
    RecordingEntry,
    RecordingSearch,
    Wanted,
    plain_text,
)
from duecall.shell.store_answers import Recorded
from tests.shell.service_world import until
from tests.shell.store_world import NAME, NOON, attempt, outcome, row, save
from tests.shell.test_person_erasing import World

RATE_HZ = 8_000
DAY = timedelta(days=1)


def tone(length_ms: int, level: float = 0.2) -> Any:
    at = np.arange(length_ms * RATE_HZ // 1000) / RATE_HZ
    return (level * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def stereo(path: Path, callee_ms: int, us_ms: int, length_ms: int = 3_000) -> Path:
    sides = np.zeros((length_ms * RATE_HZ // 1000, 2), np.float32)
    for channel, heard_ms in enumerate((callee_ms, us_ms)):
        sides[: heard_ms * RATE_HZ // 1000, channel] = tone(heard_ms)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sides, RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    made = World(tmp_path, [row(n, contract=f"HD-{n}") for n in range(1, 6)])
    yield made
    made.store.close()


def recorded(world: World, contract: str, callee_ms: int = 1_000, us_ms: int = 2_000,
             at: Any = NOON, length_ms: int = 3_000) -> Recorded:  # fmt: skip
    """A call with a real recording that is not in the index yet."""
    attempt_id = world.call(contract, at)
    sql = "SELECT id, target_id, recording FROM attempt WHERE id = ?"
    one = Recorded(*world.store.parts.database.run(sql, (attempt_id,)).fetchone())
    stereo(world.files.recording(one.name), callee_ms, us_ms, length_ms)
    return one


def indexed(world: World, *calls: Recorded) -> None:
    looks = [(one, look_at(world.files.recording(one.name))) for one in calls]
    write_sums(world.store.parts, looks, to_us(NOON))


def entries(world: World, **wanted: Any) -> list[RecordingEntry]:
    return list(RecordingSearch(world.store.parts).find(Wanted(**wanted)))


def sums(world: World) -> list[dict[str, Any]]:
    sql = "SELECT body FROM ledger WHERE kind = 'recording' ORDER BY seq"
    return [json.loads(body) for (body,) in world.store.parts.database.run(sql).fetchall()]


@pytest.mark.sqlite
def test_each_side_is_looked_at_by_itself(tmp_path: Path) -> None:
    look = look_at(stereo(tmp_path / "a.wav", 400, 2_000))
    assert (look.length_ms, look.channels, look.callee_ms, look.us_ms) == (3_000, 2, 400, 2_000)
    assert look_at(stereo(tmp_path / "b.wav", 0, 100))[4:] == (0, 100)
    path = tmp_path / "c.wav"
    soundfile.write(path, tone(500), RATE_HZ)
    assert look_at(path)[2:] == (500, 1, 500, 0)
    soundfile.write(path, tone(500, 0.001), RATE_HZ)  # softer than any voice
    assert look_at(path).callee_ms == 0


@pytest.mark.sqlite
@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 5_000])
def test_what_is_no_sound_has_a_hash_all_the_same(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    look = look_at(path)
    assert (look.size, look.channels, look.length_ms) == (len(content), 0, 0)
    with pytest.raises(ValueError, match=r"a\.wav is no sound"):
        read_sides(path)


@pytest.mark.sqlite
def test_a_call_of_an_hour_is_read_piece_by_piece(tmp_path: Path) -> None:
    path = stereo(tmp_path / "long.wav", 61_000, 59_000, 125_000)
    assert look_at(path)[2:] == (125_000, 2, 61_000, 59_000)


def test_what_is_found_comes_into_index_and_ledger(world: World) -> None:
    one = recorded(world, "HD-1")
    indexed(world, one)
    (entry,) = entries(world)
    its = look_at(world.files.recording(one.name))
    assert (entry.attempt, entry.sha256, entry.bytes) == (one.attempt_id, its.sha256, its.size)
    assert (entry.length_ms, entry.channels, entry.sound) == (3_000, 2, "both")
    assert (entry.phone, entry.outcome, entry.state) == ("+84…001", "promised", "there")
    assert entry.at == NOON and entry.transcript == "no" and entry.daemon == "main"
    indexed(world, one)
    assert len(entries(world)) == len(sums(world)) == 1


def test_one_that_comes_late_is_told_as_late(world: World) -> None:
    one = recorded(world, "HD-1")
    parts, path = world.store.parts, world.files.recording(one.name)
    write_sums(parts, [(one, None)], to_us(NOON))
    assert [entry.state for entry in entries(world, states=("missing",))] == ["missing"]
    assert late_ones(parts, "main", to_us(NOON - DAY), 10) == [one]
    assert late_ones(parts, "other", to_us(NOON - DAY), 10) == []
    assert late_ones(parts, "main", to_us(NOON + DAY), 10) == []
    its = look_at(path)
    write_sums(parts, [(one, its)], to_us(NOON + DAY))
    write_sums(parts, [(one, its)], to_us(NOON + DAY))
    (entry,) = entries(world, states=("there",))
    assert (entry.sha256, entry.length_ms) == (its.sha256, 3_000)
    assert [(body["sha256"], body.get("late")) for body in sums(world)] == [
        ("", None), (its.sha256, True),
    ]  # fmt: skip
    assert late_ones(parts, "main", to_us(NOON - DAY), 10) == []


def test_files_are_looked_at_again(world: World) -> None:
    calls = [recorded(world, f"HD-{n}") for n in (1, 2, 3, 4)]
    indexed(world, *calls[:3])
    stereo(world.files.recording(calls[0].name), 500, 500)
    world.files.recording(calls[1].name).unlink()
    found = dict(check_files(world.store.parts, world.files, Wanted(), NOON))
    states = ["changed", "missing", "there", "there"]
    assert [found[one] for one in calls] == states
    assert len(entries(world)) == 4  # the last one has come into the index
    assert {e.attempt for e in entries(world, states=("changed", "missing"))} == {
        calls[0].attempt_id, calls[1].attempt_id,
    }  # fmt: skip
    (first,) = [e for e in entries(world) if e.attempt == calls[0].attempt_id]
    assert first.callee_ms == 1_000  # what was made stays written down
    assert len(sums(world)) == 3
    stereo(world.files.recording(calls[0].name), 1_000, 2_000)  # put back
    assert dict(check_files(world.store.parts, world.files, Wanted(), NOON))[calls[0]] == "there"


def test_only_what_was_asked_for_is_looked_at(world: World) -> None:
    recorded(world, "HD-1")
    parts = world.store.parts
    for wanted in (Wanted(campaign="other"), Wanted(since=NOON + DAY), Wanted(until=NOON)):
        assert list(check_files(parts, world.files, wanted, NOON)) == []
    assert list(check_files(parts, world.files, Wanted(), NOON, "another")) == []
    assert len(list(check_files(parts, world.files, Wanted(since=NOON), NOON, "main"))) == 1


def test_an_attempt_that_is_gone_is_not_indexed(world: World) -> None:
    one = recorded(world, "HD-1")
    parts = world.store.parts
    with parts.database.writing():
        parts.database.run("UPDATE attempt SET recording = ''")  # it was removed meanwhile
        assert index(parts, one, look_at(world.files.recording(one.name)), to_us(NOON)) == ""
    assert entries(world) == []


def test_the_search(world: World) -> None:
    first = recorded(world, "HD-1")
    second = recorded(world, "HD-2", at=NOON + DAY, length_ms=6_000)
    indexed(world, first, second)

    def ids(**wanted: Any) -> list[str]:
        return [entry.attempt for entry in entries(world, **wanted)]

    one, two = [first.attempt_id], [second.attempt_id]
    assert ids() == two + one  # the newest first
    assert ids(contract="HD-1") == one == ids(number="+84900000001")
    assert ids(contract="HD-9") == [] == ids(campaign="other") == ids(outcome="busy")
    assert ids(campaign=NAME, outcome="promised", min_ms=5_000) == two
    assert ids(since=NOON + DAY) == two and ids(until=NOON + DAY) == one
    assert ids(transcript=True) == [] and len(ids(transcript=False)) == 2
    with pytest.raises(ValueError, match=r"E\.164"):
        ids(number="0900000001")


def test_a_long_list_comes_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_search, "PAGE", 2)
    calls = [recorded(world, f"HD-{n}") for n in range(1, 6)]
    indexed(world, *calls)
    found = [entry.attempt for entry in entries(world)]
    assert found == sorted((one.attempt_id for one in calls), reverse=True)


def test_one_by_the_beginning_of_its_id(world: World) -> None:
    one = recorded(world, "HD-1")
    indexed(world, one)
    search = RecordingSearch(world.store.parts)
    assert search.one(one.attempt_id[:8].upper()).attempt == one.attempt_id
    for wrong in ("", "a", "xyz12345", one.attempt_id + "0", "%%%%%%%%"):
        with pytest.raises(NoSuchRecording):
            search.one(wrong)


@pytest.mark.sqlite
def test_how_texts_are_compared() -> None:
    assert plain_text("  Đã  TRẢ ", any_accents=False) == "đã trả"
    assert plain_text("Đã TRẢ", any_accents=True) == "da tra"
    assert plain_text("Ещё", any_accents=True) == "еще"
    assert plain_text("您好", any_accents=True) == "您好"


@pytest.mark.sqlite
def test_the_daemon_looks_for_late_ones_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    from tests.shell.test_recording_hashes import Desk, _at_noon

    for name, value in (("LAG_S", 0.01), ("LOOK_S", 0.02), ("LATE_S", 0.1), ("now", _at_noon)):
        monkeypatch.setattr(recording_hashes, name, value)
    with gevent.Timeout(60, AssertionError("the test hangs")):
        desk = Desk(tmp_path)
        running = gevent.spawn(lambda: desk.hashes.run())
        _, name = desk.call(None)
        until(desk.noted)
        path = tmp_path / "rec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stereo(path, 100, 100)
        until(lambda: len(desk.noted()) == 2)
    assert desk.noted()[1][1]["late"] is True
    running.kill()
    desk.worker.close()


def test_unanswered_calls_have_none(world: World) -> None:
    (target,) = world.store.due_targets(NAME, NOON, 1)
    world.store.apply([save(target)])
    plan = attempt(target)
    world.store.apply([outcome(plan, Outcome.BUSY)])
    assert recording_name(plan) and entries(world) == []
    assert list(check_files(world.store.parts, world.files, Wanted(), NOON)) == []
