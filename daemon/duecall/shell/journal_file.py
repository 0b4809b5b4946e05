"""One segment of the journal as a file: sealed blocks, one after another.

    duecall-journal 1 NAME\n      in clear; part of what every block is sealed with
    length (4 bytes, big-endian), sealed block           and so on

A block is one letter (its kind), then its content, compressed. It opens at its own place of its own
segment only: a block that was changed, moved, put in or taken out is noticed. What cannot be told
from a crash is a file that was cut at its end, so it is told: a segment that was closed says so.

Nothing is synced to the disk: a journal may end a little early, the laws do not rest on it.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from duecall.shell.vault import SEALED_HEAD_BYTES, Vault, VaultError, sealed_by

FORMAT = 1
SUFFIX = ".journal"
LEVEL = 1  # of compression: half the processor time of level 6, a tenth more bytes
BLOCK_MAX_BYTES = 1 << 28  # a longer one is no block
_LENGTH = struct.Struct(">I")
_HEADER = re.compile(rb"duecall-journal (\d{1,9}) ([0-9A-Za-z.-]{1,60})\n")
_HEADER_MAX_BYTES = 90
META, SNAPSHOT, ENTRIES, END = b"M", b"S", b"E", b"Z"  # kinds of blocks, in this order


class JournalError(RuntimeError):
    """A segment cannot be read: which, where, and what to do."""


class Ending(str, Enum):
    """How a segment ends."""

    CLOSED = "closed"
    OPEN = "open"  # no end mark: it is being written, its daemon was killed, or it was cut
    TORN = "torn"  # the same, in the middle of a block


class Block(NamedTuple):
    kind: bytes
    content: bytes


def segment_name(number: int, at: datetime) -> str:
    """Of the file, and in its header. They sort by number, for clocks are put back; the time at
    which it began (UTC) is for people."""
    return f"{number:08d}-{at:%Y%m%dT%H%M%S}Z"


def next_number(folder: Path) -> int:
    """Of the segment that follows those in this folder."""
    numbers = [path.name.partition("-")[0] for path in segments_in(folder)]
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1


def segments_in(folder: Path) -> list[Path]:
    """Oldest first; a folder that does not exist has none."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def keys_of_segments(folder: Path) -> list[tuple[Path, set[str]]]:
    """Each segment, oldest first, with the ids of the keys that its blocks are sealed with."""
    return [(path, _keys_of(path)) for path in segments_in(folder)]


def _keys_of(path: Path) -> set[str]:
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            header = _HEADER.match(file.read(_HEADER_MAX_BYTES))
            if header is None:
                return found
            file.seek(header.end())
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                length = _LENGTH.unpack(head)[0]
                beginning = file.read(min(length, SEALED_HEAD_BYTES))
                if len(beginning) < SEALED_HEAD_BYTES:
                    break
                found.add(sealed_by(beginning).hex())
                file.seek(length - SEALED_HEAD_BYTES, os.SEEK_CUR)
    except FileNotFoundError:  # it was the oldest, and made room
        pass
    return found


class SegmentWriter:
    """Makes the file, with rights 0600; OSError where the disk will not have it."""

    def __init__(self, folder: Path, name: str, vault: Vault, meta: dict[str, Any]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}{SUFFIX}"
        self.size = 0  # bytes of whole blocks
        self._vault = vault
        self._header = f"duecall-journal {FORMAT} {name}\n"
        self._blocks = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o600)
        try:
            self._append(self._header.encode())
            self.write(META, json.dumps(meta).encode())
        except BaseException:
            self.abandon()
            self.path.unlink(missing_ok=True)
            raise

    def write(self, kind: bytes, content: bytes) -> None:
        """One more block, whole or not at all."""
        packed = zlib.compress(kind + content, LEVEL)
        sealed = self._vault.seal(packed, _context(self._header, self._blocks))
        self._append(_LENGTH.pack(len(sealed)) + sealed)
        self._blocks += 1

    def close(self) -> None:
        """With its end mark; OSError where that has no room."""
        try:
            self.write(END, b"")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Without."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            # A part of it would stand before the next one. Making a file shorter needs no room.
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            raise
        self.size += len(data)


class SegmentReader:
    """Opens a segment and reads on while it is asked. JournalError says what is wrong with it.

    meta: what its writer said of itself. ending: known when all blocks are read.
    """

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self.ending = Ending.OPEN
        self._vault = vault
        self._number = 0
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise JournalError(f"{path}: cannot be read: {error.strerror}") from None
        with_header = self._file.read(_HEADER_MAX_BYTES)
        found = _HEADER.match(with_header)
        if found is None:
            raise JournalError(f"{path}: not a journal of Duecall, or its first line is damaged")
        if int(found[1]) != FORMAT:
            raise JournalError(
                f"{path}: format {int(found[1])} of the journal, and this Duecall reads format "
                f"{FORMAT}: replay it with the Duecall that wrote it"
            )
        self._header = found[0].decode("ascii")
        self._file.seek(found.end())
        self.meta: dict[str, Any] = json.loads(self._next(META, "says nothing of itself").content)

    @property
    def name(self) -> str:
        return self._header.split()[2]

    def snapshot(self) -> bytes:
        """The first thing to be read."""
        return self._next(SNAPSHOT, "has no snapshot").content

    def entries(self) -> Iterator[bytes]:
        """All blocks of entries."""
        while (block := self._block()) is not None:
            if block.kind == END:
                self.ending = Ending.CLOSED
                if self._file.read(1):
                    raise self._damaged("something stands behind its end")
                return
            if block.kind != ENTRIES:
                raise self._damaged(f"a block of kind {block.kind!r} is out of place")
            yield block.content

    def close(self) -> None:
        self._file.close()

    def _next(self, kind: bytes, else_: str) -> Block:
        block = self._block()
        if block is None or block.kind != kind:
            raise JournalError(f"{self.path}: {else_}: it was cut off as it began; nothing is lost")
        return block

    def _block(self) -> Block | None:
        """None at the end, whole or torn."""
        head = self._file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            self.ending = Ending.TORN if head else Ending.OPEN
            return None
        length = _LENGTH.unpack(head)[0]
        if length == 0 and not self._file.read().strip(b"\0"):
            self.ending = Ending.TORN  # after a loss of power the last bytes may be zeros
            return None
        if not 0 < length <= BLOCK_MAX_BYTES:
            raise self._damaged("its length is impossible")
        sealed = self._file.read(length)
        if len(sealed) < length:
            self.ending = Ending.TORN
            return None
        try:
            packed = self._vault.open(sealed, _context(self._header, self._number))
        except VaultError as error:
            if "key file" in str(error):
                raise JournalError(f"{self.path}: {error}") from None
            raise self._damaged("it was changed, moved or cut") from None
        self._number += 1
        content = zlib.decompress(packed)
        return Block(content[:1], content[1:])

    def _damaged(self, problem: str) -> JournalError:
        return JournalError(
            f"{self.path}: damaged at block {self._number}: {problem}. What stands before it is "
            "sound; put the file back from a backup, or leave it out"
        )


def _context(header: str, number: int) -> str:
    return f"{header}{number}"
