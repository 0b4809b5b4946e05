"""Attempts in a real file: one live call a number, settled once, stopped numbers never called."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from peewee import IntegrityError

from duecall.core.attempt import Past, Stage
from duecall.core.commands import DeferTarget, LoadTargets, SaveStage
from duecall.core.gate_types import EMPTY
from duecall.core.outcome import Outcome
from duecall.shell import attempt_store as reasons
from duecall.shell.store import Store, StoreError
from duecall.shell.vault import Vault, new_key_text
from fs_scripts.contract import OPT_OUT, Brief, KeyPress, Result
from tests.postgres_server import PostgresServer
from tests.shell.store_world import (
    NAME,
    NOON,
    attempt,
    campaign,
    loaded,
    open_store,
    outcome,
    row,
    save,
    url_of,
)

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)
CLOCK_OF_FILES_S = 1.0  # the kernel stamps files with a coarser clock


def test_what_is_loaded_is_what_was_imported(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    found = {t.account.contract_number: t for t in store.due_targets(NAME, NOON, 10)}
    assert len(found) == 3
    for n in (1, 2, 3):
        want, got = row(n), found[f"HD-{n:07d}"]
        assert got.contact == want.contact
        assert got.account == want.account
        assert got.past == Past()
        assert (got.lender, got.campaign) == ("bank", NAME)
    assert store.due_targets(NAME, NOON, 10) == []  # held by us


def test_saved_attempt_is_open_until_it_is_settled(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    assert store.save_attempts([planned]) == {planned.id: None}
    store.apply([SaveStage(planned.id, Stage.SENT, NOON)])
    store.apply([SaveStage(planned.id, Stage.ANSWERED, NOON + HOUR)])
    store.apply([SaveStage(planned.id, Stage.RINGING, NOON)])  # late: does not move it back
    store.close()

    store = open_store(tmp_path)
    ((found, stage),) = store.recover()
    assert stage is Stage.ANSWERED
    as_planned = replace(planned.target, brief=Brief(planned.id, ()), known=EMPTY)
    assert found == replace(planned, target=as_planned)
    store.apply([outcome(found, Outcome.UNKNOWN)])
    assert store.recover() == []


def test_law_l1_one_live_attempt_a_number(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put_campaign(campaign(), "x")
    same = "+84900000001"
    store.import_rows(NAME, [row(1, phone=same), row(2, phone=same, name="Another")])
    store.rank(NAME)
    first, second = (attempt(t) for t in store.due_targets(NAME, NOON, 10))
    answers = store.save_attempts([first, second])
    assert answers == {first.id: None, second.id: reasons.NUMBER_LIVE}
    store.apply([outcome(first)])
    assert store.save_attempts([second]) == {second.id: None}


def test_law_l1_is_kept_by_the_database_itself(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    store.save_attempts([attempt(target)])
    database = store._database  # past all code of ours
    where = " WHERE id <> 'other'"
    copy = """INSERT INTO attempt (id, lender_id, target_id, campaign_id, phone_hash, sealed,
        number, daemon, trunk, stage, saved_at) SELECT 'other', lender_id, target_id, campaign_id,
        phone_hash, sealed, number, daemon, trunk, stage, saved_at FROM attempt"""
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        database.run(copy)
    database.run("UPDATE attempt SET settled_at = 1, outcome = 'busy'")
    database.run(copy + where)  # no longer live: allowed


def test_the_same_attempt_is_never_saved_twice(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    store.save_attempts([planned])
    assert store.save_attempts([planned]) == {planned.id: reasons.SAVED_BEFORE}
    store.apply([outcome(planned, next_due=NOON)])
    store.due_targets(NAME, NOON, 1)
    assert store.save_attempts([planned]) == {planned.id: reasons.SAVED_BEFORE}
    assert store.status_counts(NAME).attempts == 1


def test_settling_twice_changes_nothing(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    store.save_attempts([planned])
    first = outcome(planned, Outcome.BUSY, next_due=NOON + HOUR)
    second = outcome(planned, Outcome.OPTED_OUT, at=NOON + HOUR)
    done = store.apply([first, second])
    assert (done.settled, done.repeated) == ([planned.id], [planned.id])
    assert store.apply([second]).repeated == [planned.id]
    assert not store.is_suppressed(target.phone_hash)
    (record,) = store.attempts(NAME)
    assert (record.outcome, record.settled_at) == (Outcome.BUSY, NOON)
    (again,) = store.due_targets(NAME, NOON + HOUR, 1)
    assert again.past == Past(1, 1, {Outcome.BUSY: 1}, NOON)


def test_outcome_of_an_attempt_never_saved_is_counted_and_harmless(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    assert store.apply([outcome(planned)]).repeated == [planned.id]
    assert store.status_counts(NAME).outcomes == {}


def test_faults_of_the_trunk_do_not_count_against_the_callee(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    for n in (1, 2):
        (target,) = store.due_targets(NAME, NOON, 1)
        planned = attempt(target)
        assert planned.number == n
        store.apply([save(target), outcome(planned, Outcome.CONGESTION, next_due=NOON)])
    (target,) = store.due_targets(NAME, NOON, 1)
    assert target.past == Past(2, 0, {Outcome.CONGESTION: 2}, NOON)


def test_opt_out_stops_the_number_everywhere_in_the_same_commit(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    phone = "+84900000001"
    for name in (NAME, "survey"):
        store.put_campaign(campaign(name=name), "x")
        store.import_rows(name, [row(1, phone=phone), row(2, phone=phone), row(3)])
        store.rank(name)
    mine = [t for t in store.due_targets(NAME, NOON, 9) if t.contact.phone == phone]
    planned, held = attempt(mine[0]), attempt(mine[1])
    said = Result(planned.id, "key", OPT_OUT, (KeyPress("9", 1200, "message"),))
    done = store.apply([save(mine[0]), outcome(planned, Outcome.OPTED_OUT, said=said)])
    assert done.stopped_numbers == [mine[0].phone_hash]
    assert store.is_suppressed(mine[0].phone_hash)
    assert store.apply([save(mine[1])]).refused == [(held.id, reasons.NUMBER_STOPPED, True)]
    assert [t.contact.phone for t in store.due_targets("survey", NOON, 9)] == [row(3).contact.phone]
    (stopped,) = store.stopped_numbers()
    assert (stopped.phone, stopped.reason, stopped.source) == (phone, "opted_out", planned.id)
    # Nor does a later list bring it back.
    store.import_rows(NAME, [row(4, phone=phone)])
    store.rank(NAME)
    assert store.due_targets(NAME, NOON, 9) == []
    assert store.status_counts(NAME).done[reasons.NUMBER_STOPPED] == 1


def test_operator_stops_a_number_once_and_again(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    phone = row(1).contact.phone
    phone_hash = store.stop_number(phone, "dnc", "operator", NOON)
    assert store.stop_number(phone, "opt_out", "somebody else", NOON + HOUR) == phone_hash
    (stopped,) = store.stopped_numbers()
    assert (stopped.reason, stopped.at) == ("dnc", NOON)  # the first word stands
    assert [t.contact.phone for t in store.due_targets(NAME, NOON, 9)] == [row(2).contact.phone]


def test_promise_is_written_with_its_day(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    day = date(2026, 11, 30)
    store.apply([save(target), outcome(planned, Outcome.PROMISED, promised_for=day)])
    (record,) = store.attempts(NAME)
    assert (record.promised, record.promised_for) == (True, day)
    assert store.status_counts(NAME).promises == 1


def test_result_of_the_dialogue_comes_back_as_it_was(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    keys = (KeyPress("5", 100, "message", False), KeyPress("1", 900, "q1"))
    said = Result(planned.id, "completed", "", keys, {"q1": "yes"}, 7000, 8000, 9500)
    store.apply([save(target), outcome(planned, Outcome.SURVEYED, said=said, recording="a.wav")])
    (record,) = store.attempts(NAME, unseal=True)
    assert (record.keys, record.answers) == (keys, {"q1": "yes"})
    assert (record.heard_ms, record.message_ms, record.talk_ms) == (7000, 8000, 9500)
    assert record.recording == "a.wav"
    assert (record.contract, record.name, record.phone) == (
        target.account.contract_number,
        target.contact.name,
        target.contact.phone,
    )
    (bare,) = store.attempts(NAME)
    assert (bare.contract, bare.name, bare.phone) == ("", "", "")


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    one, two = store.due_targets(NAME, NOON, 2)
    with pytest.raises(StoreError, match="campaign nowhere"):
        store.apply([save(one), LoadTargets("nowhere", 1), save(two)])
    assert store.status_counts(NAME).attempts == 0
    assert store.recover() == []
    # They were given back by `recover`: who would call one must claim it first.
    refused = store.apply([save(one), save(two)]).refused
    assert [reason for _, reason, _ in refused] == [reasons.NOT_HELD] * 2
    assert len(store.due_targets(NAME, NOON, 2)) == 2
    assert len(store.apply([save(one), save(two)]).saved) == 2


def test_changed_number_is_not_called_by_an_old_hopper(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    store.import_rows(NAME, [row(1, phone="+84911111111")])
    planned = attempt(target)
    assert store.save_attempts([planned]) == {planned.id: reasons.NUMBER_CHANGED}
    store.apply([DeferTarget(planned.target, NOON, "number changed")])
    (target,) = store.due_targets(NAME, NOON, 1)
    assert target.contact.phone == "+84911111111"


def bytes_since(began: float, folder: Path, server: PostgresServer | None) -> bytes:
    """Of all files that the database has written since: a server has those of other tests, too."""
    if server is None:
        files = [path for path in folder.iterdir() if path.name != "duecall.key"]
    else:
        server.sql("CHECKPOINT")
        files = [path for path in server.folder.rglob("*") if path.is_file()]
    found = []
    for path in files:
        with suppress(FileNotFoundError):  # a server takes some of its own away at any time
            if path.stat().st_mtime >= began - CLOCK_OF_FILES_S:
                found.append(path.read_bytes())
    return b"".join(found)


def test_personal_data_is_nowhere_in_the_clear(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_server") if database == "postgres" else None
    began = time.time()
    store = loaded(tmp_path, 20)
    for target in store.due_targets(NAME, NOON, 10):
        store.apply([save(target)])
    store.stop_number(row(15).contact.phone, "dnc", "operator", NOON)
    store.close()
    text = bytes_since(began, tmp_path, server)
    for n in range(1, 21):
        one = row(n)
        for secret in (one.contact.phone[1:], one.account.contract_number, "Nguyễn"):
            assert secret.encode() not in text
    assert NAME.encode() in text  # the test can see what is there


def test_another_key_is_refused_before_it_can_do_harm(tmp_path: Path) -> None:
    loaded(tmp_path, 1).close()
    with pytest.raises(StoreError, match="another key"):
        Store(url_of(tmp_path), Vault(new_key_text()), "bank")


def test_lenders_do_not_see_each_other(tmp_path: Path) -> None:
    ours, theirs = loaded(tmp_path, 2), open_store(tmp_path, lender="other")
    theirs.put_campaign(campaign(), "x")
    theirs.import_rows(NAME, [row(1)])
    theirs.rank(NAME)
    theirs.stop_number(row(1).contact.phone, "dnc", "operator", NOON)
    assert len(ours.due_targets(NAME, NOON, 9)) == 2
    assert theirs.due_targets(NAME, NOON, 9) == []
    ours.close()
    theirs.close()
