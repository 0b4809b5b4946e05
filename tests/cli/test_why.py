"""`duecall why`: the rule that decides, the next start, what was known then; by several laws."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from duecall.cli.why_answer import Answer
from duecall.cli.why_view import answer_view, plain_answer
from duecall.core.contact import Contact
from duecall.core.local_day import to_us
from duecall.core.outcome import Outcome
from duecall.core.verdict import Allowed, Denied
from duecall.shell.contact_json import contact_text
from tests.cli.desk import Desk
from tests.cli.explained import Bank, consents, person

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi, a Monday
NIGHT = NOON + timedelta(hours=10)
HOUR = timedelta(hours=1)
PHONE = "+84912000001"
Open = Callable[..., Bank]


@pytest.fixture
def open_bank(tmp_path: Path) -> Iterator[Open]:
    made: list[Bank] = []

    def build(pack: str = "vn", *people: Any, at: datetime = NOON - HOUR, **changes: Any) -> Bank:
        rows = people or [person(n) for n in range(1, 4)]
        made.append(Bank(tmp_path, pack, rows, at, **changes))
        return made[-1]

    yield build
    for bank in made:
        bank.store.close()


def shown(answer: Answer) -> str:
    """What stands on a screen of 80 columns, without colours."""
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(answer_view(answer))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert answer.found.row.contact.phone not in text
    return text


# ---- now


def test_every_rule_is_told_in_the_gates_order(open_bank: Open) -> None:
    bank = open_bank()
    answer = bank.why("HD-00001", NOON, NOON)
    assert (answer.asked, answer.headline) == ("now", "It may be called")
    ids = [finding.rule for finding in answer.explanation.findings]
    every = {rule.id for rule in bank.eligibility.rules.pack.rules()}
    duties = {
        rule.id
        for section in ("retention", "duties", "abandonment")
        for rule in getattr(bank.eligibility.rules.pack, section)
    }
    assert set(ids) == (every - duties) | {"campaign", "review_by", "campaign.calendar"}
    assert ids[0] == "campaign"
    applies = [finding.applies for finding in answer.explanation.findings]
    assert applies == sorted(applies, reverse=True)  # those not about this call stand last
    text = shown(answer)
    assert "A call may start now." in text
    assert all(name in text for name in ids)


def test_the_first_that_denies_decides_and_the_command_agrees_with_the_gate(
    open_bank: Open,
) -> None:
    bank = open_bank()
    bank.call("HD-00001", NIGHT - 2 * HOUR)
    answer = bank.why("HD-00001", NIGHT, NIGHT)
    denying = [finding.rule for finding in answer.explanation.findings if finding.denies]
    assert denying == ["vn.hours", "vn.gap"]
    assert answer.explanation.deciding is not None
    assert answer.explanation.deciding.rule == "vn.hours"
    [found] = bank.store.why.by_contract("HD-00001")
    horizon = bank.eligibility.horizon(NIGHT)
    [known] = bank.store.why.known(found.campaign, [found.row], horizon, to_us(NIGHT))
    assert bank.eligibility.check(found.target(), known, NIGHT) == answer.explanation.verdict
    text = shown(answer)
    assert "Not called: vn.hours: outside calling hours" in text
    assert "A call may start: Tue 2026-11-24 07:00:00 Asia/Ho_Chi_Minh (lender)" in text
    assert "NO >  vn.hours" in text
    assert text.count("NO >") == 1


def test_a_retry_waits_although_the_gate_would_allow(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    at = NOON + 3 * HOUR
    answer = bank.why("HD-00001", at, at)
    assert isinstance(answer.explanation.verdict, Allowed)
    assert answer.headline == "Not called: it waits for its time: retry after no_answer"
    assert answer.opening is not None
    assert answer.opening.start == NOON + 4 * HOUR + timedelta(seconds=30)


def test_where_a_target_is_is_said(open_bank: Open) -> None:
    bank = open_bank()
    made = bank.plan_call("HD-00001", NOON)
    at = NOON + HOUR
    assert bank.why("HD-00001", at, at).headline == "It is in a call now, made by daemon main"
    bank.end(made, Outcome.OPTED_OUT, at, None)
    done = bank.why("HD-00001", at, at)
    assert done.headline == "Not called: the campaign is done with it: opted_out"
    assert done.opening is None
    assert "A call may start" not in shown(done)
    bank.store.due_targets(bank.name, at, 1)
    held = [bank.why(f"HD-{n:05d}", at, at) for n in (2, 3)]
    assert any("claimed by daemon main" in shown(answer) for answer in held)
    bank.store.set_campaign_state(bank.name, "paused")
    paused = next(answer for answer in held if answer.found.state.value == "ready")
    contract = paused.found.row.account.contract_number
    text = shown(bank.why(contract, at, at))
    assert "Not called: the campaign is paused" in text
    assert "A call may start now, once the campaign runs." in text


def test_attempts_used_up_come_before_all_rules(open_bank: Open) -> None:
    bank = open_bank("vn", retry={"max_attempts": 1})
    made = bank.plan_call("HD-00001", NOON)
    bank.end(made, Outcome.NO_ANSWER, NOON, NOON + HOUR)
    answer = bank.why("HD-00001", NOON + HOUR, NOON + HOUR)
    assert answer.headline == "Not called: all 1 attempts used"
    assert "No call may start any more, as things stand." in shown(answer)


SCOPES = [
    ("number", PHONE, "this number in all campaigns"),
    ("prefix", "+8491", "numbers with +8491 in all campaigns"),
    ("contract", "HD-00001", "this contract in all campaigns"),
    ("person", "HD-00001", "this person in all campaigns"),
]


@pytest.mark.parametrize(("what", "value", "scope"), SCOPES)
def test_a_stop_for_a_while_is_told_with_its_end(
    open_bank: Open, what: str, value: str, scope: str
) -> None:
    bank = open_bank()
    until = NIGHT + 24 * HOUR
    bank.stop(what, value, "dispute", NOON, until_us=to_us(until))
    answer = bank.why("HD-00001", NOON + HOUR, NOON + HOUR)
    assert answer.headline == f"Not called: stopped for {scope}: dispute (a letter)"
    assert answer.explanation.deciding is not None
    assert answer.explanation.deciding.rule == "stop.dispute"
    assert answer.opening is not None
    assert answer.opening.start is not None
    local = answer.opening.start.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    assert f"{local:%a %H:%M}" == "Wed 07:00"  # the stop ends at night: then come the hours
    assert PHONE not in shown(answer).replace(value, "")


def test_a_stop_for_ever_leaves_no_start(open_bank: Open) -> None:
    bank = open_bank()
    bank.stop("contract", "HD-00001", "bankrupt", NOON)
    text = shown(bank.why("HD-00001", NOON, NOON))
    assert "stop.bankrupt" in text
    assert "No call may start any more, as things stand." in text
    bank.stop("number", "+84912000002", "dnc", NOON)
    done = bank.why("HD-00002", NOON, NOON)
    assert done.headline == "Not called: the campaign is done with it: dnc"
    assert done.explanation.deciding is not None
    assert done.explanation.deciding.rule == "stop.dnc"


def test_what_only_people_can_mend_has_no_start(open_bank: Open) -> None:
    bank = open_bank("us", person(1, "+12025550101", zone="America/New_York"))
    noon = datetime(2026, 11, 23, 17, 0, tzinfo=timezone.utc)
    answer = bank.why("HD-00001", noon, noon)
    assert answer.explanation.deciding is not None
    assert answer.explanation.deciding.kind == "require"
    assert "No call may start in the next two months, as things stand." in shown(answer)


# ---- clocks


def test_across_the_end_of_summer_time_in_new_york(open_bank: Open) -> None:
    """Asked on Saturday night; on Sunday clocks are put back, and 08:00 is 13:00 UTC."""
    rows = [person(1, "+12025550101", zone="America/New_York", consents=consents("us"))]
    saturday = datetime(2026, 11, 1, 2, 0, tzinfo=timezone.utc)
    bank = open_bank("us", *rows, at=saturday - HOUR, zone="Asia/Ho_Chi_Minh")
    answer = bank.why("HD-00001", saturday, saturday)
    assert answer.opening is not None
    assert answer.opening.start == datetime(2026, 11, 1, 13, 0, tzinfo=timezone.utc)
    text = shown(answer)
    assert "Sun 2026-11-01 08:00:00 America/New_York (callee)" in text
    assert "Sun 2026-11-01 20:00:00 Asia/Ho_Chi_Minh (lender)" in text
    plain = plain_answer(answer)
    assert plain["next_start_local"] == {"America/New_York": "2026-11-01T08:00:00-05:00"}


def test_other_hours_on_a_russian_saturday(open_bank: Open) -> None:
    rows = [person(1, "+79161234567", zone="Europe/Moscow", consents=consents("ru"))]
    friday = datetime(2026, 11, 27, 19, 30, tzinfo=timezone.utc)
    bank = open_bank("ru", *rows, at=friday - HOUR, zone="Europe/Moscow")
    answer = bank.why("HD-00001", friday, friday)
    assert answer.opening is not None
    assert answer.opening.start == datetime(2026, 11, 28, 6, 0, tzinfo=timezone.utc)


def test_a_number_that_tells_no_zone_says_so(open_bank: Open) -> None:
    bank = open_bank("vn", person(1, "+88312345678"))
    answer = bank.why("HD-00001", NOON, NOON)
    assert answer.headline == "Not called: time zone unknown: give the contact a zone"
    text = shown(answer)
    assert "where the callee is, is not known" in text
    assert plain_answer(answer)["zones"] == []


def test_of_a_person_who_was_forgotten_the_decisions_are_left(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    parts = bank.store.parts
    [(person_hash, number)] = parts.database.run(
        "SELECT c.person_hash, c.id FROM contact c JOIN account a ON a.contact_id = c.id"
        " JOIN target t ON t.account_id = a.id WHERE t.tries = 1"
    ).fetchall()
    sealed = parts.vault.seal(contact_text(Contact("", "")), f"contact:{person_hash}")
    with parts.database.writing():
        parts.database.run("UPDATE contact SET sealed = ? WHERE id = ?", (sealed, number))
    answer = bank.why("HD-00001", NOON, NOON + 24 * HOUR, minute=True)
    assert answer.headline == "It was called, and the gate says so again"
    plain = plain_answer(answer)
    assert (plain["phone"], plain["zones"]) == ("…", ["Asia/Ho_Chi_Minh"])


def test_a_number_of_two_zones_shows_both_clocks(open_bank: Open) -> None:
    rows = [person(1, "+18505550101", consents=consents("us"))]  # Florida, its west
    noon = datetime(2026, 11, 23, 17, 0, tzinfo=timezone.utc)
    bank = open_bank("us", *rows, at=noon - HOUR, zone="America/New_York")
    answer = bank.why("HD-00001", noon, noon)
    assert len(answer.zones) >= 2
    assert shown(answer).count("(callee)") >= 1


# ---- other moments


def test_the_future_is_judged_as_known_today(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    answer = bank.why("HD-00001", NIGHT, NOON + HOUR)
    assert answer.asked == "future"
    assert answer.explanation.deciding is not None
    assert answer.explanation.deciding.rule == "vn.hours"
    later = bank.why("HD-00001", NOON + 20 * HOUR, NOON + HOUR)
    assert later.headline == "It may be called"
    assert "A call may start then." in shown(later)


def test_the_past_is_told_from_the_ledger(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    text = shown(bank.why("HD-00001", NOON, NOON + 24 * HOUR, minute=True))
    assert "It was called, and the gate says so again" in text
    assert "> 2026-11-23 12:00:00  call" in text
    assert "zones Asia/Ho_Chi_Minh; consents none" in " ".join(text.split())
    assert "2026-11-23 12:00:30  ended" in text


def test_after_its_end_nothing_was_due_in_the_past_either(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    waiting = bank.why("HD-00001", NOON + HOUR, NOON + 24 * HOUR)
    assert waiting.headline == "Not to be called: it waited for its time: retry after no_answer"
    due = bank.why("HD-00001", NOON + 5 * HOUR, NOON + 24 * HOUR)
    assert due.headline == "It might have been called"
    made = bank.plan_call("HD-00001", NOON + 5 * HOUR)
    bank.end(made, Outcome.TRANSFERRED, NOON + 6 * HOUR, None)
    done = bank.why("HD-00001", NOON + 7 * HOUR, NOON + 24 * HOUR)
    assert done.headline == "Not to be called: the campaign was done with it: transferred"


def test_a_stop_that_was_lifted_since_is_told_of_the_past(open_bank: Open) -> None:
    bank = open_bank()
    bank.stop("contract", "HD-00001", "dispute", NOON)
    bank.lift("contract", "HD-00001", NOON + 2 * HOUR)
    answer = bank.why("HD-00001", NOON + HOUR, NOON + 24 * HOUR)
    text = " ".join(shown(answer).split())
    assert answer.headline.startswith("Not to be called: stopped for this contract")
    assert "dispute, for this contract in all campaigns: entered (a letter)" in text
    assert "dispute, for this contract in all campaigns: lifted (a judge)" in text


def test_a_call_that_the_gate_would_not_have_allowed_stands_out(open_bank: Open) -> None:
    """As after a fault: the gate of the daemon was another than that of the rules."""
    bank = open_bank()
    bank.eligibility.check = lambda *_: Allowed()  # type: ignore[method-assign]
    bank.call("HD-00001", NIGHT)
    answer = bank.why("HD-00001", NIGHT, NIGHT + 24 * HOUR, minute=True)
    assert answer.headline == (
        "It was called. Asked again, the gate says otherwise: "
        "Not to be called: vn.hours: outside calling hours"
    )


KEYS = [
    *("campaign", "campaign_state", "contract", "phone", "zones", "lender_zone"),
    *("state", "due", "held_by", "state_reason", "rank", "tries", "counted", "max_attempts"),
    *("asked", "at", "answer", "allowed", "rule", "reason", "until"),
    *("next_start", "next_start_local", "pack", "rules", "findings", "then"),
]


def test_the_shape_for_scripts(open_bank: Open) -> None:
    bank = open_bank()
    bank.call("HD-00001", NOON)
    now = plain_answer(bank.why("HD-00001", NIGHT, NIGHT))
    past = plain_answer(bank.why("HD-00001", NOON, NIGHT))
    assert list(now) == KEYS == list(past)
    assert json.loads(json.dumps(now)) == now
    assert (now["rule"], now["allowed"], now["next_start"]) == (
        "vn.hours",
        False,
        "2026-11-24T00:00:00+00:00",
    )
    assert (now["asked"], now["then"], past["asked"]) == ("now", None, "past")
    fields = ["rule", "kind", "level", "applies", "denies", "reason", "until", "values"]
    assert {tuple(one) for one in (*now["findings"], *past["findings"])} == {tuple(fields)}
    gap = next(one for one in past["findings"] if one["rule"] == "vn.gap")
    assert gap["values"] == {"by": "contact", "used": "0", "of": "1"}
    assert [entry["kind"] for entry in past["then"]["entries"]] == ["call", "ended"]
    assert PHONE not in json.dumps([now, past])
    assert isinstance(bank.why("HD-00001", NIGHT, NIGHT).explanation.verdict, Denied)


# ---- the command


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk where a bank without a country's law is at work."""
    desk = Desk(tmp_path_factory.mktemp("counter"))
    desk.config.write_text(desk.config.read_text() + "lender: bank\n")
    (desk.folder / "var").mkdir()
    rules = {"pack": "none", "pack_reason": "a test of the command"}
    people = [person(n) for n in (1, 2)]
    bank = Bank(desk.folder / "var", "none", people, NOON, country="VN", rules=rules)
    other = {**bank.campaign.model_dump(mode="json", by_alias=True), "name": "again"}
    bank.take_up(other, NOON)
    bank.store.import_rows("again", people[:1])
    bank.store.rank("again")
    bank.stop("number", "+84912000009", "dnc", NOON)
    bank.store.close()
    return desk


