"""A world that treats Duecall badly, and then well. One seed, one story: `run(seed)`.

The real dialer decides; everything around it is a twin in virtual time. What happens is written
into the story's log; the checkers judge by that alone.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta, timezone
from typing import Any

from duecall.core.attempt import Attempt
from duecall.core.campaign import Campaign
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.rule_pack import RulePack
from duecall.core.site import Site
from duecall.sim import faults, law_setting, setting
from duecall.sim.agenda import Agenda
from duecall.sim.evidence import evidence
from duecall.sim.leases import Leases
from duecall.sim.operator import Operator
from duecall.sim.service import Service
from duecall.sim.store import Store
from duecall.sim.trouble import Trouble
from duecall.sim.truth import Books, Entry, Story, Truth

HOSTILE_S = (60.0, 400.0)
DAY_S = 86_400.0
STEPS_MAX = 100_000  # in one moment: then something goes round in a circle
STUCK_S = 2 * 3_600.0
NAP_S = 3_600.0  # the longest that a quiet world is not looked at
AFTER_S = 1_800.0  # when all is done: for talks that go on, and for late news
Make = Callable[[Site, Moment], Dialer]


def run(
    seed: int, contacts: int | None = None, make: Make = Dialer, law: str | None = None
) -> Story:
    """One story, from its first contact to its last outcome. contacts: None draws how many.
    make: the dialer under test. law: of law_setting.LAWS; None draws it."""
    return World(seed, contacts, make, law=law).run()


class World:
    def __init__(
        self,
        seed: int,
        contacts: int | None = None,
        make: Make = Dialer,
        rates: dict[str, float] | None = None,
        alone: bool = False,
        law: str | None = None,
    ) -> None:
        """rates: of faults; None draws them too. alone: never two daemons. law: None draws it."""
        self.random = random.Random(seed)
        self.make = make
        self.agenda = Agenda()
        if law is None:
            law = "none" if (contacts or 0) >= setting.MANY else law_setting.draw_law(seed)
        if law == "none":
            self.setting, targets = setting.draw(self.random, contacts)
        else:
            self.setting, targets = law_setting.draw(self.random, contacts, law)
        if alone:
            self.setting = replace(self.setting, daemons=self.setting.daemons[:1])
        self.packs: list[RulePack] = []  # all that were in use
        late = self.setting.late
        self._late = targets[-late:]
        two = len(self.setting.daemons) > 1
        drawn = faults.draw(self.random, two, law != "none") if rates is None else rates
        self._rates = dict(drawn)
        self.rates = dict(drawn)
        self.story = Story(seed, len(targets) - late, self.setting.rules, rates=drawn, law=law)
        self.met = self.story.met
        self.hostile = True
        self.refusals = 0
        self.long_away: set[str] = set()
        self.numbers = sorted({target.phone_hash for target in targets})
        self._stood_s, self._steps = -1.0, 0
        self.services: list[Service] = []
        self._versions: dict[str, tuple[Campaign, str]] = {}
        self._chores: list[tuple[float, int, Callable[[], None]]] = []  # for a quiet moment
        self.leases = Leases(self)
        self.store = Store(
            targets[:-late],
            setting.CAMPAIGNS,
            self.note,
            lambda: self.agenda.now_s,
            self.leases.all_called,
            lambda name: self._version(name)[1],
            shared=two,
        )
        self.operator = Operator(self)
        self.services = [Service(self, name) for name in self.setting.daemons]
        self.trouble = Trouble(self)

    # ---- the story

    def run(self) -> Story:
        """The bad times, then the good ones until nothing is left to do."""
        for service in self.services:
            service.start()
        self._plan_chores()
        self._bad_times()
        for _ in range(1, self.setting.bad_times):
            self._until_the_next_calls()
            self._bad_times()
        story = self.story
        # Each try takes a rest, a call and perhaps a night; holidays and hours that fit nobody.
        story.bound_s = (12 if self.setting.everyday else self.setting.bound_days) * DAY_S
        end_s = self.agenda.now_s + story.bound_s
        if self.setting.law != "none":
            self._chore(self.agenda.now_s + 1.2 * DAY_S, self.operator.mends)
        self._until_done(end_s)
        self.store.import_targets(self._late)
        self.operator.imports_late(setting.CAMPAIGNS[0])
        self._until_done(end_s)
        story.ended_s = self.agenda.now_s
        after_s = self.agenda.now_s + AFTER_S
        while self.agenda.now_s < after_s:
            self._step(after_s)
        self._close_books()
        return story

    def _bad_times(self) -> None:
        """Faults are loose for some minutes, and heal."""
        self.hostile = True
        self.rates.update(self._rates)
        self.trouble.begin()
        least_s, most_s = HOSTILE_S
        lasts_s = self.random.uniform(least_s, most_s) * (20 if self.setting.everyday else 1)
        until_s = self.agenda.now_s + lasts_s
        while self.agenda.now_s < until_s:
            self._step(until_s)
        self._heal()

    def _until_the_next_calls(self) -> None:
        """A quiet time, hours or a day; it ends as somebody falls due."""
        quiet_s = self.random.choice((600.0, 6_000.0, DAY_S))
        self._until_done(self.agenda.now_s + quiet_s)
        due = self.store.next_due()
        if due is not None:
            at_s = self.services[0].clock.true_s_of(due) - 5.0
            if self.agenda.now_s < at_s < self.agenda.now_s + 4 * DAY_S:
                self._until_done(at_s)

    def _plan_chores(self) -> None:
        """What people do on their days, whatever happens."""
        pack = self.setting.site.packs[law_setting.pack_of(self.setting.law)]
        self.packs = [pack]
        if pack.review_by is not None:
            over = datetime.combine(pack.review_by, time(), timezone.utc) + timedelta(days=1.7)
            self._chore((over - self.setting.start).total_seconds(), self.operator.renews_pack)

    def _chore(self, at_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._chores, (at_s, len(self._chores), do))

    def _until_done(self, end_s: float) -> None:
        agenda, log = self.agenda, self.story.log
        lines, since_s = len(log), agenda.now_s
        while agenda.now_s < end_s and not (self.store.all_done and self._quiet()):
            self._step(end_s)
            if len(log) > lines or self.store.next_due() is not None:
                lines, since_s = len(log), agenda.now_s
            elif agenda.now_s > since_s + STUCK_S:
                return  # nothing happens, and nobody is waited for: it never will

    def _quiet(self) -> bool:
        return all(service.dialer.idle and not service.worker.waiting for service in self.services)

    def _step(self, end_s: float) -> None:
        """The next thing on the agenda, or a dialer's wake-up, whichever comes first."""
        while not self.hostile and self._chores and self._chores[0][0] <= self.agenda.now_s:
            heapq.heappop(self._chores)[2]()
        first = self.services[0]
        if len(self.services) > 1 and self.services[1].wake_s < first.wake_s:
            first = self.services[1]
        agenda = self.agenda
        if agenda.now_s > self._stood_s:
            self._stood_s, self._steps = agenda.now_s, 0
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise RuntimeError(f"time stands still at {agenda.now_s:.3f} s")
        wake_s = max(agenda.now_s, first.wake_s)
        if not self.hostile and not len(agenda) and self._quiet():
            # Nothing goes on: sleep until somebody is due, as a quiet night does.
            wake_s = max(wake_s, self._somebody_due_s())
        if agenda.next_s <= wake_s:
            agenda.step()
        elif wake_s >= end_s:
            agenda.now_s = end_s
        else:
            agenda.now_s = wake_s
            first.wake()

    def _somebody_due_s(self) -> float:
        now_s = self.agenda.now_s
        due = self.store.next_due()
        if due is None:
            return now_s
        due_s = min(service.clock.true_s_of(due) for service in self.services)
        if self._chores:
            due_s = min(due_s, max(self._chores[0][0], now_s))
        return min(due_s, now_s + NAP_S * (1 if self.setting.law == "none" else 6))

    def _heal(self) -> None:
        """From here on nothing is lost; whatever was stopped goes on. What had struck before heals
        in its own time."""
        self.hostile = False
        self.rates.clear()
        self.refusals = 0
        self.story.healed_s = self.agenda.now_s
        self.note("healed")
        for service in self.services:
            if service.name not in self.long_away:
                service.start()
            service.resume(stood_still=False)
            service.switch.start()
            service.switch.thaw()
        for name in setting.CAMPAIGNS:
            self.operator.does("start", name)

    def _close_books(self) -> None:
        store = self.store
        left_over = [line for service in self.services for line in service.left_over()]
        channels = [name for x in self.services for name in x.switch.calls.channels]
        self.story.books = Books(
            targets={n: row.state for n, row in store.rows.items()},
            campaign_of={n: row.target.campaign for n, row in store.rows.items()},
            number_of={n: row.target.phone_hash for n, row in store.rows.items()},
            reasons={n: row.reason for n, row in store.rows.items()},
            counted=dict(store.counted),
            states=dict(store.states),
            open_attempts=tuple(store.open),
            channels=tuple(channels),
            stopped=frozenset(store.stopped),
            left_over=tuple(left_over),
        )
        by_clock = "clock_stepped" not in self.met
        self.story.evidence = evidence(store, self.packs, by_clock)

    # ---- for the twins

    def chance(self, fault: str) -> bool:
        """Does this fault strike now?"""
        rate = self.rates.get(fault)
        if rate is None or self.random.random() >= rate:
            return False
        self.met[fault] += 1
        return True

    @property
    def database_refuses(self) -> bool:
        return self.refusals > 0 and self.hostile

    @property
    def wall(self) -> datetime:
        """What a clock that is right shows."""
        return self.setting.start + timedelta(seconds=self.agenda.now_s)

    def campaign(self, name: str) -> Campaign:
        """The version that was started last."""
        return self._version(name)[0]

    def _version(self, name: str) -> tuple[Campaign, str]:
        return self._versions.get(name) or self._new_version(name)

    def campaigns(self) -> tuple[Campaign, ...]:
        return tuple(self.campaign(name) for name in setting.CAMPAIGNS)

    def new_version(self, name: str) -> Campaign:
        return self._new_version(name)[0]

    def _new_version(self, name: str) -> tuple[Campaign, str]:
        draw = setting.version if self.setting.law == "none" else law_setting.version
        version = self._versions[name] = draw(self.setting, name, self.random)
        return version

    def restart_later(self, service: Service) -> None:
        """A dead daemon is started anew, mostly soon."""
        self.leases.went_away(service)
        away_s = 0.3 + 30.0 * self.random.random() ** 3
        if service.name in self.long_away:
            away_s = self.random.uniform(120.0, 4_000.0)
        self.agenda.later(away_s, service.start)

    def failed(self, what: str) -> None:
        if len(self.story.failures) < 20:
            self.story.failures.append(f"{what} at {self.agenda.now_s:.2f} s")

    def note(
        self,
        what: str,
        attempt: Attempt | None = None,
        daemon: str = "",
        value: str = "",
        truth: Truth | None = None,
        **fields: Any,
    ) -> None:
        """A line of the log. fields: attempt_id, number, campaign or wall, where they tell."""
        name = fields.pop("attempt_id", "")
        if attempt is None:
            entry = Entry(self.agenda.now_s, what, daemon, name, value=value, **fields)
        else:
            target = attempt.target
            entry = Entry(
                self.agenda.now_s,
                what,
                daemon,
                attempt.id,
                target.phone_hash,
                target.id,
                target.campaign,
                value=value,
                truth=truth,
                **fields,
            )
        self.story.log.append(entry)
