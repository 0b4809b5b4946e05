"""`duecall forget`: erased is what the law allows, kept what it demands; nobody is called again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duecall.core import commands as c
from duecall.core.attempt import recording_name
from duecall.core.contact import Contact
from duecall.core.keeping import Keeping
from duecall.core.outcome import Outcome
from duecall.core.rule_pack import RetentionRule
from duecall.shell.call_files import CallFiles
from duecall.shell.person_erasing import Eraser, ForgetPlan, PersonBusy, kept_counts
from duecall.shell.person_export import PersonExport
from duecall.shell.person_store import NoSuchPerson, Person, PersonStore
from duecall.shell.stop_files import write_stops
from fs_scripts.contract import Brief, KeyPress, Result
from tests.shell.store_world import (
    NAME,
    NOON,
    Row,
    attempt,
    campaign,
    loaded,
    open_store,
    outcome,
    row,
    save,
)

ROOT = Path(__file__).parents[2]
LATER = NOON + timedelta(days=1)
pytestmark = pytest.mark.usefixtures("database")


def rule(what: str, years: int, level: str = "law", **more: Any) -> RetentionRule:
    return RetentionRule.model_validate(
        {
            "id": f"test.keep-{what}",
            "what": what,
            "years": years,
            "level": level,
            "source": "a test",
            "certainty": "high",
            "valid_from": date(2000, 1, 1),
            **more,
        }
    )


def keeping(*rules: RetentionRule) -> dict[str, Keeping | None]:
    return {NAME: Keeping(rules, "collection", "Asia/Ho_Chi_Minh", "digest")}


def person_row(n: int, customer: str = "", **changes: Any) -> Row:
    made = row(n, **changes)
    return Row(replace(made.contact, customer_id=customer), made.account)


class World:
    """A store with a campaign, and the folders of recordings and call records."""

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        self.folder = folder
        self.store = loaded(folder, 0)
        self.store.import_rows(NAME, rows)
        self.store.rank(NAME)
        self.files = CallFiles(folder / "recordings", folder / "cdr")

    def call(self, contract: str, at: datetime = NOON, settled: bool = True) -> str:
        """One recorded call; the attempt's id."""
        found = []
        while some := self.store.due_targets(NAME, at, 50):
            found += some
        (target,) = [one for one in found if one.account.contract_number == contract]
        planned = attempt(target, at)
        self.store.apply([save(target, at)])
        self.store.recover()
        if settled:
            said = Result(planned.id, "hangup", keys=(KeyPress("1", 900, "message"),))
            name = recording_name(planned)
            self.store.apply(
                [
                    outcome(
                        planned,
                        Outcome.PROMISED,
                        next_due=at + timedelta(hours=1),
                        at=at,
                        said=said,
                        recording=name,
                        promised_for=at.date(),
                    )
                ]
            )
            path = self.folder / "recordings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF" + planned.id.encode())
            record = self.folder / "cdr" / "settled" / at.date().isoformat()
            record.mkdir(parents=True, exist_ok=True)
            (record / f"{planned.id}.cdr.json").write_text("{}")
        return planned.id

    def person(self, who: str) -> Person:
        return PersonStore(self.store.parts).find(who)

    def eraser(
        self, rules: Mapping[str, Keeping | None] | None = None, now: datetime = LATER
    ) -> Eraser:
        chosen = keeping() if rules is None else rules
        return Eraser(self.store.parts, self.files, chosen, now)

    def plan(self, who: str, **options: Any) -> ForgetPlan:
        return self.eraser(**options).plan(self.person(who))

    def forget(self, who: str, **options: Any) -> Any:
        eraser = self.eraser(**options)
        return eraser.forget(eraser.plan(self.person(who)), "a letter")

    def everything(self) -> str:
        """All that is in the database, opened where it is sealed."""
        parts = self.store.parts
        told = [PersonExport(parts).of(PersonStore(parts).person(key)) for key in self.keys()]
        for table in ("target", "attempt", "stop", "ledger", "promise", "news"):
            told.append([list(map(str, r)) for r in parts.database.run(f"SELECT * FROM {table}")])
        told.append([stop.clear for stop in parts.stops.all()])
        return json.dumps(told, ensure_ascii=False, default=str)

    def keys(self) -> list[str]:
        rows = self.store.parts.database.run("SELECT DISTINCT contact_key FROM contact").fetchall()
        return [key for (key,) in rows]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        sql = "SELECT body FROM ledger WHERE kind = ? ORDER BY chain, seq"
        rows = self.store.parts.database.run(sql, (kind,)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def states(self) -> dict[str, tuple[str, str]]:
        """contract's hash -> (state, reason)."""
        sql = """SELECT a.contract_hash, t.state, t.reason FROM target t
            JOIN account a ON a.id = t.account_id"""
        rows = self.store.parts.database.run(sql).fetchall()
        return {contract: (state, reason) for contract, state, reason in rows}

    def state_of(self, contract: str) -> tuple[str, str]:
        return self.states()[self.store.parts.vault.keyed_hash("contract", contract)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """HD-1 and HD-2 are one customer with two numbers; 3 stands alone; 4 and 5 share a number."""
    shared = "+84977777777"
    return World(
        tmp_path,
        [
            person_row(1, "C-1", contract="HD-1", name="Trần Thị Một"),
            person_row(2, "C-1", contract="HD-2", name="Trần Thị Một"),
            person_row(3, contract="HD-3", name="Lê Văn Ba"),
            person_row(4, contract="HD-4", name="Phạm Bốn", phone=shared),
            person_row(5, contract="HD-5", name="Phạm Năm", phone=shared),
        ],
    )


# ---- who is meant


@pytest.mark.parametrize("who", ["HD-1", "HD-2", "C-1", "+84900000001", " +84 900-000-002 "])
def test_a_person_is_found_by_contract_number_and_customer_id(world: World, who: str) -> None:
    person = world.person(who)
    assert [one.contact.name for one in person.contacts if one.contact] == ["Trần Thị Một"] * 2
    assert [a.data["contract_number"] for a in person.accounts if a.data] == ["HD-1", "HD-2"]


def test_a_number_of_two_persons_is_refused_with_their_contracts(world: World) -> None:
    with pytest.raises(NoSuchPerson, match=r"2 persons.*HD-[45], HD-[45]"):
        world.person("+84977777777")
    assert len(world.person("HD-4").accounts) == 1


@pytest.mark.parametrize("who", ["HD-9", "+84911111111", "", "+1", "'; DROP TABLE contact"])
def test_nobody_is_told_so_and_numbers_are_masked(world: World, who: str) -> None:
    with pytest.raises(NoSuchPerson) as caught:
        world.person(who)
    assert "+84911111111" not in str(caught.value)


def test_a_person_is_found_by_a_number_that_was_theirs(world: World) -> None:
    world.call("HD-3")
    world.store.import_rows(NAME, [person_row(3, contract="HD-3", phone="+84955555555")])
    assert world.person("+84900000003").account_ids == world.person("HD-3").account_ids


# ---- what is erased


def test_nothing_that_tells_who_they_are_is_left(world: World) -> None:
    attempts = [world.call("HD-1"), world.call("HD-2")]
    world.store.stop_number("+84900000001", "dnc", "a letter", NOON)
    before = world.everything()
    secrets = ("Trần Thị Một", "+84900000001", "+84900000002", "HD-1", "C-1", "4000000000000001",
               "city 1")  # fmt: skip
    assert all(secret in before for secret in secrets)
    done = world.forget("C-1")
    after = world.everything()
    assert [secret for secret in secrets if secret in after] == []
    assert done.counts == {
        "contacts": 2, "accounts": 2, "numbers": 2, "recordings": 2, "records": 2,
        "sounds": 0, "stops": 1, "targets": 1,
    }  # fmt: skip
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith(tuple(attempts))]
    assert "Lê Văn Ba" in after and "+84977777777" in after  # nobody else is touched


def test_times_outcomes_keys_and_promises_stay_without_a_name(world: World) -> None:
    world.call("HD-3")
    counts = world.store.status_counts(NAME)
    world.forget("HD-3")
    (record,) = world.store.attempts(NAME, unseal=True)
    assert (record.outcome, record.promised, record.keys[0].key) == (Outcome.PROMISED, True, "1")
    assert (record.name, record.phone, record.contract, record.recording) == ("", "", "", "")
    assert record.sent_at is None and record.saved_at == NOON
    after = world.store.status_counts(NAME)
    assert (after.attempts, after.outcomes, after.promises) == (
        counts.attempts, counts.outcomes, counts.promises,
    )  # fmt: skip
    assert sum(after.targets.values()) == sum(counts.targets.values())


def test_the_ledger_says_what_was_done_without_saying_to_whom(world: World) -> None:
    world.call("HD-1")
    key = world.person("HD-1").key
    world.forget("HD-1", rules=keeping(rule("recording", 3)))
    (entry,) = world.entries("person")
    assert entry == {
        "did": "forgot",
        "contact": key,
        "reason": "a letter",
        "erased": {"contacts": 2, "accounts": 2, "numbers": 1, "recordings": 0, "records": 1,
                   "sounds": 0, "stops": 0, "targets": 2},
        "kept": {"attempts": 1, "numbers": 0, "recordings": 1, "until": "2029-11-23",
                 "rules": ["test.keep-recording"]},
    }  # fmt: skip


# ---- never called again


def test_they_are_never_called_again(world: World) -> None:
    world.forget("C-1")
    assert world.state_of("HD-1") == world.state_of("HD-2") == ("done", "forgotten")
    due = world.store.due_targets(NAME, LATER, 50)
    assert {one.account.contract_number for one in due} == {"HD-3", "HD-4", "HD-5"}
    kinds = sorted((stop.stop.key_kind, stop.stop.kind) for stop in world.store.parts.stops.all())
    assert kinds == [("contact", "forgotten"), ("number", "forgotten"), ("number", "forgotten")]
    # A second campaign with the same file does not call them either.
    world.store.put_campaign(campaign(name="second"), "name: second\n")
    rows = [person_row(n, "C-1", contract=f"HD-{n}", name="Trần Thị Một") for n in (1, 2)]
    world.store.import_rows("second", rows)
    world.store.rank("second")
    targets = world.store.due_targets("second", LATER, 50)
    refused = world.store.save_attempts([attempt(one, LATER) for one in targets])
    assert not [reason for reason in refused.values() if reason is None]


def test_what_a_daemon_has_claimed_cannot_be_saved_any_more(world: World) -> None:
    claimed = world.store.due_targets(NAME, NOON, 50)
    before = world.store.news_seq()
    forgetting = open_store(world.folder, daemon="cli")
    eraser = Eraser(forgetting.parts, world.files, keeping(), LATER)
    eraser.forget(eraser.plan(PersonStore(forgetting.parts).find("C-1")), "")
    refused = world.store.save_attempts([attempt(one, NOON) for one in claimed])
    told = {one.account.contract_number: refused[attempt(one, NOON).id] is None for one in claimed}
    assert told["HD-1"] is told["HD-2"] is False and told["HD-3"] is True
    news = world.store.news(before)
    assert set(news.numbers) == {one.phone_hash for one in claimed[:5]
                                 if one.account.contract_number in ("HD-1", "HD-2")}  # fmt: skip


def test_who_shares_the_number_is_called_on(world: World) -> None:
    done = world.forget("HD-4")
    assert done.targets == 1
    assert world.state_of("HD-5")[0] == "ready"
    due = {one.account.contract_number: one for one in world.store.due_targets(NAME, LATER, 50)}
    assert "HD-4" not in due
    assert list(world.store.save_attempts([attempt(due["HD-5"], LATER)]).values()) == [None]


def test_a_target_that_only_the_campaign_kept_back_stays_done(world: World) -> None:
    (target,) = [one for one in world.store.due_targets(NAME, NOON, 50)
                 if one.account.contract_number == "HD-3"]  # fmt: skip
    world.store.apply([c.DeferTarget(target.as_target(Brief("", ())), None, "not selected: dpd")])
    world.forget("HD-3")
    assert world.state_of("HD-3") == ("done", "forgotten")
    assert world.store.kept_back(NAME) == []
    assert world.store.status_counts(NAME).done.get("forgotten") == 1


def test_while_a_call_goes_on_nothing_is_erased_but_no_other_is_made(world: World) -> None:
    attempt_id = world.call("HD-1", settled=False)
    with pytest.raises(PersonBusy, match="No other one"):
        world.forget("HD-1")
    assert "Trần Thị Một" in world.everything()
    assert world.state_of("HD-2") == ("done", "forgotten")
    (open_one,) = [one for one, _ in world.store.recover() if one.id == attempt_id]
    assert open_one.target.contact.phone == "+84900000001"
    world.store.apply([outcome(open_one, next_due=LATER)])
    world.forget("HD-1")
    assert "Trần Thị Một" not in world.everything()
    assert world.state_of("HD-1") == ("done", "forgotten")


# ---- what a law keeps


def test_what_a_law_keeps_is_kept_and_named_until_its_day(world: World) -> None:
    attempt_id = world.call("HD-3")
    rules = keeping(rule("recording", 3), rule("log", 5))
    plan = world.plan("HD-3", rules=rules)
    assert kept_counts(plan) == {
        "attempts": 1, "numbers": 1, "recordings": 1, "until": "2031-11-23",
        "rules": ["test.keep-log", "test.keep-recording"],
    }  # fmt: skip
    world.forget("HD-3", rules=rules)
    (record,) = world.store.attempts(NAME, unseal=True)
    assert record.phone == "+84900000003" and record.name == ""
    assert world.files.recording(record.recording).exists()
    assert len(list(world.folder.rglob(f"{attempt_id}.cdr.json"))) == 1
    # On the last day it is still there, on the next it goes.
    for days, there in ((0, True), (1, False)):
        now = datetime(2029, 11, 23, 9, tzinfo=NOON.tzinfo) + timedelta(days=days)
        world.forget("HD-3", rules=rules, now=now)
        assert bool(list(world.folder.rglob("*.wav"))) is there
    world.forget("HD-3", rules=rules, now=datetime(2031, 11, 24, 9, tzinfo=NOON.tzinfo))
    assert next(iter(world.store.attempts(NAME, unseal=True))).phone == ""
    assert not list(world.folder.rglob("*.cdr.json"))


@pytest.mark.parametrize("level", ["presumption", "standard", "policy"])
def test_only_a_law_keeps_anything_from_who_asks(world: World, level: str) -> None:
    world.call("HD-3")
    rules = keeping(rule("recording", 30, level), rule("log", 50, level))
    assert kept_counts(world.plan("HD-3", rules=rules))["until"] is None


def test_where_the_rules_are_not_known_all_of_the_call_is_kept(world: World) -> None:
    world.call("HD-3")
    world.forget("HD-3", rules={NAME: None})
    (record,) = world.store.attempts(NAME, unseal=True)
    assert record.phone and record.recording and record.name == ""
    assert world.entries("person")[0]["kept"]["rules"] == ["its rules are not known"]


def test_a_rule_that_had_ended_before_the_call_keeps_nothing(world: World) -> None:
    world.call("HD-3")
    ended = rule("recording", 30, valid_to=date(2026, 11, 22))
    coming = rule("recording", 30, valid_from=date(2027, 1, 1))
    for old in (ended, coming):
        assert kept_counts(world.plan("HD-3", rules=keeping(old)))["recordings"] == 0


# ---- again, and cut off


def test_twice_is_as_good_as_once(world: World) -> None:
    world.call("HD-3")
    world.forget("HD-3")
    before = world.everything().replace(" ", "")
    again = world.forget("HD-3")
    assert not any(again.counts.values())
    assert len(world.entries("person")) == 1
    assert len(world.everything().replace(" ", "")) == len(before)


def test_a_missing_recording_is_no_reason_to_keep_its_name(world: World) -> None:
    world.call("HD-3")
    for path in world.folder.rglob("*.wav"):
        path.unlink()
    done = world.forget("HD-3")
    if world.store.shared:  # it may lie on the machine of another daemon
        assert len(done.elsewhere) == 1
    else:
        assert done.elsewhere == []
        assert next(iter(world.store.attempts(NAME))).recording == ""


def test_a_name_of_a_recording_does_not_lead_out_of_the_folder(world: World) -> None:
    for name in ("../duecall.db", "/etc/passwd", "2026/../../x.wav", ""):
        with pytest.raises(ValueError, match="no name of a recording"):
            world.files.recording(name)


def test_a_file_that_cannot_be_removed_stops_it_before_anything_is_erased(world: World) -> None:
    world.call("HD-3")
    (path,) = world.folder.rglob("*.wav")
    path.unlink()
    path.mkdir()  # unlink of a folder fails for root, too
    with pytest.raises(OSError):
        world.forget("HD-3")
    assert "Lê Văn Ba" in world.everything()
    path.rmdir()
    path.write_bytes(b"RIFF")
    world.forget("HD-3")
    assert "Lê Văn Ba" not in world.everything() and not path.exists()


FORGETTER = """
import sys
from pathlib import Path
from tests.shell.store_world import open_store
from tests.shell.test_person_erasing import LATER, keeping
from duecall.shell.call_files import CallFiles
from duecall.shell.person_erasing import Eraser
from duecall.shell.person_store import PersonStore

folder = Path(sys.argv[1])
store = open_store(folder, daemon="cli")
eraser = Eraser(store.parts, CallFiles(folder / "recordings", folder / "cdr"), keeping(), LATER)
print("ready", flush=True)
for n in range(1, 41):
    eraser.forget(eraser.plan(PersonStore(store.parts).find(f"P-{n}")), "")
    print(f"P-{n}", flush=True)
"""


@pytest.mark.parametrize("told", [1, 7, 20])
def test_killed_in_the_middle_what_was_told_is_done_and_the_rest_is_whole(
    tmp_path: Path, told: int
) -> None:
    world = World(
        tmp_path, [person_row(n, contract=f"P-{n}", name=f"Name{n}X") for n in range(1, 41)]
    )
    claimed = world.store.due_targets(NAME, NOON, 50)
    world.store.apply([save(one) for one in claimed])
    plans = [attempt(one) for one in claimed]
    world.store.apply(
        [outcome(plan, next_due=LATER, recording=recording_name(plan)) for plan in plans]
    )
    for plan in plans:
        path = world.files.recording(recording_name(plan))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    child = subprocess.Popen(
        [sys.executable, "-c", FORGETTER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    done = {child.stdout.readline().strip() for _ in range(told)}
    os.kill(child.pid, signal.SIGKILL)
    done |= {line for line in child.stdout.read().split("\n") if line}
    child.wait()
    child.stdout.close()
    told_now = world.everything()
    for n in range(1, 41):
        assert (f"Name{n}X" not in told_now) or f"P-{n}" not in done
    counts = world.store.status_counts(NAME)
    assert counts.attempts == 40 and sum(counts.targets.values()) == 40
    for n in range(1, 41):  # said again, it goes on
        world.forget(f"P-{n}")
    assert "Name" not in world.everything()
    assert not list(tmp_path.rglob("*.wav"))
    assert world.store.status_counts(NAME).targets == {"done": 40}
    assert len(world.entries("person")) == 40


def test_a_forgotten_contact_reads_as_one_without_a_name(world: World) -> None:
    world.forget("HD-3")
    (entry,) = world.person("HD-3").contacts
    assert entry.contact == Contact(name="", phone="")


def test_in_the_stop_list_they_stand_without_a_name(world: World) -> None:
    world.store.stop_number("+84977777777", "dnc", "a letter", NOON)
    world.forget("C-1")
    stops = list(world.store.parts.stops.all())
    assert [stop.clear for stop in stops] == ["+84977777777", *["(erased)"] * 3]
    out = io.StringIO()
    assert list(write_stops(out, stops)) == [1]
    assert len(out.getvalue().splitlines()) == 2 and "+84977777777" in out.getvalue()
