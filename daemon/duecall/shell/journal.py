"""The journal: all that the dialer was told and what it decided, for `duecall replay`.

Segments in `var/journal/` (journal_file.py), each with a snapshot of the dialer at its begin, so
that each can be replayed by itself. The hub only notes references, for events and commands never
change; a native thread writes them down twice a second. What is noted and not written yet is lost
in a crash, and only that: the journal explains what happened, no law rests on it. So it must never
stop the calling: whatever goes wrong here is an alarm, once, and what cannot be written is dropped.
A journal with a hole could not be replayed; behind one, a new segment with a new snapshot begins.
"""

from __future__ import annotations

import hashlib
import logging
import platform
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import gevent
import gevent.event
from gevent.threadpool import ThreadPool

from duecall import core
from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.site import Site
from duecall.shell.journal_codec import Encoder
from duecall.shell.journal_file import next_number, segment_name
from duecall.shell.journal_writer import Beginning, Item, JournalWriter
from duecall.shell.vault import Vault
from fs_scripts import contract

log = logging.getLogger(__name__)
FOLDER = "journal"  # below `var`
GATHER_S = 0.5  # a block waits so long for company
BLOCK_MAX = 1_000  # entries: the thread holds Python's lock while it writes them down
WAITING_MAX = 20_000  # entries not written yet; with more the journal has fallen behind
QUIET_MAX = 60  # entries that say nothing new, before they are worth a block
SEGMENT_S = 3_600
AGAIN_S = 30  # after a failure
CLOSE_S = 5  # at the end: how long the disk may take


class Journal:
    """Of one dialer, from its first event on. trouble: why nothing is written, while that lasts."""

    def __init__(
        self,
        site: Site,
        vault: Vault,
        dialer: Dialer,
        alarm: Callable[[c.Alarm], None],
        at: Moment,
    ) -> None:
        """site.journal.keep: bytes; above zero, or there is no journal to be made."""
        self.folder = journal_folder(site)
        self.trouble = ""
        self._dialer = dialer
        self._alarm = alarm
        self._about = _about(site)
        self._writer = JournalWriter(self.folder, vault, site.journal.keep)
        self._waiting: deque[Item] = deque()
        self._segment: Beginning | None = None  # to which belongs what is noted now
        self._number = next_number(self.folder)
        self._again_s = at.mono_s
        self._quiet = 0
        self._work = gevent.event.Event()
        self._hurry = gevent.event.Event()
        self._idle = gevent.event.Event()
        self._idle.set()
        self._pool = ThreadPool(1)
        self._greenlet = gevent.spawn(self._run)
        self._begin(at)

    def note(
        self, event: e.Event, now: Moment, commands: Sequence[c.Command], error: str = ""
    ) -> None:
        """The dialer has handled this event at `now`. error: the name of what it raised. Never
        raises, never waits."""
        segment = self._segment
        if segment is None:
            if now.mono_s >= self._again_s:
                self._begin(now)
            return
        self._waiting.append((event, now, tuple(commands), error))
        if commands or type(event) is not e.Woke or self._quiet >= QUIET_MAX:
            self._quiet = 0
            self._idle.clear()
            self._work.set()
        else:
            self._quiet += 1
        if len(self._waiting) > WAITING_MAX:
            self._again_s = now.mono_s + AGAIN_S
            self._failed(f"more than {WAITING_MAX} events wait for the disk")
        elif segment.size > self._writer.segment_max or now.mono_s > segment.began_s + SEGMENT_S:
            self._begin(now)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything noted is written, or dropped; False if that took too long."""
        if self._waiting:
            self._idle.clear()
            self._work.set()
        self._hurry.set()
        return bool(self._idle.wait(timeout_s))

    def close(self) -> None:
        """Write what is left, and that this is the end. The journal is not used any more."""
        done = self.flush(CLOSE_S)
        self._greenlet.kill()
        if done:
            problem = self._in_thread(self._writer.end)
            self._pool.kill()
        else:
            problem = self.trouble or "the disk is slow"  # its thread cannot be waited for
        if problem:
            log.warning("the journal was not closed: %s", problem)

    def _begin(self, at: Moment) -> None:
        """A new segment, from here on."""
        encoder = Encoder()
        try:
            snapshot = encoder.snapshot(self._dialer)
        except Exception as error:
            self._again_s = at.mono_s + AGAIN_S
            self._failed(f"no snapshot: {type(error).__name__}: {error}")
            return
        meta = {**self._about, "began": at.wall.isoformat()}
        follows_on = self._segment is not None
        name = segment_name(self._number, at.wall)
        self._number += 1
        self._segment = Beginning(name, meta, snapshot, encoder, at.mono_s, follows_on)
        # Where this one cannot be written either, the next is not tried before then.
        self._again_s = at.mono_s + AGAIN_S
        self._waiting.append(self._segment)
        self._idle.clear()
        self._work.set()

    def _failed(self, why: str) -> None:
        """Drop everything. A new segment begins with the first event that is noted later."""
        self._segment = None
        self._waiting.clear()
        if not self.trouble:
            self._alarm(c.Alarm("the journal cannot be written", (("why", why),)))
        self.trouble = why

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._hurry.wait(GATHER_S)
            self._hurry.clear()
            self._work.clear()
            while self._waiting:
                self._write(min(BLOCK_MAX, len(self._waiting)))
            self._idle.set()

    def _write(self, count: int) -> None:
        items = [self._waiting.popleft() for _ in range(count)]
        problem = self._in_thread(self._writer.write, items)
        if problem:
            self._failed(problem)
        elif self.trouble and any(isinstance(item, Beginning) for item in items):
            log.info("the journal is written again")
            self.trouble = ""

    def _in_thread(self, do: Callable[..., None], *arguments: Any) -> str:
        """What went wrong, in words; gevent's pool would print it to stderr as well."""
        problem: str = self._pool.apply(_problem_of, (do, *arguments))
        return problem


def journal_folder(site: Site) -> Path:
    return Path(site.folders.var) / FOLDER


@cache
def core_digest() -> str:
    """Of the code that decides: where it differs, a replay may differ."""
    files = [*sorted(Path(core.__path__[0]).glob("*.py")), Path(contract.__file__)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _about(site: Site) -> dict[str, str]:
    return {
        "duecall": metadata.version("duecall"),
        "python": platform.python_version(),
        "core": core_digest(),
        "site": hashlib.sha256(site.model_dump_json().encode()).hexdigest()[:16],
    }


def _problem_of(do: Callable[..., None], *arguments: Any) -> str:
    try:
        do(*arguments)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""
