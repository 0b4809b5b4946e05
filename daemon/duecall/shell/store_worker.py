"""The store, off the hub: one native thread, one transaction a turn, however many calls it serves.

A commit is an fsync and takes milliseconds; the hub must not wait for it. All commands that have
gathered while the thread was busy go into its next transaction (group commit), so that a hundred
attempts cost hardly more than one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import gevent
import gevent.event
import peewee
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.core.outcome import Ending
from duecall.shell.clock import now
from duecall.shell.store import ApplyResult, Load, NoSuchCampaign, Store, StoreBusy, StoreError

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH_MAX = 500
RETRY_S = 1.0
CLOSE_S = 10.0
SLOW_S = 5.0  # a batch that takes longer is told as trouble: a frozen server says nothing
GATHER_S = 0.015  # a batch waits so long for company: each costs a turn of threads and an fsync
DROPPED = "the store cannot carry this out; see the log"


class StoreWorker:
    """answer(result): called on the hub with what `Store.apply` returned for each batch.

    What was taken over waits, in its order, while nothing can be written: see `trouble`.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        answer: Callable[[ApplyResult], None],
        alarm: Callable[[c.Alarm], None],
    ) -> None:
        self._pool = ThreadPool(1)
        self._answer = answer
        self._alarm = alarm
        self._waiting: list[c.Command] = []
        self._work = gevent.event.Event()
        self._idle = gevent.event.Event()
        self._idle.set()
        self._singly = 0  # so many of those waiting are written each on its own
        self._again = 0  # so many of them were one batch, which is tried again as it was
        self._refusal = ""
        self._since_s: float | None = None  # monotonic; a batch is being written
        self.batches = 0
        self.commands = 0
        self.store: Store = self._in_thread(open_store)
        self._greenlet = gevent.spawn(self._run)

    @property
    def waiting(self) -> int:
        """Commands that are not durable yet."""
        return len(self._waiting)

    @property
    def trouble(self) -> str:
        """Why nothing can be written, while that lasts; else empty."""
        if self._refusal or self._since_s is None:
            return self._refusal
        took_s = now().mono_s - self._since_s
        return f"no answer from the database for {took_s:.0f} s" if took_s > SLOW_S else ""

    def put(self, commands: Sequence[c.Command]) -> None:
        """Take commands over, to be carried out in this order."""
        if commands:
            self._waiting.extend(commands)
            self._idle.clear()
            self._work.set()

    def call(self, function: Callable[[Store], T], timeout_s: float | None = None) -> T:
        """Run a question on the store's thread; the calling greenlet waits, the hub does not.

        timeout_s: for questions only, since what is late is carried out all the same. StoreBusy.
        """
        with gevent.Timeout(timeout_s, StoreBusy(f"no answer in {timeout_s} s: {self.trouble}")):
            return self._in_thread(function, self.store)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken over is durable; False if that took too long."""
        return bool(self._idle.wait(timeout_s))

    def close(self) -> None:
        """Waits for the batch that is being written, but not for a server that says nothing; what
        waits behind it is not written."""
        self._greenlet.kill()
        with gevent.Timeout(CLOSE_S, False):
            self._pool.apply(self.store.close)
            self._pool.kill()

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Raises what the function raises; gevent's pool would print it to stderr as well."""
        answer, error = self._pool.apply(_caught, (function, *arguments))
        if error is not None:
            raise error
        result: T = answer
        return result

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while self._waiting:
                gevent.sleep(GATHER_S)
                # Whether a batch was committed whose end is not known, the store can tell of that
                # very batch alone.
                size = self._again or (1 if self._singly else BATCH_MAX)
                self._write(self._waiting[:size])
            self._idle.set()

    def _write(self, batch: list[c.Command]) -> None:
        """In one transaction. Where one command is at fault, it must not hold up the others: each
        on its own then, and the faulty one is dropped, loudly."""
        self.batches += 1
        self._since_s = now().mono_s
        try:
            answers = self._in_thread(self.store.apply, batch)
        except Exception as error:
            # Nothing of the batch was written: it was one transaction.
            if _may_pass(error):
                self._again = len(batch)
                if not self._refusal:
                    self._alarm(c.Alarm("the database refuses to write", (("why", str(error)),)))
                self._refusal = f"{type(error).__name__}: {error}"
                gevent.sleep(RETRY_S)
                return
            self._again = 0
            if len(batch) > 1:
                self._singly = len(batch)
                return
            plain = _plain(batch[0])
            if plain != batch[0]:
                log.error("an outcome is written without its details", exc_info=error)
                self._waiting[0] = plain
                return
            answers = self._dropped(batch[0], error)
        finally:
            self._since_s = None
        self._refusal, self._again = "", 0
        self.commands += len(batch)
        self._singly = max(0, self._singly - len(batch))
        del self._waiting[: len(batch)]
        try:
            self._answer(answers)
        except Exception:
            log.exception("an answer of the store could not be taken in")

    def _dropped(self, command: c.Command, error: Exception) -> ApplyResult:
        """It was not carried out and never will be: whoever waits for its answer must know."""
        kind = type(command).__name__
        log.error("the store cannot carry out a %s", kind, exc_info=error)
        fields = (("command", kind), ("error", type(error).__name__))
        self._alarm(c.Alarm("the store dropped a command", fields))
        answers = ApplyResult()
        if isinstance(command, c.SaveAttempt):
            answers.refused.append((command.attempt.id, DROPPED, False))
        elif isinstance(command, c.LoadTargets):
            answers.loads.append(Load(command.campaign, [], None, failed=DROPPED))
        return answers


def _caught(function: Callable[..., T], *arguments: Any) -> tuple[T | None, Exception | None]:
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


def _plain(command: c.Command) -> c.Command:
    """An outcome that cannot be written with all its details is better written without them than
    not at all: its attempt would stay open, and its number busy, until the next start."""
    if not isinstance(command, c.SaveOutcome):
        return command
    ending = Ending(command.ending.cause, answered=command.ending.answered)
    return replace(command, ending=ending, promised_for=None, recording="")


def _may_pass(error: Exception) -> bool:
    """The disk is full, the file is locked or damaged, the server is away: no command's fault, and
    it is tried again. False: this command can never be carried out."""
    if isinstance(error, (peewee.IntegrityError, peewee.DataError, peewee.ProgrammingError)):
        return False
    if isinstance(error, NoSuchCampaign):
        return False
    return isinstance(error, (StoreError, peewee.DatabaseError, OSError))
