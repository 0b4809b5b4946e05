"""`duecall plan`: what it counts is what the gate says minute by minute; what a change alters."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from duecall.cli.plan_reading import Planning, Plans
from duecall.cli.plan_view import moved, plain_plan, plan_view
from duecall.core.campaign import Campaign
from duecall.core.local_day import to_us
from duecall.core.outcome import Outcome
from duecall.core.planning import HeldBack
from duecall.core.verdict import Allowed
from duecall.shell.column_values import TargetState, maybe_from_us
from tests.cli.desk import Desk
from tests.cli.explained import Bank, consents, person, settings

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi, a Monday
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ZONES = ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"]
Open = Callable[..., Bank]


@pytest.fixture
def open_bank(tmp_path: Path) -> Iterator[Open]:
    made: list[Bank] = []

    def build(pack: str, people: Any, at: datetime = NOON - HOUR, **changes: Any) -> Bank:
        made.append(Bank(tmp_path, pack, people, at, **changes))
        return made[-1]

    yield build
    for bank in made:
        bank.store.close()


def only(plans: Plans) -> Planning:
    [planning] = plans.plannings
    return planning


def first(planning: Planning) -> list[str]:
    return [one.row.row.account.contract_number for one in planning.plan.first]


def shown(plans: Plans) -> str:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(plan_view(plans))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


# ---- against the gate itself


def by_the_minute(bank: Bank, at: datetime, minutes: int) -> dict[str, datetime | None]:
    """contract -> the first whole minute at which the gate allows it, looked for one by one."""
    why = bank.store.why
    key = why.campaign(bank.name)
    found: dict[str, datetime | None] = {}
    for page in why.open_targets(key):
        horizon = bank.eligibility.horizon(at)
        known = why.known(key, [one.row for one in page], horizon, to_us(at))
        for target, past in zip(page, known, strict=True):
            due = maybe_from_us(target.due_us) if target.state is TargetState.WAITING else None
            moments = (at + n * MINUTE for n in range(minutes + 1))
            found[target.row.account.contract_number] = next(
                (
                    moment
                    for moment in moments
                    if (due is None or moment >= due)
                    and isinstance(bank.eligibility.check(target.target(), past, moment), Allowed)
                ),
                None,
            )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_is_what_the_gate_says_minute_by_minute(open_bank: Open, seed: int) -> None:
    """In America, on the morning on which clocks are put on: four zones, stops, retries, talks."""
    chance = random.Random(seed)
    at = datetime(2026, 3, 8, 11, 0, tzinfo=timezone.utc)  # 07:00 in New York, 04:00 in Los Angeles
    people = [
        person(n, f"+1202555{n:04d}", zone=chance.choice(ZONES), consents=consents("us"))
        for n in range(24)
    ]
    bank = open_bank("us", people, at - 30 * HOUR, zone="America/New_York")
    evening = at - 13 * HOUR
    for n in range(0, 24, 3):
        outcome = chance.choice([Outcome.NO_ANSWER, Outcome.HUNG_UP])
        made = bank.plan_call(f"HD-{n:05d}", evening)
        wait = timedelta(minutes=chance.randrange(12 * 60, 18 * 60))
        bank.end(made, outcome, evening, evening + wait)
    for n in range(0, 24, 5):
        until = to_us(at + timedelta(minutes=chance.randrange(300)))
        bank.stop("contract", f"HD-{n:05d}", "dispute", at - HOUR, until_us=until)
    planning = only(bank.plan(at, hours=5, limit=100))
    wanted = by_the_minute(bank, at, 5 * 60)
    starts = {one.row.row.account.contract_number: one.opening.start for one in planning.plan.first}
    assert set(starts) == {contract for contract, start in wanted.items() if start}
    for contract, start in starts.items():
        expected = wanted[contract]
        assert expected is not None and start is not None
        assert expected - MINUTE < start <= expected
    plan = planning.plan
    assert plan.now == sum(start == at for start in wanted.values())
    assert plan.now + plan.later == len(starts)
    assert plan.open == len(wanted) == 24
    held = sum(one.not_yet + one.never for _, one in plan.held_back())
    assert held == sum(start is None for start in wanted.values())
    order = [(one.opening.start, one.place) for one in plan.first]
    assert order == sorted(order)  # type: ignore[type-var]


def test_who_is_held_back_by_which_rule(open_bank: Open) -> None:
    bank = open_bank("vn", [person(n) for n in range(1, 9)] + [person(9, "+88312345678")])
    bank.call("HD-00001", NOON)  # its retry is in four hours, its gap two
    bank.call("HD-00002", NOON, Outcome.INVALID)  # done with
    bank.stop("contract", "HD-00003", "bankrupt", NOON)
    bank.stop("contract", "HD-00004", "dispute", NOON, until_us=to_us(NOON + 5 * HOUR))
    bank.plan_call("HD-00005", NOON + HOUR)
    plans = bank.plan(NOON + HOUR, hours=1)
    planning = only(plans)
    assert planning.plan.held_back() == [
        ("stop.bankrupt", HeldBack(never=1)),
        ("stop.dispute", HeldBack(not_yet=1)),
        ("vn.gap", HeldBack(not_yet=1)),
        ("zone", HeldBack(never=1)),
    ]
    assert (planning.plan.now, planning.plan.calling, planning.plan.open) == (3, 1, 8)
    assert first(planning) == ["HD-00006", "HD-00007", "HD-00008"]
    longer = only(bank.plan(NOON + HOUR, hours=5))
    held = dict(longer.plan.held_back())
    assert held["stop.dispute"] == HeldBack(later=1)
    assert held["campaign.retry"] == HeldBack(later=1)
    text = shown(plans)
    assert "8 open: 3 may be called now, 0 later in this time, 1 in a call" in text
    assert "stop.bankrupt" in text


def test_the_first_are_those_of_the_campaigns_order(open_bank: Open) -> None:
    people = [person(n, due=date(2026, 11, 1 + n % 5)) for n in range(1, 40)]
    bank = open_bank("vn", people, order=[{"field": "dpd", "descending": True}])
    planning = only(bank.plan(NOON, limit=7))
    with_rank = [one.row.rank for one in planning.plan.first]
    assert with_rank == list(range(1, 8))
    assert planning.plan.now == 39
    text = shown(bank.plan(NOON, limit=7))
    assert first(planning)[0] in text
    assert "+84912" not in text
    assert first(only(bank.plan(NOON, limit=0))) == []


def test_those_that_are_not_ranked_yet_come_last(open_bank: Open) -> None:
    bank = open_bank("vn", [person(n) for n in (5, 6)])
    bank.store.import_rows(bank.name, [person(n) for n in (1, 2)])  # an import is at work
    assert first(only(bank.plan(NOON))) == ["HD-00005", "HD-00006", "HD-00001", "HD-00002"]


def test_how_many_fit_the_trunk(open_bank: Open) -> None:
    """60 channels, 2 calls a second; a call that only rings holds its channel for a minute."""
    bank = open_bank("vn", [person(n) for n in range(200)])
    plans = bank.plan(NOON, hours=1 / 60)
    [trunk] = plans.trunks
    assert (trunk.rate, trunk.call_s, trunk.measured) == (1.0, 60.0, False)
    assert (trunk.traffic.total, trunk.fits) == (200, 60)
    assert "200 calls may start in this time, 60 fit: 1 a second" in shown(plans)
    [long] = bank.plan(NOON, hours=1).trunks
    assert long.fits == 200
    night = NOON + 10 * HOUR
    [at_seven] = bank.plan(night, hours=9 + 0.5 / 60).trunks  # half a minute of open hours
    assert (at_seven.traffic.total, at_seven.fits) == (200, 30)


def test_contacts_that_cannot_be_unsealed_are_counted_and_left_out(open_bank: Open) -> None:
    bank = open_bank("vn", [person(n) for n in range(3)])
    database = bank.store._database
    with database.writing():
        database.run("UPDATE contact SET sealed = ? WHERE id = 2", (b"\x00" * 60,))
    plans = bank.plan(NOON)
    assert (plans.unreadable, only(plans).plan.open) == (1, 2)


# ---- against an older file


def write(folder: Path, raw: dict[str, Any], name: str = "older.version.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return path


def test_what_narrower_hours_change(open_bank: Open, tmp_path: Path) -> None:
    bank = open_bank("vn", [person(n) for n in range(1, 6)])
    bank.call("HD-00001", NOON - HOUR)
    old = settings("vn", calendar={"hours": [{"from": "14:00", "to": "20:00"}]})
    path = write(tmp_path, old)  # whatever it is called: the contacts file need not be there
    plans = bank.plan(NOON, hours=1, against=path)
    planning = only(plans)
    found = planning.comparison
    assert found is not None
    assert found.more == {"campaign.calendar": 4}
    assert (found.fewer, found.earlier, found.later) == ({}, 0, 0)
    assert found.otherwise == {("campaign.calendar", "vn.gap"): 1}
    assert len(found.examples) == 4
    later = only(bank.plan(NOON, hours=3, against=path)).comparison
    assert later is not None
    assert (later.more, later.earlier) == ({}, 4)
    text = shown(plans)
    assert 'changed: calendar.hours: [{"from": "14:00:00"' in text
    assert "now 4 more may be called in this time, and 0 fewer" in text


def test_what_a_stricter_rule_changes(open_bank: Open, tmp_path: Path) -> None:
    """Two calls by noon; the older file had no gap of its own."""
    changed = settings("vn")
    changed["rules"]["gaps"] = [{"id": "own.gap", "per": "number", "gap": "6h"}]
    bank = open_bank("vn", [person(n) for n in range(1, 6)], rules=changed["rules"])
    for contract in ("HD-00001", "HD-00002"):
        made = bank.plan_call(contract, NOON)
        bank.end(made, Outcome.NO_ANSWER, NOON, NOON + HOUR)
    plans = bank.plan(NOON + 3 * HOUR, hours=1, against=write(tmp_path, settings("vn")))
    found = only(plans).comparison
    assert found is not None
    assert (found.fewer, found.more, found.same) == ({"own.gap": 2}, {}, 3)
    [against] = [one["against"] for one in plain_plan(plans)["campaigns"]]
    assert against["rule_changes"] == [
        {"kind": "added", "rule": "own.gap", "level": "policy", "fields": []}
    ]
    assert [one["now"]["held_back_by"] for one in against["examples"]] == ["own.gap"] * 2
    assert "added: own.gap (policy)" in shown(plans)


def test_an_older_rule_may_look_further_back_and_by_another_key(
    open_bank: Open, tmp_path: Path
) -> None:
    bank = open_bank("vn", [person(n) for n in range(1, 6)])
    for contract in ("HD-00001", "HD-00002"):
        made = bank.plan_call(contract, NOON)
        bank.end(made, Outcome.NO_ANSWER, NOON, NOON + HOUR)
    old = settings("vn")
    old["rules"]["caps"] = [
        {
            "id": "own.week",
            "counts": ["attempt"],
            "per": "account",
            "window": {"rolling_days": 40},
            "max": 1,
        }
    ]
    found = only(bank.plan(NOON + 48 * HOUR, against=write(tmp_path, old))).comparison
    assert found is not None
    assert (found.more, found.same) == ({"own.week": 2}, 3)
    planned, plain = Campaign.model_validate(old), write(tmp_path, settings("vn"))
    back = only(bank.plan(NOON + 48 * HOUR, campaign=planned, against=plain)).comparison
    assert back is not None
    assert (back.fewer, back.same) == ({"own.week": 2}, 3)


def test_what_another_order_changes(open_bank: Open, tmp_path: Path) -> None:
    people = [person(n, due=date(2026, 11, n)) for n in range(1, 10)]
    bank = open_bank("vn", people, order=[{"field": "due_date"}])
    old = settings("vn", order=[{"field": "due_date", "descending": True}])
    planning = only(bank.plan(NOON, limit=3, against=write(tmp_path, old)))
    assert first(planning) == ["HD-00001", "HD-00002", "HD-00003"]
    places = {
        target.row.account.contract_number: (before, now) for before, now, target in moved(planning)
    }
    assert places == {
        "HD-00001": (None, 1),
        "HD-00002": (None, 2),
        "HD-00003": (None, 3),
        "HD-00009": (1, None),
        "HD-00008": (2, None),
        "HD-00007": (3, None),
    }
    same = only(bank.plan(NOON, limit=3, against=write(tmp_path, settings("vn"))))
    assert moved(same) == []  # in the order of the file they come the same


def test_a_file_that_is_not_in_service_yet_is_planned_by_its_own_words(open_bank: Open) -> None:
    bank = open_bank("vn", [person(n, due=date(2026, 11, n)) for n in range(1, 6)])
    edited = Campaign.model_validate(
        settings("vn", order=[{"field": "due_date", "descending": True}], ring="20s")
    )
    planning = only(bank.plan(NOON, campaign=edited))
    assert first(planning) == [f"HD-{n:05d}" for n in range(5, 0, -1)]
    assert planning.notes == ["by its file, which is not what the daemon has: start it again"]


def test_an_older_config_holds_for_all_campaigns(open_bank: Open, tmp_path: Path) -> None:
    bank = open_bank("vn", [person(n) for n in range(1, 4)])
    old = {
        "lender": "bank",
        "trunks": {"demo": {"proxy": "127.0.0.1", "channels": 60, "calls_per_second": 2}},
        "rules": {"hours": [{"id": "site.never", "days": "mon", "spans": []}]},
    }
    planning = only(bank.plan(NOON, against=write(tmp_path, old, "config.old.yaml")))
    assert planning.comparison is not None
    assert planning.comparison.more == {"site.never": 3}


# ---- the command


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk where two campaigns are loaded, one is running; there is no country's law."""
    desk = Desk(tmp_path_factory.mktemp("counter"))
    desk.config.write_text(desk.config.read_text() + "lender: bank\n")
    (desk.folder / "var").mkdir()
    rules = {"pack": "none", "pack_reason": "a test of the command"}
    people = [person(n) for n in range(1, 31)]
    bank = Bank(desk.folder / "var", "none", people, NOON, country="VN", rules=rules)
    write(desk.folder, settings("none", country="VN", rules=rules), "old.yaml")
    bank.take_up(settings("none", country="VN", rules=rules, name="again"), NOON)
    bank.store.import_rows("again", people[:5])
    bank.store.rank("again")
    bank.store.close()
    return desk


