"""The decisions of the daemon, whole: `handle(event) -> commands`. No clock, no socket, no store.

Life of an attempt (core/attempt.py has the stages):

    target in hopper --gate--> SaveAttempt --AttemptSaved--> gate again --> Originate
      -> CallRang -> CallAnswered -> [CallParked -> CallAgent ... AgentAnswered] -> CallEnded
      -> SaveOutcome, exactly once, with the moment of the next attempt or none

Whatever else is heard of an attempt that is settled, or twice, or too late, changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Stage, Target, attempt_id
from duecall.core.call_events import ABANDON, LIVE
from duecall.core.campaign_run import CampaignRun
from duecall.core.gate_types import Horizon
from duecall.core.line import Line
from duecall.core.live_call import LiveCall, LiveCalls
from duecall.core.moment import Moment
from duecall.core.proposal import keys_of
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import MergeProblems
from duecall.core.sent_calls import SentCalls
from duecall.core.settling import settle_unsent
from duecall.core.site import Site
from duecall.core.transfer import transfer_wait_s
from duecall.core.verdict import Allowed, Denied, Verdict

HOUSEKEEPING_S = 1.0
IDLE_LEAST_S, IDLE_S = 0.001, 30.0
NUMBER_BUSY_S = 60  # the same number is in another live attempt
UNSENT_MAX_S = 10  # durable for longer, yet not sent: the store may know more by now


@dataclass(slots=True)
class Totals:
    """Counted since the daemon started, for `status`."""

    sent: int = 0
    settled: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Dialer:
    """One for a daemon. All state is here, bounded by channels and hoppers.

    decided: the commands of the last `handle`; where it raised, those that it had come to, which
    must be carried out all the same.
    """

    def __init__(self, site: Site, at: Moment) -> None:
        self._site = site
        self.runs: dict[str, CampaignRun] = {}
        self.lines = {
            name: Line(name, trunk, at.mono_s) for name, trunk in sorted(site.trunks.items())
        }
        self.live = LiveCalls()
        self.sent = SentCalls(site, self.lines, self.live, self._do, self._close)
        self.draining = False
        self.totals = Totals()
        self.decided: list[c.Command] = []
        self._next_housekeeping_s = at.mono_s
        self._turn = 0
        self._handlers: dict[type[e.Event], Callable[[Any], None]] = {
            e.Woke: self._on_woke,
            e.CampaignStarted: self._on_campaign_started,
            e.CampaignPaused: self._on_campaign_paused,
            e.CampaignResumed: self._on_campaign_resumed,
            e.CampaignStopped: self._on_campaign_paused,
            e.TargetsChanged: self._on_targets_changed,
            e.NumberStopped: self._on_number_stopped,
            e.StopsChanged: self._on_stops_changed,
            e.DrainAsked: self._on_drain_asked,
            e.TargetsLoaded: self._on_targets_loaded,
            e.AttemptSaved: self._on_attempt_saved,
            e.AttemptRefused: self._on_attempt_refused,
            e.AttemptsRecovered: self._on_attempts_recovered,
            **self.sent.handlers,
        }

    # ---- the door

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        """Take in one piece of news; answer with what is to be done, in order.

        now: where the event is old news by now, for it had to wait. Calls are paced by it.
        """
        now = now or event.at
        self.decided = []
        self._handlers[type(event)](event)
        if now.mono_s >= self._next_housekeeping_s:
            self._next_housekeeping_s = now.mono_s + HOUSEKEEPING_S
            self.sent.keep_house(now)
            self._take_back_unsent(now)
        self._send(now)
        self._fill(now)
        return self.decided

    def next_wakeup_s(self, at: Moment) -> float:
        """Monotonic time at which to say Woke, if nothing happens before."""
        if not self.live:
            return self._idle_until_s(at)
        wake_s = self._next_housekeeping_s
        if self.sent.switch_up:
            for line in self.lines.values():
                if line.to_send:
                    wake_s = min(wake_s, line.rate.ready_at(at.mono_s))
        return wake_s

    def _idle_until_s(self, at: Moment) -> float:
        """Nobody is called: sleep until the store is to be asked again. Not for long, for the wall
        clock may be set meanwhile."""
        wake_s = at.mono_s + IDLE_S
        if not self.draining:
            for run in self.runs.values():
                if run.hopper:
                    return self._next_housekeeping_s
                wake_s = min(wake_s, run.look_s(at))
        return max(at.mono_s + IDLE_LEAST_S, wake_s)

    @property
    def idle(self) -> bool:
        """Nothing is live: a daemon that drains may end."""
        return not self.live

    def _on_woke(self, event: e.Woke) -> None:
        """No news: what its time brings is done at each event."""

    # ---- the operator

    def _on_campaign_started(self, event: e.CampaignStarted) -> None:
        campaign = event.campaign
        trunk = self._site.trunks.get(campaign.trunk)
        if trunk is None:
            fields = (("campaign", campaign.name), ("trunk", campaign.trunk))
            self._do(c.Alarm("a campaign's trunk is not in config.yaml", fields))
            return
        try:
            rules = rules_of(self._site, campaign)
        except MergeProblems as error:
            fields = (("campaign", campaign.name), ("why", str(error)))
            self._do(c.Alarm("a campaign's rules do not hold together; it is not called", fields))
            return
        run = CampaignRun(campaign, rules, trunk.calls_per_second, event.at)
        run.active = not event.paused
        old = self.runs.get(campaign.name)
        if old is not None:
            self._release(campaign.name, old.renew(event.at))
            # An answer that is still to come belongs to the new run, and is of before the change.
            run.loading, run.unwanted = old.loading, old.unwanted
            if run.active:
                self._reopen(old)
        self.runs[campaign.name] = run
        self._do(c.NoteRules(campaign.name, rules, event.at.wall))

    def _on_campaign_paused(self, event: e.CampaignPaused | e.CampaignStopped) -> None:
        run = self.runs.get(event.name)
        if run is not None:
            run.active = False
            self._release(event.name, run.empty_hopper())

    def _on_campaign_resumed(self, event: e.CampaignResumed) -> None:
        run = self.runs.get(event.name)
        if run is not None:
            run.active = True
            run.look_at = event.at.wall
            self._reopen(run)

    def _on_targets_changed(self, event: e.TargetsChanged) -> None:
        run = self.runs.get(event.campaign)
        if run is not None:
            self._release(event.campaign, run.renew(event.at))
            if run.active:
                self._reopen(run)

    def _on_number_stopped(self, event: e.NumberStopped) -> None:
        """The store has ended its targets by the stop's own commit. Whether it was lifted since is
        seen when they are looked at again."""
        stop = Denied("number is on the stop list", event.at.wall)
        for name, run in self.runs.items():
            stopped = [t for t in run.hopper if t.phone_hash == event.phone_hash]
            for target in stopped:
                run.hopper.remove(target)
            self._release(name, [target.id for target in stopped])
        for call in self.live.values():
            if call.attempt.target.phone_hash == event.phone_hash and call.stage < Stage.SENT:
                call.withdrawn = stop
        self._take_back_unsent(event.at)

    def _on_stops_changed(self, event: e.StopsChanged) -> None:
        """What was loaded does not know of them: it goes back, and is judged anew as it returns."""
        for name, run in self.runs.items():
            self._release(name, run.renew(event.at))
        stale = Denied("stops were changed meanwhile", event.at.wall)
        for call in self.live.values():
            if call.stage < Stage.SENT and call.withdrawn is None:
                call.withdrawn = stale
        self._take_back_unsent(event.at)

    def _on_drain_asked(self, event: e.DrainAsked) -> None:
        self.draining = True
        for name, run in self.runs.items():
            self._release(name, run.empty_hopper())
        # What is saved and unsent will not be sent any more: settle it, so that nothing stays open.
        self._take_back_unsent(event.at)

    # ---- the store

    def _on_targets_loaded(self, event: e.TargetsLoaded) -> None:
        run = self.runs.get(event.campaign)
        taken = len(event.targets) + event.withheld
        believed = run is not None and run.answered(taken, event.next_due, event.failed, event.at)
        if run is None or not believed or not run.active or self.draining:
            self._release(event.campaign, [target.id for target in event.targets])
            return
        run.hopper.extend(event.targets)
        run.have_answered(event.answered)
        if taken:
            self._reopen(run)
        if run.hopper or event.next_due is not None or event.failed or run.finished:
            return
        if any(self.live.of(event.campaign)):
            return
        if taken or run.changed:
            run.look_at = event.at.wall  # this answer does not know all: ask once more
        else:
            run.finished = True
            self._do(c.FinishCampaign(event.campaign))

    def _on_attempt_saved(self, event: e.AttemptSaved) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.line is None or call.stage is not Stage.PLANNED:
            self.sent.ignored += 1
            return
        call.stage = Stage.SAVED
        call.durable = event.at
        call.known = event.known
        self.runs[call.campaign.name].learn(event.known.answered)
        call.line.unsaved.discard(event.attempt_id)
        call.line.to_send.append(event.attempt_id)
        if self.draining or call.withdrawn:
            self._take_back_unsent(event.at)

    def _on_attempt_refused(self, event: e.AttemptRefused) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.stage is not Stage.PLANNED:
            self.sent.ignored += 1
            return
        self.live.forget(call)
        again = event.at.wall + timedelta(seconds=NUMBER_BUSY_S)
        denied = Denied(event.reason, None if event.final else again)
        self._defer(call.attempt.target, denied, event.at)

    def _on_attempts_recovered(self, event: e.AttemptsRecovered) -> None:
        self.sent.recover(event, {name: run.campaign for name, run in self.runs.items()})

    # ---- what follows

    def _do(self, command: c.Command) -> None:
        self.decided.append(command)

    def _send(self, at: Moment) -> None:
        """Originate what is durable, as the trunk's rate allows; ask the gate once more."""
        if not self.sent.switch_up:
            return
        for line in self.lines.values():
            while line.to_send and line.rate.ready_at(at.mono_s) <= at.mono_s:
                call = self.live[line.to_send.popleft()]
                verdict = self._may_send(call, at)
                if isinstance(verdict, Denied):
                    self._close(call, settle_unsent(call, verdict, at))
                    continue
                line.rate.take(at.mono_s, call.attempt.id)
                self._originate(call, line, at)

    def _may_send(self, call: LiveCall, at: Moment) -> Verdict:
        run = self.runs[call.campaign.name]
        if call.withdrawn is not None:
            return call.withdrawn
        if self.draining:
            return Denied("the daemon stops", at.wall)
        if not run.active:
            return Denied("paused", at.wall)
        if run.campaign is not call.campaign:
            return Denied("the campaign was changed", at.wall)
        if call.durable is None or _seconds(call.durable, at) > UNSENT_MAX_S:
            return Denied("it waited too long to be sent", at.wall)
        return run.check(call.attempt.target, call.known, at.wall)

    def _take_back_unsent(self, at: Moment) -> None:
        """Settle what is durable and may not be sent any more, also while the switch is away."""
        for line in self.lines.values():
            waiting, line.to_send = line.to_send, deque()
            for attempt in waiting:
                call = self.live[attempt]
                verdict = self._may_send(call, at)
                if isinstance(verdict, Denied):
                    self._close(call, settle_unsent(call, verdict, at))
                else:
                    line.to_send.append(attempt)

    def _originate(self, call: LiveCall, line: Line, at: Moment) -> None:
        campaign = call.campaign
        self.sent.begin(call, at)
        self.totals.sent += 1
        self._do(c.SaveStage(call.attempt.id, Stage.SENT, at.wall))
        self._do(
            c.Originate(
                attempt=call.attempt,
                trunk=line.name,
                caller_id=campaign.caller_id,
                caller_name=campaign.caller_name,
                ring_s=campaign.ring,
                max_call_s=campaign.max_call,
                record=campaign.record,
                transfer_wait_s=transfer_wait_s(campaign, self._site),
            )
        )

    def _fill(self, at: Moment) -> None:
        """Save new attempts while channels are free; refill the hoppers."""
        if self.draining:
            return
        runs = list(self.runs.values())
        self._turn += 1
        start = self._turn % len(runs) if runs else 0
        for run in runs[start:] + runs[:start]:  # no campaign is always first
            if not run.active:
                continue
            line = self.lines[run.campaign.trunk]
            while self.sent.switch_up and run.hopper and line.may_save(at.mono_s):
                self._plan(run, run.hopper.popleft(), line, at)
            wanted = run.wanted(at)
            if wanted:
                run.asked(wanted)
                self._do(c.LoadTargets(run.campaign.name, wanted, run.horizon(at)))

    def _plan(self, run: CampaignRun, target: Target, line: Line, at: Moment) -> None:
        number = target.past.tries + 1
        identity = attempt_id(
            target.lender, target.campaign, target.account.contract_number, number
        )
        verdict = run.check(target, target.known, at.wall)
        horizon = run.horizon(at)
        if isinstance(verdict, Allowed) and (busy := self._busy(target, identity, horizon)):
            again = at.wall + timedelta(seconds=NUMBER_BUSY_S)
            verdict = Denied(f"the {busy} is in another call", again)
        if isinstance(verdict, Denied):
            self._defer(target, verdict, at)
            return
        grounds = run.eligibility.grounds(target, at.wall)
        attempt = Attempt(identity, number, target, at.wall, grounds)
        line.unsaved.add(attempt.id)
        self.live.remember(LiveCall(attempt, run.campaign, line, Stage.PLANNED))
        self._do(c.SaveAttempt(attempt, horizon))

    def _busy(self, target: Target, identity: str, horizon: Horizon) -> str:
        """The key that has a live call already; empty for none. Of those by which rules count: two
        that are saved in one go would each be held back by the other, again and again."""
        if target.phone_hash in self.live.numbers or identity in self.live:
            return "number"
        for key in keys_of(target):
            if key in self.live.busy and getattr(horizon, key.kind) is not None:
                return key.kind
        return ""

    def _close(self, call: LiveCall, outcome: c.SaveOutcome) -> None:
        """Settle it: exactly once, for it is forgotten here."""
        self.live.forget(call)
        self.sent.agents.free(call.attempt.id)
        run = self.runs.get(call.campaign.name)
        if run is not None:
            # The last call of a campaign may be the one that ends it: look without delay.
            run.look_by(outcome.next_due or outcome.at)
            run.changed = True
            if outcome.day and outcome.call_events & LIVE:
                abandoned = bool(outcome.call_events & ABANDON)
                run.has_answered(outcome.day, abandoned=abandoned)
        self.totals.settled += 1
        name = outcome.outcome.value
        self.totals.outcomes[name] = self.totals.outcomes.get(name, 0) + 1
        self._do(outcome)

    def _defer(self, target: Target, denied: Denied, at: Moment) -> None:
        run = self.runs.get(target.campaign)
        rules = ""
        if run is not None:
            rules = run.eligibility.rules.digest
            run.hold_back(denied.reason)
            run.look_by(denied.until)
            run.changed = True
        self._do(c.DeferTarget(target, denied.until, denied.reason, denied.rule, rules, at.wall))

    def _release(self, campaign: str, ids: Sequence[int]) -> None:
        if ids:
            self._do(c.ReleaseTargets(campaign, tuple(ids)))
            if campaign in self.runs:
                self.runs[campaign].changed = True

    def _reopen(self, run: CampaignRun) -> None:
        """It was finished, and goes on: the store has to know."""
        if run.finished:
            run.finished = False
            self._do(c.ReopenCampaign(run.campaign.name))


def _seconds(since: Moment, at: Moment) -> float:
    """By the clock that went further: the monotonic one stands still while the machine sleeps."""
    return max(at.mono_s - since.mono_s, (at.wall - since.wall).total_seconds())
