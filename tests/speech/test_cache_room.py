"""Room in the cache: the longest unused goes first, and nothing that a call may need; the index is
only an index."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from duecall.speech import audio
from duecall.speech.cache import TOUCHED_S, WavCache
from duecall.speech.cache_room import KEPT_S, make_room
from duecall.speech.faults import CacheError
from duecall.speech.fragments_known import KnownFragments
from tests.small_disk import small_disk

SOUND = audio.pcm16(np.full(50_000, 0.1, np.float32))  # 100 kB
OLD_S = KEPT_S + 1_000


@pytest.fixture
def cache(tmp_path):
    return WavCache(tmp_path / "tts_cache")


def put(cache, number, *, unused_s=0.0, folder="v"):
    """A sound of 100 kB, last needed so long ago."""
    fragment = cache.obtain(folder, f"{number:032x}", lambda: SOUND)
    path = Path(fragment.path)
    age(cache, path, unused_s)
    return path


def age(cache, path, unused_s):
    at = time.time() - unused_s
    os.utime(path, (at, at))
    cache.index.note(path)


def test_the_longest_unused_goes_first(cache):
    files = [put(cache, n, unused_s=OLD_S + 1_000 * n) for n in range(25)]
    room = make_room(cache, 1)
    assert [path.exists() for path in files] == [n < 9 for n in range(25)]
    assert (room.files, room.over) == (16, False)
    assert room.left_bytes == 9 * 100_044 == sum(path.stat().st_size for path in files[:9])
    assert cache.index.total_bytes() == room.left_bytes
    assert make_room(cache, 1).files == 0


def test_what_was_needed_of_late_stays_however_full_it_is(cache):
    files = [put(cache, n, unused_s=KEPT_S - 60) for n in range(25)]
    room = make_room(cache, 1)
    assert all(path.exists() for path in files)
    assert (room.files, room.over) == (0, True)


def test_no_limit_takes_nothing(cache):
    put(cache, 1, unused_s=OLD_S)
    assert make_room(cache, 0).files == 0


def test_use_puts_the_time_on(cache):
    path = put(cache, 1, unused_s=TOUCHED_S + 60)
    cache.obtain("v", f"{1:032x}", lambda: SOUND)
    assert time.time() - path.stat().st_mtime < 60
    (only,) = cache.index.sums()
    assert time.time() - only.used_s < 60


def test_an_index_that_does_not_know_of_a_use_takes_nothing(cache):
    """Another process has used the file since; the index heard nothing of it."""
    path = put(cache, 1, unused_s=OLD_S + 100)
    others = [put(cache, n, unused_s=OLD_S) for n in range(2, 25)]
    os.utime(path)
    make_room(cache, 1)
    assert path.exists()
    assert sum(other.exists() for other in others) == 8
    assert path not in [file for file, _ in cache.index.unused(time.time() - KEPT_S, 1_000)]


TAKES = """
import sys, time
from pathlib import Path
from duecall.speech.cache import WavCache
from duecall.speech.cache_room import make_room
cache = WavCache(Path(sys.argv[1]))
print("ready", flush=True)
until = time.monotonic() + 4
while time.monotonic() < until:
    make_room(cache, 1)
