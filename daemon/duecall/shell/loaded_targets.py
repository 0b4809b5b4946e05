"""Targets that the store has claimed for the dialer: what will be said to them is made, or they go
back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Target
from duecall.core.campaign_run import CampaignRun
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.shell.store import Load
from duecall.shell.store_worker import StoreWorker

log = logging.getLogger(__name__)


class LoadedTargets:
    """runs: those of the dialer. put: takes events. stopping: whether the daemon ends."""

    def __init__(
        self,
        preparer: Preparer,
        worker: StoreWorker,
        runs: Mapping[str, CampaignRun],
        put: Callable[[e.Event], None],
        alarm: Callable[[c.Alarm], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._preparer = preparer
        self._worker = worker
        self._runs = runs
        self._put = put
        self._alarm = alarm
        self._stopping = stopping

    def prepare(self, load: Load) -> None:
        """Render what will be said to these targets, then hand them to the dialer: one answer to
        each LoadTargets, whatever happens."""
        run = self._runs.get(load.campaign)
        ready: list[Target] = []
        put_off: list[c.Command] = []
        failed = load.failed
        if run is None or self._stopping():
            failed = failed or "nothing is called now"
        elif not failed:
            try:
                ready, put_off = self._preparer.prepare(run.campaign, load.rows)
            except Exception as error:
                failed = f"prompts cannot be made: {error}"
                if failed != run.trouble:
                    log.exception("prompts of %s cannot be made", load.campaign)
                    fields = (("campaign", load.campaign), ("why", str(error)))
                    self._alarm(c.Alarm("prompts cannot be made", fields))
        if failed and load.rows:
            put_off = [c.ReleaseTargets(load.campaign, tuple(row.id for row in load.rows))]
        self._worker.put(put_off)
        self._put(
            e.TargetsLoaded(
                now(),
                load.campaign,
                tuple(ready),
                load.next_due,
                withheld=0 if failed else len(put_off),
                failed=failed,
                answered=load.answered,
            )
        )
