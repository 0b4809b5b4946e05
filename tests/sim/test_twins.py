"""The twins of the database keep what they promise: calls by key, stops by scope, rule packs."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from duecall.audit.log import Log
from duecall.audit.proofs import prove
from duecall.core import commands as c
from duecall.core.attempt import Attempt, Target
from duecall.core.call_events import ALL_EVENTS, ATTEMPT, CallKey
from duecall.core.gate_types import Grounds, Horizon
from duecall.core.outcome import Ending, Outcome
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import EffectiveRules
from duecall.shell import rule_packs as shell_packs
from duecall.shell import stop_store as shell_stops
from duecall.sim import law_setting, rule_packs
from duecall.sim.checkers import judge
from duecall.sim.ledger import us
from duecall.sim.past_store import PastStore
from duecall.sim.stop_store import KEY_KINDS, NewStop, StopStore
from duecall.sim.store import Store
from duecall.sim.world import World
from tests.core import building

NOW = datetime(2026, 11, 23, 5, tzinfo=timezone.utc)
ALL = Horizon(0, 0, 0)
SETTING, PEOPLE = law_setting.draw(random.Random(3), 40, "own")


def rules() -> EffectiveRules:
    campaign, _ = law_setting.version(SETTING, "overdue", random.Random(1))
    return rules_of(SETTING.site, campaign)


def target(number: int = 1, **changes: object) -> Target:
    made = replace(building.target(), id=number, phone_hash=f"n{number}", account_key=str(number))
    return replace(made, contact_key="p1", campaign="overdue", **changes)  # type: ignore[arg-type]


def attempt(of: Target, seconds: float = 0.0) -> Attempt:
    call = building.proposal() if hasattr(building, "proposal") else None
    grounds = Grounds(rules().digest, call) if call else None
    return Attempt(f"a{of.id}", 1, of, NOW + timedelta(seconds=seconds), grounds)


class TestPast:
    def test_calls_by_each_key_within_the_horizon_without_the_own_one(self) -> None:
        past = PastStore()
        one, two = target(1), target(2)
        past.save("a1", one, us(NOW))
        past.save("a2", two, us(NOW) + 5)
        past.settle("a1", us(NOW) + 3, ATTEMPT, 4)
        found = past.calls(two, ALL, us(NOW) + 9, without="a2")
        assert found[CallKey("number", "n2")] == () == found[CallKey("account", "2")]
        assert found[CallKey("contact", "p1")] == ((us(NOW), us(NOW) + 3, ATTEMPT, 4),)
        [_, mine] = past.calls(two, ALL, us(NOW) + 9)[CallKey("contact", "p1")]
        assert mine.ended_us == us(NOW) + 9 and mine.events == ALL_EVENTS, "it goes on"
        late = Horizon(contact=us(NOW) + 1)
        assert set(past.calls(two, late, 0, "a2")) == {CallKey("contact", "p1")}
        assert past.calls(two, late, 0, "a2")[CallKey("contact", "p1")] == ()

    def test_an_open_call_that_was_saved_by_a_clock_ahead_of_this_one(self) -> None:
        past = PastStore()
        past.save("a1", target(1), us(NOW))
        [[call]] = past.calls(target(1), Horizon(number=0), us(NOW) - 99).values()
        assert call.ended_us == call.at_us == us(NOW)

    def test_answered_calls_by_day(self) -> None:
        past, day = PastStore(), date(2026, 11, 23)
        for events in (2 | 1, 2 | 1 | 16, 1, ALL_EVENTS):
            past.count("overdue", day, events)
        past.count("overdue", None, 2)
        assert past.answered("overdue") == ((day, 3, 2),)
        assert past.answered("survey") == ()


class TestStops:
    @pytest.mark.parametrize("key_kind", KEY_KINDS)
    @pytest.mark.parametrize("campaign", ["", "overdue", "survey"])
    def test_by_every_scope(self, key_kind: str, campaign: str) -> None:
        stops, one = StopStore(), target(1)
        keys = {"number": "n1", "contact": "p1", "account": "1", "prefix": one.contact.phone[:5]}
        stop = NewStop(key_kind, keys[key_kind], "dispute", campaign, us(NOW))
        assert stops.add(stop) and not stops.add(stop)
        held = stops.of(one, us(NOW) - 1)
        assert [x.kind for x in held] == ([] if campaign == "survey" else ["dispute"])
        assert stops.of(one, us(NOW)) == (), "it has ended"
        assert not stops.of(replace(target(2), contact_key="p2", contact=replace(
            one.contact, phone="+12125550000")), 0)  # fmt: skip
        assert stops.add(replace(stop, expires_us=None)), "for ever is longer"
        assert not stops.add(stop)
        assert bool(stops.of(one, us(NOW))) is (campaign != "survey")
        stops.lift(next(iter(stops)))
        assert stops.of(one, 0) == () == tuple(stops)

    def test_scopes_are_worded_as_the_real_one_words_them(self) -> None:
        stops, one = StopStore(), target(1)
        for key_kind, key in (("number", "n1"), ("contact", "p1"), ("prefix", "+84")):
            for campaign in ("", "overdue"):
                stops.add(NewStop(key_kind, key, "dnc", campaign))
                words = shell_stops.scope_of(key_kind, key, campaign)  # type: ignore[arg-type]
                assert words in [stop.scope for stop in stops.of(one, 0)]

    def test_only_a_number_for_ever_and_everywhere_ends_its_targets(self) -> None:
        assert NewStop("number", "n1", "dnc").ends_targets
        assert not NewStop("number", "n1", "dnc", "overdue").ends_targets
        assert not NewStop("number", "n1", "dnc", "", 5).ends_targets
        assert not NewStop("contact", "p1", "dnc").ends_targets


class TestPacks:
    def test_they_are_those_that_the_real_loader_reads(self, tmp_path: Path) -> None:
        assert dict(rule_packs.shipped()) == shell_packs.load_packs(tmp_path)
        assert set(law_setting.PACKS) | {"none"} == set(rule_packs.shipped())

    @pytest.mark.parametrize("name", law_setting.PACKS)
    def test_a_pack_that_is_renewed_differs_by_its_day_alone(self, name: str) -> None:
        pack, day = rule_packs.shipped()[name], date(2027, 5, 1)
        renewed = rule_packs.in_use(name, day)
        assert renewed.review_by == day + timedelta(days=rule_packs.RENEWED_DAYS)
        assert renewed.model_copy(update={"review_by": pack.review_by}) == pack
        assert rule_packs.text_of(renewed) != rule_packs.text_of(pack) == rule_packs.texts()[name]

    @pytest.mark.parametrize("law", law_setting.LAWS[1:])
    def test_every_story_s_rules_hold_together_and_its_numbers_are_where_they_say(
        self, law: str
    ) -> None:
        import random

        from duecall.core.callee_zones import zones_of

        for seed in range(20):
            setting, targets = law_setting.draw(random.Random(seed), 45, law)
            for name in setting.rules.campaigns:
                campaign, _ = law_setting.version(setting, name, random.Random(seed))
                effective = rules_of(setting.site, campaign)
                assert effective.pack.jurisdiction == law_setting.pack_of(law)
            table = effective.pack.zones
            for one in targets:
                found = zones_of(one.contact.phone, one.contact.zone, table)
                assert found == setting.rules.zones[one.phone_hash], one.contact.phone


# ---- two daemons, one database


def store_of(*targets: Target) -> Store:
    return Store(targets, ("overdue", "survey"), lambda *_, **__: None, lambda: 0.0,
                 lambda _: None, lambda _: "{}", shared=True)  # fmt: skip


def test_of_two_daemons_that_save_at_once_the_later_sees_the_earlier() -> None:
    world = World(1, 20, rates={}, law="own")
    service = world.services[0]
    service.start()
    while not world.store.open:
        world._step(60.0)
    saved = next(iter(world.store.open.values())).attempt
    twin = replace(saved.target, id=9_001, phone_hash="+84909999999", account_key="9001")
    store = world.store
    store.import_targets([replace(twin, known=saved.target.known)])
    store._move(store.rows[9_001], "held", held_by="b")
    other = replace(saved, id="b-1", target=twin, at=saved.at + timedelta(seconds=1))
    store.ledger._noted["b", twin.campaign] = ""
    answers = store.apply([c.SaveAttempt(other, ALL)], "b", other.at, (1, 1))
    known = store.known_after(answers, other.at)["b-1"]
    earlier = known.calls[CallKey("contact", twin.contact_key)]
    assert [call.at_us for call in earlier] == [us(saved.at)]
    assert known.calls[CallKey("number", twin.phone_hash)] == (), "itself is left out"
    first = store._snapshot(saved.target, ALL, us(other.at), saved.id)
    assert len(first.calls[CallKey("contact", twin.contact_key)]) == 1
    ending = Ending("USER_BUSY", 486, script_started=False)
    end = c.SaveOutcome(other, Outcome.BUSY, ending, other.at, None, "busy", call_events=0)
    store.apply([end], "b", other.at, (1, 2))
    first = store._snapshot(saved.target, ALL, us(other.at), saved.id)
    [settled] = first.calls[CallKey("contact", twin.contact_key)]
    assert settled.events == 0


def test_two_daemons_that_share_people_hold_each_other_back() -> None:
    """Calls are saved and then not sent, since another daemon was a moment faster."""
    held_back = 0
    for seed in range(12):
        world = World(seed, 40, rates={}, law="own")
        story = world.run()
        assert judge(story) == []
        if len(world.services) == 2:
            held_back += sum(
                row.cause == "NOT_SENT" and row.outcome == "technical"
                for row in world.store.ledger.rows.values()
            )
    assert held_back >= 3


def test_the_audit_is_given_the_whole_story() -> None:
    story = World(5, 40, law="us").run()
    log = story.evidence
    assert isinstance(log, Log)
    proof = prove(log)
    assert proof.violations == []
    assert proof.attempts == len(story.of("saved")) == len(log.calls)
    assert proof.judged + proof.unsent == proof.attempts and not proof.older
    assert len(log.ended) == len(story.of("settled"))
    assert {"rules", "refused"} <= {entry.kind for entry in log.entries}
