"""The daemon's daily look at what is older than the rules keep it (retention.py does the work)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import gevent
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.core.site import Site
from duecall.shell.call_files import CallFiles
from duecall.shell.clock import now
from duecall.shell.retention import Piece, Sweep
from duecall.shell.store import StoreError
from duecall.shell.store_worker import StoreWorker

log = logging.getLogger(__name__)
FIRST_S = 60.0  # after the start: it has more urgent things to do
EVERY_S = 86_400.0
AGAIN_S = 3_600.0  # after a failure
BREATH_S = 0.05  # between two pieces, for the calls


class DailyRetention:
    """Of one daemon; `run` is a greenlet."""

    def __init__(
        self,
        site: Site,
        files: CallFiles,
        worker: StoreWorker,
        daemon: str,
        alarm: Callable[[c.Alarm], None],
    ) -> None:
        self._site = site
        self._files = files
        self._worker = worker
        self._daemon = daemon
        self._alarm = alarm
        self._pool = ThreadPool(1)
        self._told = ""

    def run(self) -> None:
        """For ever."""
        gevent.sleep(FIRST_S)
        while True:
            gevent.sleep(EVERY_S if self.sweep() else AGAIN_S)

    def sweep(self) -> bool:
        """Once over everything. False: it failed, and what is left is tried again."""
        sweep = Sweep(self._site, self._files, self._daemon, now().wall)
        try:
            while not sweep.ended:
                piece = self._worker.call(sweep.look)
                if piece is not None:
                    error = self._pool.apply(_removed, (sweep, piece))
                    if error is not None:
                        raise error
                    self._worker.call(partial(sweep.write, piece=piece))
                gevent.sleep(BREATH_S)
        except (StoreError, OSError) as error:
            log.warning("old records are not removed for now: %s", error)
            if str(error) != self._told:
                self._told = str(error)
                fields = (("why", str(error)),)
                self._alarm(c.Alarm("old records cannot be removed", fields))
            return False
        self._told = ""
        removed = {name: count for name, count in sweep.counts.items() if count}
        if removed:
            log.info("removed what was older than the rules keep it: %s", removed)
        return True


def _removed(sweep: Sweep, piece: Piece) -> OSError | None:
    """What went wrong; gevent's pool would print what is raised to stderr."""
    try:
        sweep.remove_files(piece)
    except OSError as error:
        return error
    return None
