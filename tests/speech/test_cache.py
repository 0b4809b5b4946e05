"""The cache: whole files only, one flight a key, names that cannot be guessed, damage mended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from duecall.speech import audio
from duecall.speech.cache import WavCache, folder_name, read_pcm
from duecall.speech.faults import CacheError
from fs_scripts.contract import SAFE_TEXT

SOUND = audio.pcm16(np.full(800, 0.1, np.float32))
OTHER = audio.pcm16(np.full(1600, 0.2, np.float32))


class Maker:
    def __init__(self, pcm=SOUND):
        self.made = 0
        self.pcm = pcm

    def __call__(self):
        self.made += 1
        return self.pcm


@pytest.fixture
def cache(tmp_path):
    return WavCache(tmp_path / "tts_cache")


def test_made_once_and_found_again(cache):
    make = Maker()
    key = cache.key({"text": "một"})
    first = cache.obtain("espeak-vi", key, make)
    assert cache.obtain("espeak-vi", key, make) == first
    assert make.made == 1
    assert first.ms == 100
    assert Path(first.path) == cache.root / "espeak-vi" / key[:2] / f"{key}.wav"
    assert read_pcm(first.path) == SOUND.tobytes()
    assert WavCache(cache.root).obtain("espeak-vi", key, make) == first
    assert make.made == 1
    assert Path(first.path).stat().st_mode & 0o444  # the switch may run as somebody else
    assert SAFE_TEXT.match(first.path)


def test_a_key_is_its_content(cache):
    assert cache.key({"a": 1, "b": 2}) == cache.key({"b": 2, "a": 1})
    assert cache.key({"a": 1}) != cache.key({"a": 2})
    assert len(cache.key({})) == 32


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(path.read_bytes()[:20]),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.write_bytes(path.read_bytes() + b"xx"),
        lambda path: path.write_bytes(b"ID3" + path.read_bytes()[3:]),
        lambda path: path.unlink(),
    ],
)
def test_a_damaged_file_is_made_anew(cache, damage):
    make = Maker()
    fragment = cache.obtain("v", "ab12", make)
    damage(Path(fragment.path))
    assert not cache.holds("v", "ab12")
    assert cache.obtain("v", "ab12", make) == fragment
    assert make.made == 2
    assert read_pcm(fragment.path) == SOUND.tobytes()


def test_a_maker_that_fails_leaves_nothing_and_may_be_tried_again(cache):
    def fail():
        raise ValueError("no voice today")

    with pytest.raises(ValueError, match="no voice today"):
        cache.obtain("v", "ab12", fail)
    assert not list(cache.root.glob("**/*.wav")) + list(cache.root.glob("**/*.tmp"))
    assert cache.obtain("v", "ab12", Maker()).ms == 100


def test_many_threads_one_flight(cache):
    gate = threading.Barrier(8)
    make = Maker()
    slow = threading.Event()

    def slowly():
        slow.wait(0.2)
        return make()

    def get(_):
        gate.wait()
        return cache.obtain("v", "ab12", slowly)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(get, range(8)))
    assert make.made == 1
    assert len(found) == 1


def test_two_keys_do_not_wait_for_each_other(cache):
    other_made = threading.Event()

    def needs_the_other():
        assert other_made.wait(20)
        return SOUND

    def other():
        other_made.set()
        return OTHER

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.obtain, "v", "aa11", needs_the_other)
        second = pool.submit(cache.obtain, "v", "aa22", other)
        assert (first.result().ms, second.result().ms) == (100, 200)


HAMMER = """
import sys
import numpy as np
from pathlib import Path
from duecall.speech import audio
from duecall.speech.cache import WavCache, read_pcm
cache = WavCache(Path(sys.argv[1]))
for n in range(150):
    key = cache.key({"n": n}, personal=n % 2 == 0)
    pcm = audio.pcm16(np.full(800 + n, 0.1, np.float32))
    fragment = cache.obtain("v", key, lambda: pcm)
    assert read_pcm(fragment.path) == pcm.tobytes(), n
