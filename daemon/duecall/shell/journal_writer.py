"""The journal's files, written by one native thread: segment after segment, the oldest removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from duecall.shell.journal_codec import Encoder, RawEntry
from duecall.shell.journal_file import ENTRIES, SNAPSHOT, SegmentWriter, segments_in
from duecall.shell.vault import Vault

SEGMENT_MAX_BYTES = 8_000_000
SEGMENTS_A_JOURNAL = 8  # at least, where a journal is small
SEGMENTS_MAX = 2_000  # files, where each is short: of a daemon that is started again and again


@dataclass(slots=True)
class Beginning:
    """A segment that is to be made. follows_on: no entry is missing before it. encoder: the one
    that made the snapshot. size: bytes in its file by now; the hub reads it."""

    name: str
    meta: dict[str, Any]
    snapshot: bytes
    encoder: Encoder
    began_s: float
    follows_on: bool
    size: int = 0


Item: TypeAlias = RawEntry | Beginning


class JournalWriter:
    """keep_bytes: all segments together. Used by one thread at a time; on errors see `write`."""

    def __init__(self, folder: Path, vault: Vault, keep_bytes: int) -> None:
        self.folder = folder
        self.segment_max = min(SEGMENT_MAX_BYTES, keep_bytes // SEGMENTS_A_JOURNAL)
        self._keep_bytes = keep_bytes
        self._vault = vault
        self._file: SegmentWriter | None = None
        self._segment: Beginning | None = None
        self._entries = 0  # in this segment

    def write(self, items: Sequence[Item]) -> None:
        """Entries belong to the last beginning before them. After an error (OSError, or whatever
        cannot be written down) the segment ends there, and entries are ignored until the next."""
        try:
            run: list[RawEntry] = []
            for item in items:
                if isinstance(item, Beginning):
                    self._write_entries(run)
                    run = []
                    self._begin(item)
                else:
                    run.append(item)
            self._write_entries(run)
        except BaseException:
            self._give_up()
            raise

    def end(self) -> None:
        """Say that nothing follows in this segment."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begin(self, segment: Beginning) -> None:
        former = None
        if self._file is not None and self._segment is not None and segment.follows_on:
            former = {"name": self._segment.name, "entries": self._entries}
        self.end()
        self._make_room()
        meta = {**segment.meta, "name": segment.name, "follows": former}
        self._file = SegmentWriter(self.folder, segment.name, self._vault, meta)
        self._file.write(SNAPSHOT, segment.snapshot)
        segment.snapshot = b""
        segment.size = self._file.size
        self._segment, self._entries = segment, 0

    def _write_entries(self, entries: list[RawEntry]) -> None:
        if not entries or self._file is None or self._segment is None:
            return
        self._file.write(ENTRIES, self._segment.encoder.block(entries))
        self._entries += len(entries)
        self._segment.size = self._file.size

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.abandon()

    def _make_room(self) -> None:
        """For a whole segment. Files that have gone meanwhile are no error."""
        kept = list(_with_sizes(segments_in(self.folder)))
        total = sum(size for _, size in kept)
        while kept and (total + self.segment_max > self._keep_bytes or len(kept) >= SEGMENTS_MAX):
            oldest, size = kept.pop(0)
            oldest.unlink(missing_ok=True)
            total -= size


def _with_sizes(paths: Iterable[Path]) -> Iterable[tuple[Path, int]]:
    for path in paths:
        try:
            yield path, path.stat().st_size
        except FileNotFoundError:
            continue
