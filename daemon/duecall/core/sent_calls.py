"""Calls that were sent: what is heard of them, until they are settled; what is asked where nothing
is heard; agents for those who wait. Attempts of an earlier life are taken in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Stage
from duecall.core.campaign import Campaign
from duecall.core.line import Line
from duecall.core.live_call import LiveCall, LiveCalls
from duecall.core.moment import Moment
from duecall.core.outcome import Outcome
from duecall.core.settling import settle
from duecall.core.site import Site
from duecall.core.switchboard import Switchboard
from duecall.core.transfer import Transfer, transfer_wait_s

SETUP_GRACE_S = 15  # beyond the ring time, before the switch is asked about a silent call
TALK_GRACE_S = 30
ASK_AGAIN_S = 15
ASK_IN_TIME_S = 60  # the same for a call that is within its time, once the switch was away


class SentCalls:
    """Part of the Dialer. do: a command is decided. close: an attempt has its outcome.

    ignored: how much news was late, doubled or about nobody.
    """

    def __init__(
        self,
        site: Site,
        lines: Mapping[str, Line],
        live: LiveCalls,
        do: Callable[[c.Command], None],
        close: Callable[[LiveCall, c.SaveOutcome], None],
    ) -> None:
        self._site = site
        self._lines = lines
        self._live = live
        self._do = do
        self._close = close
        self.agents = Switchboard()
        self.switch_up = False
        self.ignored = 0
        self.handlers: dict[type[e.Event], Callable[[Any], None]] = {
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

    def begin(self, call: LiveCall, at: Moment) -> None:
        """It is sent now."""
        call.stage = Stage.SENT
        call.may_last_until(at.mono_s + call.campaign.ring + SETUP_GRACE_S)

    def keep_house(self, at: Moment) -> None:
        """Once a second: ask after the silent, look for agents."""
        self._ask_about_silent_calls(at)
        self._look_for_agents(at)

    def recover(self, event: e.AttemptsRecovered, running: Mapping[str, Campaign]) -> None:
        """Attempts that may have been sent: they are live until the switch, or its call records,
        tell what became of them."""
        campaigns = {campaign.name: campaign for campaign in event.campaigns} | dict(running)
        for attempt, stage in event.attempts:
            campaign = campaigns.get(attempt.target.campaign)
            if campaign is None or attempt.id in self._live:
                continue
            call = LiveCall(
                attempt, campaign, self._lines.get(campaign.trunk), max(stage, Stage.SENT)
            )
            call.answered = stage >= Stage.ANSWERED
            # When it began is not known: let it have all the time that a call may take.
            longest_s = campaign.ring + campaign.max_call + transfer_wait_s(campaign, self._site)
            call.over_s = event.at.mono_s + longest_s + TALK_GRACE_S
            call.ask_s = event.at.mono_s + ASK_AGAIN_S
            self._live.remember(call)

    # ---- the switch

    def _on_switch_up(self, event: e.SwitchUp) -> None:
        self.switch_up = True
        for call in self._live.values():
            if call.stage < Stage.SENT:
                continue
            if call.attempt.id not in event.live:
                self._do(c.AskSwitch(call.attempt.id))
            call.ask_s = min(call.ask_s, event.at.mono_s + ASK_AGAIN_S)
        strangers = sorted(event.live.difference(self._live))
        for channel in strangers:
            self._do(c.HangUp(channel, "NORMAL_CLEARING"))
        if strangers:
            fields = (("channels", str(len(strangers))), ("first", strangers[0]))
            self._do(c.Alarm("channels without an open attempt are ended", fields))

    def _on_switch_down(self, event: e.SwitchDown) -> None:
        self.switch_up = False

    def _on_call_accepted(self, event: e.CallAccepted) -> None:
        if event.attempt_id not in self._live:
            self.ignored += 1

    def _on_call_rang(self, event: e.CallRang) -> None:
        self._move(event.attempt_id, Stage.RINGING, event.at)

    def _on_call_answered(self, event: e.CallAnswered) -> None:
        call = self._move(event.attempt_id, Stage.ANSWERED, event.at)
        if call is not None:
            call.answered = True
            call.may_last_until(event.at.mono_s + call.campaign.max_call + TALK_GRACE_S)

    def _on_call_parked(self, event: e.CallParked) -> None:
        call = self._move(event.attempt_id, Stage.WAITING, event.at)
        if call is None:
            return
        call.answered, call.result = True, event.result
        call.transfer = Transfer.wanted(call.campaign, self._site, event.result, event.at)
        if call.transfer is None:
            call.may_last_until(event.at.mono_s + TALK_GRACE_S)
            self._do(c.HangUp(call.attempt.id, "NORMAL_CLEARING"))
        else:
            call.may_last_until(call.transfer.give_up_s + TALK_GRACE_S)
            self._ring_next_agent(call, event.at)

    def _on_agent_answered(self, event: e.AgentAnswered) -> None:
        call = self._move(event.attempt_id, Stage.BRIDGED, event.at)
        if call is not None:
            # They may talk as long as they like; the switch is asked now and then.
            call.may_last_until(event.at.mono_s + call.campaign.max_call)

    def _on_agent_failed(self, event: e.AgentFailed) -> None:
        call = self._live.get(event.attempt_id)
        if call is None or call.stage is not Stage.WAITING or call.transfer is None:
            self.ignored += 1
            return
        call.transfer.failed()
        self.agents.free(call.attempt.id)
        self._ring_next_agent(call, event.at)

    def _on_call_ended(self, event: e.CallEnded) -> None:
        call = self._live.get(event.attempt_id)
        if call is None or call.stage in (Stage.PLANNED, Stage.SAVED):
            self.ignored += 1
            return
        if event.from_job and call.stage >= Stage.ANSWERED:
            # The channel lives, or its own ending is on the way: the job knows less than that.
            call.ask_s = min(call.ask_s, event.at.mono_s + ASK_AGAIN_S)
            return
        outcome = settle(call, event.ending, event.at)
        self._close(call, outcome)
        if outcome.outcome is Outcome.SCRIPT_ERROR:
            result = outcome.ending.result
            error = result.error if result else "no result"
            self._do(
                c.Alarm("the dialogue failed", (("attempt", call.attempt.id), ("error", error)))
            )

    # ---- what follows

    def _ask_about_silent_calls(self, at: Moment) -> None:
        """The switch said nothing for too long: ask. A dialogue that outlives its time is ended."""
        if not self.switch_up:
            return
        for call in self._live.values():
            if call.stage < Stage.SENT or at.mono_s < call.ask_s:
                continue
            overdue = at.mono_s >= call.over_s
            call.ask_s = at.mono_s + ASK_AGAIN_S
            if not overdue:
                call.ask_s = min(call.over_s, at.mono_s + ASK_IN_TIME_S)
            if at.mono_s >= call.over_s + ASK_AGAIN_S and call.stage is not Stage.BRIDGED:
                self._do(c.HangUp(call.attempt.id, "ALLOTTED_TIMEOUT"))
            self._do(c.AskSwitch(call.attempt.id))

    def _ring_next_agent(self, call: LiveCall, at: Moment) -> None:
        if self.switch_up:  # else nobody can be rung: housekeeping looks again
            command = self.agents.ring_next(call, at)
            if command is not None:
                self._do(command)

    def _look_for_agents(self, at: Moment) -> None:
        """Those who wait while all agents talk: in the order in which they called."""
        for call in self._live.values():
            if call.stage is Stage.WAITING and call.transfer and not call.transfer.ringing(at):
                self._ring_next_agent(call, at)

    def _move(self, attempt: str, stage: Stage, at: Moment) -> LiveCall | None:
        """To a later stage; None where the news is late, doubled or about nobody."""
        call = self._live.get(attempt)
        if call is None or call.stage < Stage.SENT or call.stage >= stage:
            self.ignored += 1
            return None
        call.stage = stage
        self._do(c.SaveStage(attempt, stage, at.wall))
        return call
