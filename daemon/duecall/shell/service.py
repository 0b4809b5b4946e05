"""The daemon: carries events to the dialer and its commands into the world. Decides nothing.

    switch, store, operator --events--> inbox --> dialer --commands--> store worker, switch

The inbox is bounded; when it is full the event link stops reading and the switch queues for us.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.queue

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.campaign import Campaign
from duecall.core.campaign_run import CampaignRun
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.site import Site
from duecall.shell.call_files import CallFiles
from duecall.shell.cdr_journal import CdrJournal
from duecall.shell.clock import now
from duecall.shell.clock_watch import ClockWatch
from duecall.shell.column_values import CampaignState
from duecall.shell.daemon_start import Begun
from duecall.shell.daily_retention import DailyRetention
from duecall.shell.database import chunks
from duecall.shell.journal import Journal
from duecall.shell.listening_service import ListeningService
from duecall.shell.loaded_targets import LoadedTargets
from duecall.shell.other_daemons import OtherDaemons
from duecall.shell.preparer import Preparer
from duecall.shell.recording_hashes import RecordingHashes
from duecall.shell.sound_keeper import SoundKeeper
from duecall.shell.store import ApplyResult, Store, StoreError
from duecall.shell.store_worker import BATCH_MAX, StoreWorker
from duecall.shell.switch import Switch
from duecall.shell.switch_calls import Wiring
from duecall.shell.vault import Vault, VaultError

log = logging.getLogger(__name__)
TAKEN_UP = (CampaignState.RUNNING, CampaignState.PAUSED)  # by a daemon that starts
INBOX_MAX = 20_000
TURN_MAX = 256  # events taken in one go, before others get their turn
ALARMS_MAX = 100  # the last ones, for `status`
SWEEP_S = 10
TAKEN_UP_S = 60  # the dialer has a new version by then, or refuses it
FLUSH_S = 10  # at the end: how long the database may take for what is not durable yet


class Service:
    """One daemon. `run` returns when it was asked to stop and all calls have ended."""

    def __init__(
        self,
        site: Site,
        *,
        begun: Begun,
        password: str,
        daemon_id: str,
        root: Path,
        vault: Vault | None = None,
    ) -> None:
        """begun: of shell/daemon_start.py; its store is closed by `run`.
        vault: seals the journal; without it none is kept."""
        self.site = site
        self._begun = begun
        self._vault = vault
        self.started = now()
        self.dialer = Dialer(site, self.started)
        self.alarms: list[dict[str, str]] = []
        self.inbox: gevent.queue.Queue[e.Event] = gevent.queue.Queue(maxsize=INBOX_MAX)
        self.worker = StoreWorker(lambda: begun.store, self._stored, self._alarm)
        self.journal: Journal | None = None
        if vault is not None and site.journal.keep:
            self.journal = Journal(site, vault, self.dialer, self._alarm, self.started)
        self.listening = ListeningService(site, self._alarm)
        self.preparer = Preparer(site, self._alarm, self.listening.listener)
        self.loaded = LoadedTargets(
            self.preparer,
            self.worker,
            self.dialer.runs,
            self.put,
            self._alarm,
            lambda: self.stopping,
        )
        self.others = OtherDaemons(
            site,
            self.worker,
            self.dialer.runs,
            self.put,
            self._alarm,
            self.preparer.forget,
            begun.news_seq,
        )
        self.cdr = CdrJournal(Path(site.folders.cdr))
        recordings = (root / site.folders.recordings).resolve()
        self.recordings = RecordingHashes(recordings, self.worker, daemon_id, self._alarm)
        self.retention = DailyRetention(
            site,
            CallFiles(recordings, Path(site.folders.cdr)),
            self.worker,
            daemon_id,
            self._alarm,
        )
        self.switch = Switch(
            Wiring(
                site,
                root,
                emit=self.put,
                now=now,
                alarm=self._alarm,
                find_ending=self.cdr.ending,
                find_record=self.cdr.recorded,
            ),
            daemon_id,
            password,
        )
        self.switch_state = "connecting"
        self.switch_since = self.started
        self._stop = gevent.event.Event()
        self._drained = gevent.event.Event()  # no new calls, and what was decided is handed over
        self._ended = gevent.event.Event()  # the same, and no call is live
        self._hurry = False
        self._switch_commands: dict[type[c.Command], Callable[[Any], None]] = {
            c.Originate: self.switch.originate,
            c.CallAgent: self.switch.call_agent,
            c.SayAndHangUp: self._say_and_hang_up,
            c.HangUp: self.switch.hang_up,
            c.AskSwitch: lambda command: self.switch.ask(command.attempt_id),
        }

    # ---- life

    def run(self, drain_s: float) -> None:
        """Until `stop` was called: then no new calls; live ones may end within drain_s."""
        stored, recovered = self._begun.campaigns, self._begun.recovered
        for known in stored:
            if known.state in TAKEN_UP:
                paused = known.state is CampaignState.PAUSED
                self.put(e.CampaignStarted(now(), known.campaign, paused=paused))
        if recovered:
            log.warning("%d attempts of an earlier run have no outcome yet", len(recovered))
            # Also those of campaigns that are stopped: the callee's phone may be ringing.
            campaigns = tuple(known.campaign for known in stored)
            self.put(e.AttemptsRecovered(now(), tuple(recovered), campaigns))
        self.switch.start()
        self.others.tell_faults()
        sweeper = gevent.spawn(self._sweep)
        others = gevent.spawn(self.others.run)
        sounds = SoundKeeper(self.site, self.dialer, self.put, self._alarm)
        slow = [
            gevent.spawn(self.recordings.run),
            gevent.spawn(self.retention.run),
            gevent.spawn(sounds.run),
        ]
        loop = gevent.spawn(self._loop)
        loop.link_exception(self._broke)
        self._stop.wait()
        log.info("stopping: no new calls; %d live", len(self.dialer.live))
        self.put(e.DrainAsked(now()))
        self._drained.wait()
        give_up = now().mono_s + drain_s
        while not self._hurry and now().mono_s < give_up and not self._ended.wait(0.1):
            pass
        if not self.dialer.idle:
            live = len(self.dialer.live)
            log.warning("%d calls still live; the next start asks after them", live)
        if not self.worker.flush(FLUSH_S):
            log.error(
                "%d changes could not be written (%s); the next start finds out what they were",
                self.worker.waiting,
                self.worker.trouble or "the database is slow",
            )
        gevent.killall([sweeper, loop, others, *slow])
        self.others.end(FLUSH_S)
        self.switch.stop()
        self.listening.stop()
        self.worker.close()
        if self.journal is not None:
            self.journal.close()

    def _broke(self, _loop: gevent.Greenlet) -> None:
        """Without its loop a daemon only seems to live: it ends, and may be started anew."""
        log.critical("the daemon's loop has failed; it ends, and the next start goes on")
        self._hurry = True
        self._drained.set()
        self._stop.set()

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
            self._switch_is("connected", event.at)
        elif isinstance(event, e.SwitchDown):
            self._switch_is(f"not connected: {event.reason}", event.at)
        self.inbox.put(event)

    def _switch_is(self, state: str, at: Moment) -> None:
        if (state == "connected") is not (self.switch_state == "connected"):
            self.switch_since = at
        self.switch_state = state

    # ---- the loop

    def _loop(self) -> None:
        watch = ClockWatch(now(), self._alarm)
        while True:
            at = now()
            watch.look(at)
            wait_s = max(0.0, self.dialer.next_wakeup_s(at) - at.mono_s)
            watch.sleeps_until(at.mono_s + wait_s)
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
            if self.dialer.draining:
                self._drained.set()
                if self.dialer.idle:
                    self._ended.set()
            # Not sleep(0): timers and sockets would get their turn only after fifty of these.
            gevent.sleep(1e-6)

    def _handle(self, event: e.Event) -> list[c.Command]:
        at = now()
        try:
            out = self.dialer.handle(event, at)
        except Exception as error:
            # One event must not end the daemon; what it was about is settled by reconciliation.
            # What had been decided before it failed holds, or the books would not agree with it.
            name = type(event).__name__
            log.exception("the dialer failed at a %s", name)
            self._note(event, at, self.dialer.decided, type(error).__name__)
            fields = (("event", name), ("error", type(error).__name__))
            return [*self.dialer.decided, c.Alarm("the dialer failed at an event", fields)]
        self._note(event, at, out)
        return out

    def _note(self, event: e.Event, at: Moment, out: list[c.Command], error: str = "") -> None:
        if self.journal is not None:
            self.journal.note(event, at, out, error)

    def _carry_out(self, out: list[c.Command]) -> None:
        self.worker.put([command for command in out if isinstance(command, c.STORE_COMMANDS)])
        for command in out:
            do = self._switch_commands.get(type(command))
            if isinstance(command, c.Alarm):
                self._alarm(command)
            elif do is not None:
                try:
                    do(command)
                except Exception:
                    # Nothing is heard of it then, and the switch is asked later.
                    log.exception("a %s could not be given to the switch", type(command).__name__)

    def _stored(self, done: ApplyResult) -> None:
        """The store's thread has committed a batch."""
        at = now()
        for attempt_id in done.saved:
            self.put(e.AttemptSaved(at, attempt_id, done.known[attempt_id]))
        for attempt_id, reason, final in done.refused:
            self.put(e.AttemptRefused(at, attempt_id, reason, final))
        for phone_hash in done.stopped_numbers:
            self.put(e.NumberStopped(at, phone_hash))
        for attempt_id in done.settled:
            self.cdr.settled(attempt_id)
        self.recordings.settled(done.recordings)
        for load in done.loads:
            gevent.spawn(self.loaded.prepare, load)

    def _say_and_hang_up(self, command: c.SayAndHangUp) -> None:
        if command.sounds:
            self.switch.say_and_hang_up(command)
        else:
            gevent.spawn(self._say_anew, command)

    def _say_anew(self, command: c.SayAndHangUp) -> None:
        """Words for a callee who waits since an earlier life: they were forgotten with it."""
        call = self.dialer.live.get(command.attempt_id)
        sounds: tuple[str, ...] = ()
        if call is not None:
            target = call.attempt.target
            try:
                sounds = self.preparer.no_agent(call.campaign, target.contact, target.account)
            except Exception as error:
                log.warning("no words for a callee without an agent: why=%s", error)
        if sounds:
            self.switch.say_and_hang_up(c.SayAndHangUp(command.attempt_id, sounds))
        else:
            self.switch.hang_up(c.HangUp(command.attempt_id, "NORMAL_CLEARING"))

    def _alarm(self, alarm: c.Alarm) -> None:
        log.error("ALARM: %s %s", alarm.what, dict(alarm.fields))
        self.alarms.append({"at": now().wall.isoformat(), "what": alarm.what, **dict(alarm.fields)})
        del self.alarms[:-ALARMS_MAX]

    def _sweep(self) -> None:
        while True:
            gevent.sleep(SWEEP_S)
            try:
                # While outcomes wait for the database, their records are the only evidence.
                self.cdr.sweep(None if self.worker.trouble else self.dialer.live)
            except Exception:
                log.exception("the call records could not be put away")
            self.key_ids()

    def key_ids(self) -> tuple[str, ...]:
        """Of the keys it knows; the one first that it seals with. A key file that was replaced is
        taken up, between two transactions (shell/key_rotation.py)."""
        vaults = {self.worker.store.parts.vault, self._vault} - {None}
        for vault in vaults:
            if vault is not None and vault.replaced:
                try:
                    self.worker.call(lambda _, vault=vault: vault.refresh())  # type: ignore[misc]
                    log.info("the key file was replaced, and is taken up")
                except (VaultError, StoreError) as error:
                    log.error("the new key file cannot be taken up: %s", error)
        return self.worker.store.parts.vault.key_ids

    # ---- the operator (shell/operator.py asks and answers)

    def start_campaign(
        self, campaign: Campaign, text: str, paused: bool = False, left_out: int = 0
    ) -> None:
        """Take it up, or take up its new version; durable before it returns.

        left_out: rows that cannot be spoken, which the operator knows of.
        """
        state = "paused" if paused else "running"
        self.worker.call(lambda store: store.put_campaign(campaign, text))
        self.worker.call(lambda store: store.set_campaign_state(campaign.name, state, left_out))
        self.preparer.forget(campaign.name)
        former = self.dialer.runs.get(campaign.name)
        self.put(e.CampaignStarted(now(), campaign, paused))
        gevent.spawn(self._look_anew, campaign.name, former)

    def _look_anew(self, name: str, former: CampaignRun | None) -> None:
        """Contacts whom the former version would not call, or had no words for, are judged anew."""
        give_up = now().mono_s + TAKEN_UP_S
        while self.dialer.runs.get(name) is former:  # else it is the former that judges
            if self.stopping or now().mono_s > give_up:
                return
            gevent.sleep(0.05)
        self.worker.flush(FLUSH_S)
        try:
            found = self.worker.call(lambda store: store.kept_back(name))
            for some in chunks(found, BATCH_MAX):
                self.worker.call(partial(Store.open_again, campaign=name, targets=some))
        except StoreError as error:
            log.warning("contacts held back earlier were not looked at: %s", error)
            return
        if found:
            log.info("campaign %s: %d contacts held back earlier are judged anew", name, len(found))
            self.put(e.TargetsChanged(now(), name))
