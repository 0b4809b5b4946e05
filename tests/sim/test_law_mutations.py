"""For each kind of calling rule, a core (or core and store together) that breaks it on purpose: the
audit of the story, or a checker, sees it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from duecall.core import callee_zones, caps, gate, law_hours, proposal, settling
from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.dialer import Dialer
from duecall.core.eligibility import Eligibility
from duecall.core.gate import Gate
from duecall.core.gate_types import Horizon, Snapshot
from duecall.core.local_day import to_us
from duecall.core.moment import Moment
from duecall.sim.checkers import judge
from duecall.sim.people import People
from duecall.sim.stop_store import StopStore
from duecall.sim.world import World

SEEDS = 60


def caught(said: str, law: str, make: Any = Dialer, rates: dict[str, float] | None = None) -> bool:
    """Is it said in one of some stories? said: the beginning of a line, up to the rule's name."""
    return any(
        line.startswith(said)
        for seed in range(SEEDS)
        for line in judge(World(seed, 20, make, {} if rates is None else rates, law=law).run())
    )


class LooksOnlyOnce(Dialer):
    """Sends by the past as it was when the target was claimed, not as it is after the commit."""

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        if isinstance(event, e.AttemptSaved) and event.attempt_id in self.live:
            known = self.live[event.attempt_id].attempt.target.known
            event = replace(event, known=known)
        return super().handle(event, now)


def test_a_core_that_does_not_look_after_its_commit_is_caught() -> None:
    """Two daemons that call one person at once: each has claimed before the other saved."""
    assert caught("L3: audit: own.gap", "own", LooksOnlyOnce)


def test_a_store_that_shows_an_attempt_to_itself_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from duecall.sim.past_store import PastStore

    # Else the story would look again each minute of a hundred days.
    monkeypatch.setattr("duecall.core.eligibility.UNSETTLED_S", 10**9)
    calls = PastStore.calls
    monkeypatch.setattr(
        PastStore, "calls", lambda self, target, horizon, now_us, without="": calls(
            self, target, horizon, now_us
        )
    )  # fmt: skip
    assert caught("L10: ", "own")


def _no_words(*_: Any, **__: Any) -> str:
    return ""


def _nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _always(*_: Any, **__: Any) -> bool:
    return True


def _blind_to(kind: str) -> Any:
    since = Snapshot.since

    def of_others(self: Snapshot, key: Any, from_us: int) -> Any:
        return [] if key.kind == kind else since(self, key, from_us)

    return of_others


def _short(self: Eligibility, at: datetime) -> Horizon:
    return Horizon(*[to_us(at - timedelta(minutes=5))] * 3)


def _first_zone(phone: str, zone: str, table: Any) -> tuple[str, ...]:
    return zones_of(phone, zone, table)[:1]


def _of_the_lender(phone: str, zone: str, table: Any) -> tuple[str, ...]:
    return zones_of(phone, zone, table) or ("Asia/Ho_Chi_Minh",)


def _no_clock_is_changed(zone: str, day: Any, start_us: int, end_us: int) -> Iterator[Any]:
    """Each day as if clocks stood as on the first of July."""
    july = day.replace(month=7, day=1)
    midnight = next(span_moments(zone, july, 0, 1))[0]
    midnight += (day.toordinal() - july.toordinal()) * 86_400_000_000
    yield midnight + start_us, midnight + end_us


def _without_classes(*_: Any, **__: Any) -> int:
    return 0


zones_of = callee_zones.zones_of
span_moments = law_hours.span_moments
MUTATIONS: list[tuple[str, Any, str, Any, str, str]] = [
    ("hours", law_hours.LawHours, "is_open", _always, "vn", "L2: audit: vn.hours"),
    ("hours of days off", gate.DayKinds, "kind", lambda *_: "workday", "gb", "L2: audit: gb.hours"),
    ("clocks", law_hours, "span_moments", _no_clock_is_changed, "us", "L2: audit: us.hours"),
    ("zones", proposal, "zones_of", _first_zone, "us", "L2: "),
    ("unknown zone", proposal, "zones_of", _of_the_lender, "vn", "L2: +8424"),
    ("caps", caps._Limit, "until", lambda *_: 0, "vn", "L3: audit: vn.calls-day"),
    ("contact", Snapshot, "since", _blind_to("contact"), "vn", "L3: audit: vn.gap"),
    ("number", Snapshot, "since", _blind_to("number"), "own", "L3: audit: own.gap-talk"),
    ("account", Snapshot, "since", _blind_to("account"), "us", "L3: audit: us."),
    ("horizon", Eligibility, "horizon", _short, "cn", "L3: audit: cn.gap"),
    ("classes", settling, "events_of", _without_classes, "gb", "books: audit: events"),
    ("bound", Eligibility, "_abandoned", _nothing, "gb", "L8: audit: gb.abandoned"),
    ("consents", gate, "_missing", _no_words, "ru", "rules: audit: ru."),
    ("review", Gate, "_distrust", _no_words, "ru", "rules: audit: review_by"),
]


@pytest.mark.parametrize(
    ("owner", "method", "instead", "law", "said"),
    [mutation[1:] for mutation in MUTATIONS],
    ids=[mutation[0] for mutation in MUTATIONS],
)
def test_a_gate_that_is_blind_to_one_kind_of_rule_is_caught(
    monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, instead: Any, law: str, said: str
) -> None:
    monkeypatch.setattr(owner, method, instead)
    assert caught(said, law, rates={"switch_killed": 3.0} if "abandoned" in said else None)


def test_stops_that_nobody_heeds_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store refuses what is stopped, and the gate is told of it: both have to fail."""
    monkeypatch.setattr(StopStore, "of", _nothing)
    assert caught("L4: audit: stop.", "own", rates={"stops_changed": 12.0})


def test_stops_that_end_and_are_forgotten_before_that_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = StopStore.of

    def for_ever(self: StopStore, *arguments: Any) -> Any:
        return tuple(stop for stop in of(self, *arguments) if stop.expires_us is None)

    monkeypatch.setattr(StopStore, "of", for_ever)
    assert caught("L4: audit: stop.", "own", rates={"stops_changed": 12.0})
    assert caught("L4: ", "own", rates={"stops_changed": 12.0})


def test_people_are_shared_so_that_there_is_something_to_catch() -> None:
    people = People(random.Random(1), "us", datetime(2026, 11, 23).date())
    people.add(200)
    by_contact: dict[str, set[str]] = {}
    by_number: dict[str, set[str]] = {}
    by_account: dict[str, set[str]] = {}
    for target in people.targets:
        by_contact.setdefault(target.contact_key, set()).add(target.phone_hash)
        by_number.setdefault(target.phone_hash, set()).add(target.contact_key)
        by_account.setdefault(target.account_key, set()).add(target.campaign)
    for some in (by_contact, by_number, by_account):
        assert sum(len(one) > 1 for one in some.values()) >= 5
