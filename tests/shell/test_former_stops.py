"""`why` of a past moment tells of the stops that held then, however they came and whatever became
of them; what is kept of them names nobody, and goes in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from duecall.cli.why_answer import Answer
from duecall.cli.why_view import answer_view, plain_answer
from duecall.core.local_day import to_us
from duecall.shell.former_stops import StopThen
from duecall.shell.person_export import PersonExport
from duecall.shell.person_store import PersonStore
from duecall.shell.stop_list import Named, What
from tests.cli.explained import Bank, person
from tests.shell.store_world import NOON as THEN
from tests.shell.test_person_erasing import World, person_row
from tests.shell.test_retention import later, site, sweep, years

pytestmark = pytest.mark.usefixtures("database")
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOON + 40 * DAY
PHONE, CONTRACT = "+84912000001", "HD-00001"
SHA = "ab" * 32


@pytest.fixture
def bank(tmp_path: Path, database: str) -> Iterator[Bank]:
    made = Bank(tmp_path, "vn", [person(n) for n in range(1, 6)], NOON - HOUR)
    yield made
    made.store.close()


def listed(
    bank: Bank, at: datetime, until: datetime | None = None, sha256: str = SHA, **changes: Any
) -> int:
    """A file of stops is taken in: ours, and some others. How many were new or longer."""
    values = {"kind": "dnc", "source": "register", **changes}
    until_us = None if until is None else to_us(until)
    rows = [Named("number", PHONE, until_us=until_us, line=1, **values)]
    rows += [
        Named("number", f"+8498{n:07d}", until_us=until_us, line=n + 2, **values) for n in range(5)
    ]
    return bank.store.stop_list.take_in(rows, at, kind="dnc", sha256=sha256).added


def then(bank: Bank, at: datetime) -> list[StopThen]:
    """As `why` tells of that moment, long after; and the gate agrees."""
    answer = bank.why(CONTRACT, at, LATER)
    assert answer.then is not None
    stops = list(answer.then.stops)
    denied = [one for one in answer.explanation.findings if one.kind == "stop" and one.denies]
    assert len(denied) == len(stops)
    assert [one.stop for one in bank.store.why.stops_of(PHONE, to_us(at))] == [
        one.stop for one in stops
    ]
    return stops


def text_of(answer: Answer) -> str:
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(answer_view(answer))
    out: StringIO = console.file  # type: ignore[assignment]  # it is the one given above
    return out.getvalue()


def test_a_stop_of_a_list_is_told_with_its_list(bank: Bank) -> None:
    assert listed(bank, NOON) == 6
    assert then(bank, NOON - timedelta(minutes=1)) == []
    [stop] = then(bank, NOON + HOUR)
    assert (stop.stop.kind, stop.stop.source, stop.campaign) == ("dnc", "register", "")
    assert (stop.since_us, stop.list_sha256) == (to_us(NOON), SHA)
    assert (stop.lifted_us, stop.lifted_by) == (None, None)


def test_a_stop_of_a_list_that_was_lifted_since_is_told(bank: Bank) -> None:
    listed(bank, NOON)
    bank.lift("number", PHONE, NOON + 5 * HOUR)
    assert then(bank, NOON - HOUR) == [] == then(bank, NOON + 5 * HOUR)
    [stop] = then(bank, NOON + 5 * HOUR - timedelta(microseconds=1))
    assert (stop.since_us, stop.list_sha256) == (to_us(NOON), SHA)
    assert (stop.lifted_us, stop.lifted_by) == (to_us(NOON + 5 * HOUR), "a judge")
    answer = bank.why(CONTRACT, NOON + HOUR, LATER)
    assert answer.headline.startswith("Not to be called: stopped for this number")
    shown = text_of(answer)
    assert "stops that held then:" in shown
    assert (
        "dnc, for this number in all campaigns; since 2026-11-23 05:00Z (register), from a list, "
        f"SHA-256 {SHA[:12]}; lifted 2026-11-23 10:00Z (a judge)" in shown
    )
    plain = plain_answer(answer)
    assert plain["then"]["stops"] == [
        {
            "kind": "dnc",
            "scope": "this number in all campaigns",
            "campaign": None,
            "expires": None,
            "source": "register",
            "since": "2026-11-23T05:00:00+00:00",
            "list_sha256": SHA,
            "lifted": "2026-11-23T10:00:00+00:00",
            "lifted_by": "a judge",
        }
    ]
    assert not plain["allowed"] and plain["rule"] == "stop.dnc"
    assert "stops that held then" not in text_of(bank.why(CONTRACT, NOON + 6 * HOUR, LATER))


@pytest.mark.parametrize(
    "what, value",
    [("number", PHONE), ("contract", CONTRACT), ("person", CONTRACT), ("prefix", "+84912")],
)
def test_of_every_kind(bank: Bank, what: What, value: str) -> None:
    named = [Named(what, value, "dispute", source="a file")]
    bank.store.stop_list.take_in(named, NOON, kind="dispute", sha256=SHA)
    bank.lift(what, value, NOON + HOUR)
    answer = bank.why(CONTRACT, NOON + timedelta(minutes=5), LATER)
    assert answer.then is not None
    [stop] = answer.then.stops
    assert (stop.stop.kind, stop.list_sha256, stop.lifted_by) == ("dispute", SHA, "a judge")
    assert not answer.allowed


def test_entered_lifted_and_entered_again(bank: Bank) -> None:
    listed(bank, NOON)
    bank.lift("number", PHONE, NOON + HOUR)
    listed(bank, NOON + 3 * HOUR, sha256="cd" * 32)
    bank.lift("number", PHONE, NOON + 4 * HOUR)
    bank.stop("number", PHONE, "dnc", NOON + 6 * HOUR)
    half = timedelta(minutes=30)
    lists = [[one.list_sha256 for one in then(bank, NOON + n * HOUR + half)] for n in range(-1, 8)]
    assert lists == [[], [SHA], [], [], ["cd" * 32], [], [], [""], [""]]


def test_a_stop_that_had_ended_and_came_again_was_two(bank: Bank) -> None:
    listed(bank, NOON, NOON + HOUR)
    assert listed(bank, NOON + DAY, NOON + 2 * DAY, sha256="cd" * 32) == 6
    [first] = then(bank, NOON + timedelta(minutes=30))
    assert first.stop.expires_us == to_us(NOON + HOUR)
    assert first.list_sha256 == SHA
    assert then(bank, NOON + 2 * HOUR) == []
    [second] = then(bank, NOON + DAY)
    assert (second.since_us, second.list_sha256) == (to_us(NOON + DAY), "cd" * 32)


def test_one_that_was_made_longer_is_told_as_it_was_known_then(bank: Bank) -> None:
    listed(bank, NOON, NOON + 9 * HOUR)
    assert bank.stop("number", PHONE, "dnc", NOON + HOUR, until_us=to_us(NOON + 20 * HOUR))
    assert listed(bank, NOON + 2 * HOUR, sha256="cd" * 32, source="second") == 6
    ends, sources, lists = zip(
        *(
            (one.stop.expires_us, one.stop.source, one.list_sha256)
            for n in range(3)
            for one in then(bank, NOON + n * HOUR + timedelta(minutes=30))
        ),
        strict=True,
    )
    assert ends == (to_us(NOON + 9 * HOUR), to_us(NOON + 20 * HOUR), None)
    assert sources == ("register", "a letter", "second")
    assert lists == (SHA, "", "cd" * 32)
    [stop] = then(bank, NOON + 10 * DAY)
    assert stop.since_us == to_us(NOON)  # without a break


def test_the_same_list_again_changes_nothing(bank: Bank) -> None:
    listed(bank, NOON)
    assert listed(bank, NOON + DAY, sha256="cd" * 32) == 0
    assert rows(bank) == 0
    [stop] = then(bank, NOON + 2 * DAY)
    assert stop.list_sha256 == SHA


def test_a_stop_in_another_campaign_is_not_ours(bank: Bank) -> None:
    bank.store.put_campaign(bank.campaign.model_copy(update={"name": "other"}), "name: other\n")
    listed(bank, NOON, campaign="other")
    bank.store.stop_list.lift(
        bank.store.stop_list.find(Named("number", PHONE, "", campaign="other")), "x", NOON + HOUR
    )
    with bank.store.reading():
        [found] = bank.store.why.by_contract(CONTRACT)
        assert found.campaign.name == bank.name
        assert bank.store.why.stops_then(found, to_us(NOON) + 1) == ([], [])
    [stop] = bank.store.why.stops_of(PHONE, to_us(NOON) + 1)
    assert (stop.campaign, stop.lifted_by) == ("other", "x")


# ---- lifted by a Duecall that kept no stops of before


def test_of_one_lifted_long_ago_the_ledger_tells(bank: Bank) -> None:
    bank.stop("contract", CONTRACT, "dispute", NOON)
    bank.lift("contract", CONTRACT, NOON + 2 * HOUR)
    forget_former(bank)
    answer = bank.why(CONTRACT, NOON + HOUR, LATER)
    assert answer.then is not None
    [stop] = answer.then.stops
    assert (stop.since_us, stop.stop.source, stop.lifted_by) == (
        to_us(NOON),
        "a letter",
        "a judge",
    )
    assert stop.lifted_us == to_us(NOON + 2 * HOUR)


def test_of_a_lists_stop_lifted_long_ago_a_note_says_what_is_not_known(bank: Bank) -> None:
    listed(bank, NOON)
    bank.lift("number", PHONE, NOON + 2 * HOUR)
    forget_former(bank)
    answer = bank.why(CONTRACT, NOON + HOUR, LATER)
    assert answer.then is not None and answer.then.stops == ()
    assert (
        "a stop dnc for this number in all campaigns was lifted at 2026-11-23 07:00Z; "
        "since when it held is not known, so it is not counted" in answer.then.notes
    )
    after = bank.why(CONTRACT, NOON + 3 * HOUR, LATER)
    assert after.then is not None
    assert not any("was lifted at" in note for note in after.then.notes)


def forget_former(bank: Bank) -> None:
    with bank.store.parts.database.writing():
        bank.store.parts.database.run("DELETE FROM former_stop")


def rows(bank: Bank) -> int:
    (count,) = bank.store.parts.database.run("SELECT count(*) FROM former_stop").fetchone()
    return int(count)


# ---- the law


def test_a_former_stop_holds_nothing_in_clear(bank: Bank) -> None:
    listed(bank, NOON)
    bank.lift("number", PHONE, NOON + HOUR)
    found = bank.store.parts.database.run("SELECT * FROM former_stop").fetchall()
    assert len(found) == 1
    assert PHONE[1:] not in repr(found) and PHONE[3:] not in repr(found)


def test_it_is_given_out_with_all_that_is_held_of_a_person(bank: Bank) -> None:
    listed(bank, NOON)
    bank.lift("number", PHONE, NOON + HOUR)
    parts = bank.store.parts
    [found] = bank.store.why.by_contract(CONTRACT)
    held = PersonExport(parts).of(PersonStore(parts).person(found.row.contact_key))
    assert held["stops"] == []
    [stop] = held["former_stops"]
    assert (stop["kind"], stop["at"], stop["ended"], stop["lifted_by"]) == (
        "dnc",
        "2026-11-23T05:00:00+00:00",
        "2026-11-23T06:00:00+00:00",
        "a judge",
    )


def test_it_goes_when_the_log_of_its_time_may_go(tmp_path: Path) -> None:
    world = World(tmp_path, [person_row(n, contract=f"HD-{n}") for n in range(1, 4)])
    stops = world.store.stop_list
    for n, days in ((1, 0), (2, 400)):
        named = Named("contract", f"HD-{n}", "dispute", source="letter")
        stops.add(named, THEN - DAY)
        stops.lift(stops.find(named), "letter", THEN + days * DAY)
    assert sweep(world, site(), later(years=30)) == {}  # no rule speaks of it
    chosen = site(years("log", 3), years("recording", 9))
    assert sweep(world, chosen, later(years=3)) == {}
    assert sweep(world, chosen, later(years=3, days=1)) == {"former_stops": 1}
    [entry] = world.entries("retention")
    assert entry["former_stops"] == 1
    assert sweep(world, chosen, later(years=5)) == {"former_stops": 1}
    assert sweep(world, chosen, later(years=6)) == {}
    world.store.close()


def test_none_younger_than_a_year_and_more_goes(tmp_path: Path) -> None:
    world = World(tmp_path, [person_row(1, contract="HD-1")])
    named = Named("contract", "HD-1", "dispute", source="letter")
    world.store.stop_list.add(named, THEN - DAY)
    world.store.stop_list.lift(world.store.stop_list.find(named), "letter", THEN)
    chosen = site(years("log", 1))
    assert sweep(world, chosen, later(days=399)) == {}
    assert sweep(world, chosen, later(days=402)) == {"former_stops": 1}
    world.store.close()
