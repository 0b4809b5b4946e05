"""Rendered sound on disk, found by content: `<root>/<folder>/<xx>/<key>.wav`.

Files are whole or absent (written aside, then renamed), made once at a time, also by several
processes, and checked on every use: one that was cut short or overwritten is made anew.

A file's time (mtime) is when it was last needed, to TOUCHED_S. What was not needed for long may be
taken away by cache_room.py; touching and taking away exclude each other by a lock (flock).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import itertools
import json
import os
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from duecall.speech import audio
from duecall.speech.cache_index import CacheIndex
from duecall.speech.faults import CacheError
from fs_scripts.contract import SAFE_TEXT

SALT_FILE = ".salt"
SALT_BYTES = 32
PERSONAL = "personal"
ROOM_LOCK = ".room"
FLIGHT_LOCK = ".flight"
KEY_CHARS = 32  # 128 bits: no two texts will ever share one, and a brief holds many
TOUCHED_S = 600.0  # a file's time is put on when it is older than this
_STALE_S = 3600.0  # a file being written is done within seconds; after a crash it stays behind
_FLIGHT_POLL_S = 0.02
_FLIGHT_MAX_S = 60.0  # how long another process is waited for; then both make it
_counter = itertools.count()
_flights: dict[Path, int] = {}  # file descriptors of this process, never closed: closing unlocks


@dataclass(frozen=True, slots=True)
class Fragment:
    """path: absolute, only characters that FreeSWITCH takes as they are. ms: length of sound."""

    path: str
    ms: int


class WavCache:
    """The directory `tts_cache`. Many threads and many processes may share one."""

    def __init__(self, root: Path, salt: bytes | None = None) -> None:
        """salt: hides personal texts in file names; by default one is made and kept in the root.

        CacheError where the path holds characters that FreeSWITCH would not take as they are, or
        where nothing can be written.
        """
        self.root = Path(os.path.abspath(root))
        if not SAFE_TEXT.match(str(self.root)):
            raise CacheError(
                f"the cache directory {str(self.root)!r} holds characters that FreeSWITCH cannot "
                "take in a file name; choose a path of letters a-z, digits and _ . : + @ / - "
                "for tts_cache in config.yaml"
            )
        with _reported(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.index = CacheIndex(self.root)
        self._salt = salt
        self._stored: tuple[bytes, tuple[int, ...]] = (b"", ())  # what the file held, which file
        self._making: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    def obtain(self, folder: str, key: str, make: Callable[[], audio.Pcm]) -> Fragment:
        """The fragment of this key, made by `make` where there is none. Errors of `make` pass."""
        path = self._path(folder, key)
        found = self._used(path)
        if found:
            return found
        with self._only_one(path), self._only_process(key):
            found = self._used(path)  # somebody may have made it while we waited
            if found is None:
                write_wav(path, make())
                found = _checked(path)
                if found:
                    self.index.note(path)
        if found is None:
            raise CacheError(f"{path} vanished or changed as soon as it was written")
        return found

    def holds(self, folder: str, key: str) -> bool:
        return _checked(self._path(folder, key)) is not None

    def touch(self, path: str) -> bool:
        """Puts its time on, so that it stays for now; False where it is not there (any more)."""
        with _reported(Path(path)):
            try:
                with locked_room(self.root, shared=True):
                    os.utime(path)
            except FileNotFoundError:
                return False
        self.index.note(Path(path))
        return True

    def key(self, parts: Mapping[str, object], *, personal: bool = False, of: str = "") -> str:
        """A hash of what makes the sound: sha256, cut off.

        Of a personal text: keyed with the salt (HMAC); its beginning tells `of` alone, left out the
        text, whatever speaks it, so that `forget` finds it.
        """
        data = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
        if personal:
            return (
                self._tag(of or str(parts.get("text", ""))) + self._salted(data)[: KEY_CHARS // 2]
            )
        return hashlib.sha256(data).hexdigest()[:KEY_CHARS]

    def forget(self, texts: Iterable[str]) -> int:
        """Deletes the personal fragments of these texts, of every voice; how many files."""
        deleted = 0
        if self._salt is None and not (self.root / SALT_FILE).exists():
            return deleted  # no personal text was ever spoken here
        for tag in {self._tag(text) for text in texts}:
            for file in self.root.glob(f"*/{PERSONAL}/{tag[:2]}/{tag}*.wav"):
                deleted += _delete_older(file, float("inf"))
                self.index.gone([file])
        return deleted

    def purge_personal(self, unused_s: float = 0.0) -> int:
        """Deletes names and other personal fragments of every voice; how many were deleted.

        unused_s: only those that nobody needed for so long (0: all). They are made anew when
        needed.
        """
        limit = time.time() - unused_s
        found = sorted(self.root.glob(f"*/{PERSONAL}/??/*.wav"))
        with locked_room(self.root):
            gone = [file for file in found if _delete_older(file, limit)]
        self.index.gone(gone)
        return len(gone)

    def sweep(self) -> int:
        """Deletes what a crash left half written; how many files."""
        limit = time.time() - _STALE_S
        return sum(_delete_older(file, limit) for file in self.root.glob("**/.*.tmp"))

    def _path(self, folder: str, key: str) -> Path:
        return self.root / folder / key[:2] / f"{key}.wav"

    def _used(self, path: Path) -> Fragment | None:
        """The fragment, if its file is whole; it stays for now."""
        found = _checked(path)
        if found is None:
            return None
        with suppress(FileNotFoundError):
            if time.time() - os.stat(path).st_mtime <= TOUCHED_S or self.touch(found.path):
                return found
        return None

    @contextmanager
    def _only_process(self, key: str) -> Iterator[None]:
        """Single flight among processes: one byte of a file, locked. Waits without blocking others
        of this process, and not for ever: both may make it, which costs time and nothing else."""
        at = int(key[:15], 16)
        with self._guard:
            handle = _flights.get(self.root)
            if handle is None:
                with _reported(self.root):
                    name = self.root / FLIGHT_LOCK
                    handle = _flights[self.root] = os.open(name, os.O_RDWR | os.O_CREAT, 0o660)
        until_s = time.monotonic() + _FLIGHT_MAX_S
        while True:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
                break
            except OSError:
                if time.monotonic() > until_s:
                    break
                time.sleep(_FLIGHT_POLL_S)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.lockf(handle, fcntl.LOCK_UN, 1, at)

    @contextmanager
    def _only_one(self, path: Path) -> Iterator[None]:
        """Single flight in this process."""
        with self._guard:
            lock = self._making.setdefault(path, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._making.pop(path, None)

    def _tag(self, text: str) -> str:
        return self._salted(unicodedata.normalize("NFC", text).encode())[:KEY_CHARS]

    def _salted(self, data: bytes) -> str:
        salt = self._salt or self._stored_salt()
        return hmac.new(salt, data, hashlib.sha256).hexdigest()

    def _stored_salt(self) -> bytes:
        """Read again where the file is another one: somebody may delete all of the cache at any
        time, and what is spoken after it has to be found by others, such as `forget`."""
        file = self.root / SALT_FILE
        salt, known = self._stored
        if known and known == _identity(file):
            return salt
        with self._guard, _reported(file):
            self.root.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                _write_aside(file, os.urandom(SALT_BYTES), 0o600, replace=False)
            known = _identity(file)
            salt = file.read_bytes()
        if len(salt) < SALT_BYTES:
            raise CacheError(
                f"{file} is damaged; delete it, and the folders {PERSONAL} of the cache with it"
            )
        self._stored = salt, known
        return salt


@contextmanager
def locked_room(root: Path, *, shared: bool = False) -> Iterator[None]:
    """Nobody touches a file while others take files away; held for milliseconds. OSError."""
    handle = os.open(root / ROOM_LOCK, os.O_RDWR | os.O_CREAT, 0o660)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _identity(file: Path) -> tuple[int, ...]:
    """Another one where the file is another; empty where there is none."""
    try:
        state = os.stat(file)
    except FileNotFoundError:
        return ()
    return state.st_ino, state.st_mtime_ns


def folder_name(text: str) -> str:
    """A name for a directory, safe on every file system: letters, digits and . _ + - only."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", text).lstrip(".") or "_"


