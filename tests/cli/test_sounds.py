"""`duecall sounds`: what lies on disk, the list made anew, room; and a full disk at `start`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from duecall.speech import audio
from duecall.speech.cache import WavCache
from duecall.speech.cache_room import KEPT_S
from tests.cli.desk import HEADER, Desk, row
from tests.cli.test_with_a_daemon import status_of
from tests.small_disk import small_disk

SOUND = audio.pcm16(np.full(50_000, 0.1, np.float32))  # 100 kB


@pytest.fixture
def cache(desk: Desk) -> WavCache:
    return WavCache(desk.folder / "tts_cache")


def fill(cache: WavCache, count: int, folder: str = "espeak-vi", unused_s: float = 0.0) -> None:
    for number in range(count):
        path = Path(cache.obtain(folder, f"{number:032x}", lambda: SOUND).path)
        os.utime(path, (time.time() - unused_s,) * 2)
        cache.index.note(path)


def test_what_there_is(desk: Desk, cache: WavCache) -> None:
    fill(cache, 3)
    fill(cache, 2, "espeak-vi/personal")
    shown, script = desk.run_all([("sounds", "show"), ("sounds", "show", "--json")])
    assert "espeak-vi: names and free words" in shown.good
    assert "0.5 MB in " in shown.good
    assert "at most 1000 MB (tts_cache_max_mb)" in shown.good
    told = json.loads(script.good)
    assert [(one["folder"], one["files"]) for one in told["folders"]] == [
        ("espeak-vi", 3), ("espeak-vi/personal", 2),
    ]  # fmt: skip
    assert told["bytes"] == 5 * 100_044


def test_a_damaged_list_is_made_anew(desk: Desk, cache: WavCache) -> None:
    fill(cache, 3)
    (cache.root / "index.db").write_bytes(b"this is no database" * 500)
    for end in ("-wal", "-shm"):
        Path(f"{cache.root}/index.db{end}").unlink(missing_ok=True)
    assert "3 sounds found" in desk.run("sounds", "rebuild").good
    assert json.loads(desk.run("sounds", "show", "--json").good)["bytes"] == 3 * 100_044


def test_room_is_made_of_what_nobody_needs(desk: Desk, cache: WavCache) -> None:
    fill(cache, 15, unused_s=KEPT_S + 60)
    fill(cache, 5, "espeak-vi/personal")
    cleaned = desk.run("sounds", "clean", "--max-mb", "1")
    assert "11 sounds that nobody used for long were removed" in cleaned.good
    assert "0.9 MB are left" in cleaned.good
    assert len(list(cache.root.glob("espeak-vi/personal/??/*.wav"))) == 5
    names = desk.run("sounds", "clean", "--names")
    assert "5 names and free words were removed" in names.good
    assert not list(cache.root.glob("espeak-vi/personal/??/*.wav"))


def test_a_full_disk_is_named_and_nothing_is_started(daemon_desk: Desk) -> None:
    rows = [row(200 + n, name) for n, name in enumerate(("An Bình", "Chi Lan", "Dũng Hà"))]
    path = daemon_desk.campaign(
        name="full",
        csv=HEADER + "".join(rows),
        message="Kính chào {{ name }}. Còn nợ {{ balance }}.",
    )
    with small_disk(daemon_desk.folder / "tts_cache", 80) as folder:
        refused = daemon_desk.run("start", path, "--paused")
        assert "No space left on device; free the disk" in refused.error
        assert str(folder) in refused.error
        assert not list(folder.rglob("*.tmp"))
    assert "full" not in [one["name"] for one in status_of(daemon_desk)["campaigns"]]
    started = daemon_desk.run("start", path, "--paused")
    assert "sounds made for 3 contacts" in started.good
    states = {one["name"]: one["state"] for one in status_of(daemon_desk)["campaigns"]}
    assert states["full"] == "paused"
