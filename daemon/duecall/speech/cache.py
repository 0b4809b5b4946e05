"""Rendered sound on disk, found by content: `<root>/<folder>/<xx>/<sha256>.wav`.

Files are whole or absent (written aside, then renamed), made once per process at a time, and
checked on every use: one that was cut short or overwritten is made anew.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from duecall.speech import audio
from duecall.speech.faults import CacheError
from fs_scripts.contract import SAFE_TEXT

SALT_FILE = ".salt"
SALT_BYTES = 32
PERSONAL = "personal"
_STALE_S = 3600.0  # a file being written is done within seconds; after a crash it stays behind
_counter = itertools.count()


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
        self._salt = salt
        self._making: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    def obtain(self, folder: str, key: str, make: Callable[[], audio.Pcm]) -> Fragment:
        """The fragment of this key, made by `make` where there is none. Errors of `make` pass."""
        path = self._path(folder, key)
        found = _checked(path)
        if found:
            return found
        with self._only_one(path):
            found = _checked(path)  # somebody may have made it while we waited
            if found is None:
                write_wav(path, make())
                found = _checked(path)
        if found is None:
            raise CacheError(f"{path} vanished or changed as soon as it was written")
        return found

    def holds(self, folder: str, key: str) -> bool:
        return _checked(self._path(folder, key)) is not None

    def key(self, parts: Mapping[str, object], *, personal: bool = False) -> str:
        """sha256 of what makes the sound; for personal texts keyed with the salt (HMAC)."""
        data = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
        if personal:
            return hmac.new(self._salt or self._stored_salt(), data, hashlib.sha256).hexdigest()
        return hashlib.sha256(data).hexdigest()

    def purge_personal(self, unused_s: float = 0.0) -> int:
        """Deletes names and other personal fragments of every voice; how many were deleted.

        unused_s: only those that were made so long ago (0: all). They are made anew when needed.
        """
        limit = time.time() - unused_s
        return sum(_delete_older(file, limit) for file in self.root.glob(f"*/{PERSONAL}/??/*.wav"))

    def sweep(self) -> int:
        """Deletes what a crash left half written; how many files."""
        limit = time.time() - _STALE_S
        return sum(_delete_older(file, limit) for file in self.root.glob("**/.*.tmp"))

    def _path(self, folder: str, key: str) -> Path:
        return self.root / folder / key[:2] / f"{key}.wav"

    @contextmanager
    def _only_one(self, path: Path) -> Iterator[None]:
        """Single flight in this process. Two processes may both render: the same bytes twice."""
        with self._guard:
            lock = self._making.setdefault(path, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._making.pop(path, None)

    def _stored_salt(self) -> bytes:
        file = self.root / SALT_FILE
        with self._guard, _reported(file):
            if self._salt is None:
                with suppress(FileExistsError):
                    _write_aside(file, os.urandom(SALT_BYTES), 0o600, replace=False)
                self._salt = file.read_bytes()
        if len(self._salt) < SALT_BYTES:
            raise CacheError(
                f"{file} is damaged; delete it, and the folders {PERSONAL} of the cache with it"
            )
        return self._salt


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