def write_wav(path: Path, pcm: audio.Pcm) -> None:
    """Whole or not at all. CacheError where the disk refuses."""
    with _reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_aside(path, audio.wav_bytes(pcm), 0o644, replace=True)


def read_pcm(path: str) -> bytes:
    """The samples of a cached file; CacheError where it is none."""
    with _reported(Path(path)):
        data = Path(path).read_bytes()
    if not audio.is_telephone_wav(data[: audio.HEADER_BYTES], len(data)):
        raise CacheError(f"{path} is damaged; render the message again")
    return data[audio.HEADER_BYTES :]


def _checked(path: Path) -> Fragment | None:
    """The fragment, if its file is whole: the header is known from the size alone. ~15 µs."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(audio.HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheError(
            f"cannot read {path}: {error.strerror}; check its owner and mode"
        ) from None
    if not audio.is_telephone_wav(head, size):
        return None
    return Fragment(str(path), audio.duration_ms(size))


def _write_aside(path: Path, data: bytes, mode: int, *, replace: bool) -> None:
    """A hidden name of this thread's own beside the target, then one rename (or hard link)."""
    aside = path.with_name(
        f".{path.stem[:16]}.{os.getpid()}.{threading.get_ident()}.{next(_counter)}.tmp"
    )
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if replace:
            os.replace(aside, path)
        else:
            os.link(aside, path)  # FileExistsError where another process was first
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside)


def _delete_older(file: Path, limit: float) -> int:
    with _reported(file), suppress(FileNotFoundError):
        if file.stat().st_mtime <= limit:
            file.unlink()
            return 1
    return 0


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except CacheError:
        raise
    except OSError as error:
        raise CacheError(
            f"cannot use {path}: {error.strerror}; free the disk, correct owner and mode, "
            "or set another tts_cache in config.yaml"
        ) from None
