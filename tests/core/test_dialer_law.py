"""The dialer and the law: the gate is asked twice, by what was known and by what is known now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Target
from duecall.core.call_events import (
    ABANDON,
    AGENT,
    ALL_EVENTS,
    ATTEMPT,
    CONVERSATION,
    LIVE,
    MESSAGE,
    PRERECORDED,
    CallKey,
    PastCall,
)
from duecall.core.contact import Consent
from duecall.core.gate_types import EMPTY, Snapshot, Stop
from duecall.core.local_day import DAY_US, HOUR_US, to_us
from duecall.core.outcome import LOST, Ending, Outcome
from fs_scripts.contract import ERROR, KEY, Result
from tests.core import building
from tests.core.test_dialer import World, result

NOW = building.NOON_IN_HANOI
OWN = {"level": "policy", "source": "a test", "certainty": "low", "valid_from": "2020-01-01"}
TODAY = date(2026, 11, 23)


def rules(**sections: Any) -> dict[str, Any]:
    """No law, and these rules of the campaign's own."""
    base = {"pack": "none", "pack_reason": "a test of the core"}
    return {**base, **{name: [{**OWN, **rule} for rule in some] for name, some in sections.items()}}


DAILY = rules(caps=[
    {"id": "t.day", "counts": ["attempt"], "per": ["number", "contact"],
     "window": {"calendar": "day"}, "max": 1}
])  # fmt: skip


def known(*calls: PastCall, stops: tuple[Stop, ...] = (), number: int = 1) -> Snapshot:
    keys = [CallKey("number", f"hash-{number}"), CallKey("contact", f"person-{number}")]
    return Snapshot(dict.fromkeys(keys, calls), stops)


def a_call(hours_ago: float = 1, events: int = ATTEMPT) -> PastCall:
    at_us = to_us(NOW) - int(hours_ago * HOUR_US)
    return PastCall(at_us, at_us + 30_000_000, events, PRERECORDED)


def target(number: int = 1, snapshot: Snapshot | None = None) -> Target:
    fresh = known(number=number) if snapshot is None else snapshot
    key = f"person-{number}"
    return building.target(number, contact_key=key, account_key=str(number), known=fresh)


def begin(targets: list[Target], **campaign: Any) -> World:
    world = World()
    world.start(targets, **{"rules": DAILY, **campaign})
    return world


def test_the_rules_are_noted_and_the_past_is_asked_for_as_far_as_they_look() -> None:
    world = begin([target()])
    (noted,) = world.of(c.NoteRules)
    assert [rule.id for rule in noted.rules.pack.caps] == ["t.day"]
    horizon = world.of(c.LoadTargets)[0].horizon
    assert horizon.account is None
    assert not horizon.answered
    for since in (horizon.number, horizon.contact):
        assert since is not None
        assert since <= to_us(NOW) - DAY_US
    (saved,) = world.of(c.SaveAttempt)
    assert saved.attempt.grounds is not None
    assert saved.attempt.grounds.rules == noted.rules.digest
    assert saved.attempt.grounds.call.zones == ("Asia/Ho_Chi_Minh",)


def test_a_cap_by_what_was_known_when_it_was_claimed() -> None:
    world = begin([target(snapshot=known(a_call()))])
    assert world.of(c.SaveAttempt) == []
    (put_off,) = world.of(c.DeferTarget)
    assert put_off.rule == "t.day"
    assert put_off.rules == world.of(c.NoteRules)[0].rules.digest
    assert put_off.at == building.moment(world.seconds).wall
    assert put_off.until is not None
    tomorrow = NOW + timedelta(days=1)
    assert put_off.until.date() == tomorrow.date()
    assert put_off.until.hour == 1  # 08:00 in Hanoi: midnight frees the cap, the campaign opens


def test_a_cap_by_what_is_known_after_the_commit() -> None:
    """Another daemon called the same person meanwhile, at another number."""
    world = begin([target()])
    (saved,) = world.of(c.SaveAttempt)
    world.tell(e.AttemptSaved, saved.attempt.id, known(a_call(0.01, ALL_EVENTS)))
    world.tick(1)
    assert world.of(c.Originate) == []
    (unsent,) = world.of(c.SaveOutcome)
    assert unsent.outcome is Outcome.TECHNICAL
    assert unsent.reason.startswith("t.day")
    assert unsent.next_due is not None
    assert unsent.next_due > NOW + timedelta(hours=10)
    assert unsent.call_events == 0, "a call that was never sent counts for nothing"


