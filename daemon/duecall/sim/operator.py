"""The operator: says it to the database first, then to each daemon; imports, and stops numbers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from duecall.core import events as e
from duecall.core.attempt import Stage, Target
from duecall.sim.law_setting import pack_of, renewed
from duecall.sim.ledger import us
from duecall.sim.people import with_all_on_file
from duecall.sim.setting import CAMPAIGNS
from duecall.sim.stop_store import KEY_KINDS, KINDS, NewStop

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

    def imports_late(self, campaign: str) -> None:
        """New contacts for a campaign that is finished: a daemon that knows it hears of them; one
        that was started since does not, and he starts the campaign."""
        if all(campaign in service.dialer.runs for service in self._world.services):
            self.imports(campaign)
        else:
            self.does("start", campaign)

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
        world.store.stop(NewStop("number", number, "dnc"), world.wall)
        for service in world.services:
            service.hear_stop(number)

    def changes_stops(self) -> None:
        """One is entered, of any kind but that of `stops_number`; or one is lifted."""
        world, chance = self._world, self._world.random
        if world.database_refuses:
            return
        old = [x for x in world.store.stops if not x.ends_targets]
        if old and chance.random() < 0.25:
            world.store.lift(chance.choice(old), world.wall)
            for campaign in CAMPAIGNS:  # some of its targets may be open again
                if world.store.states[campaign] == "finished":
                    self.does("start", campaign)
        else:
            unsent = [x.attempt.target for x in world.store.open.values() if x.stage < Stage.SENT]
            targets = [row.target for row in world.store.rows.values()]
            awkward = unsent and chance.random() < 0.7
            stop = self._stop_for(chance.choice(unsent if awkward else targets))
            if stop.ends_targets:
                return
            world.store.stop(stop, world.wall)
        world.leases.tell_others(None, _hear_stops)

    def _stop_for(self, target: Target) -> NewStop:
        world, chance = self._world, self._world.random
        [key_kind] = chance.choices(KEY_KINDS, (3, 5, 3, 1))
        campaign = chance.choice(("", target.campaign))
        lasts_s = chance.choice((None, 90.0, 1_800.0, 7_200.0, 100_000.0))
        if key_kind == "prefix":  # or nobody would be left
            key, lasts_s = target.contact.phone[: chance.randint(7, 9)], 90.0
        elif key_kind == "number":
            key = target.phone_hash
        else:
            key = target.contact_key if key_kind == "contact" else target.account_key
        expires = None if lasts_s is None else us(world.wall) + int(lasts_s * 1_000_000)
        return NewStop(key_kind, key, chance.choice(KINDS), campaign, expires)

    def mends(self) -> None:
        """The next contacts file: consents that were missing are on file. Who is noted as one who
        must not be called is stopped, or the note was a mistake."""
        world = self._world
        pack = pack_of(world.setting.law)
        for row in list(world.store.rows.values()):
            target = row.target
            if target.contact.flags and world.random.random() < 0.5:
                world.store.stop(NewStop("contact", target.contact_key, "third_party"), world.wall)
            world.store.change_contact(target.id, with_all_on_file(target, pack))
        world.leases.tell_others(None, _hear_stops)
        for campaign in CAMPAIGNS:
            self.imports(campaign)

    def renews_pack(self) -> None:
        """A lawyer has looked at the pack again: the daemons are started anew with it."""
        world = self._world
        world.setting = renewed(world.setting, world.wall.date())
        world.packs.append(world.setting.site.packs[pack_of(world.setting.law)])
        for service in world.services:
            service.kill()


def _hear_stops(service: Service) -> None:
    service.hear_stops()
