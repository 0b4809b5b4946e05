"""Lets the faults of the hour loose: those that strike so often a minute. Each heals by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duecall.sim.faults import BY_NAME

if TYPE_CHECKING:
    from duecall.sim.service import Service
    from duecall.sim.world import World


class Trouble:
    """begin: from now on, until the world is healed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agenda = world.agenda
        self._random = world.random
        self._timed = [
            (name, rate) for name, rate in world.rates.items() if not BY_NAME[name].each_time
        ]
        self._a_minute = sum(rate for _, rate in self._timed)
        self._times = 0  # how often it began

    def begin(self) -> None:
        self._times += 1
        if self._timed:
            self._next()

    def _next(self) -> None:
        lag_s = 60.0 * self._random.expovariate(self._a_minute)
        self._agenda.later(lag_s, self._strike, self._times)

    def _strike(self, times: int) -> None:
        world = self._world
        if not world.hostile or times != self._times:
            return
        names = [name for name, _ in self._timed]
        [name] = self._random.choices(names, [rate for _, rate in self._timed])
        service = self._random.choice(world.services)
        world.met[name] += 1
        getattr(self, f"_{name}")(service)
        self._next()

    def _heals_in(self, least_s: float, most_s: float) -> float:
        """Mostly soon, sometimes late."""
        return least_s + (most_s - least_s) * self._random.random() ** 3

    # ---- one a fault of the table

    def _link_cut(self, service: Service) -> None:
        service.switch.cut(notice_s=self._heals_in(0.0, 25.0))

    def _link_slow(self, service: Service) -> None:
        switch = service.switch
        switch.lag_s = self._random.uniform(0.1, 6.0)
        self._agenda.later(self._heals_in(5.0, 60.0), setattr, switch, "lag_s", 0.0)

    def _switch_killed(self, service: Service) -> None:
        service.switch.kill()
        self._agenda.later(self._heals_in(0.5, 30.0), service.switch.start)

    def _switch_frozen(self, service: Service) -> None:
        service.switch.freeze()
        self._agenda.later(self._heals_in(1.0, 300.0), service.switch.thaw)

    def _daemon_killed(self, service: Service) -> None:
        service.kill()

    def _daemon_lost(self, service: Service) -> None:
        self._world.long_away.add(service.name)
        service.kill()

    def _daemon_suspended(self, service: Service) -> None:
        self._suspend(service, stood_still=False)

    def _machine_suspended(self, service: Service) -> None:
        self._suspend(service, stood_still=True)

    def _suspend(self, service: Service, stood_still: bool) -> None:
        service.suspend()
        if self._random.random() < 0.5:
            # Long enough for the switch to give the link up.
            self._agenda.later(self._heals_in(1.0, 600.0), self._resume, service, stood_still)
            service.switch.cut(notice_s=0.0)
        else:
            self._agenda.later(self._heals_in(0.5, 60.0), self._resume, service, stood_still)

    def _resume(self, service: Service, stood_still: bool) -> None:
        service.resume(stood_still)

    def _clock_stepped(self, service: Service) -> None:
        step_s = self._random.choice((-3_600.0, -61.0, -1.0, 1.0, 61.0, 3_600.0, 9 * 3_600.0))
        service.clock.step(step_s)
        self._agenda.later(self._heals_in(1.0, 120.0), service.clock.step, -step_s)

    def _database_refuses(self, service: Service) -> None:
        world = self._world
        world.refusals += 1
        self._agenda.later(self._heals_in(1.0, 60.0), self._writes_again)

    def _writes_again(self) -> None:
        self._world.refusals -= 1

    def _operator_restless(self, service: Service) -> None:
        self._world.operator.restless()

    def _number_stopped(self, service: Service) -> None:
        self._world.operator.stops_number()

    def _stops_changed(self, service: Service) -> None:
        self._world.operator.changes_stops()

    def _daemon_drained(self, service: Service) -> None:
        service.drain(self._random.choice((0.0, 5.0, 30.0, 120.0)))
