"""A world that treats the Dialer badly: calls in which news is lost, doubled and late, a switch
that comes and goes, operators without patience, daemons that die. Seeded: one seed, one story.

It knows nothing of the core but its events and commands. What it notes in `log` is what an auditor
would see: what was durable, what was sent, what was settled, and when. `judge` looks at nothing
else for the laws.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Stage
from duecall.core.campaign import Campaign
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.outcome import LOST, Ending
from duecall.core.site import Site
from tests.core import building
from tests.core.fates import Channel, fate
from tests.core.laws import CALLS_PER_SECOND, CHANNELS, Entry
from tests.core.model_store import Answer, ModelStore, Row

TARGETS, NUMBERS = (8, 80), 47  # a campaign that soon ends, and one that lasts
CAMPAIGNS = ("overdue", "survey")


class BadWorld:
    """make: the dialer under test. hostile_s: how long the bad times last."""

    def __init__(
        self, seed: int, make: Callable[[Site, Moment], Dialer] = Dialer, hostile_s: float = 150.0
    ) -> None:
        self.random = random.Random(seed)
        self.log: list[Entry] = []
        # Some stories begin shortly before the closing hour (20:00; the clock starts at noon).
        self.now_s = self.random.choice([0.0, 0.0, 8 * 3600.0 - 100.0])
        self._hostile_until_s = self.now_s + hostile_s
        self.hostile = True
        self._make = make
        self._site = building.site(
            trunks={
                "demo": {
                    "proxy": "127.0.0.1:5080",
                    "channels": CHANNELS,
                    "calls_per_second": CALLS_PER_SECOND,
                }
            }
        )
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._life = 0  # of the daemon; what was on its way to an earlier one is lost
        self._waiting: deque[c.Command] = deque()  # for the store, in their order
        self.store = ModelStore(CAMPAIGNS, self._note)
        self.channels: dict[str, Channel] = {}
        self.records: dict[str, Ending] = {}  # the switch's call records; some are never written
        self.switch_up = False
        for number in range(1, self.random.choice(TARGETS) + 1):
            name = CAMPAIGNS[number % 2]
            phone = f"hash-{number % NUMBERS}"  # some numbers belong to several targets
            target = building.target(number, campaign=name, phone_hash=phone)
            self.store.rows[number] = Row(target)

    # ---- time

    def moment(self) -> Moment:
        return building.moment(self.now_s)

    def later(self, delay_s: float, do: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (self.now_s + delay_s, self._number, do))

    def soon(self, most_s: float = 0.3) -> float:
        return self.random.random() ** 3 * most_s

    def run(self) -> None:
        """The bad times, then the good ones until nothing is left to do."""
        self._be_born()
        self._trouble()
        while self.now_s < self._hostile_until_s:
            self._step()
        self._heal()
        end_s = self.now_s + 7 * 24 * 3600.0
        while not self._all_done() and self.now_s < end_s:
            self._step()
        self._import_late()
        while not self._all_done() and self.now_s < end_s:
            self._step()

    def _import_late(self) -> None:
        """New contacts for a campaign that is finished."""
        name = self.random.choice(CAMPAIGNS)
        for number in range(max(self.store.rows) + 1, max(self.store.rows) + 4):
            self.store.rows[number] = Row(
                building.target(number, campaign=name, phone_hash=f"late-{number}")
            )
        if "finished" in self.store.states.values():  # else the story has failed already
            self.tell(e.TargetsChanged(self.moment(), name))

    def _step(self) -> None:
        """The next thing on the agenda, or the dialer's own wake-up, whichever comes first."""
        wake_s = max(self.now_s, self.dialer.next_wakeup_s(self.moment()))
        if not self.hostile and not self.dialer.live and not self._waiting and not self._agenda:
            # Nothing goes on: sleep until somebody is due, as a quiet night does.
            due = self.store.next_due()
            if due is not None:
                rest_s = (due - self.moment().wall).total_seconds()
                wake_s = max(wake_s, self.now_s + min(rest_s, 6 * 3600.0))
        if self._agenda and self._agenda[0][0] <= wake_s:
            self.now_s, _, do = heapq.heappop(self._agenda)
            do()
        else:
            self.now_s = wake_s
            self.tell(e.Woke(self.moment()))

    def _all_done(self) -> bool:
        return (
            not self.dialer.live
            and not self._waiting
            and all(row.state == "done" for row in self.store.rows.values())
            and set(self.store.states.values()) == {"finished"}
        )

    def left_over(self) -> list[str]:
        """What has not come to its end; empty where all has (L10)."""
        broken: list[str] = []
        if self.dialer.live:
            broken.append("L10: calls are live for ever")
        for number, row in self.store.rows.items():
            if row.state != "done":
                broken.append(f"L10: target {number} is {row.state} for ever (due {row.due})")
        if self.dialer.lines["demo"].taken or self.dialer.lines["demo"].unsaved:
            broken.append("L10: channels are taken for ever")
        if self.dialer.live.numbers or self.dialer.sent.agents.busy:
            broken.append("L10: numbers or agents are busy for ever")
        finished = {name: self.store.states[name] for name in CAMPAIGNS}
        if not broken and set(finished.values()) != {"finished"}:
            broken.append(f"L10: campaigns do not finish: {finished}")
        return broken

    # ---- the daemon

    def _be_born(self) -> None:
        self._life += 1
        self.log.append(Entry(self.now_s, "born"))
        self.dialer = self._make(self._site, self.moment())
        self.store.recover()
        for name, state in self.store.states.items():
            if state in ("running", "paused"):
                started = e.CampaignStarted(self.moment(), self._campaign(name), state == "paused")
                self.tell(started)
        if self.store.attempts:
            campaigns = tuple(self._campaign(name) for name in CAMPAIGNS)
            found = tuple(self.store.attempts.values())
            self.tell(e.AttemptsRecovered(self.moment(), found, campaigns))
        self._switch_comes()

    def _die(self) -> None:
        """What was not durable is lost; calls in the switch go on."""
        self._waiting.clear()
        self.switch_up = False
        self._be_born()

    def _campaign(self, name: str) -> Campaign:
        rules: dict[str, Any] = {
            outcome: {"every": self.random.choice([5, 60, 900]), "times": 2}
            for outcome in ("busy", "no_answer", "unknown", "hung_up", "agent_unavailable")
        }
        return building.campaign(
            name=name,
            calendar={"hours": [{"from": "08:00", "to": "20:00"}]},
            retry={"max_attempts": 4, "by_outcome": rules},
            ring=10,
            max_call=30,
        )

    def tell(self, event: e.Event) -> None:
        now = self.moment()
        for command in self.dialer.handle(event, now):
            self._carry_out(command)

    def news(self, event: Callable[[Moment], e.Event], *, sure: bool = False) -> None:
        """Something that the switch says: lost, doubled or late, as it pleases."""
        life = self._life
        times = 1
        if self.hostile and not sure:
            times = self.random.choices((0, 1, 2), (1, 6, 2))[0]
        heard = self.moment()

        def say() -> None:
            if life == self._life and (self.switch_up or sure):
                # Sometimes it is old when it is handled; it carries the time at which it was heard.
                at = heard if self.random.random() < 0.5 else self.moment()
                self.tell(event(at))

        for _ in range(times):
            self.later(self.soon(3.0 if self.hostile else 0.1), say)

    # ---- its commands

    def _carry_out(self, command: c.Command) -> None:
        if isinstance(command, c.STORE_COMMANDS):
            if isinstance(command, c.SaveOutcome):
                # What counts is what the daemon has decided: twice in one life is twice.
                self._note("decided", command.attempt)
            self._waiting.append(command)
            life = self._life
            self.later(self.soon(), lambda: self._commit() if life == self._life else None)
        elif isinstance(command, c.Originate):
            self._originate(command.attempt)
        elif isinstance(command, c.AskSwitch):
            self._asked(command.attempt_id)
        elif isinstance(command, c.HangUp | c.SayAndHangUp):
            self._hang_up(command.attempt_id)
        elif isinstance(command, c.CallAgent):
            self._agent(command.attempt_id)

    def _note(self, what: str, attempt: Attempt | None, left: int = 0) -> None:
        if attempt is None:
            self.log.append(Entry(self.now_s, what, left=left))
            return
        phone, campaign = attempt.target.phone_hash, attempt.target.campaign
        stopped = phone in self.store.stopped_numbers
        state = self.store.states[campaign]
        self.log.append(Entry(self.now_s, what, attempt.id, phone, state, stopped))

    # ---- the store: sometimes slow, always in order

    def _commit(self) -> None:
        for _ in range(self.random.randint(1, 6)):
            if self._waiting:
                voice = not (self.hostile and self.random.random() < 0.15)
                answer = self.store.apply(self._waiting.popleft(), self.moment().wall, voice)
                if answer is not None:
                    self._answer(answer)
        if self._waiting:
            life = self._life
            self.later(self.soon(0.05), lambda: self._commit() if life == self._life else None)

    def _answer(self, make: Answer) -> None:
        life = self._life
        times = 2 if self.hostile and self.random.random() < 0.1 else 1
        most_s = 0.2
        if isinstance(make(self.moment()), e.TargetsLoaded):
            times = 1  # exactly one, as the contract says
            most_s = 8.0  # prompts take their time

        def say() -> None:
            if life == self._life:
                self.tell(make(self.moment()))

        for _ in range(times):
            self.later(self.soon(most_s), say)

    # ---- the switch

    def _originate(self, attempt: Attempt) -> None:
        self._note("sent", attempt)
        if not self.switch_up or (self.hostile and self.random.random() < 0.1):
            return  # it never got there, and nobody says so
        ending = fate(self.random, attempt)
        talk_s = self.random.uniform(0.1, 40.0) if ending.answered else self.random.uniform(0, 9)
        channel = Channel(attempt, ending, self.now_s + talk_s)
        self.channels[attempt.id] = channel
        name = attempt.id
        self.news(lambda at: e.CallAccepted(at, name))
        self.news(lambda at: e.CallRang(at, name))
        if ending.answered:
            self.news(lambda at: e.CallAnswered(at, name))
        if ending.result is not None and ending.result.action == "transfer":
            result = ending.result
            self.news(lambda at: e.CallParked(at, name, result))
        self.later(talk_s, lambda: self._end(name))

    def _end(self, attempt_id: str) -> None:
        channel = self.channels.pop(attempt_id, None)
        if channel is None:
            return
        if not self.hostile or self.random.random() < 0.7:
            self.records[attempt_id] = channel.ending
        from_job = not channel.ending.answered and self.random.random() < 0.3
        ending = channel.ending
        self.news(lambda at: e.CallEnded(at, attempt_id, ending, from_job))

    def _hang_up(self, attempt_id: str) -> None:
        if self.switch_up:
            self.later(self.soon(), lambda: self._end(attempt_id))

    def _agent(self, attempt_id: str) -> None:
        if self.random.random() < 0.5:
            self.news(lambda at: e.AgentAnswered(at, attempt_id))
        else:
            self.news(lambda at: e.AgentFailed(at, attempt_id, "NO_ANSWER"))

    def _asked(self, attempt_id: str) -> None:
        """The one thing that can be relied on while the links stand: a question has an answer."""
        if not self.switch_up:
            return

        def look() -> None:
            if self.switch_up and attempt_id not in self.channels:
                ending = self.records.get(attempt_id, Ending(LOST))
                self.news(lambda at: e.CallEnded(at, attempt_id, ending), sure=True)

        self.later(2.0, look)

    def _switch_comes(self) -> None:
        self.switch_up = True
        same = self.random.random() < 0.7
        if not same:
            self.channels.clear()
        self.tell(e.SwitchUp(self.moment(), frozenset(self.channels), same))

    def _switch_goes(self) -> None:
        self.switch_up = False
        if self.random.random() < 0.8:
            self.tell(e.SwitchDown(self.moment(), "link lost"))
        life = self._life
        again_s = self.random.choice([0.0, 0.5, 5.0, 30.0])
        self.later(again_s, lambda: self._switch_comes() if life == self._life else None)

    # ---- people, and their daemons

    def _trouble(self) -> None:
        if not self.hostile:
            return
        name = self.random.choice(CAMPAIGNS)
        kind = self.random.choice(
            ["switch", "switch", "pause", "resume", "start", "stop", "import", "die", "drain",
             "opt-out", "opt-out", "quiet", "quiet"]
        )  # fmt: skip
        if kind == "switch" and self.switch_up:
            self._switch_goes()
        elif kind == "die":
            self._die()
        elif kind == "drain":
            self.tell(e.DrainAsked(self.moment()))
            life = self._life
            self.later(10, lambda: self._die() if life == self._life else None)
        elif kind == "opt-out":
            phone = f"hash-{self.random.randrange(NUMBERS)}"
            unsent = [
                name for name, (_, stage) in self.store.attempts.items() if stage < Stage.SENT
            ]
            if unsent:  # the most awkward one: durable, and not sent yet
                phone = self.store.attempts[unsent[0]][0].target.phone_hash
            self.store.stopped_numbers.add(phone)
            self.tell(e.NumberStopped(self.moment(), phone))
        elif kind == "import":
            self.tell(e.TargetsChanged(self.moment(), name))
        elif kind in ("pause", "stop", "resume", "start"):
            self._operate(kind, name)
        self.later(self.random.uniform(0.5, 8.0), self._trouble)

    def _operate(self, kind: str, name: str) -> None:
        """Durable first, then told, as the daemon's operator does it."""
        at = self.moment()
        if kind == "start":
            self.store.states[name] = "running"
            self.tell(e.CampaignStarted(at, self._campaign(name)))
        elif name in self.dialer.runs:
            self.store.states[name] = {"pause": "paused", "stop": "stopped", "resume": "running"}[
                kind
            ]
            event: dict[str, type[Any]] = {
                "pause": e.CampaignPaused,
                "stop": e.CampaignStopped,
                "resume": e.CampaignResumed,
            }
            self.tell(event[kind](at, name))

    def _heal(self) -> None:
        """From here on nothing is lost; whatever was stopped goes on."""
        self.hostile = False
        if self.dialer.draining:
            self._die()
        if not self.switch_up:
            self._switch_comes()
        for name in CAMPAIGNS:
            self._operate("start", name)