def test_all_campaigns_or_those_that_are_named(counter: Desk) -> None:
    every, one, plain, bar = counter.run_all(
        [("plan",), ("plan", "again"), ("plan", "--json", "--limit", 3), ("plan", "overdue")]
    )
    assert "overdue (running)" in every.good
    assert "again (loaded)" in every.good
    assert "note: the campaign is loaded: nobody is called until it runs" in every.good
    assert "overdue" not in one.good
    assert max(map(len, every.good.splitlines())) <= 80
    told = json.loads(plain.good)
    counts = Counter({a["campaign"]: a["now"] for a in told["campaigns"]})
    assert counts == {"overdue": 30, "again": 5}
    assert [len(a["first"]) for a in told["campaigns"]] == [3, 3]
    assert told["trunks"][0]["calls"] == 35
    assert "+84912" not in every.good + plain.good
    assert bar.err == ""  # no bar where nobody watches


def test_a_progress_bar_where_somebody_watches(counter: Desk) -> None:
    assert "overdue ━" in (err := counter.run("plan", "overdue", DUECALL_PROGRESS="1").err)
    assert "30/30 contacts" in err


def test_what_cannot_be_planned_is_told_in_one_line(counter: Desk) -> None:
    unknown, duration, missing, which, right = counter.run_all(
        [
            ("plan", "nothing"),
            ("plan", "--next", "soon"),
            ("plan", "--against", "nowhere.yaml"),
            ("plan", "--against", "old.yaml"),
            ("plan", "again", "--against", "old.yaml", "--next", "2d"),
        ]
    )
    assert unknown.error == "campaign nothing is not in the database; there are: again, overdue"
    assert "--next 'soon': from 1s to 14d" in duration.error
    assert "nowhere.yaml does not exist" in missing.error
    # The file names its campaign: only that one is held against it.
    assert "again (loaded)" not in which.good
    assert "now 0 more may be called" in which.good
    assert "again (loaded)" in right.good
