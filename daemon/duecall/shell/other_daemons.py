"""The other daemons on one database, and commands that wrote to it: what this daemon has to hear.

Twice a second the news are read: a number was stopped, stops of other kinds were entered or lifted,
a campaign was changed, started, paused, contacts were imported. Every few seconds the own lease is
renewed; what daemons that are gone have left is taken over. All of it becomes events for the
dialer; nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

import gevent

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.campaign_run import CampaignRun
from duecall.core.site import Site
from duecall.core.transfer import transfer_wait_s
from duecall.shell.clock import now
from duecall.shell.column_values import CampaignState
from duecall.shell.daemon_store import LEASE_S, RENEW_S
from duecall.shell.store import News, Store, StoredCampaign, StoreError, TakenOver
from duecall.shell.store_worker import StoreWorker

log = logging.getLogger(__name__)
POLL_S = 0.5  # an opt-out reaches all daemons within a second
# Beyond the longest call, before another daemon's attempt is taken to be over: an originate may lie
# unread in the sockets of a switch that stands still, and ring when it goes on.
GRACE_S = 600


class OtherDaemons:
    """For a daemon that has joined (shell/daemon_start.py). runs: those of the dialer. put: takes
    events. renewed: called with the name of a campaign of which there is a new version, before the
    dialer hears of it. news_seq: of the last of the news that are known already."""

    def __init__(
        self,
        site: Site,
        worker: StoreWorker,
        runs: Mapping[str, CampaignRun],
        put: Callable[[e.Event], None],
        alarm: Callable[[c.Alarm], None],
        renewed: Callable[[str], None],
        news_seq: int,
    ) -> None:
        self._site = site
        self._worker = worker
        self._runs = runs
        self._put = put
        self._alarm = alarm
        self._renewed = renewed
        self._seq = news_seq
        self._shared = worker.store.shared
        self._next_renewal_s = 0.0
        self._next_finishing_s = 0.0
        at_s = now().mono_s
        self._leased_until_s = at_s + LEASE_S
        self._steady_since_s = at_s  # since when the lease was never lost
        self._faults_told = 0
        self._trouble = ""

    # ---- life

    def run(self) -> None:
        """In a greenlet of its own, until it is killed."""
        while True:
            if self._shared:
                self._carefully(self._renew)
            self._carefully(self._hear)
            self._finish()
            self.tell_faults()
            gevent.sleep(POLL_S)

    def tell_faults(self) -> None:
        """What the store has found that somebody has to look at; each once."""
        faults = self._worker.store.faults
        for alarm in faults[self._faults_told :]:
            self._alarm(alarm)
        self._faults_told = len(faults)

    def end(self, timeout_s: float) -> None:
        """Nobody has to wait for the lease of a daemon that has ended."""
        try:
            self._worker.call(Store.leave, timeout_s)
        except StoreError as error:
            log.warning("the lease is left to run out: %s", error)

    def _carefully(self, do: Callable[[], None]) -> None:
        """The database may be away; the worker says so, and this goes on when it is back."""
        try:
            do()
            self._trouble = ""
        except StoreError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("nothing is heard of other daemons: %s", error)
        except Exception:
            log.exception("news of other daemons could not be taken in")

    # ---- the lease, and those who lost theirs

    def _renew(self) -> None:
        at_s = now().mono_s
        if at_s < self._next_renewal_s:
            return
        self._next_renewal_s = at_s + RENEW_S
        self._worker.call(Store.renew)
        if now().mono_s > self._leased_until_s:
            # The server was away, or we were: the others may have had no better luck. Whoever
            # lives has a whole lease's time to say so.
            self._steady_since_s = now().mono_s
        self._leased_until_s = now().mono_s + LEASE_S
        if now().mono_s - self._steady_since_s > LEASE_S:
            self._take_over()

    def _finish(self) -> None:
        """Once more: others may have been busy with the campaign when the dialer first said so."""
        at_s = now().mono_s
        if at_s >= self._next_finishing_s:
            self._next_finishing_s = at_s + LEASE_S
            finished = [name for name, run in self._runs.items() if run.finished]
            self._worker.put([c.FinishCampaign(name) for name in finished])

    def _take_over(self) -> None:
        stored = self._worker.call(Store.campaigns)
        longest_s = {
            known.name: known.campaign.ring
            + known.campaign.max_call
            + transfer_wait_s(known.campaign, self._site)
            + GRACE_S
            for known in stored
        }
        taken: TakenOver = self._worker.call(partial(Store.take_over, longest_s=longest_s))
        if not taken.daemons and not taken.attempts:
            return
        log.warning(
            "taken over from daemons that are gone: daemons=%s targets=%d attempts=%d",
            ",".join(taken.daemons),
            taken.targets,
            len(taken.attempts),
        )
        if taken.attempts:
            campaigns = tuple(known.campaign for known in stored)
            self._put(e.AttemptsRecovered(now(), tuple(taken.attempts), campaigns))
        if taken.targets:
            for name in self._runs:
                self._put(e.TargetsChanged(now(), name))

    # ---- the news

    def _hear(self) -> None:
        news: News = self._worker.call(partial(Store.news, since=self._seq))
        if news.seq == self._seq:
            return
        stored = self._worker.call(Store.campaigns) if news.campaigns or news.missed else []
        for number in news.numbers:
            self._put(e.NumberStopped(now(), number))
        if news.stops or news.missed:
            self._put(e.StopsChanged(now()))
        for known in stored:
            if known.name in news.campaigns or news.missed:
                self._hear_campaign(known)
        for name in self._runs if news.missed else news.contacts:
            self._put(e.TargetsChanged(now(), name))
        self._seq = news.seq

    def _hear_campaign(self, known: StoredCampaign) -> None:
        """Most often it is what this daemon was told by its own operator: then there is no news."""
        run = self._runs.get(known.name)
        paused = known.state is CampaignState.PAUSED
        if known.state is CampaignState.RUNNING or paused:
            if run is None or run.campaign != known.campaign:
                self._renewed(known.name)
                self._put(e.CampaignStarted(now(), known.campaign, paused))
            elif run.active is paused:
                change = e.CampaignPaused if paused else e.CampaignResumed
                self._put(change(now(), known.name))
        elif known.state is CampaignState.STOPPED and run is not None and run.active:
            self._put(e.CampaignStopped(now(), known.name))
