"""Stops of every kind: what the gate is told, what a commit refuses, what lifting opens."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from duecall.core import commands as c
from duecall.core.call_events import PRERECORDED
from duecall.core.gate_types import EMPTY, Conduct, ProposedCall, Snapshot, Stop
from duecall.core.outcome import Outcome
from duecall.core.verdict import Denied
from duecall.shell import attempt_store as reasons
from duecall.shell.column_values import to_us
from duecall.shell.migrations import V1, V2, VERSION_TABLE
from duecall.shell.stop_list import Named, StopError, What
from duecall.shell.stop_store import NUMBER_STOPPED, StopKeys, prefixes_of
from duecall.shell.stop_types import scope_of
from duecall.shell.store import Store, TargetRow
from duecall.shell.vault import Vault
from fs_scripts.contract import Brief
from tests.core.rule_world import HANOI, gate_of, plain_pack, words
from tests.shell.store_world import (
    NAME,
    NOON,
    attempt,
    campaign,
    loaded,
    open_store,
    outcome,
    row,
    rows,
    save,
    url_of,
)

pytestmark = pytest.mark.usefixtures("database")
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
SECOND = "survey"


def named(what: What, n: int, **changes: Any) -> Named:
    values: dict[What, str] = {
        "number": row(n).contact.phone,
        "prefix": row(n).contact.phone[:8],
        "contract": row(n).account.contract_number,
        "person": row(n).account.contract_number,
    }
    given = {"kind": "dispute", "source": "a letter", **changes}
    if isinstance(given.get("until_us"), datetime):
        given["until_us"] = to_us(given["until_us"])
    return Named(what, values[what], **given)


def add(store: Store, what: What, n: int, **changes: Any) -> bool:
    return store.stop_list.add(named(what, n, **changes), NOON)


def lift(store: Store, what: What, n: int, **changes: Any) -> int:
    found = store.stop_list.find(named(what, n, **changes))
    return store.stop_list.lift(found, "operator", NOON)


def two_campaigns(folder: Path, count: int = 3) -> Store:
    """The same people in both."""
    store = loaded(folder, count)
    store.put_campaign(campaign(name=SECOND), "name: survey\n")
    store.import_rows(SECOND, rows(count))
    store.rank(SECOND)
    return store


def known(store: Store, target: TargetRow, now: datetime = NOON) -> list[Stop]:
    keys = StopKeys(
        number=target.phone_hash,
        contact=target.contact_key,
        account=target.account_key,
        phone=target.contact.phone,
        campaign=store._campaigns.key(target.campaign).id,
    )
    (found,) = store._stops.of([keys], to_us(now))
    return list(found)


def judged(stop: Stop) -> Denied:
    """By the gate, which knows no law but this stop."""
    pack = plain_pack("none")
    conduct = Conduct(NAME, PRERECORDED, 30, HANOI, "collection")
    call = ProposedCall(conduct, (), (HANOI,))
    verdict = gate_of(pack, words(pack)).check(call, EMPTY, Snapshot({}, (stop,)), NOON)
    assert isinstance(verdict, Denied)
    return verdict


def refusal(store: Store, target: TargetRow, at: datetime = NOON) -> tuple[str, bool] | None:
    done = store.apply([save(target, at)])
    return done.refused[0][1:] if done.refused else None


def targets(store: Store, name: str = NAME) -> dict[str, int]:
    return store.status_counts(name).targets


# ---- what the gate is told


@pytest.mark.parametrize("what", ["number", "contract", "person", "prefix"])
def test_a_stop_is_known_of_whom_it_is_for_and_of_nobody_else(tmp_path: Path, what: What) -> None:
    store = two_campaigns(tmp_path, 12)
    held = store.due_targets(NAME, NOON, 12)
    other = store.due_targets(SECOND, NOON, 12)
    # Longer than the number's own targets: one that ends them would leave nobody to look at.
    assert add(store, what, 1, until_us=NOON + HOUR)
    mine = {target.id for target in (*held, *other) if target.contact.phone == row(1).contact.phone}
    if what == "prefix":  # +8490000 is how all of them begin
        mine = {target.id for target in (*held, *other)}
    for target in (*held, *other):
        found = known(store, target)
        assert bool(found) is (target.id in mine)
        for stop in found:
            assert (stop.kind, stop.source) == ("dispute", "a letter")
            assert stop.expires_us == to_us(NOON + HOUR)
            assert stop.scope.endswith("in all campaigns")


def test_a_campaign_has_stops_of_its_own(tmp_path: Path) -> None:
    store = two_campaigns(tmp_path)
    (one,) = store.due_targets(NAME, NOON, 1)
    other = next(t for t in store.due_targets(SECOND, NOON, 9) if t.phone_hash == one.phone_hash)
    n = int(one.contact.phone[4:])
    assert add(store, "number", n, campaign=SECOND)
    assert known(store, one) == []
    assert known(store, other) == [
        Stop("dispute", f"this number in campaign {SECOND}", None, "a letter")
    ]
    assert refusal(store, other) == (reasons.STOPPED, True)
    assert refusal(store, one) is None


def test_stops_for_ever_are_told_before_those_that_end(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    add(store, "number", 1, kind="a", until_us=NOON + HOUR)
    add(store, "contract", 1, kind="z")
    add(store, "prefix", 1, kind="b", until_us=NOON + HOUR)
    assert [stop.kind for stop in known(store, target)] == ["z", "a", "b"]


def test_a_stop_ends_at_its_microsecond(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    until = NOON + HOUR
    add(store, "contract", 1, until_us=until)
    assert known(store, target, until - MICROSECOND) != []
    assert known(store, target, until) == []
    assert refusal(store, target, until - MICROSECOND) == (reasons.STOPPED_FOR_NOW, False)
    assert refusal(store, target, until) is None


@pytest.mark.parametrize("what", ["number", "contract", "person", "prefix"])
@pytest.mark.parametrize("scope", ["", NAME])
@pytest.mark.parametrize("until", [None, NOON + HOUR])
def test_what_is_stopped_by_the_time_of_the_commit_is_not_saved(
    tmp_path: Path, what: What, scope: str, until: datetime | None
) -> None:
    """The target was claimed, looked at and found right before."""
    store, operator = loaded(tmp_path, 1), open_store(tmp_path, "cli")
    (target,) = store.due_targets(NAME, NOON, 1)
    assert add(operator, what, 1, campaign=scope, until_us=until)
    for_ever = NUMBER_STOPPED if what == "number" and not scope else reasons.STOPPED
    expected = (reasons.STOPPED_FOR_NOW, False) if until else (for_ever, True)
    assert refusal(store, target) == expected
    assert store.status_counts(NAME).attempts == 0
    operator.close()


def test_many_are_asked_about_at_once_and_answered_in_order(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1_200)
    held = store.due_targets(NAME, NOON, 1_200)
    until = NOON + HOUR
    for n in (1, 600, 1_200):
        add(store, "number", n, kind=f"n{n}", until_us=until)
        add(store, "person", n, kind=f"p{n}", until_us=until)
    add(store, "prefix", 1_200, kind="many", until_us=until)  # +8490000
    campaign_id = store._campaigns.key(NAME).id
    asked = [
        StopKeys(t.phone_hash, t.contact_key, t.account_key, t.contact.phone, campaign_id)
        for t in held
    ]
    asked_of: list[str] = []
    run = store._database.run
    store._database.run = lambda sql, values=(): asked_of.append(sql) or run(sql, values)  # type: ignore
    found = store._stops.of(asked, to_us(NOON))
    assert len(asked_of) < 20
    for target, stops in zip(held, found, strict=True):
        n = int(target.contact.phone[4:])
        mine = {"many"} | ({f"n{n}", f"p{n}"} if n in (1, 600, 1_200) else set())
        assert {stop.kind for stop in stops} == mine


def test_prefixes_and_scopes() -> None:
    assert prefixes_of("+84901234567")[:2] == ["+8", "+84"]
    assert prefixes_of("+84901234567")[-1] == "+849012345"
    assert prefixes_of("+123") == ["+1", "+12", "+123"]
    assert prefixes_of("") == []
    assert scope_of("prefix", "+8490", None) == "numbers with +8490 in all campaigns"


# ---- entering


def test_the_longer_of_two_holds_and_the_first_source_is_not_forgotten_for_a_shorter_one(
    tmp_path: Path,
) -> None:
    store = loaded(tmp_path, 1)
    assert add(store, "contract", 1, until_us=NOON + HOUR)
    assert not add(store, "contract", 1, until_us=NOON + HOUR, source="another")
    assert not add(store, "contract", 1, until_us=NOON, source="another")
    assert [s.stop.source for s in store.stop_list.all()] == ["a letter"]
    assert add(store, "contract", 1, until_us=NOON + 2 * HOUR, source="later")
    assert add(store, "contract", 1, until_us=None, source="for ever")
    assert not add(store, "contract", 1, until_us=NOON + 2 * HOUR)
    (stored,) = store.stop_list.all()
    assert (stored.stop.expires_us, stored.stop.source) == (None, "for ever")


def test_a_stop_that_had_ended_begins_anew(tmp_path: Path) -> None:
    """Or calls that were made between the two would seem to have been forbidden."""
    store = loaded(tmp_path, 1)
    stop = named("contract", 1, until_us=NOON + HOUR)
    for_ever = stop._replace(until_us=None)
    for at, again, expected in ((HOUR, stop, 0 * HOUR), (2 * HOUR, for_ever, 2 * HOUR)):
        store.stop_list.add(stop, NOON)
        store.stop_list.add(again, NOON + at)
        (stored,) = store.stop_list.all()
        assert stored.at_us == to_us(NOON + expected)


def test_news_are_told_once_and_only_of_what_is_new(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    since = store.news_seq()
    add(store, "contract", 1)
    add(store, "contract", 1)
    news = store.news(since)
    assert (news.stops, news.numbers, news.seq) == (True, (), since + 1)
    add(store, "number", 2)  # for ever, in all campaigns: as it always was
    news = store.news(since + 1)
    assert (news.stops, len(news.numbers)) == (False, 1)
    add(store, "number", 3, until_us=NOON + HOUR)
    assert store.news(since + 2).stops
    lift(store, "contract", 1)
    assert store.news(since + 3).stops


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Named("number", "0901234567", "dnc"), "not an E.164 number"),
        (Named("prefix", "8490", "dnc"), "not a prefix"),
        (Named("prefix", "+8490123456", "dnc"), "not a prefix"),
        (Named("prefix", "+", "dnc"), "not a prefix"),
        (Named("contract", "HD-9", "dnc"), "no account has this contract number"),
        (Named("person", "HD-9", "dnc"), "no account has this contract number"),
        (Named("number", "+84901234567", "Do not!"), "kind 'Do not!'"),
        (Named("number", "+84901234567", ""), "kind ''"),
        (Named("number", "+84901234567", "dnc", campaign="nowhere"), "campaign nowhere"),
    ],
)
def test_what_cannot_be_a_stop_is_refused_and_nothing_is_written(
    tmp_path: Path, wrong: Named, why: str
) -> None:
    store = loaded(tmp_path, 1)
    with pytest.raises(StopError, match=why):
        store.stop_list.add(wrong, NOON)
    assert list(store.stop_list.all()) == []


def test_who_opts_out_is_stopped_under_that_name(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    store.apply([save(target), outcome(planned, Outcome.OPTED_OUT)])
    (stored,) = store.stop_list.all()
    assert (stored.stop.kind, stored.stop.source) == ("opted_out", planned.id)
    assert stored.clear == target.contact.phone


def test_the_ledger_tells_of_each_stop_without_the_number(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    add(store, "number", 1, campaign=NAME)
    add(store, "number", 1, campaign=NAME)
    lift(store, "number", 1, campaign=NAME)
    sql = "SELECT kind, body FROM ledger WHERE kind = 'stop' ORDER BY seq"
    entries = store._database.run(sql).fetchall()
    assert [kind for kind, _ in entries] == ["stop", "stop"]
    for lifted, (_, body) in zip(("false", "true"), entries, strict=True):
        assert f'"lifted":{lifted}' in body
        assert f'"campaign":"{NAME}"' in body
        assert row(1).contact.phone[1:] not in body


# ---- lifting


@pytest.mark.parametrize("what", ["number", "contract", "person", "prefix"])
@pytest.mark.parametrize("scope", ["", NAME])
def test_lifting_opens_what_the_gate_had_refused_for_it(
    tmp_path: Path, what: What, scope: str
) -> None:
    store = two_campaigns(tmp_path, 3)
    held = store.due_targets(NAME, NOON, 3)
    mine = next(t for t in held if t.contact.phone == row(1).contact.phone)
    for target in held:
        if target.id != mine.id:
            other = attempt(target).target
            store.apply([c.DeferTarget(other, None, "not selected: balance")])
    until = NOON + HOUR
    add(store, what, 1, campaign=scope, until_us=until)
    (stop,) = known(store, mine)
    verdict = judged(stop)
    assert verdict.until == until
    told = verdict.reason, verdict.rule
    store.apply([c.DeferTarget(attempt(mine).target, until, *told)])
    assert targets(store) == {"waiting": 1, "done": 2}
    assert store.due_targets(NAME, NOON, 9) == []
    since = store.news_seq()
    assert lift(store, what, 1, campaign=scope) == 1
    assert targets(store) == {"ready": 1, "done": 2}
    assert store.news(since).contacts == (NAME,)  # for the daemon to look again
    assert [t.id for t in store.due_targets(NAME, NOON, 9)] == [mine.id]
    assert known(store, mine) == []
    assert lift(store, what, 1, campaign=scope) == 0


def test_lifting_a_number_opens_what_was_done_with_at_once(tmp_path: Path) -> None:
    store = two_campaigns(tmp_path, 3)
    (held,) = [t for t in store.due_targets(NAME, NOON, 3) if t.contact.phone.endswith("1")]
    later = NOON + HOUR
    store.apply([save(held), outcome(attempt(held), Outcome.BUSY, next_due=later)])
    add(store, "number", 1)
    store.put_campaign(campaign(name="third"), "name: third\n")
    store.import_rows("third", rows(2))  # comes in later
    assert targets(store) == {"held": 2, "done": 1}
    assert (targets(store, SECOND), targets(store, "third")) == (
        {"ready": 2, "done": 1},
        {"new": 1, "done": 1},
    )
    assert lift(store, "number", 1) == 1
    assert targets(store) == {"held": 2, "waiting": 1}, "it had to wait for its retry"
    assert (targets(store, SECOND), targets(store, "third")) == ({"ready": 3}, {"new": 2})
    for name in (NAME, SECOND, "third"):
        assert store.status_counts(name).done == {}
    store.rank("third")
    assert targets(store, "third") == {"ready": 2}
    assert [t.id for t in store.due_targets(NAME, later, 9)] == [held.id]


def test_a_person_is_lifted_under_all_keys_they_ever_had(tmp_path: Path) -> None:
    """An import carries a stop over to the key that the person has now (shell/contact_keys.py)."""
    store = loaded(tmp_path, 2)
    add(store, "person", 1)
    add(store, "person", 2)
    (stored,) = store.stop_list.find(named("person", 1))
    with store._database.writing():
        store._stops.add(replace(stored.stop, key="earlier"), to_us(NOON))
    assert lift(store, "person", 1) == 2
    assert [s.clear for s in store.stop_list.all()] == [row(2).account.contract_number]


def test_what_another_stop_or_another_reason_keeps_back_stays_so(tmp_path: Path) -> None:
    store = two_campaigns(tmp_path, 2)
    held = store.due_targets(NAME, NOON, 2)
    one, two = sorted(held, key=lambda target: target.contact.phone)
    add(store, "number", 1, kind="dnc")
    add(store, "number", 1, kind="dispute")
    add(store, "number", 1, kind="bankrupt")
    assert lift(store, "number", 1, kind="dnc") == 1
    assert targets(store, SECOND) == {"ready": 1, "done": 1}
    assert store.status_counts(SECOND).done == {"dispute": 1}
    # Who opted out in a call is done with by that call, whatever becomes of the stop.
    planned = attempt(two)
    store.apply([save(two), outcome(planned, Outcome.OPTED_OUT)])
    assert lift(store, "number", 2, kind="opted_out") == 1
    assert store.status_counts(NAME).done == {"dispute": 1, "opted_out": 1}
    assert targets(store, SECOND) == {"ready": 1, "done": 1}
    assert lift(store, "number", 1, kind="bankrupt") == 1
    assert targets(store, SECOND) == {"ready": 1, "done": 1}
    assert lift(store, "number", 1, kind="dispute") == 1
    assert targets(store, SECOND) == {"ready": 2}
    assert [t.id for t in store.due_targets(NAME, NOON, 9)] == [one.id]


# ---- two programs at once


def test_two_who_stop_the_same_at_once_enter_it_once(tmp_path: Path) -> None:
    loaded(tmp_path, 60).close()
    stores = [open_store(tmp_path, name) for name in ("d1", "cli")]
    start = threading.Barrier(2)
    added: list[int] = []

    def stop(store: Store) -> None:
        start.wait()
        order = range(1, 61) if store is stores[0] else range(60, 0, -1)
        added.append(sum(add(store, "number", n) for n in order))

    threads = [threading.Thread(target=stop, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 60
    assert targets(stores[0]) == {"done": 60}
    assert len(list(stores[0].stop_list.all())) == 60
    for store in stores:
        store.close()


@pytest.mark.postgres
def test_a_stop_that_comes_in_while_an_attempt_is_saved_is_told_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not there when it was looked for, durable before the attempt: the gate must hear of it."""
    daemon, operator = loaded(tmp_path, 1), open_store(tmp_path, "cli")
    (target,) = daemon.due_targets(NAME, NOON, 1)
    begin_call = daemon._targets.begin_call

    def interrupted(*args: Any) -> bool:
        assert add(operator, "person", 1)
        return begin_call(*args)

    monkeypatch.setattr(daemon._targets, "begin_call", interrupted)
    done = daemon.apply([save(target)])
    (saved,) = done.saved
    assert [stop.kind for stop in done.known[saved].stops] == ["dispute"]
    operator.close()
    daemon.close()


