"""The decisions of the daemon, whole: `handle(event) -> commands`. No clock, no socket, no store.

Life of an attempt (core/attempt.py has the stages):

    target in hopper --gate--> SaveAttempt --AttemptSaved--> gate again --> Originate
      -> CallRang -> CallAnswered -> [CallParked -> CallAgent ... AgentAnswered] -> CallEnded
      -> SaveOutcome, exactly once, with the moment of the next attempt or none

Whatever else is heard of an attempt that is settled, or twice, or too late, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core import retry
from duecall.core.attempt import Attempt, Stage, Target, attempt_id, recording_name
from duecall.core.campaign import Campaign
from duecall.core.campaign_run import CampaignRun
from duecall.core.key_rules import promised_for
from duecall.core.line import Line
from duecall.core.moment import Moment
from duecall.core.outcome import NOT_SENT, Ending, Outcome, judge
from duecall.core.site import Site
from duecall.core.transfer import Transfer, transfer_wait_s
from duecall.core.verdict import Allowed, Denied

HOUSEKEEPING_S = 1.0
SETUP_GRACE_S = 15  # beyond the ring time, before the switch is asked about a silent call
TALK_GRACE_S = 30
ASK_AGAIN_S = 15
NUMBER_BUSY_S = 60  # the same number is in another live attempt


@dataclass(slots=True)
class LiveCall:
    """An attempt that is saved and not settled. deadline_s: monotonic; then the switch is asked."""

    attempt: Attempt
    campaign: Campaign
    line: Line
    stage: Stage
    deadline_s: float = float("inf")
    answered: bool = False
    transfer: Transfer | None = None
    asked: int = 0
    recovered: bool = False


@dataclass(slots=True)
class Totals:
    """Counted since the daemon started, for `status`."""

    sent: int = 0
    settled: int = 0
    ignored: int = 0  # late, doubled or unknown news
    outcomes: dict[str, int] = field(default_factory=dict)


class Dialer:
    """One for a daemon. All state is here, bounded by channels and hoppers."""

    def __init__(self, site: Site, at: Moment) -> None:
        self._site = site
        self.runs: dict[str, CampaignRun] = {}
        self.lines = {
            name: Line(name, trunk, at.mono_s) for name, trunk in sorted(site.trunks.items())
        }
        self.live: dict[str, LiveCall] = {}
        self.numbers: dict[str, str] = {}  # phone_hash -> the live attempt that rings it (L1)
        self.busy_agents: dict[str, str] = {}  # address -> attempt id
        self.switch_up = False
        self.draining = False
        self.totals = Totals()
        self._next_housekeeping_s = at.mono_s
        self._turn = 0
        self._out: list[c.Command] = []
        self._handlers: dict[type[e.Event], Callable[[Any], None]] = {
            e.Woke: lambda event: None,
            e.CampaignStarted: self._on_campaign_started,
            e.CampaignPaused: self._on_campaign_paused,
            e.CampaignResumed: self._on_campaign_resumed,
            e.CampaignStopped: self._on_campaign_paused,
            e.TargetsChanged: self._on_targets_changed,
            e.NumberStopped: self._on_number_stopped,
            e.DrainAsked: self._on_drain_asked,
            e.TargetsLoaded: self._on_targets_loaded,
            e.AttemptSaved: self._on_attempt_saved,
            e.AttemptRefused: self._on_attempt_refused,
            e.AttemptsRecovered: self._on_attempts_recovered,
            e.SwitchUp: self._on_switch_up,
            e.SwitchDown: self._on_switch_down,
            e.CallAccepted: self._on_call_accepted,
            e.CallRang: self._on_call_rang,
            e.CallAnswered: self._on_call_answered,
            e.CallParked: self._on_call_parked,
            e.AgentAnswered: self._on_agent_answered,
            e.AgentFailed: self._on_agent_failed,
            e.CallEnded: self._on_call_ended,
        }

    # ---- the door

    def handle(self, event: e.Event) -> list[c.Command]:
        """Take in one piece of news; answer with what is to be done, in order."""
        self._out = []
        self._handlers[type(event)](event)
        if event.at.mono_s >= self._next_housekeeping_s:
            self._next_housekeeping_s = event.at.mono_s + HOUSEKEEPING_S
            self._ask_about_silent_calls(event.at)
            self._look_for_agents(event.at)
        self._send(event.at)
        self._fill(event.at)
        return self._out

    def next_wakeup_s(self, at: Moment) -> float:
        """Monotonic time at which to say Woke, if nothing happens before."""
        wake_s = self._next_housekeeping_s
        if self.switch_up:
            for line in self.lines.values():
                if line.to_send:
                    wake_s = min(wake_s, line.rate.ready_at(at.mono_s))
        return wake_s

    @property
    def idle(self) -> bool:
        """Nothing is live: a daemon that drains may end."""
        return not self.live

    # ---- the operator

    def _on_campaign_started(self, event: e.CampaignStarted) -> None:
        campaign = event.campaign
        old = self.runs.get(campaign.name)
        if old is not None:
            self._give_back(old)
        rate = self._site.trunks[campaign.trunk].calls_per_second
        run = CampaignRun(campaign, rate, event.at.wall)
        run.active = not event.paused
        if old is not None and old.loading:
            run.loading = old.loading  # its answer is still to come, and belongs to this run
        self.runs[campaign.name] = run

    def _on_campaign_paused(self, event: e.CampaignPaused | e.CampaignStopped) -> None:
        run = self.runs.get(event.name)
        if run is not None:
            run.active = False
            self._give_back(run)

    def _on_campaign_resumed(self, event: e.CampaignResumed) -> None:
        run = self.runs.get(event.name)
        if run is not None:
            run.active = True
            run.look_at = event.at.wall

    def _on_targets_changed(self, event: e.TargetsChanged) -> None:
        run = self.runs.get(event.campaign)
        if run is not None:
            run.look_at = event.at.wall
            run.finished = False

    def _on_number_stopped(self, event: e.NumberStopped) -> None:
        for run in self.runs.values():
            stopped = [t for t in run.hopper if t.phone_hash == event.phone_hash]
            for target in stopped:
                run.hopper.remove(target)
                self._out.append(c.DeferTarget(target, None, "number is on the stop list"))

    def _on_drain_asked(self, event: e.DrainAsked) -> None:
        self.draining = True
        for run in self.runs.values():
            self._give_back(run)
        # What is saved and unsent will not be sent any more: settle it, so that nothing stays open.
        for line in self.lines.values():
            while line.to_send:
                call = self.live[line.to_send.popleft()]
                self._settle_unsent(call, Denied("the daemon stops", event.at.wall), event.at)

    # ---- the store

    def _on_targets_loaded(self, event: e.TargetsLoaded) -> None:
        run = self.runs.get(event.campaign)
        if run is None:
            return
        run.loaded(event.targets, event.next_due, event.at.wall)
        if not run.active or self.draining:
            self._give_back(run)
        elif not run.hopper and event.next_due is None and not run.finished:
            if not any(call.campaign.name == event.campaign for call in self.live.values()):
                run.finished = True
                self._out.append(c.FinishCampaign(event.campaign))

    def _on_attempt_saved(self, event: e.AttemptSaved) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.stage is not Stage.PLANNED:
            self.totals.ignored += 1
            return
        call.stage = Stage.SAVED
        call.line.unsaved.discard(event.attempt_id)
        if self.draining:
            self._settle_unsent(call, Denied("the daemon stops", event.at.wall), event.at)
        else:
            call.line.to_send.append(event.attempt_id)

    def _on_attempt_refused(self, event: e.AttemptRefused) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.stage is not Stage.PLANNED:
            self.totals.ignored += 1
            return
        self._forget(call)
        again = event.at.wall + timedelta(seconds=NUMBER_BUSY_S)
        until = None if event.final else again
        self._defer(call.attempt.target, Denied(event.reason, until))

    def _on_attempts_recovered(self, event: e.AttemptsRecovered) -> None:
        for attempt, stage in event.attempts:
            run = self.runs.get(attempt.target.campaign)
            if run is None or attempt.id in self.live:
                continue
            line = self.lines[run.campaign.trunk]
            call = LiveCall(attempt, run.campaign, line, max(stage, Stage.SENT), recovered=True)
            call.answered = stage >= Stage.ANSWERED
            self._remember(call)

    # ---- the switch

    def _on_switch_up(self, event: e.SwitchUp) -> None:
        self.switch_up = True
        for call in list(self.live.values()):
            if call.stage >= Stage.SENT and call.attempt.id not in event.live:
                self._out.append(c.AskSwitch(call.attempt.id))
            call.deadline_s = min(call.deadline_s, event.at.mono_s + ASK_AGAIN_S)

    def _on_switch_down(self, event: e.SwitchDown) -> None:
        self.switch_up = False

    def _on_call_accepted(self, event: e.CallAccepted) -> None:
        if event.attempt_id not in self.live:
            self.totals.ignored += 1

    def _on_call_rang(self, event: e.CallRang) -> None:
        self._move(event.attempt_id, Stage.RINGING, event.at)

    def _on_call_answered(self, event: e.CallAnswered) -> None:
        call = self._move(event.attempt_id, Stage.ANSWERED, event.at)
        if call is not None:
            call.answered = True
            call.deadline_s = event.at.mono_s + call.campaign.max_call + TALK_GRACE_S

    def _on_call_parked(self, event: e.CallParked) -> None:
        call = self._move(event.attempt_id, Stage.WAITING, event.at)
        if call is None:
            return
        call.answered = True
        call.transfer = Transfer.wanted(call.campaign, self._site, event.result, event.at)
        if call.transfer is None:
            self._out.append(c.HangUp(call.attempt.id, "NORMAL_CLEARING"))
        else:
            call.deadline_s = call.transfer.give_up_s + TALK_GRACE_S
            self._ring_next_agent(call, event.at)

    def _on_agent_answered(self, event: e.AgentAnswered) -> None:
        call = self._move(event.attempt_id, Stage.BRIDGED, event.at)
        if call is not None:
            # They may talk as long as they like; the switch is asked now and then.
            call.deadline_s = event.at.mono_s + call.campaign.max_call

    def _on_agent_failed(self, event: e.AgentFailed) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.stage is not Stage.WAITING or call.transfer is None:
            self.totals.ignored += 1
            return
        self._free_agents(call)
        call.transfer.ringing = False
        self._ring_next_agent(call, event.at)

    def _on_call_ended(self, event: e.CallEnded) -> None:
        call = self.live.get(event.attempt_id)
        if call is None or call.stage in (Stage.PLANNED, Stage.SAVED):
            self.totals.ignored += 1
            return
        if event.from_job and call.stage >= Stage.ANSWERED:
            # The channel lives, or its own ending is on the way: the job knows less than that.
            call.deadline_s = min(call.deadline_s, event.at.mono_s + ASK_AGAIN_S)
            return
        self._settle(call, event.ending, event.at)

    # ---- what follows

    def _send(self, at: Moment) -> None:
        """Originate what is durable, as the trunk's rate allows; ask the gate once more."""
        if not self.switch_up:
            return
        for line in self.lines.values():
            while line.to_send and line.rate.ready_at(at.mono_s) <= at.mono_s:
                call = self.live[line.to_send.popleft()]
                run = self.runs[call.campaign.name]
                verdict = run.gate.check(call.attempt.target, at.wall)
                if isinstance(verdict, Denied) or not run.active:
                    reason = verdict if isinstance(verdict, Denied) else Denied("paused", at.wall)
                    self._settle_unsent(call, reason, at)
                    continue
                line.rate.take(at.mono_s)
                self._originate(call, at)

    def _originate(self, call: LiveCall, at: Moment) -> None:
        campaign = call.campaign
        call.stage = Stage.SENT
        call.deadline_s = at.mono_s + campaign.ring + SETUP_GRACE_S
        self.totals.sent += 1
        self._out.append(c.SaveStage(call.attempt.id, Stage.SENT, at.wall))
        self._out.append(
            c.Originate(
                attempt=call.attempt,
                trunk=call.line.name,
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
            while self.switch_up and run.hopper and line.may_save():
                self._plan(run, run.hopper.popleft(), line, at)
            wanted = run.wanted(at.wall)
            if wanted:
                run.loading = wanted
                self._out.append(c.LoadTargets(run.campaign.name, wanted))

    def _plan(self, run: CampaignRun, target: Target, line: Line, at: Moment) -> None:
        verdict = run.gate.check(target, at.wall)
        if isinstance(verdict, Allowed) and target.phone_hash in self.numbers:
            again = at.wall + timedelta(seconds=NUMBER_BUSY_S)
            verdict = Denied("the number is in another call", again)
        if isinstance(verdict, Denied):
            self._defer(target, verdict)
            return
        number = target.past.tries + 1
        attempt = Attempt(
            id=attempt_id(target.lender, target.campaign, target.account.contract_number, number),
            number=number,
            target=target,
            at=at.wall,
        )
        call = LiveCall(attempt, run.campaign, line, Stage.PLANNED)
        line.unsaved.add(attempt.id)
        self._remember(call)
        self._out.append(c.SaveAttempt(attempt))

    def _ring_next_agent(self, call: LiveCall, at: Moment) -> None:
        assert call.transfer is not None
        agent = call.transfer.next_agent(call.attempt, self.busy_agents, at)
        if agent is None:
            if not call.transfer.hopeless(at):
                return  # all are talking: the music plays on, housekeeping looks again
            call.transfer = None
            sounds = call.attempt.target.no_agent
            self._out.append(
                c.SayAndHangUp(call.attempt.id, sounds)
                if sounds
                else c.HangUp(call.attempt.id, "NORMAL_CLEARING")
            )
            call.deadline_s = at.mono_s + TALK_GRACE_S
            return
        self.busy_agents[agent.address] = call.attempt.id
        self._out.append(
            c.CallAgent(
                attempt_id=call.attempt.id,
                leg_id=agent.leg_id,
                address=agent.address,
                ring_s=agent.ring_s,
                caller_id=call.campaign.caller_id,
                music=agent.first,
            )
        )

    def _look_for_agents(self, at: Moment) -> None:
        """Those who wait while all agents talk: in the order in which they called."""
        for call in list(self.live.values()):
            if call.stage is Stage.WAITING and call.transfer and not call.transfer.ringing:
                self._ring_next_agent(call, at)

    def _move(self, attempt: str, stage: Stage, at: Moment) -> LiveCall | None:
        """To a later stage; None where the news is late, doubled or about nobody."""
        call = self.live.get(attempt)
        if call is None or call.stage < Stage.SENT or call.stage >= stage:
            self.totals.ignored += 1
            return None
        call.stage = stage
        call.asked = 0
        self._out.append(c.SaveStage(attempt, stage, at.wall))
        return call

    def _settle(self, call: LiveCall, ending: Ending, at: Moment) -> None:
        bridged = ending.bridged or call.stage is Stage.BRIDGED
        answered = ending.answered or call.answered
        if (bridged, answered) != (ending.bridged, ending.answered):
            ending = ending.with_seen(answered=answered, bridged=bridged)
        outcome = judge(ending)
        past = retry.with_outcome(call.attempt.target.past, outcome, at.wall)
        decision = retry.decide(call.campaign.retry, past, outcome, at.wall)
        self._finish(call, outcome, ending, at, decision)
        if outcome is Outcome.SCRIPT_ERROR:
            error = ending.result.error if ending.result else "no result"
            self._out.append(
                c.Alarm("the dialogue failed", (("attempt", call.attempt.id), ("error", error)))
            )

    def _settle_unsent(self, call: LiveCall, denied: Denied, at: Moment) -> None:
        """Saved, but the gate closed before its turn came. It was not sent and never will be."""
        decision = retry.RetryDecision(denied.until, denied.reason)
        self._finish(call, Outcome.TECHNICAL, Ending(cause=NOT_SENT), at, decision)

    def _finish(
        self,
        call: LiveCall,
        outcome: Outcome,
        ending: Ending,
        at: Moment,
        decision: retry.RetryDecision,
    ) -> None:
        self._forget(call)
        run = self.runs.get(call.campaign.name)
        if run is not None:
            # The last call of a campaign may be the one that ends it: look without delay.
            run.look_by(decision.at if decision.at is not None else at.wall)
        self.totals.settled += 1
        self.totals.outcomes[outcome.value] = self.totals.outcomes.get(outcome.value, 0) + 1
        today = at.wall.astimezone(ZoneInfo(call.campaign.zone)).date()
        recorded = call.campaign.record and ending.answered and ending.script_started
        self._out.append(
            c.SaveOutcome(
                attempt=call.attempt,
                outcome=outcome,
                ending=ending,
                at=at.wall,
                next_due=decision.at,
                reason=decision.reason,
                promised_for=promised_for(call.campaign, ending.result, today),
                recording=recording_name(call.attempt) if recorded else "",
            )
        )

    def _defer(self, target: Target, denied: Denied) -> None:
        run = self.runs.get(target.campaign)
        if run is not None:
            run.denied[denied.reason] += 1
            run.look_by(denied.until)
        self._out.append(c.DeferTarget(target, denied.until, denied.reason))

    def _remember(self, call: LiveCall) -> None:
        self.live[call.attempt.id] = call
        self.numbers[call.attempt.target.phone_hash] = call.attempt.id
        call.line.taken.add(call.attempt.id)

    def _forget(self, call: LiveCall) -> None:
        del self.live[call.attempt.id]
        self.numbers.pop(call.attempt.target.phone_hash, None)
        call.line.release(call.attempt.id)
        self._free_agents(call)

    def _free_agents(self, call: LiveCall) -> None:
        for address, holder in list(self.busy_agents.items()):
            if holder == call.attempt.id:
                del self.busy_agents[address]

    def _give_back(self, run: CampaignRun) -> None:
        ids = run.empty_hopper()
        if ids:
            self._out.append(c.ReleaseTargets(run.campaign.name, ids))

    def _ask_about_silent_calls(self, at: Moment) -> None:
        """The switch said nothing for too long: ask. A dialogue that outlives its time is ended."""
        if not self.switch_up:
            return
        for call in list(self.live.values()):
            if call.stage < Stage.SENT or at.mono_s < call.deadline_s:
                continue
            call.deadline_s = at.mono_s + ASK_AGAIN_S
            call.asked += 1
            if call.asked > 1 and call.stage is not Stage.BRIDGED:
                self._out.append(c.HangUp(call.attempt.id, "ALLOTTED_TIMEOUT"))
            self._out.append(c.AskSwitch(call.attempt.id))
