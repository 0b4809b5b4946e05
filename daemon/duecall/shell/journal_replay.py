"""Tell a dialer again what the journal holds, and see whether it decides the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

from duecall.core.commands import Command
from duecall.core.dialer import Dialer
from duecall.shell.journal import core_digest
from duecall.shell.journal_codec import Decoder, Entry, UnknownContent
from duecall.shell.journal_file import Ending, JournalError, SegmentReader
from duecall.shell.vault import Vault

Watch = Callable[[int, Entry], None]  # the number of an event in its segment, from 1, and the event


@dataclass(frozen=True)
class Difference:
    """The first one. command: its number among those of the event, from 1; 0 where only what was
    raised differs. expected, actual: None where there is no such command."""

    event: int
    entry: Entry
    command: int = 0
    expected: Command | None = None
    actual: Command | None = None
    error: str = ""  # of this replay; that of the journal is in the entry


@dataclass
class Replayed:
    """One segment. events: those that were told, the one that differs included. problem: why it
    could not be read to its end; what was read before that counts all the same."""

    path: Path
    about: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    commands: int = 0
    ending: Ending | None = None  # None: it was not read so far
    difference: Difference | None = None
    problem: str = ""

    @property
    def same(self) -> bool:
        return self.difference is None and not self.problem

    @property
    def same_core(self) -> bool:
        """Was it written by the very code that decides here?"""
        return not self.about or self.about["core"] == core_digest()


def replay(
    path: Path, vault: Vault, *, any_version: bool = False, watch: Watch | None = None
) -> Replayed:
    """One segment, up to the first difference. any_version: also what another Duecall wrote."""
    done = Replayed(path)
    try:
        reader = SegmentReader(path, vault)
        try:
            done.about = reader.meta
            if not any_version:
                _check_version(path, reader.meta)
            _replay(reader, done, watch)
        finally:
            reader.close()
    except JournalError as error:
        done.problem = str(error)
    except UnknownContent as error:
        done.problem = (
            f"{path}: cannot be understood behind event {done.events}: {error}. Replay it with the "
            f"Duecall that wrote it ({done.about['duecall']}, Python {done.about['python']})"
        )
    return done


def replay_folder(
    paths: list[Path], vault: Vault, *, any_version: bool = False, watch: Watch | None = None
) -> list[Replayed]:
    """Segments, oldest first; up to the first difference. One that cannot be read is passed over.
    What is missing between two segments of one run of the daemon is a problem of the former."""
    all_done: list[Replayed] = []
    for path in paths:
        if not path.exists():
            continue  # the daemon has made room meanwhile
        done = replay(path, vault, any_version=any_version, watch=watch)
        _check_joint(all_done, done)
        all_done.append(done)
        if done.difference is not None:
            break
    return all_done


def _replay(reader: SegmentReader, done: Replayed, watch: Watch | None) -> None:
    decoder = Decoder()
    dialer = decoder.snapshot(reader.snapshot())
    for block in reader.entries():
        for entry in decoder.block(block):
            done.events += 1
            done.commands += len(entry.commands)
            if watch is not None:
                watch(done.events, entry)
            done.difference = _compare(dialer, entry, done.events)
            if done.difference is not None:
                return
    done.ending = reader.ending


def _compare(dialer: Dialer, entry: Entry, number: int) -> Difference | None:
    error = ""
    try:
        actual = dialer.handle(entry.event, entry.now)
    except Exception as raised:
        actual, error = dialer.decided, type(raised).__name__
    if error == entry.error and tuple(actual) == entry.commands:
        return None
    for place, (old, new) in enumerate(zip_longest(entry.commands, actual), 1):
        if old != new:
            return Difference(number, entry, place, old, new, error)
    return Difference(number, entry, error=error)


def _check_version(path: Path, about: dict[str, Any]) -> None:
    own = metadata.version("duecall")
    if about["duecall"] != own:
        raise JournalError(
            f"{path}: written by Duecall {about['duecall']}, and this is {own}: replay it with "
            "that one, or see with --any-version what this one decides"
        )


def _check_joint(before: list[Replayed], done: Replayed) -> None:
    follows = done.about.get("follows")
    if not follows or not before:
        return
    former = before[-1]
    if former.about.get("name") != follows["name"]:
        if former.about:
            done.problem = done.problem or (
                f"{done.path}: the segment before it, {follows['name']}, is not here"
            )
    elif former.same and former.events != follows["entries"]:
        former.problem = (
            f"{former.path}: was cut: it ends after event {former.events} of {follows['entries']}, "
            f"as {done.path.name} knows; put it back from a backup"
        )