"""


def test_two_daemons_one_uses_what_the_other_would_take(cache):
    """One process takes away without end; whatever this one has just obtained is there."""
    files = [put(cache, n, unused_s=OLD_S) for n in range(60)]
    taker = subprocess.Popen(
        [sys.executable, "-c", TAKES, str(cache.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert taker.stdout.readline() == "ready\n"
        lost = taken = 0
        for turn in range(400):
            number = turn % 60
            path = files[number]
            taken += not path.exists()
            fragment = cache.obtain("v", f"{number:032x}", lambda: SOUND)
            lost += not Path(fragment.path).exists()
            if turn % 3 == 0:  # nobody needs it for long
                age(cache, path, OLD_S)
            time.sleep(0.005)
        assert taker.wait(timeout=30) == 0
    finally:
        taker.kill()
        taker.wait()
    assert lost == 0
    assert taken > 50


def test_a_touch_waits_for_who_takes_away(cache, monkeypatch):
    """Else a file could be looked at, touched by us, and then deleted."""
    path = put(cache, 1, unused_s=OLD_S)
    for n in range(2, 25):
        put(cache, n, unused_s=OLD_S - n)
    looked, go_on = threading.Event(), threading.Event()
    stat = os.stat

    def slowly(name, *args, **options):
        found = stat(name, *args, **options)
        if str(name) == str(path) and threading.current_thread().name == "taker":
            looked.set()
            go_on.wait(5)
        return found

    monkeypatch.setattr(os, "stat", slowly)
    taker = threading.Thread(target=make_room, args=(WavCache(cache.root), 1), name="taker")
    taker.start()
    assert looked.wait(5)
    answers = []
    toucher = threading.Thread(target=lambda: answers.append(cache.touch(str(path))))
    toucher.start()
    toucher.join(0.3)
    assert not answers  # it waits
    go_on.set()
    toucher.join(10)
    taker.join(10)
    assert answers == [False]  # and learns that the file is gone
    assert not path.exists()


# ---- the index


def test_a_lost_index_comes_back_from_the_files(cache):
    for n in range(5):
        put(cache, n)
    put(cache, 6, folder="v/personal")
    before = cache.index.sums()
    assert [(one.folder, one.files) for one in before] == [("v", 5), ("v/personal", 1)]
    for end in ("", "-wal", "-shm"):
        Path(f"{cache.root}/index.db{end}").unlink(missing_ok=True)
    assert WavCache(cache.root).index.sums() == before


def test_a_running_daemon_goes_on_in_the_index_that_is_there_now(cache):
    """Its own one was deleted: what it notes there nobody would ever see."""
    put(cache, 1)
    for end in ("", "-wal", "-shm"):
        Path(f"{cache.root}/index.db{end}").unlink(missing_ok=True)
    assert WavCache(cache.root).index.total_bytes() == 100_044
    put(cache, 2)
    assert WavCache(cache.root).index.total_bytes() == 2 * 100_044


@pytest.mark.parametrize("damage", [b"", b"no database at all, but long enough to be read" * 100])
def test_a_damaged_index_comes_back_from_the_files(cache, damage):
    put(cache, 1)
    cache.index.rebuild()
    for end in ("-wal", "-shm"):
        Path(f"{cache.root}/index.db{end}").unlink(missing_ok=True)
    Path(f"{cache.root}/index.db").write_bytes(damage)
    fresh = WavCache(cache.root)
    fresh.index.rebuild()
    assert [one.files for one in fresh.index.sums()] == [1]
    assert put(fresh, 2).exists()
    assert fresh.index.total_bytes() == 2 * 100_044


def test_an_index_that_is_locked_stops_nobody(cache):
    put(cache, 1)
    other = sqlite3.connect(f"{cache.root}/index.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert put(cache, 2).exists()
    assert time.monotonic() - began < 5
    other.rollback()
    assert cache.index.rebuild() == 2


def test_files_that_were_deleted_by_hand_do_not_count(cache):
    files = [put(cache, n, unused_s=OLD_S) for n in range(25)]
    for path in files[:20]:
        path.unlink()
    room = make_room(cache, 1)
    assert room.left_bytes <= 1_000_000
    assert sum(path.exists() for path in files) >= 4


# ---- what this process knows


def test_a_known_fragment_is_found_until_its_file_changes(cache, monkeypatch):
    monkeypatch.setattr("duecall.speech.fragments_known.LOOK_S", 0.0)
    known = KnownFragments()
    assert known.find(["one"]) == [None]
    fragment = cache.obtain("v", f"{1:032x}", lambda: SOUND)
    known.put("one", fragment)
    assert known.find(["one", "two"]) == [fragment, None]
    path = Path(fragment.path)
    for change in (
        lambda: path.write_bytes(path.read_bytes()[:-100]),
        lambda: os.utime(path, (1, 1)),
        path.unlink,
    ):
        known.put("one", fragment)
        change()
        assert known.find(["one"]) == [None]


def test_a_known_fragment_is_touched_in_time(cache, monkeypatch):
    monkeypatch.setattr("duecall.speech.fragments_known.LOOK_S", 0.0)
    known = KnownFragments()
    path = put(cache, 1, unused_s=TOUCHED_S + 5)
    fragment = cache.obtain("other", f"{1:032x}", lambda: SOUND)
    known.put("one", fragment)
    os.utime(fragment.path, (time.time() - TOUCHED_S - 5,) * 2)
    known.put("one", fragment)
    assert known.find(["one"]) == [None]  # asks the cache, which puts the time on
    assert path.exists()


# ---- a full disk


def test_a_full_disk_is_named_and_leaves_nothing_half(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    with small_disk(folder, 600):
        cache = WavCache(folder / "tts_cache")
        with pytest.raises(CacheError, match="No space left on device; free the disk"):
            for n in range(20):
                cache.obtain("v", f"{n:032x}", lambda: SOUND)
        whole = list(cache.root.glob("v/??/*.wav"))
        assert 1 <= len(whole) < 20
        assert not list(cache.root.glob("**/*.tmp"))
        assert all(path.stat().st_size == 100_044 for path in whole)
        whole[0].unlink()
        assert cache.obtain("v", f"{99:032x}", lambda: SOUND).ms == 6_250


# ---- personal texts


def test_a_text_is_forgotten_in_every_voice(cache):
    def put_name(text, voice):
        parts = {"text": text, "voice": voice}
        key = cache.key(parts, personal=True)
        return Path(cache.obtain(f"{voice}/personal", key, lambda: SOUND).path)

    an = [put_name("Nguyễn Văn An", voice) for voice in ("espeak-vi", "coqui-vi")]
    binh = put_name("Trần Thị Bình", "espeak-vi")
    static = put(cache, 1)
    assert len({path.name for path in an}) == 2
    assert cache.forget(["Nguye\u0302\u0303n Va\u0306n An", "Lê Ba"]) == 2
    assert [path.exists() for path in (*an, binh, static)] == [False, False, True, True]
    assert not [one for one in an if "An" in one.name]
    assert {one.files for one in cache.index.sums()} == {1}
