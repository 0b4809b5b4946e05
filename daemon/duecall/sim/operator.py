"""The operator: says it to the database first, then to each daemon; imports, and stops numbers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from duecall.core import events as e
from duecall.core.attempt import Stage
from duecall.sim.setting import CAMPAIGNS

if TYPE_CHECKING:
    from duecall.sim.service import Service
    from duecall.sim.world import World

STATES = {"pause": "paused", "resume": "running", "stop": "stopped", "start": "running"}


class Operator:
    def __init__(self, world: World) -> None:
        self._world = world

    def does(self, what: str, campaign: str) -> None:
        """start, pause, resume, stop: durable first, then told to one daemon; others read it."""
        world = self._world
        if world.database_refuses or any(service.suspended for service in world.services):
            return  # there is no answer, and he tries again later
        state = STATES[what]
        world.store.set_state(campaign, state)
        version = world.new_version(campaign) if what == "start" else None
        first = world.services[0]
        first.hear_state(campaign, state, version)
        world.leases.tell_others(first, partial(self._read, campaign))

    def _read(self, campaign: str, service: Service) -> None:
        """Another daemon reads what the database says by now: all of it, in order."""
        state = self._world.store.states[campaign]
        if state not in STATES.values():
            return
        run = service.dialer.runs.get(campaign)
        version = self._world.campaign(campaign)
        if state == "running" and (run is None or run.campaign is not version):
            service.hear_state(campaign, state, version)
        elif run is not None and run.active is not (state == "running"):
            service.hear_state(campaign, state, None)

    def restless(self) -> None:
        """One impatient thing."""
        chance = self._world.random
        what = chance.choice(("pause", "resume", "start", "stop", "import"))
        name = chance.choice(CAMPAIGNS)
        if what == "import":
            self.imports(name)
        else:
            self.does(what, name)

    def imports(self, campaign: str) -> None:
        """The same contacts again: nothing new, but the daemons look."""
        for service in self._world.services:
            service.tell(e.TargetsChanged, campaign)

    def stops_number(self) -> None:
        """Of the attempts that wait to be sent, where there are any: the most awkward ones."""
        world = self._world
        if world.database_refuses:
            return
        unsent = [x.attempt for x in world.store.open.values() if x.stage < Stage.SENT]
        if unsent:
            number = unsent[0].target.phone_hash
        else:
            number = world.random.choice(world.numbers)
        world.store.stop_number(number)
        for service in world.services:
            service.hear_stop(number)