"""


def test_processes_share_one_directory(tmp_path):
    root = tmp_path / "tts_cache"
    command = [sys.executable, "-c", HAMMER, str(root)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    try:
        for process in running:
            _, told = process.communicate(timeout=120)
            assert process.returncode == 0, told.decode()
    finally:
        for process in running:
            process.kill()
            process.wait()
    # All four found the same salt, or there would be more files than keys.
    assert len(list(root.glob("v/??/*.wav"))) == 150
    assert not list(root.glob("**/*.tmp"))


SLOWLY = """
import sys, time
import numpy as np
from pathlib import Path
from duecall.speech import audio
from duecall.speech.cache import WavCache
cache = WavCache(Path(sys.argv[1]))
def make(key):
    time.sleep(0.05)
    with open(sys.argv[2], "a") as made:
        made.write(key + chr(10))
    return audio.pcm16(np.full(800, 0.1, np.float32))
for n in range(20):
    key = cache.key({"n": n})
    cache.obtain("v", key, lambda: make(key))
"""


def test_processes_do_not_make_one_sound_twice(tmp_path):
    command = [sys.executable, "-c", SLOWLY, str(tmp_path / "tts_cache"), str(tmp_path / "made")]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    made = (tmp_path / "made").read_text().split()
    assert len(made) == len(set(made)) == 20


def test_personal_keys_need_the_salt(tmp_path):
    one, two = WavCache(tmp_path / "one"), WavCache(tmp_path / "two")
    parts = {"text": "Nguyễn Văn An"}
    assert one.key(parts) == two.key(parts)
    assert one.key(parts, personal=True) != two.key(parts, personal=True)
    assert one.key(parts, personal=True) != one.key(parts)
    assert WavCache(one.root).key(parts, personal=True) == one.key(parts, personal=True)
    assert (one.root / ".salt").stat().st_mode & 0o077 == 0
    assert WavCache(two.root, salt=b"s" * 32).key(parts, personal=True) == WavCache(
        tmp_path / "three", salt=b"s" * 32
    ).key(parts, personal=True)


def test_a_damaged_salt_is_reported(cache):
    (cache.root / ".salt").write_bytes(b"short")
    with pytest.raises(CacheError, match="is damaged; delete it"):
        cache.key({}, personal=True)


def test_a_cache_that_was_deleted_under_a_daemon_is_made_anew_and_forgets_names(cache):
    """All of it may be deleted at any time; names spoken after it are found by `forget`."""
    parts = {"text": "Nguyễn Văn An"}
    old = cache.key(parts, personal=True)
    for _ in range(2):
        shutil.rmtree(cache.root)
        key = cache.key(parts, personal=True)
        assert key != old
        cache.obtain("espeak-vi/personal", key, Maker())
        assert WavCache(cache.root).forget([parts["text"]]) == 1
        assert not cache.holds("espeak-vi/personal", key)


def test_purge_takes_the_personal_files_only(cache):
    for folder in ("espeak-vi", "espeak-vi/personal", "espeak-ru/personal"):
        cache.obtain(folder, "ab12", Maker())
    old = cache.root / "espeak-ru/personal/ab/ab12.wav"
    os.utime(old, (1_000_000_000, 1_000_000_000))
    assert cache.purge_personal(unused_s=86_400) == 1
    assert not old.exists()
    assert cache.purge_personal() == 1
    assert cache.holds("espeak-vi", "ab12")
    assert not cache.holds("espeak-vi/personal", "ab12")


def test_sweep_takes_what_a_crash_left(cache):
    cache.obtain("v", "ab12", Maker())
    left, fresh = cache.root / "v/ab/.x.1.tmp", cache.root / "v/ab/.y.1.tmp"
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (1_000_000_000, 1_000_000_000))
    assert cache.sweep() == 1
    assert fresh.exists()
    assert cache.holds("v", "ab12")


@pytest.mark.parametrize("name", ["with space", "tiếng", "a,b", "a!b", "${x}", "a'b"])
def test_a_path_that_the_switch_cannot_take_is_refused(tmp_path, name):
    with pytest.raises(CacheError, match="choose a path of letters"):
        WavCache(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_directory_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"cannot use .*another tts_cache"):
        WavCache(tmp_path / "file" / "tts_cache")


def test_what_cannot_be_written_is_reported(cache):
    (cache.root / "v").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot (use|read)"):
        cache.obtain("v", "ab12", Maker())


def test_reading_a_file_that_is_gone_is_reported(cache):
    with pytest.raises(CacheError):
        read_pcm(str(cache.root / "no.wav"))


@pytest.mark.parametrize(
    ("text", "name"),
    [("espeak-vi", "espeak-vi"), ("../x", "_x"), ("a/b c", "a_b_c"), ("..", "_"), ("", "_")],
)
def test_folder_names_are_safe(text, name):
    assert folder_name(text) == name
