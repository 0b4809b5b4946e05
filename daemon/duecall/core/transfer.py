"""A callee waits for an agent: which one is rung next, and when to give up."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from duecall.core.attempt import Attempt, agent_leg_id
from duecall.core.campaign import Campaign
from duecall.core.key_rules import deciding_key
from duecall.core.moment import Moment
from duecall.core.site import AgentGroup, Site
from fs_scripts.contract import TRANSFER, Result

AGENT_GRACE_S = 5  # beyond an agent's ring time, before he is taken to have failed


@dataclass(frozen=True, slots=True)
class NextAgent:
    address: str
    leg_id: str
    ring_s: int
    first: bool  # the first one for this callee: start the music


@dataclass(slots=True)
class Transfer:
    """tried: how many members of the group were rung. leg_id: of the one who is rung now, or was
    last. Monotonic: give_up_s; rings_until_s, when the one who is rung now has had his time, should
    nothing be heard of him."""

    group: AgentGroup
    give_up_s: float
    untried: list[str]
    tried: int = 0
    leg_id: str = ""
    rings_until_s: float = 0.0

    @classmethod
    def wanted(
        cls, campaign: Campaign, site: Site, result: Result, at: Moment, waited_s: float = 0.0
    ) -> Transfer | None:
        """What the callee's last key asked for; None where that key transfers to nobody."""
        rule = deciding_key(campaign, result)
        wanted = rule is not None and rule.do == TRANSFER
        group = site.agents.get(rule.to or "") if rule is not None and wanted else None
        if group is None:
            return None
        return cls(group, at.mono_s + group.wait - waited_s, list(group.members))

    def resume(self, attempt: Attempt, legs: Container[str], at: Moment) -> None:
        """An earlier life of ours has rung agents for this callee, and one of them still rings: he
        has his time. Who it is, is not known: he may be rung once more.

        legs: the channels to agents that exist.
        """
        for number in range(len(self.group.members), 0, -1):
            leg = agent_leg_id(attempt.id, number)
            if leg in legs:
                self.tried, self.leg_id = number, leg
                self.rings_until_s = at.mono_s + self.group.ring + AGENT_GRACE_S
                return

    def next_agent(self, attempt: Attempt, busy: Container[str], at: Moment) -> NextAgent | None:
        """The next member that is free; each is rung once. None: nobody is free now."""
        ring_s = min(self.group.ring, int(self.give_up_s - at.mono_s))
        if ring_s < 1:
            return None
        for address in self.untried:
            if address not in busy:
                self.untried.remove(address)
                self.tried += 1
                self.rings_until_s = at.mono_s + ring_s + AGENT_GRACE_S
                self.leg_id = agent_leg_id(attempt.id, self.tried)
                return NextAgent(address, self.leg_id, ring_s, first=self.tried == 1)
        return None

    def ringing(self, at: Moment) -> bool:
        """Is an agent rung for this callee now?"""
        return at.mono_s < self.rings_until_s

    def failed(self) -> None:
        """The one who was rung did not come."""
        self.rings_until_s = 0.0

    def hopeless(self, at: Moment) -> bool:
        """Nobody is left to ring, or the callee has waited long enough."""
        return not self.ringing(at) and (not self.untried or self.give_up_s - at.mono_s < 1)


def transfer_wait_s(campaign: Campaign, site: Site) -> int:
    """The longest that a callee may wait for an agent; 0 where no key transfers."""
    rules = [*campaign.keys.values()]
    for question in campaign.questions:
        rules.extend(question.keys.values())
    waits = [site.agents[r.to].wait for r in rules if r.do == TRANSFER and r.to in site.agents]
    return max(waits, default=0)