# ---- of before there were stops of other kinds


def version_2(folder: Path, stopped: dict[str, str]) -> Vault:
    """A database as the Duecall before this one left it. stopped: phone -> reason."""
    vault = Vault.load(folder / "duecall.key", {})
    url = url_of(folder)
    server = url.startswith("postgresql")
    words = {"id": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "blob": "BYTEA"}
    if not server:
        words = {"id": "INTEGER PRIMARY KEY", "blob": "BLOB"}
    script = ";".join((VERSION_TABLE, V1.format(**words), V2.format(**words)))
    rows = []
    for phone, reason in stopped.items():
        key = vault.phone_hash(phone)
        sealed = vault.seal(phone.encode(), f"suppression:{key}")
        rows.append((key, sealed, reason, "d1-attempt", to_us(NOON)))
    inserts = [
        ("INSERT INTO schema_version VALUES (1, ''), (2, '')", ()),
        ("INSERT INTO lender VALUES (1, 'bank', ?, 0)", (vault.fingerprint,)),
        *(("INSERT INTO suppression VALUES (1, ?, ?, ?, ?, ?)", values) for values in rows),
    ]
    db: Any
    if server:
        db = pytest.importorskip("psycopg").connect(url)
        db.execute(script)
    else:
        db = sqlite3.connect(folder / "duecall.db")
        db.executescript(script)
    for sql, given in inserts:
        db.execute(sql.replace("?", "%s") if server else sql, given)
    db.commit()
    db.close()
    return vault


