"""The key file: read while it is held, and replaced whole.

Who has read it holds a shared lock on that very file until its process ends or reads it anew. A new
text comes as a new file in its place. So it can be known when nobody works with the former text any
more: then nobody holds the former file, of which a second name is kept until that is so.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FORMER, LOCK = ".former", ".lock"  # behind the name of the key file
READ_AGAIN_MAX = 100
_LOCK = re.compile(r"FLOCK +ADVISORY +READ +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) ")


class HeldFile:
    """Open and held until `close`, or until nobody has it any more."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        for _ in range(READ_AGAIN_MAX):
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                with suppress(OSError):  # a file system without locks; see `former_holders`
                    fcntl.flock(self._handle, fcntl.LOCK_SH)
                found = os.fstat(self._handle)
                self.rights = found.st_mode & 0o777
                self._identity = (found.st_dev, found.st_ino)
                self.data = os.read(self._handle, 65_536)
                if not self.replaced:  # else somebody may have looked for us before we held it
                    return
            except BaseException:
                self.close()
                raise
            self.close()
        raise OSError(f"{path}: it is replaced again and again")

    @property
    def replaced(self) -> bool:
        """Another file stands in its place by now."""
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) != self._identity

    def close(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


def make(path: Path, text: str) -> None:
    """Whole or not at all, durable before its first use; of two makers at once, one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = _write(path, text)
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    finally:
        os.unlink(fresh)
    _sync(path.parent)


def replace(path: Path, text: str) -> None:
    """Another text in its place, durable when this returns. The former file keeps its second name
    until `forget_former`, but not its text: whoever holds it has read it. One at a time: see
    `former_holders`, which must have said None."""
    former = former_of(path)
    former.unlink(missing_ok=True)
    os.link(path, former)
    os.replace(_write(path, text), path)
    os.truncate(former, 0)
    _sync(path.parent)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """One process at a time. BlockingIOError: another one is at it."""
    lock = os.open(path.with_name(path.name + LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def former_of(path: Path) -> Path:
    return path.with_name(path.name + FORMER)


def former_holders(path: Path) -> list[int] | None:
    """Processes that still work with the former text; None: nobody does. The list may be empty
    where the system does not tell who."""
    former = former_of(path)
    try:
        handle = os.open(former, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        here = os.stat(path)
        found = os.fstat(handle)
        if (here.st_dev, here.st_ino) == (found.st_dev, found.st_ino):
            return None  # cut off before it was replaced
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holders(found.st_ino)
        except OSError:  # who can say, on a file system without locks?
            return []
        return None
    finally:
        os.close(handle)


def forget_former(path: Path) -> None:
    former_of(path).unlink(missing_ok=True)


def _holders(inode: int) -> list[int]:
    try:
        text = Path("/proc/locks").read_text()
    except OSError:
        return []
    return sorted({int(pid) for pid, number in _LOCK.findall(text) if int(number) == inode})


def _write(path: Path, text: str) -> str:
    """A scratch file beside it, with rights 0600; its name."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return name


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
