"""What the commands that explain read: SQLite and PostgreSQL say the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Stage
from duecall.core.call_events import ALL_EVENTS
from duecall.core.eligibility import Eligibility
from duecall.core.local_day import to_us
from duecall.core.outcome import Outcome
from duecall.core.proposal import keys_of
from duecall.core.rule_choice import rules_of
from duecall.core.verdict import Denied
from duecall.shell.column_values import TargetState
from tests.cli.explained import RING_S, Bank, person, settings

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NEXT_DAY = NOON + 24 * HOUR


@pytest.fixture
def bank(tmp_path: Path, database: str) -> Iterator[Bank]:
    made = Bank(tmp_path, "vn", [person(n) for n in range(1, 6)], NOON - HOUR)
    yield made
    made.store.close()


def test_a_contract_and_its_number_are_found_in_every_campaign(bank: Bank) -> None:
    other = settings("vn", name="again")
    bank.take_up(other, NOON)
    bank.store.import_rows("again", [person(2), person(7, phone="+84912000002")])
    why = bank.store.why
    found = why.by_contract("HD-00002")
    assert [(one.campaign.name, one.state) for one in found] == [
        ("again", TargetState.NEW),
        ("overdue", TargetState.READY),
    ]
    by_phone = [
        (one.campaign.name, one.row.account.contract_number) for one in why.by_phone("+84912000002")
    ]
    assert by_phone == [("again", "HD-00002"), ("again", "HD-00007"), ("overdue", "HD-00002")]
    assert why.by_contract("HD-9") == [] == why.by_phone("+84912999999")


def test_the_state_of_a_target_is_told(bank: Bank) -> None:
    made = bank.plan_call("HD-00003", NOON)
    [calling] = bank.store.why.by_contract("HD-00003")
    assert (calling.state, calling.held_by) == (TargetState.CALLING, "main")
    bank.end(made, Outcome.NO_ANSWER, NOON + SECOND, NOON + HOUR)
    [waiting] = bank.store.why.by_contract("HD-00003")
    assert (waiting.state, waiting.due_us) == (TargetState.WAITING, to_us(NOON + HOUR))
    assert waiting.reason == "retry after no_answer"


def test_open_targets_come_in_pages_each_once(bank: Bank) -> None:
    bank.call("HD-00002", NOON, Outcome.INVALID)  # done with
    why = bank.store.why
    key = why.campaign(bank.name)
    for page in (1, 2, 4, 100):
        pages = list(why.open_targets(key, page))
        numbers = [one.row.account.contract_number for some in pages for one in some]
        assert sorted(numbers) == ["HD-00001", "HD-00003", "HD-00004", "HD-00005"]
        assert max(map(len, pages)) <= page
    assert why.unreadable == 0


def test_what_is_known_is_what_a_daemon_is_given(bank: Bank) -> None:
    bank.call("HD-00001", NOON)
    bank.stop("number", "+84912000001", "dispute", NOON, until_us=to_us(NEXT_DAY))
    now = NOON + 5 * HOUR
    horizon = bank.eligibility.horizon(now)
    why = bank.store.why
    [found] = why.by_contract("HD-00001")
    [known] = why.known(found.campaign, [found.row], horizon, to_us(now))
    load = c.LoadTargets(bank.name, 100, horizon)
    rows = bank.store.apply([load], now).loads[0].rows
    [claimed] = [row for row in rows if row.account.contract_number == "HD-00001"]
    assert known.stops == claimed.known.stops
    assert [stop.kind for stop in known.stops] == ["dispute"]
    assert known.calls == claimed.known.calls
    assert {len(calls) for calls in known.calls.values()} == {1}


def test_how_long_calls_take_of_late(bank: Bank) -> None:
    why = bank.store.why
    key = why.campaign(bank.name)
    assert why.call_s(key) is None
    bank.call("HD-00001", NOON)  # saved, and never sent
    assert why.call_s(key) is None
    for contract, seconds in (("HD-00002", 20), ("HD-00003", 40)):
        made = bank.plan_call(contract, NOON)
        assert isinstance(made, Attempt)
        bank.store.apply([c.SaveStage(made.id, Stage.SENT, NOON)])
        bank.end(made, Outcome.BUSY, NOON + seconds * SECOND, NOON + HOUR)
    assert why.call_s(key) == 30


def test_attempts_by_key_and_of_a_target(bank: Bank) -> None:
    bank.call("HD-00001", NOON)
    bank.call("HD-00001", NOON + 5 * HOUR)
    [found] = bank.store.why.by_contract("HD-00001")
    keys = keys_of(found.target())
    since, before = to_us(NOON), to_us(NOON + 5 * HOUR)
    by_key = bank.store.why.attempts(keys, since, before)
    assert {key.kind for key in by_key} == {"number", "contact", "account"}
    for calls in by_key.values():
        assert [(one.saved_us, one.outcome) for one in calls] == [(since, Outcome.NO_ANSWER)]
    mine = bank.store.why.attempts_of(found.row.id, before + 1)
    assert [one.saved_us for one in mine] == [since, before]
    assert all(one.events != ALL_EVENTS for one in mine)


def test_entries_of_the_ledger_around_a_moment(bank: Bank) -> None:
    bank.call("HD-00001", NOON)
    bank.call("HD-00002", NOON + HOUR)
    bank.call("HD-00001", NOON + 5 * HOUR)
    why = bank.store.why
    [found] = why.by_contract("HD-00001")
    end = to_us(NEXT_DAY)
    every = why.entries([found.row.id], -1, end, 100)
    assert [entry.kind for entry in every] == ["call", "ended", "call", "ended"]
    assert every == sorted(every, key=lambda entry: entry.at_us)
    assert why.entries([found.row.id], -1, end, 2) == every[2:]
    assert why.entries([found.row.id], -1, end, 2, first=True) == every[:2]
    middle = to_us(NOON)
    assert why.entries([found.row.id], middle, end, 9)[0].kind == "ended"
    assert why.entries([found.row.id], -1, middle, 9) == every[:1]


# ---- the past: what the ledger says, and the gate of then


def test_a_call_that_was_made_is_told_with_what_it_was_judged_by(bank: Bank) -> None:
    made = bank.call("HD-00001", NOON)
    answer = bank.why("HD-00001", NOON.replace(second=0), NEXT_DAY, minute=True)
    then = answer.then
    assert then is not None and then.decision is not None
    assert (then.own, then.decision.attempt_id) == (True, made.id)
    assert answer.headline == "It was called, and the gate says so again"
    assert then.decision.body["zones"] == ["Asia/Ho_Chi_Minh"] == list(then.call.zones)
    assert [entry.kind for entry in then.entries] == ["call", "ended"]
    assert answer.rules.digest == bank.eligibility.rules.digest
    assert then.notes == ()


def test_of_a_whole_minute_the_decision_is_asked_again_at_its_moment(bank: Bank) -> None:
    made = bank.call("HD-00001", NOON + 20 * SECOND)
    answer = bank.why("HD-00001", NOON, NEXT_DAY, minute=True)
    assert (answer.at, answer.allowed) == (made.at, True)
    exact = bank.why("HD-00001", NOON, NEXT_DAY)  # to the second: nothing had happened
    assert exact.then is not None
    assert (exact.at, exact.then.own) == (NOON, False)


def test_a_refusal_is_told(bank: Bank) -> None:
    night = NOON + 10 * HOUR  # 22:00 in Hanoi
    denied = bank.plan_call("HD-00001", night)
    assert isinstance(denied, Denied)
    answer = bank.why("HD-00001", night, NEXT_DAY, minute=True)
    assert answer.headline == "It was put off: vn.hours: outside calling hours"
    assert answer.explanation.deciding is not None
    assert answer.explanation.deciding.rule == "vn.hours"


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        (10 * SECOND, "vn.gap"),  # it rang just then, and counted as everything
        (HOUR, "vn.gap"),
        (2 * HOUR + (RING_S - 1) * SECOND, "vn.gap"),
        (2 * HOUR + RING_S * SECOND, None),
        (9 * HOUR, "vn.hours"),
    ],
)
def test_the_gate_of_then_knows_only_the_calls_of_then(
    bank: Bank, after: timedelta, rule: str | None
) -> None:
    bank.call("HD-00001", NOON)
    bank.call("HD-00001", NOON + 6 * HOUR)
    answer = bank.why("HD-00001", NOON + after, NEXT_DAY)
    deciding = answer.explanation.deciding
    if after == 9 * HOUR:  # a second call by then, three hours ago
        assert {f.rule for f in answer.explanation.findings if f.denies} == {"vn.hours"}
    assert (deciding.rule if deciding else None) == rule
    assert answer.then is not None
    assert not answer.then.own


def test_a_talk_that_was_going_on_counted_as_everything(bank: Bank) -> None:
    """A busy line, of which nobody knew for an hour."""
    made = bank.plan_call("HD-00001", NOON)
    bank.end(made, Outcome.BUSY, NOON + HOUR, NOON + 6 * HOUR)
    answer = bank.why("HD-00001", NOON + HOUR / 2, NEXT_DAY)
    denied = {finding.rule for finding in answer.explanation.findings if finding.denies}
    assert denied == {"vn.gap", "vn.after-talk"}  # it might have become a talk
    assert answer.headline.startswith("It was in a call then. Not to be called: vn.gap")
    later = bank.why("HD-00001", NOON + 3 * HOUR + RING_S * SECOND, NEXT_DAY)
    assert not any(finding.denies for finding in later.explanation.findings)


def test_the_rules_of_then_hold_not_those_of_today(bank: Bank) -> None:
    bank.call("HD-00001", NOON)
    before = bank.eligibility.rules.digest
    stricter = settings("vn", calendar={"hours": [{"from": "08:00", "to": "09:00"}]})
    stricter["rules"]["gaps"] = [{"id": "own.gap", "per": "number", "gap": "8h"}]
    bank.take_up(stricter, NOON + 4 * HOUR)
    assert bank.eligibility.rules.digest != before
    old = bank.why("HD-00001", NOON + 3 * HOUR, NEXT_DAY)
    assert (old.rules.digest, old.explanation.deciding) == (before, None)
    assert old.then is not None
    assert old.then.notes == ("the contact's data (zone, consents, flags) are those of today",)
    new = bank.why("HD-00001", NOON + 5 * HOUR, NEXT_DAY)
    assert new.rules.digest == bank.eligibility.rules.digest
    denied = {finding.rule for finding in new.explanation.findings if finding.denies}
    assert denied == {"campaign.calendar", "own.gap"}


def test_before_anything_is_known_that_is_said(bank: Bank) -> None:
    answer = bank.why("HD-00001", NOON - 48 * HOUR, NEXT_DAY)
    then = answer.then
    assert then is not None
    assert (then.entries, then.decision) == ((), None)
    assert any("those of today are used" in note for note in then.notes)


STOPS = [("number", "+84912000001"), ("prefix", "+8491"), ("contract", "HD-00001")]


@pytest.mark.parametrize(("what", "value"), [*STOPS, ("person", "HD-00001")])
def test_a_stop_of_then_is_known_also_where_it_was_lifted(
    bank: Bank, what: str, value: str
) -> None:
    bank.stop(what, value, "dispute", NOON + HOUR)
    bank.lift(what, value, NOON + 3 * HOUR)
    rules = []
    for after in (0, 2, 4):
        answer = bank.why("HD-00001", NOON + after * HOUR, NEXT_DAY)
        deciding = answer.explanation.deciding
        rules.append(deciding.rule if deciding else None)
    assert rules == [None, "stop.dispute", None]
    then = bank.why("HD-00001", NOON + 2 * HOUR, NEXT_DAY).then
    assert then is not None
    assert [(entry.kind, entry.body["lifted"]) for entry in then.entries] == [
        ("stop", False),
        ("stop", True),
    ]
    bank.stop(what, value, "dispute", NOON + 5 * HOUR)
    assert bank.why("HD-00001", NOON + 4.5 * HOUR, NEXT_DAY).allowed  # it came later
    again = bank.why("HD-00001", NOON + 6 * HOUR, NEXT_DAY)
    assert again.explanation.deciding is not None
    assert again.explanation.deciding.rule == "stop.dispute"


def test_a_stop_for_a_while_had_its_end_then_too(bank: Bank) -> None:
    until = NOON + 3 * HOUR
    bank.stop("number", "+84912000001", "dispute", NOON + HOUR, until_us=to_us(until))
    held = bank.why("HD-00001", NOON + 2 * HOUR, NEXT_DAY).explanation.verdict
    assert isinstance(held, Denied)
    assert held.until == until
    assert bank.why("HD-00001", until, NEXT_DAY).allowed


def test_the_stop_of_another_is_not_ours(bank: Bank) -> None:
    bank.stop("number", "+84912000002", "dnc", NOON)
    bank.stop("prefix", "+8498", "dnc", NOON)
    assert bank.why("HD-00001", NOON + HOUR, NEXT_DAY).allowed
    found = bank.store.why.stops_of("+84981234567")
    assert [(one.stop.key_kind, one.stop.kind) for one in found] == [("prefix", "dnc")]


def test_rules_and_documents_are_found_by_what_the_ledger_says(bank: Bank) -> None:
    why = bank.store.why
    entry = why.rules_then(bank.name, to_us(NOON))
    assert entry is not None
    text = why.document(entry.body["rules"])
    assert text == rules_of(bank.site, bank.campaign).text
    assert why.rules_then(bank.name, to_us(NOON - 2 * HOUR)) is None
    assert why.rules_then("over", to_us(NOON)) is None
    assert why.document("0" * 64) is None


def test_nothing_is_claimed_or_written(bank: Bank) -> None:
    bank.call("HD-00001", NOON)
    before = bank.store.status_counts(bank.name)
    for at in (NOON, NOON + HOUR, NEXT_DAY + HOUR):
        bank.why("HD-00001", at, NEXT_DAY)
    bank.plan(NEXT_DAY)
    assert bank.store.status_counts(bank.name) == before
    assert isinstance(bank.eligibility, Eligibility)
    assert isinstance(bank.plan_call("HD-00002", NEXT_DAY), Attempt)
