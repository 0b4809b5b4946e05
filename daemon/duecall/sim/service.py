"""A daemon: carries events to the real dialer and its commands to the twins. It dies and is born
again; only the database, the switch and the clocks of its machine outlive it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Stage
from duecall.core.campaign import Campaign
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.sim.clock import Clock
from duecall.sim.store_worker import StoreWorker
from duecall.sim.switch import Switch

if TYPE_CHECKING:
    from duecall.sim.world import World

FLUSH_S = 10.0
NEVER = float("inf")
TICK_S = 1e-6  # so that rounding wakes no dialer just before its time, for ever
_STORE = frozenset(c.STORE_COMMANDS)
TAKEN_UP = ("running", "paused")
_NEWS: dict[str, type[e.CampaignPaused] | type[e.CampaignResumed] | type[e.CampaignStopped]] = {
    "paused": e.CampaignPaused,
    "running": e.CampaignResumed,
    "stopped": e.CampaignStopped,
}


class Service:
    """name: the daemon's; it is the same after a restart. wake_s: true time of its next Woke."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.clock = Clock(world.setting.start)
        self.switch = Switch(world, name)
        self.switch.service = self
        self.alive = False
        self.suspended = False
        self.life = 0
        self.wake_s = NEVER
        self.away_s = 0.0  # true time from which on it renews no lease
        self._inbox: deque[Callable[[], None]] = deque()  # while it is suspended
        self._slept_s = 0.0
        self.dialer: Dialer  # of this life
        self.worker = StoreWorker(self)
        self._switch_commands: dict[type[c.Command], Any] = {
            c.Originate: self._originate,
            c.CallAgent: self.switch.call_agent,
            c.SayAndHangUp: self.switch.say_and_hang_up,
            c.HangUp: self.switch.hang_up,
            c.AskSwitch: self.switch.ask,
        }

    def moment(self) -> Moment:
        return self.clock.moment(self.world.agenda.now_s)

    # ---- life and death

    def start(self) -> None:
        if self.alive:
            return
        world = self.world
        world.long_away.discard(self.name)
        self.life += 1
        self.alive, self.suspended = True, False
        world.note("born", daemon=self.name)
        self.dialer = world.make(world.setting.site, self.moment())
        self.worker = StoreWorker(self)
        found = world.store.recover(self.name)
        for name, state in world.store.states.items():
            if state in TAKEN_UP:
                self.tell(e.CampaignStarted, world.campaign(name), state == "paused")
        if found:
            self.tell(e.AttemptsRecovered, tuple(found), world.campaigns())
        self.switch.born()

    def kill(self) -> None:
        """SIGKILL: what was not durable is lost; calls in the switch go on."""
        if not self.alive:
            return
        self.alive, self.suspended = False, False
        self.away_s = self.world.agenda.now_s
        self.wake_s = NEVER
        self._inbox.clear()
        self.worker = StoreWorker(self)  # the old one does nothing any more
        self.switch.daemon_gone()
        self.world.note("died", daemon=self.name)
        if not self.world.hostile:
            self.world.agenda.later(1.0, self.start)
            return
        self.world.restart_later(self)

    def suspend(self) -> None:
        if self.alive and not self.suspended:
            self.suspended = True
            self.away_s = self._slept_s = self.world.agenda.now_s
            self.world.note("suspended", daemon=self.name)
            self.world.leases.went_away(self)

    def resume(self, stood_still: bool) -> None:
        """stood_still: the monotonic clock did not count the time."""
        if not self.suspended:
            return
        if stood_still:
            self.clock.stand_still(self.world.agenda.now_s - self._slept_s)
        self.suspended = False
        self.world.note("resumed", daemon=self.name)
        while self._inbox and self.alive and not self.suspended:
            self._inbox.popleft()()

    def drain(self, drain_s: float) -> None:
        """SIGTERM. A second one is a drain_s of zero."""
        if self.alive and not self.suspended:
            self.world.note("told", daemon=self.name, value="drain")
            self.tell(e.DrainAsked)
            give_up_s = self.world.agenda.now_s + drain_s
            self.world.agenda.later(0.1, self._drained, self.life, give_up_s, 0.0)

    def _drained(self, life: int, give_up_s: float, flush_by_s: float) -> None:
        if life != self.life or not self.alive:
            return
        now_s = self.world.agenda.now_s
        if not flush_by_s and (self.dialer.idle or now_s >= give_up_s):
            flush_by_s = now_s + FLUSH_S
        if flush_by_s and (not self.worker.waiting or now_s >= flush_by_s):
            self.kill()
        else:
            self.world.agenda.later(0.5, self._drained, life, give_up_s, flush_by_s)

    # ---- the loop

    def tell(self, kind: type[e.Event], *args: Any, heard_s: float | None = None) -> None:
        """News for the dialer. heard_s: true time at which it was heard, where it is old by now."""
        if not self.alive:
            return
        if self.suspended:
            self._inbox.append(partial(self._handle, kind, args))
            return
        self._handle(kind, args, None if heard_s is None else self.clock.moment(heard_s))

    def hear_stop(self, number: str) -> None:
        """A number is never called again."""
        if self.suspended:
            self._inbox.append(partial(self.hear_stop, number))
        elif self.alive:
            self.world.note("told", daemon=self.name, number=number)
            self.tell(e.NumberStopped, number)

    def hear_stops(self) -> None:
        """Stops of some kind were entered or lifted."""
        if self.suspended:
            self._inbox.append(self.hear_stops)
        elif self.alive:
            self.world.note("told", daemon=self.name, value="stops")
            self.tell(e.StopsChanged)

    def hear_state(self, campaign: str, state: str, version: Campaign | None) -> None:
        """The operator's word. version: of the campaign, where it is started."""
        if self.suspended:
            self._inbox.append(partial(self.hear_state, campaign, state, version))
            return
        if not self.alive or (version is None and campaign not in self.dialer.runs):
            return
        self.world.note("told", daemon=self.name, campaign=campaign, value=state)
        if version is not None:
            self.tell(e.CampaignStarted, version, False)
        else:
            self.tell(_NEWS[state], campaign)

    def wake(self) -> None:
        if self.suspended:
            self.wake_s = self.world.agenda.now_s + 1.0
        else:
            self._handle(e.Woke, ())

    def _handle(
        self, kind: type[e.Event], args: tuple[Any, ...], heard: Moment | None = None
    ) -> None:
        now = self.moment()
        try:
            out = self.dialer.handle(kind(heard or now, *args), now)
        except Exception as error:
            # As the shell does: what had been decided before it failed holds.
            self.world.failed(f"the dialer raised {error!r} at a {kind.__name__}")
            out = list(self.dialer.decided)
        self._carry_out(out)
        if self.alive:
            self.wake_s = self.clock.true_s(self.dialer.next_wakeup_s(now)) + TICK_S

    def _carry_out(self, out: list[c.Command]) -> None:
        if not out:
            return
        durable = []
        for command in out:
            if type(command) in _STORE:
                durable.append(command)
                if isinstance(command, c.SaveOutcome):
                    note = command.outcome.value
                    self.world.note("decided", command.attempt, self.name, note)
        self.worker.put(durable)
        for command in out:
            do = self._switch_commands.get(type(command))
            if do is not None:
                do(command)
                if self.world.chance("killed_in_turn"):
                    self.kill()
                    return

    def _originate(self, command: c.Originate) -> None:
        self.world.note("sent", command.attempt, self.name, wall=self.moment().wall)
        self.switch.originate(command)

    # ---- at the end

    def left_over(self) -> list[str]:
        """What it still holds when nothing goes on any more."""
        if not self.alive:
            return []
        found = []
        dialer: Dialer = self.dialer
        line = dialer.lines["demo"]
        if dialer.live:
            found.append(f"{len(dialer.live)} calls are live for ever")
        if line.taken or line.unsaved or line.to_send:
            found.append("channels are taken for ever")
        if dialer.live.numbers:
            found.append("numbers are busy for ever")
        if dialer.sent.agents.busy:
            found.append("agents are busy for ever")
        if any(run.hopper for run in dialer.runs.values()):
            found.append("contacts stay in a hopper for ever")
        return [f"daemon {self.name}: {line}" for line in found]

    def adopt(self, found: list[tuple[Attempt, Stage]]) -> None:
        """Open attempts of a daemon that is gone."""
        if found:
            self.tell(e.AttemptsRecovered, tuple(found), self.world.campaigns())
