"""One switch, and the daemon's links to it: what shell/switch.py and FreeSWITCH are together.

What is said over a link can be lost, doubled, late and out of order while faults are let loose; a
link that is cut loses what is under way; a frozen switch finds it all in its sockets later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.outcome import NOT_SENT, Ending
from duecall.sim.switch_calls import SwitchCalls

if TYPE_CHECKING:
    from duecall.sim.service import Service
    from duecall.sim.world import World

GRACE_S = 2.0  # as shell/switch_calls.py: between two looks for a channel
UNANSWERED_GRACE_S = 5.0
SETTLE_S = 0.4
SILENCE_S = 50.0  # of a frozen switch, before the link is given up
BACKOFF_S = (0.2, 10.0)


class Switch:
    """name: the daemon's, whose switch it is. linked: bytes go through."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.service: Service | None = None
        self.alive = True
        self.frozen = False
        self.linked = False
        self.noticed = True  # the daemon knows that it is not linked
        self.lag_s = 0.0
        self.calls = SwitchCalls(self)
        self._agenda = world.agenda
        self._link = 0  # number of the link; what travels on an old one is lost
        self._process = 1  # of the switch, and the one that the daemon met last
        self._met = 0
        self._pause_s = BACKOFF_S[0]
        self._frozen_work: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._acknowledged: dict[str, bool] = {}

    # ---- links

    def connect_soon(self) -> None:
        """The daemon tries, with growing pauses."""
        self._link += 1
        pause_s = self._pause_s * self.world.random.uniform(0.5, 1.0)
        self._pause_s = min(BACKOFF_S[1], self._pause_s * 2)
        self._agenda.later(pause_s, self._connect, self._link)

    def born(self) -> None:
        """A new daemon: it knows nothing of the switch it will meet."""
        self._met, self._pause_s = 0, BACKOFF_S[0]
        self._acknowledged.clear()
        self.linked, self.noticed = False, True
        self.connect_soon()

    def daemon_gone(self) -> None:
        self.linked = False
        self._link += 1

    def _connect(self, link: int) -> None:
        if link != self._link:
            return
        service = self.service
        if not self.alive or self.frozen or service is None or service.suspended:
            self.connect_soon()
            return
        self.linked, self.noticed = True, False
        self._agenda.later(SETTLE_S + self.lag_s, self._meet, link)

    def _meet(self, link: int) -> None:
        if link != self._link or self.service is None:
            return
        same = self._met in (0, self._process)
        self._met = self._process
        self._pause_s = BACKOFF_S[0]
        live = frozenset(self.calls.channels)
        self.service.tell(e.SwitchUp, live, same, self.calls.agent_legs)

    def cut(self, notice_s: float) -> None:
        """The link breaks; the daemon notices after notice_s."""
        if not self.linked:
            return
        self.linked = False
        self._link += 1
        self._agenda.later(notice_s, self._notice, self._link)

    def _notice(self, link: int) -> None:
        if link != self._link or self.service is None:
            return
        self.noticed = True
        if not self.world.chance("event_lost"):
            self.service.tell(e.SwitchDown, "link lost")
        self.connect_soon()

    # ---- the process

    def kill(self) -> None:
        if not self.alive:
            return
        if self.frozen:
            self.world.note("thawed", daemon=self.name)
        self.alive, self.frozen = False, False
        work, self._frozen_work = self._frozen_work, []
        for do, args in work:
            if do == self._arrive:
                self.world.note("void", args[0].attempt, self.name)
        self.calls.die()
        self.cut(notice_s=0.05)

    def start(self) -> None:
        if not self.alive:
            self.alive = True
            self._process += 1

    def freeze(self) -> None:
        if self.alive and not self.frozen:
            self.frozen = True
            self.world.note("frozen", daemon=self.name)
            self._agenda.later(SILENCE_S, self._given_up, self._link)

    def _given_up(self, link: int) -> None:
        if self.frozen and link == self._link:
            self.cut(notice_s=0.0)

    def thaw(self) -> None:
        """It goes on: all that waited in its sockets and timers comes at once."""
        if self.frozen:
            self.frozen = False
            self.world.note("thawed", daemon=self.name)
            work, self._frozen_work = self._frozen_work, []
            for do, args in work:
                self._agenda.later(self.world.random.random() * 0.2, do, *args)

    def when_thawed(self, do: Callable[..., None], *args: Any) -> None:
        self._frozen_work.append((do, args))

    # ---- commands of the daemon

    def originate(self, command: c.Originate) -> None:
        attempt = command.attempt
        if self.service is not None and not self.linked and self.noticed:
            # Certain that the switch has not seen it: the shell says so itself.
            self.world.note("void", attempt, self.name)
            ending = Ending(NOT_SENT, script_started=False)
            self._agenda.later(0.0, self.service.tell, e.CallEnded, attempt.id, ending, True)
        elif not self.linked or self.world.chance("originate_lost"):
            self.world.note("void", attempt, self.name)
        else:
            self._acknowledged[attempt.id] = False
            self._agenda.later(self.lag_s, self._on_way, self._link, self._arrive, command)

    def _arrive(self, command: c.Originate) -> None:
        self._acknowledged[command.attempt.id] = True
        self.calls.arrive(command)

    def call_agent(self, command: c.CallAgent) -> None:
        self._send(self.calls.ring_agent, command)

    def say_and_hang_up(self, command: c.SayAndHangUp) -> None:
        self._send(self.calls.say_and_hang_up, command.attempt_id)

    def hang_up(self, command: c.HangUp) -> None:
        self._send(self.calls.hang_up, command.attempt_id, command.cause)

    def ask(self, command: c.AskSwitch) -> None:
        if self.linked:
            self._send(self._asked, command.attempt_id, 0, self._link)
            return
        ending = self.calls.recorded(command.attempt_id)
        if self.noticed and ending is not None:  # who cannot be asked may have written it down
            self._agenda.later(0.0, self._hear, self._link, e.CallEnded,
                               (command.attempt_id, ending))  # fmt: skip

    def _send(self, do: Callable[..., None], *args: Any) -> None:
        if self.linked:
            self._agenda.later(self.lag_s, self._on_way, self._link, do, *args)

    def _on_way(self, link: int, do: Callable[..., None], *args: Any) -> None:
        """It reaches the switch, or lies in its socket, or the link broke meanwhile."""
        if self.frozen:
            self.when_thawed(do, *args)
        elif self.alive and link == self._link:
            do(*args)
        elif do == self._arrive:
            self.world.note("void", args[0].attempt, self.name)

    def _asked(self, attempt_id: str, looks: int, link: int) -> None:
        if link != self._link or self.service is None:
            return
        channel = self.calls.channels.get(attempt_id)
        if channel is not None:
            for kind, args in self.calls.look_at(channel) if looks == 0 else ():
                self._agenda.later(self.lag_s, self._hear, link, kind, args)
        elif looks == 0:
            acknowledged = self._acknowledged.get(attempt_id, True)
            grace_s = GRACE_S if acknowledged else UNANSWERED_GRACE_S
            self._agenda.later(grace_s, self._on_way, link, self._asked, attempt_id, 1, link)
        else:
            ending = self.calls.evidence(attempt_id)
            self._agenda.later(self.lag_s, self._hear, link, e.CallEnded, (attempt_id, ending))

    # ---- what it says

    def say(self, kind: type[e.Event], *args: Any) -> None:
        """Over the link, as the faults of the hour please."""
        world = self.world
        if not self.linked:
            return
        if not world.rates:
            self._agenda.later(self.lag_s, self._hear, self._link, kind, args)
            return
        if world.chance("event_lost"):
            return
        for _ in range(2 if world.chance("event_doubled") else 1):
            lag_s, old = self.lag_s, False
            if world.chance("event_reordered"):
                lag_s += world.random.uniform(0.0, 3.0)
            if world.chance("event_late"):
                lag_s += world.random.uniform(1.0, 60.0)
                old = world.random.random() < 0.5  # it lay in the inbox: heard long ago
            heard_s = self._agenda.now_s if old else None
            self._agenda.later(lag_s, self._hear, self._link, kind, args, heard_s)

    def say_ended(self, attempt_id: str, ending: Ending, can_be_told_by_job: bool) -> None:
        from_job = can_be_told_by_job and self.world.random.random() < 0.2
        self.say(e.CallEnded, attempt_id, ending, from_job)

    def _hear(
        self, link: int, kind: type[e.Event], args: tuple[Any, ...], heard_s: float | None = None
    ) -> None:
        if link != self._link or self.service is None:
            return
        if kind is e.CallEnded:
            self.world.note("end_heard", daemon=self.name, attempt_id=args[0])
        self.service.tell(kind, *args, heard_s=heard_s)