def test_a_call_that_goes_on_elsewhere_is_looked_at_again_soon() -> None:
    """It counts as everything until it has ended, and may come to nothing."""
    world = begin([target()])
    (saved,) = world.of(c.SaveAttempt)
    other = a_call(0.01, ALL_EVENTS)
    seen = replace(known(other), read_us=other.ended_us)
    world.tell(e.AttemptSaved, saved.attempt.id, seen)
    world.tick(1)
    (unsent,) = world.of(c.SaveOutcome)
    assert unsent.next_due == unsent.at + timedelta(seconds=60)
    assert not replace(known(a_call(1, ALL_EVENTS)), read_us=other.ended_us).unsettled
    assert not replace(known(a_call(0.01, ATTEMPT)), read_us=other.ended_us).unsettled


def test_a_call_that_nothing_forbids_is_sent() -> None:
    world = begin([target()])
    (saved,) = world.of(c.SaveAttempt)
    world.tell(e.AttemptSaved, saved.attempt.id, known())
    world.tick(1)
    assert len(world.of(c.Originate)) == 1


def test_a_past_that_nobody_read_is_not_taken_for_an_empty_one() -> None:
    world = begin([target()])
    (saved,) = world.of(c.SaveAttempt)
    try:
        world.tell(e.AttemptSaved, saved.attempt.id, EMPTY)
        world.tick(1)
    except KeyError:
        pass
    assert world.of(c.Originate) == []


def test_a_stop_with_an_end_puts_off_and_one_without_ends_it() -> None:
    soon = to_us(NOW + timedelta(hours=1))
    disputed = known(stops=(Stop("dispute", "this contract", soon, "anna"),))
    dead = known(stops=(Stop("deceased", "this person", None, "anna"),), number=2)
    world = begin([target(1, disputed), target(2, dead)])
    first, second = world.of(c.DeferTarget)
    assert (first.rule, first.until) == ("stop.dispute", NOW + timedelta(hours=1))
    assert (second.rule, second.until) == ("stop.deceased", None)
    assert world.of(c.SaveAttempt) == []


def test_when_stops_change_all_that_was_loaded_goes_back() -> None:
    world = begin([target(n) for n in range(1, 31)])
    waiting = [run.hopper for run in world.dialer.runs.values()]
    assert any(waiting)
    saved_now = world.of(c.SaveAttempt)
    for number, saved in enumerate(saved_now, 1):
        world.tell(e.AttemptSaved, saved.attempt.id, known(number=number))
    sent = {one.attempt.id for one in world.of(c.Originate)}
    assert len(sent) < len(saved_now), "some wait for their turn at the trunk"
    out = world.tell(e.StopsChanged)
    assert not any(run.hopper for run in world.dialer.runs.values())
    assert any(isinstance(one, c.ReleaseTargets) for one in out)
    unsent = {one.attempt.id for one in out if isinstance(one, c.SaveOutcome)}
    assert unsent == {one.attempt.id for one in saved_now} - sent
    for one in out:
        if isinstance(one, c.SaveOutcome):
            assert one.reason == "stops were changed meanwhile"
            assert one.next_due == one.at, "it is judged anew at once"
    world.tick(5)
    assert {one.attempt.id for one in world.of(c.Originate)} == sent


def test_two_of_one_person_are_not_saved_at_once() -> None:
    """Each would hold the other back after its commit, today and every day."""
    first = target(1)
    second = replace(target(2), contact_key=first.contact_key, known=first.known)
    second = replace(
        second, known=Snapshot(dict.fromkeys((*first.known.calls, *known(number=2).calls), ()))
    )
    world = begin([first, second])
    (saved,) = world.of(c.SaveAttempt)
    (put_off,) = world.of(c.DeferTarget)
    assert put_off.target is second
    assert put_off.reason == "the contact is in another call"
    world.tell(e.AttemptSaved, saved.attempt.id, known())
    world.tick(1)
    assert len(world.of(c.Originate)) == 1


BOUND = rules(abandonment=[
    {"id": "t.lost", "max_ratio": 0.03, "window": {"calendar": "day"}, "grace": "2s"}
])  # fmt: skip


