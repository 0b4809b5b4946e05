"""Several daemons, one database: what a daemon that stays away held is taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from duecall.core import commands as c
from duecall.core.attempt import Stage

if TYPE_CHECKING:
    from duecall.sim.service import Service
    from duecall.sim.world import World

# As shell/daemon_store.py and shell/other_daemons.py have them; a test compares.
LEASE_S = 15.0
RENEW_S = 3.0
NEWS_S = 0.5
GRACE_S = 600.0  # beyond all that a call may take: a switch may stand still meanwhile
LONGEST_TALK_S = 4 * 3_600.0  # with an agent: nobody ends it


class Leases:
    """A lease is renewed by every daemon that runs. Held contacts go back when it has ended; open
    attempts are taken over when they cannot be live any more."""

    def __init__(self, world: World) -> None:
        self._world = world

    def went_away(self, service: Service) -> None:
        if len(self._world.services) > 1:
            self._world.agenda.later(LEASE_S, self._ended, service, service.away_s)

    def tell_others(self, teller: Service | None, hear: Callable[[Service], None]) -> None:
        """News in the database: the other daemons read them soon."""
        for service in self._world.services:
            if service is not teller:
                self._world.agenda.later(NEWS_S, hear, service)

    def all_called(self, campaign: str) -> None:
        """Every contact is done with: whoever said so while others were busy says it again."""
        if len(self._world.services) > 1:
            self._world.agenda.later(LEASE_S, self._finish, campaign)

    def _finish(self, campaign: str) -> None:
        for service in self._world.services:
            run = service.dialer.runs.get(campaign)
            if service.alive and run is not None and run.finished:
                service.worker.put([c.FinishCampaign(campaign)])

    def _ended(self, service: Service, away_s: float) -> None:
        if (service.alive and not service.suspended) or service.away_s != away_s:
            return
        world = self._world
        world.store.release_all(service.name)
        for other in world.services:
            if other is not service and other.alive and not other.suspended:
                other.adopt(world.store.adopt(service.name, other.name, self._longest_s))
                break
        world.agenda.later(RENEW_S * 5, self._ended, service, away_s)

    def _longest_s(self, campaign: str, stage: Stage) -> float:
        talk_s = LONGEST_TALK_S if stage >= Stage.WAITING else 0.0
        rules = self._world.setting.rules
        of = rules.campaigns[campaign]
        return talk_s + of.ring_s + of.max_call_s + rules.agent_wait_s + GRACE_S
