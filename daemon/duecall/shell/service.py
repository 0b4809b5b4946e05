"""The daemon: carries events to the dialer and its commands into the world. Decides nothing.

    switch, store, operator --events--> inbox --> dialer --commands--> store worker, switch

The inbox is bounded; when it is full the event link stops reading and the switch queues for us.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.queue

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.campaign import Campaign
from duecall.core.dialer import Dialer
from duecall.core.site import Site
from duecall.shell.cdr_journal import CdrJournal
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.shell.store import ApplyResult, Store, TargetRow
from duecall.shell.store_worker import StoreWorker
from duecall.shell.switch import Switch

log = logging.getLogger(__name__)
INBOX_MAX = 20_000
TURN_MAX = 256  # events taken in one go, before others get their turn


class Service:
    """One daemon. `run` returns when it was asked to stop and all calls have ended."""

    def __init__(
        self,
        site: Site,
        *,
        open_store: Callable[[], Store],
        password: str,
        daemon_id: str,
        root: Path,
    ) -> None:
        self.site = site
        self.started = now()
        self.dialer = Dialer(site, self.started)
        self.alarms: list[dict[str, str]] = []
        self.inbox: gevent.queue.Queue[e.Event] = gevent.queue.Queue(maxsize=INBOX_MAX)
        self.worker = StoreWorker(open_store, self._stored, self._alarm)
        self.preparer = Preparer(site)
        self.cdr = CdrJournal(Path(site.folders.cdr))
        self.switch = Switch(
            site,
            daemon_id,
            emit=self.put,
            now=now,
            password=password,
            root=root,
            find_ending=self.cdr.ending,
            on_alarm=self._alarm,
        )
        self.switch_state = "connecting"
        self._stop = gevent.event.Event()
        self._hurry = False
        self._switch_commands: dict[type[c.Command], Callable[[Any], None]] = {
            c.Originate: self.switch.originate,
            c.CallAgent: self.switch.call_agent,
            c.SayAndHangUp: self.switch.say_and_hang_up,
            c.HangUp: self.switch.hang_up,
            c.AskSwitch: lambda command: self.switch.ask(command.attempt_id),
        }

    # ---- life

    def run(self, drain_s: float) -> None:
        """Until `stop` was called: then no new calls; live ones may end within drain_s."""
        recovered = self.worker.call(lambda store: store.recover())
        if recovered:
            log.warning("%d attempts of an earlier run have no outcome yet", len(recovered))
        for campaign, active in self.worker.call(lambda store: store.running_campaigns()):
            self.put(e.CampaignStarted(now(), campaign, paused=not active))
        if recovered:
            self.put(e.AttemptsRecovered(now(), tuple(recovered)))
        self.switch.start()
        helpers = [gevent.spawn(self._sweep)]
        loop = gevent.spawn(self._loop)
        self._stop.wait()
        log.info("stopping: no new calls; %d live", len(self.dialer.live))
        self.put(e.DrainAsked(now()))
        give_up = now().mono_s + drain_s
        while not self.dialer.idle and not self._hurry and now().mono_s < give_up:
            gevent.sleep(0.1)
        if not self.dialer.idle:
            log.warning("%d calls still live; the next start asks after them", len(self.dialer.live))
        self.worker.flush(timeout_s=10)
        gevent.killall([*helpers, loop])
        self.switch.stop()
        self.worker.close()

    @property
    def stopping(self) -> bool:
        return bool(self._stop.is_set())

    def stop(self) -> None:
        """No new calls; `run` returns when the live ones have ended. Safe in a signal handler."""
        self._stop.set()

    def abandon(self) -> None:
        """Do not wait for live calls; they go on in the switch, and the next start finds them."""
        self._hurry = True

    def put(self, event: e.Event) -> None:
        """News for the dialer; waits while the inbox is full."""
        if isinstance(event, e.SwitchUp):
            self.switch_state = "connected"
        elif isinstance(event, e.SwitchDown):
            self.switch_state = f"not connected: {event.reason}"
        self.inbox.put(event)

    # ---- the loop

    def _loop(self) -> None:
        while True:
            at = now()
            wait_s = max(0.0, self.dialer.next_wakeup_s(at) - at.mono_s)
            try:
                event: e.Event = self.inbox.get(timeout=wait_s) if wait_s else e.Woke(at)
            except gevent.queue.Empty:
                event = e.Woke(now())
            out = self._handle(event)
            for _ in range(TURN_MAX):
                if self.inbox.empty():
                    break
                out.extend(self._handle(self.inbox.get_nowait()))
            self._carry_out(out)
            gevent.sleep(0)

    def _handle(self, event: e.Event) -> list[c.Command]:
        try:
            return self.dialer.handle(event)
        except Exception:
            # One event must not end the daemon; what it was about is settled by reconciliation.
            log.exception("the dialer failed at a %s", type(event).__name__)
            return []

    def _carry_out(self, out: list[c.Command]) -> None:
        self.worker.put([command for command in out if isinstance(command, c.STORE_COMMANDS)])
        for command in out:
            do = self._switch_commands.get(type(command))
            if do is not None:
                do(command)
            elif isinstance(command, c.Alarm):
                self._alarm(command)

    def _stored(self, done: ApplyResult) -> None:
        """The store's thread has committed a batch."""
        at = now()
        for attempt_id in done.saved:
            self.put(e.AttemptSaved(at, attempt_id))
        for attempt_id, reason, final in done.refused:
            self.put(e.AttemptRefused(at, attempt_id, reason, final))
        for phone_hash in done.stopped_numbers:
            self.put(e.NumberStopped(at, phone_hash))
        for attempt_id in done.settled:
            self.cdr.settled(attempt_id)
        for load in done.loads:
            gevent.spawn(self._prepare, load.campaign, load.rows, load.next_due)

    def _prepare(self, name: str, rows: list[TargetRow], next_due: Any) -> None:
        """Render what will be said to these targets, then hand them to the dialer."""
        run = self.dialer.runs.get(name)
        if run is None:
            self.worker.put([c.ReleaseTargets(name, tuple(row.id for row in rows))])
            return
        try:
            targets, mute = self.preparer.prepare(run.campaign, rows)
        except Exception as error:
            log.exception("prompts of %s cannot be made", name)
            self._alarm(c.Alarm("prompts cannot be made", (("error", str(error)),)))
            self.worker.put([c.ReleaseTargets(name, tuple(row.id for row in rows))])
            gevent.sleep(5)
            targets, mute = [], []
        self.worker.put(mute)
        self.put(e.TargetsLoaded(now(), name, tuple(targets), next_due))

    def _alarm(self, alarm: c.Alarm) -> None:
        log.error("ALARM: %s %s", alarm.what, dict(alarm.fields))
        self.alarms.append({"at": now().wall.isoformat(), "what": alarm.what, **dict(alarm.fields)})
        del self.alarms[:-100]

    def _sweep(self) -> None:
        while True:
            gevent.sleep(10)
            self.cdr.sweep()

    # ---- the operator (shell/operator.py asks and answers)

    def start_campaign(self, campaign: Campaign, text: str, paused: bool = False) -> None:
        """Take it up, or take up its new version; durable before it returns."""
        state = "paused" if paused else "running"
        self.worker.call(lambda store: store.put_campaign(campaign, text))
        self.worker.call(lambda store: store.set_campaign_state(campaign.name, state))
        self.preparer.forget(campaign.name)
        self.put(e.CampaignStarted(now(), campaign, paused))


def own_daemon_id(var: Path) -> str:
    """Names this installation's channels in the switch. The same after a restart, so that a new
    daemon finds the calls of the old one."""
    path = var / "daemon.id"
    if not path.exists():
        path.write_text(os.urandom(4).hex())
    return path.read_text().strip()
