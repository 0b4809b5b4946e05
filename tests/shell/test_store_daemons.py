"""Daemons on one database: one life a name, leases, what the dead have left, the news."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from duecall.core import commands as c
from duecall.core.attempt import Stage
from duecall.core.outcome import Outcome
from duecall.shell import attempt_store as reasons
from duecall.shell import clock, daemon_store
from duecall.shell.life import Life
from duecall.shell.store import DaemonTwice, News, Store, StoreError
from tests.shell.store_world import NAME, NOON, attempt, loaded, open_store, outcome, row, save

pytestmark = pytest.mark.usefixtures("database")
ELSEWHERE = Life("elsewhere/boot", 4711, "12345", "token")
LONGEST_S = {NAME: 300.0}


def joined(folder: Path, daemon: str) -> Store:
    store = open_store(folder, daemon)
    store.join(Life.own())
    return store


def expire(store: Store, daemon: str) -> None:
    store._database.run("UPDATE daemon SET lease_until = 1 WHERE name = ?", (daemon,))


# ---- one life a name


@pytest.mark.postgres
def test_a_copied_installation_does_not_start_beside_the_first_one(tmp_path: Path) -> None:
    first = open_store(tmp_path, "d1")
    first.join(ELSEWHERE)
    second = open_store(tmp_path, "d1")
    with pytest.raises(DaemonTwice, match=r"d1 lives on elsewhere \(process 4711\).*daemon\.id"):
        second.join(Life.own())
    open_store(tmp_path, "d2").join(Life.own())  # another name: no harm
    expire(first, "d1")
    second.join(Life.own())


@pytest.mark.postgres
def test_a_restart_after_a_kill_does_not_wait_for_the_lease(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "from duecall.shell.life import Life; print(Life.own())"],
        capture_output=True,
        text=True,
        check=True,
    )
    former = Life.parse(child.stdout.strip())
    assert former is not None
    open_store(tmp_path, "d1").join(former)
    open_store(tmp_path, "d1").join(Life.own())


def test_a_life_knows_whether_another_one_is_over() -> None:
    own = Life.own()
    assert Life.parse(str(own)) == own
    parent = replace(own, pid=os.getppid(), started=_started_of(os.getppid()))
    assert not parent.is_known_dead()
    assert replace(parent, started="1").is_known_dead(), "its number was given to another since"
    assert not ELSEWHERE.is_known_dead()
    for damaged in ("", "a|b", "a|b|c|d"):
        assert Life.parse(damaged) is None


def _started_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.postgres
def test_a_daemon_whose_name_was_taken_writes_nothing_any_more(tmp_path: Path) -> None:
    loaded(tmp_path, 3).close()
    frozen, heir = joined(tmp_path, "d1"), open_store(tmp_path, "d1")
    (target,) = frozen.due_targets(NAME, NOON, 1)
    expire(frozen, "d1")
    heir.join(ELSEWHERE)
    with pytest.raises(StoreError, match="has taken the name d1"):
        frozen.apply([save(target)])
    with pytest.raises(StoreError, match="has taken the name d1"):
        frozen.renew()
    assert heir.status_counts(NAME).attempts == 0
    frozen.leave()  # not what is the other's
    assert heir._daemons._database.run("SELECT life FROM daemon").fetchall() == [(str(ELSEWHERE),)]


# ---- what the dead have left


@pytest.mark.postgres
def test_targets_of_a_daemon_that_is_gone_are_ready_again_and_it_cannot_call_them(
    tmp_path: Path,
) -> None:
    loaded(tmp_path, 6).close()
    frozen, other = joined(tmp_path, "d1"), joined(tmp_path, "d2")
    theirs = frozen.due_targets(NAME, NOON, 4)
    assert other.take_over(LONGEST_S).targets == 0, "it lives"
    expire(other, "d1")
    taken = other.take_over(LONGEST_S)
    assert (taken.daemons, taken.targets, taken.attempts) == (["d1"], 4, [])
    assert other.take_over(LONGEST_S).daemons == []
    mine = other.due_targets(NAME, NOON, 9)
    assert len(mine) == 6
    (called, *held) = [target for target in mine if target.id in {t.id for t in theirs}]
    other.apply([save(called)])
    # It wakes up, and knows nothing of it.
    batch = [save(target) for target in theirs]
    batch_done = frozen.apply(batch)
    assert batch_done.saved == []
    assert {reason for _, reason, _ in batch_done.refused} == {
        reasons.NOT_HELD,
        reasons.SAVED_BEFORE,
    }
    frozen.apply([c.ReleaseTargets(NAME, tuple(target.id for target in theirs))])
    again = attempt(held[0]).target
    frozen.apply([c.DeferTarget(again, NOON + timedelta(hours=1), "refused")])
    assert other.status_counts(NAME).targets == {"held": 5, "calling": 1}, "they are the other's"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("stage", "age_s", "taken"),
    [
        (Stage.SAVED, 200, False),
        (Stage.SAVED, 400, True),
        (Stage.ANSWERED, 200, False),
        (Stage.ANSWERED, 400, True),
        (Stage.BRIDGED, 400, False),
        (Stage.BRIDGED, 5 * 3600, True),
    ],
)
def test_an_attempt_is_taken_over_when_it_cannot_be_live_any_more(
    tmp_path: Path, stage: Stage, age_s: int, taken: bool
) -> None:
    loaded(tmp_path, 2).close()
    gone, other = joined(tmp_path, "d1"), joined(tmp_path, "d2")
    (target,) = gone.due_targets(NAME, NOON, 1)
    planned = attempt(target, clock.now().wall - timedelta(seconds=age_s))
    gone.save_attempts([planned])
    if stage > Stage.SAVED:
        gone.apply([c.SaveStage(planned.id, stage, planned.at)])
    assert other.take_over(LONGEST_S).attempts == [], "it lives"
    expire(other, "d1")
    found = other.take_over(LONGEST_S)
    assert [(one.id, at) for one, at in found.attempts] == ([(planned.id, stage)] if taken else [])
    assert [one.id for one, _ in other.recover()] == ([planned.id] if taken else [])
    if not taken:  # law L1: its number is not called meanwhile
        assert [one.id for one, _ in gone.recover()] == [planned.id]
        return
    other.apply([outcome(found.attempts[0][0], Outcome.UNKNOWN)])
    # The one who was frozen has heard of the end as well. Once is enough.
    assert gone.apply([outcome(planned, Outcome.BUSY)]).repeated == [planned.id]
    (record,) = other.attempts(NAME)
    assert record.outcome is Outcome.UNKNOWN


@pytest.mark.postgres
def test_two_who_take_over_at_once_share_nothing(tmp_path: Path) -> None:
    loaded(tmp_path, 60).close()
    gone = joined(tmp_path, "d0")
    targets = gone.due_targets(NAME, NOON, 60)
    long_ago = NOON - timedelta(days=2)
    gone.apply([save(target, long_ago) for target in targets[:30]])
    expire(gone, "d0")
    heirs = [joined(tmp_path, name) for name in ("d1", "d2", "d3")]
    start = threading.Barrier(3)

    def take(store: Store) -> daemon_store.TakenOver:
        start.wait()
        return store.take_over(LONGEST_S)

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(take, heirs))
    assert sum(one.targets for one in found) == 30
    ids = [planned.id for one in found for planned, _ in one.attempts]
    assert len(ids) == len(set(ids)) == 30


def test_an_opt_out_that_was_heard_after_all_is_stored(tmp_path: Path) -> None:
    """The attempt was taken over, and settled without evidence, while its daemon stood still."""
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    store.apply([save(target), outcome(planned, Outcome.UNKNOWN, next_due=NOON)])
    done = store.apply([outcome(planned, Outcome.OPTED_OUT)])
    assert (done.repeated, done.stopped_numbers) == ([planned.id], [target.phone_hash])
    assert store.is_suppressed(target.phone_hash)
    assert store.due_targets(NAME, NOON, 9) == []


@pytest.mark.sqlite
def test_one_database_for_one_daemon_takes_what_bears_another_name(tmp_path: Path) -> None:
    """Of before daemons had names: nobody else would ever settle it."""
    store = loaded(tmp_path, 3)
    old = open_store(tmp_path, "main")
    first, _ = old.due_targets(NAME, NOON, 2)
    old.apply([save(first)])
    store = joined(tmp_path, "d1")
    found = store.take_over({NAME: -1.0})
    assert found.daemons == ["main"]
    assert [one.id for one, _ in found.attempts] == [attempt(first).id]
    assert store.status_counts(NAME).targets == {"ready": 2, "calling": 1}


# ---- the news


def test_all_that_others_must_hear_is_told_once_and_in_order(tmp_path: Path) -> None:
    store, daemon = loaded(tmp_path, 4), open_store(tmp_path, "d1")
    since = daemon.news_seq()
    assert daemon.news(since) == News(since)
    phone_hash = store.stop_number(row(1).contact.phone, "dnc", "operator")
    store.stop_number(row(1).contact.phone, "dnc", "operator")  # known: no news
    store.set_campaign_state(NAME, "running")
    store.import_rows(NAME, [row(9)])
    store.rank(NAME)
    store.rank(NAME)  # nothing moved
    (target, *_) = store.due_targets(NAME, NOON, 1)
    store.apply([save(target), outcome(attempt(target), Outcome.OPTED_OUT)])
    news = daemon.news(since)
    assert news == News(since + 4, (phone_hash, target.phone_hash), (NAME,), (NAME,))
    assert daemon.news(since + 1) == replace(news, numbers=(target.phone_hash,))
    assert daemon.news(news.seq) == News(news.seq)
    assert daemon.news_seq() == news.seq


def test_who_slept_through_what_is_kept_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_store, "NEWS_KEPT", 3)
    store = loaded(tmp_path, 8)
    since = store.news_seq()
    for n in range(1, 7):
        store.stop_number(row(n).contact.phone, "dnc", "operator")
    assert not store.news(since).missed
    joined(tmp_path, "d1")  # a daemon that starts tidies up
    assert store.news(since).missed
    assert len(store.news(since).numbers) == 3
    assert not store.news(since + 3).missed


@pytest.mark.postgres
def test_news_come_to_light_in_their_order_however_many_write(tmp_path: Path) -> None:
    """Who reads up to a number has missed none below it, although commits overlap."""
    loaded(tmp_path, 0).close()
    reader, heard = open_store(tmp_path, "reader"), []
    since = reader.news_seq()
    stop = threading.Event()

    def write(first: int) -> None:
        store = open_store(tmp_path, f"w{first}")
        for n in range(first, first + 60):
            store.stop_number(row(n).contact.phone, "dnc", "operator")
        store.close()

    def read(since: int) -> None:
        while not stop.is_set():
            news = reader.news(since)
            heard.extend(news.numbers)
            assert not news.missed
            since = news.seq

    with ThreadPoolExecutor(4) as pool:
        reading = pool.submit(read, since)
        list(pool.map(write, (1, 101, 201)))
        last = reader_seq = open_store(tmp_path, "last").news_seq()
        while len(heard) < 180 and not reading.done():
            pass
        stop.set()
        reading.result(20)
    assert reader_seq == last == since + 180
    assert len(heard) == len(set(heard)) == 180


# ---- what is damaged does not keep a daemon from starting


def test_a_campaign_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    store.put_campaign(store.campaigns()[0].campaign.model_copy(update={"name": "odd"}), "x")
    store._database.run("""UPDATE campaign SET settings = '{"trunk": 5}' WHERE name = 'odd'""")
    assert [known.name for known in store.campaigns()] == [NAME]
    assert len(store.campaigns()) == 1
    (fault,) = store.faults  # once, however often it is looked at
    assert fault.what == "a stored campaign cannot be read"
    assert dict(fault.fields)["campaign"] == "odd"


@pytest.mark.parametrize("damaged", ["account", "contact", "attempt"])
def test_an_open_attempt_that_cannot_be_unsealed_is_settled_all_the_same(
    tmp_path: Path, damaged: str
) -> None:
    store = loaded(tmp_path, 2)
    first, second = store.due_targets(NAME, NOON, 2)
    store.apply([save(first), save(second)])
    which = {
        "account": f"id IN (SELECT account_id FROM target WHERE id = {first.id})",
        "contact": f"""id IN (SELECT contact_id FROM account a JOIN target t
            ON t.account_id = a.id WHERE t.id = {first.id})""",
        "attempt": f"target_id = {first.id}",
    }[damaged]
    store._database.run(f"UPDATE {damaged} SET sealed = ? WHERE {which}", (b"\x01damaged",))
    found = {planned.id: planned for planned, _ in store.recover()}
    assert set(found) == {attempt(first).id, attempt(second).id}
    assert [fault.what for fault in store.faults] == ["an open attempt cannot be unsealed"]
    lost = found[attempt(first).id]
    assert lost.target.phone_hash == first.phone_hash
    store.apply([outcome(lost, Outcome.OPTED_OUT)])
    assert store.is_suppressed(first.phone_hash), "who said no is not called, by whatever name"
    assert store.status_counts(NAME).live == 1
