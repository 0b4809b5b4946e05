"""Which agents are rung or talk, and for whom; what is to be done for a callee who waits."""

from __future__ import annotations

from duecall.core import commands as c
from duecall.core.live_call import LiveCall
from duecall.core.moment import Moment

FAREWELL_S = 30  # the longest that the words for a callee without an agent may take


class Switchboard:
    """busy: address of an agent -> the attempt that rings him or talks with him."""

    def __init__(self) -> None:
        self.busy: dict[str, str] = {}

    def ring_next(self, call: LiveCall, at: Moment) -> c.Command | None:
        """For a callee for whom nobody is rung now: ring the next agent, or say that there is none.
        None: all who are left talk; look again."""
        transfer = call.transfer
        if transfer is None:
            return None
        self.free(call.attempt.id)
        agent = transfer.next_agent(call.attempt, self.busy, at)
        if agent is not None:
            self.busy[agent.address] = call.attempt.id
            return c.CallAgent(
                attempt_id=call.attempt.id,
                leg_id=agent.leg_id,
                address=agent.address,
                ring_s=agent.ring_s,
                caller_id=call.campaign.caller_id,
                music=agent.first,
            )
        if not transfer.hopeless(at):
            return None
        call.transfer = None
        call.may_last_until(at.mono_s + FAREWELL_S)
        sounds = call.attempt.target.no_agent
        if sounds or call.campaign.no_agent:
            return c.SayAndHangUp(call.attempt.id, sounds)
        return c.HangUp(call.attempt.id, "NORMAL_CLEARING")

    def free(self, attempt_id: str) -> None:
        """Nobody rings or talks for this attempt any more."""
        for address, holder in list(self.busy.items()):
            if holder == attempt_id:
                del self.busy[address]
