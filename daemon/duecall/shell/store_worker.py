"""The store, off the hub: one native thread, one transaction a turn, however many calls it serves.

A commit is an fsync and takes milliseconds; the hub must not wait for it. All commands that have
gathered while the thread was busy go into its next transaction (group commit), so that a hundred
attempts cost hardly more than one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import gevent
import gevent.event
import peewee
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.shell.store import ApplyResult, NoSuchCampaign, Store, StoreError

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH_MAX = 500
RETRY_S = 1.0
# The disk is full, the file is locked, the server is away: it may pass, so it is tried again.
DATABASE_TROUBLE = (StoreError, peewee.OperationalError, OSError)


class StoreWorker:
    """answer(result): called on the hub with what `Store.apply` returned for each batch."""

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
        self.trouble = ""  # the last failure, while it lasts
        self.batches = 0
        self.commands = 0
        self.store: Store = self._pool.apply(open_store)
        self._greenlet = gevent.spawn(self._run)

    def put(self, commands: Sequence[c.Command]) -> None:
        """Take commands over, to be carried out in this order."""
        if commands:
            self._waiting.extend(commands)
            self._idle.clear()
            self._work.set()

    def call(self, function: Callable[[Store], T]) -> T:
        """Run a question on the store's thread; the calling greenlet waits, the hub does not."""
        result: T = self._pool.apply(function, (self.store,))
        return result

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken over is durable; False if that took too long."""
        return bool(self._idle.wait(timeout_s))

    def close(self) -> None:
        self._greenlet.kill()
        self._pool.apply(self.store.close)
        self._pool.kill()

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while self._waiting:
                batch = self._waiting[:BATCH_MAX]
                try:
                    self._write(batch)
                except DATABASE_TROUBLE as error:
                    # Nothing of the batch was written: one transaction. Keep it, and try again.
                    if not self.trouble:
                        self._alarm(c.Alarm("the database refuses to write", (("why", str(error)),)))
                    self.trouble = f"{type(error).__name__}: {error}"
                    gevent.sleep(RETRY_S)
                    continue
                self.trouble = ""
                del self._waiting[: len(batch)]
            self._idle.set()

    def _write(self, batch: list[c.Command]) -> None:
        """In one transaction. Where one command is at fault, it must not hold up the others: each
        on its own then, and the faulty one is dropped, loudly."""
        self.batches += 1
        try:
            answers = self._pool.apply(self.store.apply, (batch,))
        except Exception as error:
            if isinstance(error, DATABASE_TROUBLE) and not isinstance(error, NoSuchCampaign):
                raise
            if len(batch) > 1:
                for command in batch:
                    self._write([command])
                return
            log.exception("the store cannot carry out a %s", type(batch[0]).__name__)
            fields = (("command", type(batch[0]).__name__), ("error", type(error).__name__))
            self._alarm(c.Alarm("the store dropped a command", fields))
            return
        self.commands += len(batch)
        self._answer(answers)