def test_the_abandonment_bound_by_the_stores_sums_and_by_our_own_calls() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign(rules=BOUND))
    world.tell(e.SwitchUp, frozenset())
    yesterday = (TODAY - timedelta(days=1), 10, 5)
    targets = (target(1), target(2), target(3))
    world.tell(e.TargetsLoaded, "overdue", targets[:1], answered=(yesterday, (TODAY, 34, 1)))
    (saved,) = world.of(c.SaveAttempt)
    world.tell(e.AttemptSaved, saved.attempt.id, known())
    world.tick(1)
    assert len(world.of(c.Originate)) == 1, "1 of 34 is below 3 %; yesterday is another day"
    # The script fails before a word is heard: 2 of 35.
    broken = Result(saved.attempt.id, ERROR, error="no sound")
    ending = Ending("NORMAL_CLEARING", answered=True, result=broken)
    world.tell(e.CallEnded, saved.attempt.id, ending)
    (outcome,) = world.of(c.SaveOutcome)
    assert outcome.call_events == ATTEMPT | LIVE | ABANDON
    run = world.dialer.runs["overdue"]
    assert run.by_day[TODAY] == (35, 2)
    assert run.check(targets[1], targets[1].known, NOW) != run.check(
        targets[1], targets[1].known, NOW + timedelta(days=1)
    ), "the next day begins anew"


def test_what_another_daemon_has_abandoned_is_known_after_the_commit() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign(rules=BOUND))
    world.tell(e.SwitchUp, frozenset())
    world.tell(e.TargetsLoaded, "overdue", (target(1),), answered=((TODAY, 40, 0),))
    (saved,) = world.of(c.SaveAttempt)
    assert saved.horizon.answered
    now_known = replace(known(), answered=((TODAY, 39, 2),))
    world.tell(e.AttemptSaved, saved.attempt.id, now_known)
    world.tick(1)
    assert world.of(c.Originate) == []
    (unsent,) = world.of(c.SaveOutcome)
    assert unsent.reason == "t.lost: 2 of 40 live answers abandoned, the bound is 3.0%"


def test_what_a_call_was_for_the_caps() -> None:
    for said, action, wanted in (
        (KEY, "promise", ATTEMPT | LIVE | MESSAGE | CONVERSATION),
        ("completed", "", ATTEMPT | LIVE | MESSAGE),
    ):
        keys = {"2": {"do": "promise", "days": 3}}
        world = begin([target()], keys=keys)
        (saved,) = world.of(c.SaveAttempt)
        world.tell(e.AttemptSaved, saved.attempt.id, known())
        world.tick(1)
        ending = Ending(
            "NORMAL_CLEARING",
            answered=True,
            result=result(saved.attempt, said, **({"action": action} if action else {})),
        )
        world.tell(e.CallEnded, saved.attempt.id, ending)
        (outcome,) = world.of(c.SaveOutcome)
        assert (outcome.call_events, outcome.channels) == (wanted, PRERECORDED)
        assert outcome.day == TODAY


def test_lost_evidence_counts_as_everything_and_may_have_been_an_agents_call() -> None:
    world = begin([target()])
    (saved,) = world.of(c.SaveAttempt)
    world.tell(e.AttemptSaved, saved.attempt.id, known())
    world.tick(1)
    world.tell(e.CallEnded, saved.attempt.id, Ending(LOST))
    (outcome,) = world.of(c.SaveOutcome)
    assert outcome.outcome is Outcome.UNKNOWN
    assert outcome.call_events == ALL_EVENTS
    assert outcome.channels & AGENT


def test_rules_that_do_not_hold_together_are_an_alarm_and_nobody_is_called() -> None:
    world = World()
    laxer = {"rule": "vn.hours", "reason": "none", "set": {"spans": []}}
    campaign = building.campaign(rules={**DAILY, "override": [laxer]})
    out = world.tell(e.CampaignStarted, campaign)
    (alarm,) = (one for one in out if isinstance(one, c.Alarm))
    assert alarm.what.startswith("a campaign's rules do not hold together")
    assert "vn.hours" in dict(alarm.fields)["why"]
    assert world.dialer.runs == {}


def test_consents_end_where_the_lender_keeps_its_books() -> None:
    need = rules(require=[{"id": "t.consent", "on_file": "calls_agreed"}])
    given = target()
    given = replace(
        given, contact=replace(given.contact, consents=(Consent("calls_agreed", TODAY),))
    )
    world = begin([given], rules=need)
    assert len(world.of(c.SaveAttempt)) == 1
    past = replace(
        given,
        contact=replace(
            given.contact, consents=(Consent("calls_agreed", TODAY - timedelta(days=1)),)
        ),
    )
    world = begin([past], rules=need)
    (put_off,) = world.of(c.DeferTarget)
    assert put_off.rule == "t.consent"