def test_numbers_stopped_by_an_older_duecall_are_stops(tmp_path: Path) -> None:
    phones = [row(n).contact.phone for n in (1, 2)]
    vault = version_2(tmp_path, dict(zip(phones, ("opted_out", "dnc"), strict=True)))
    store = loaded(tmp_path, 3)
    assert targets(store) == {"ready": 1, "done": 2}
    assert [(s.phone, s.reason, s.at) for s in store.stopped_numbers()] == [
        (phones[0], "opted_out", NOON),
        (phones[1], "dnc", NOON),
    ]
    assert store.is_suppressed(vault.phone_hash(phones[0]))
    assert not add(store, "number", 2, kind="dnc")
    assert lift(store, "number", 2, kind="dnc") == 1
    assert targets(store) == {"ready": 2, "done": 1}
    assert [s.clear for s in store.stop_list.all()] == [phones[0]]


def test_nothing_of_a_stop_stands_in_the_clear(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    for what in ("number", "contract", "person"):
        add(store, what, 1, until_us=datetime.now(timezone.utc) + HOUR)
    rows = store._database.run("SELECT key, sealed, source, kind FROM stop").fetchall()
    assert len(rows) == 3
    for key, sealed, *_ in rows:
        for secret in (row(1).contact.phone[1:], row(1).account.contract_number):
            assert secret not in key and secret.encode() not in bytes(sealed)


@pytest.mark.parametrize("lifted", [False, True])
def test_a_refusal_by_a_stop_that_was_lifted_meanwhile_ends_nothing(
    tmp_path: Path, lifted: bool
) -> None:
    store = loaded(tmp_path, 1)
    (held,) = store.due_targets(NAME, NOON, 1)
    add(store, "contract", 1, kind="dispute")
    if lifted:
        assert lift(store, "contract", 1, kind="dispute") == 1
    target = held.as_target(Brief("", ()))
    store.apply([c.DeferTarget(target, None, "stopped", "stop.dispute", "digest", NOON)], NOON)
    assert targets(store) == ({"ready": 1} if lifted else {"done": 1})