def test_a_contract_or_its_number_however_it_is_written(counter: Desk) -> None:
    contract, number, national, one = counter.run_all(
        [
            ("why", "HD-00001", "--json"),
            ("why", PHONE, "--json"),
            ("why", "0912 000 001", "--json"),
            ("why", "HD-00001", "--campaign", "again", "--json"),
        ]
    )
    told = json.loads(contract.good)["targets"]
    assert [one["campaign"] for one in told] == ["again", "overdue"]
    for other in (number, national):
        again = json.loads(other.good)["targets"]
        assert [(a["campaign"], a["contract"]) for a in again] == [
            (a["campaign"], a["contract"]) for a in told
        ]
    assert [a["campaign"] for a in json.loads(one.good)["targets"]] == ["again"]
    assert {a["answer"] for a in told} == {"It may be called", "Not called: the campaign is loaded"}


def test_who_is_not_known_is_told_what_to_do(counter: Desk) -> None:
    stranger, number, satellite, campaign, when, elsewhere = counter.run_all(
        [
            ("why", "HD-77777"),
            ("why", "+84912000077"),
            ("why", "+881631234567"),
            ("why", "HD-00001", "--campaign", "nothing"),
            ("why", "HD-00001", "--at", "soon"),
            ("why", "HD-00002", "--campaign", "again"),
        ]
    )
    assert "no time zone is known for such a number; give its contact a `zone`" in satellite.error
    assert stranger.error.startswith("HD-77777 is neither a number nor a contract of any campaign")
    assert number.error.startswith("+84…077 is neither")
    assert "duecall import" in number.error
    assert campaign.error == ("campaign nothing is not in the database; there are: again, overdue")
    assert when.error.startswith("--at 'soon': not a moment; write 2026-11-22 10:15")
    assert "of campaign again" in elsewhere.error


def test_a_number_that_is_only_on_the_stop_list(counter: Desk) -> None:
    text, plain, ours = counter.run_all(
        [
            ("why", "+84912000009"),
            ("why", "0912000009", "--json"),
            ("why", "HD-00001"),
        ]
    )
    assert "+84…009 is in no target of any campaign, and on the stop list:" in text.good
    assert "dnc, for this number in all campaigns; since 2026-11-23 05:00Z (a letter)" in text.good
    told = json.loads(plain.good)
    assert told["targets"] == []
    assert [(stop["kind"], stop["phone"]) for stop in told["stops"]] == [("dnc", "+84…009")]
    assert "+8491" not in text.good + plain.good + ours.good
    assert max(map(len, ours.good.splitlines())) <= 80
