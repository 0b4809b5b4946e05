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
from duecall.core.outcome import Ending, Outcome
from duecall.core.settling import settle
from duecall.core.site import Site
from duecall.core.switchboard import Switchboard
from duecall.core.transfer import Transfer, transfer_wait_s

SETUP_GRACE_S = 15  # beyond the ring time, before the switch is asked about a silent call
TALK_GRACE_S = 30
ASK_AGAIN_S = 15
ASK_IN_TIME_S = 60  # the same for a call that is within its time: news of it may have been lost
# A phone that sends no word, not even "trying", cannot be told that we have given up (RFC 3261,
# 9.1): the invitation is repeated for 64 * T1 all the same, and would ring it after our own end.
INVITE_S = 33
GIVEN_UP = frozenset({"NO_ANSWER", "ALLOTTED_TIMEOUT", "ORIGINATOR_CANCEL"})


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
        self._agent_legs: set[str] = set()  # those that were there when the switch was met
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
        call.sent_s = at.mono_s
        self._may_last(call, call.campaign.ring + SETUP_GRACE_S, at)

    def keep_house(self, at: Moment) -> None:
        """Once a second: settle those who cannot be rung any more, ask after the silent, look for
        agents."""
        self._settle_given_up(at)
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
        self._agent_legs = set(event.agent_legs)
        for call in self._live.values():
            if call.stage < Stage.SENT or call.ended:
                continue
            if call.of_earlier_life and call.stage is Stage.SENT and call.line is not None:
                # It may have lain in the sockets of a switch that stood still until just now.
                call.line.rate.may_have_begun(event.at.mono_s)
            if call.attempt.id in event.live:
                _began(call, event.at)
            # Also those that live: what was said of them meanwhile nobody has heard.
            self._do(c.AskSwitch(call.attempt.id))
            again_s = ASK_IN_TIME_S if call.attempt.id in event.live else ASK_AGAIN_S
            call.ask_s = min(call.ask_s, event.at.mono_s + again_s)
        strangers = sorted(event.live.difference(self._live))
        for channel in strangers:
            self._do(c.HangUp(channel, "NORMAL_CLEARING"))
        if strangers:
            fields = (("channels", str(len(strangers))), ("first", strangers[0]))
            self._do(c.Alarm("channels without an open attempt are ended", fields))

    def _on_switch_down(self, event: e.SwitchDown) -> None:
        self.switch_up = False

    def _on_call_accepted(self, event: e.CallAccepted) -> None:
        call = self._live.get(event.attempt_id)
        if call is None:
            self.ignored += 1
        else:
            _began(call, event.at)

    def _on_call_rang(self, event: e.CallRang) -> None:
        self._move(event.attempt_id, Stage.RINGING, event.at)

    def _on_call_answered(self, event: e.CallAnswered) -> None:
        call = self._move(event.attempt_id, Stage.ANSWERED, event.at)
        if call is not None:
            call.answered = True
            self._may_last(call, call.campaign.max_call + TALK_GRACE_S, event.at)

    def _on_call_parked(self, event: e.CallParked) -> None:
        call = self._live.get(event.attempt_id)
        if call is None or call.stage is not Stage.WAITING or call.result is not None:
            call = self._move(event.attempt_id, Stage.WAITING, event.at)
        if call is None:
            return
        # Else it waits since an earlier life of ours, and nobody looks for an agent.
        call.answered, call.result = True, event.result
        call.transfer = Transfer.wanted(
            call.campaign, self._site, event.result, event.at, event.waited_s
        )
        if call.transfer is None:
            self._may_last(call, TALK_GRACE_S, event.at)
            self._do(c.HangUp(call.attempt.id, "NORMAL_CLEARING"))
            return
        call.transfer.resume(call.attempt, self._agent_legs, event.at)
        left_s = max(0.0, call.transfer.give_up_s - event.at.mono_s)
        self._may_last(call, left_s + TALK_GRACE_S, event.at)
        if not call.transfer.ringing(event.at):
            self._ring_next_agent(call, event.at)

    def _on_agent_answered(self, event: e.AgentAnswered) -> None:
        call = self._move(event.attempt_id, Stage.BRIDGED, event.at)
        if call is not None:
            # They may talk as long as they like; the switch is asked now and then.
            self._may_last(call, call.campaign.max_call, event.at)

    def _on_agent_failed(self, event: e.AgentFailed) -> None:
        self._agent_legs.discard(event.leg_id)
        call = self._live.get(event.attempt_id)
        if call is None or call.stage is not Stage.WAITING or call.transfer is None:
            self.ignored += 1
            return
        if event.leg_id not in ("", call.transfer.leg_id):
            self.ignored += 1  # late news of one who was rung before: another rings by now
            return
        call.transfer.failed()
        self.agents.free(call.attempt.id)
        self._ring_next_agent(call, event.at)

    def _on_call_ended(self, event: e.CallEnded) -> None:
        call = self._live.get(event.attempt_id)
        if call is None or call.stage in (Stage.PLANNED, Stage.SAVED) or call.ended:
            self.ignored += 1
            return
        _began(call, event.at)
        if event.from_job and call.stage >= Stage.ANSWERED:
            # The channel lives, or its own ending is on the way: the job knows less than that.
            call.ask_s = min(call.ask_s, event.at.mono_s + ASK_AGAIN_S)
            return
        if _may_still_ring(call, event):
            call.ended = event.ending
            return
        self._settle(call, event.ending, event.at)

    def _settle(self, call: LiveCall, ending: Ending, at: Moment) -> None:
        outcome = settle(call, ending, at)
        self._close(call, outcome)
        if outcome.outcome is Outcome.SCRIPT_ERROR:
            result = outcome.ending.result
            error = result.error if result else "no result"
            self._do(
                c.Alarm("the dialogue failed", (("attempt", call.attempt.id), ("error", error)))
            )

    # ---- what follows

    def _may_last(self, call: LiveCall, left_s: float, at: Moment) -> None:
        """So long from now, and each minute of it the switch is asked."""
        call.may_last_until(at.mono_s + left_s, at.mono_s + ASK_IN_TIME_S)

    def _settle_given_up(self, at: Moment) -> None:
        """Until now their phones might have rung: neither number nor channel was free."""
        for call in [x for x in self._live.values() if x.ended is not None]:
            if call.ended is not None and at.mono_s >= call.sent_s + INVITE_S:
                self._settle(call, call.ended, at)

    def _ask_about_silent_calls(self, at: Moment) -> None:
        """The switch said nothing for too long: ask. A dialogue that outlives its time is ended.

        While the switch is away its call records may know.
        """
        for call in self._live.values():
            if call.stage < Stage.SENT or call.ended or at.mono_s < call.ask_s:
                continue
            overdue = at.mono_s >= call.over_s
            call.ask_s = at.mono_s + ASK_AGAIN_S
            if not overdue:
                call.ask_s = min(call.over_s, at.mono_s + ASK_IN_TIME_S)
            too_long = self.switch_up and at.mono_s >= call.over_s + ASK_AGAIN_S
            if too_long and call.stage is not Stage.BRIDGED:
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
        _began(call, at)
        self._do(c.SaveStage(attempt, stage, at.wall))
        return call


def _began(call: LiveCall, at: Moment) -> None:
    """The switch has it: for the trunk's rate it started at this moment at the latest."""
    if call.line is not None:
        call.line.rate.began(call.attempt.id, at.mono_s)


def _may_still_ring(call: LiveCall, event: e.CallEnded) -> bool:
    """We have given up a phone that never said a word, and the invitation is still repeated."""
    return (
        call.stage is Stage.SENT
        and not event.ending.answered
        and event.ending.sip_status == 0
        and event.ending.cause in GIVEN_UP
        and event.at.mono_s < call.sent_s + INVITE_S
    )
