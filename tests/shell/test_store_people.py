"""Who is one person to the caps and stops; what a new file of contacts opens again, and notes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from duecall.core.commands import DeferTarget
from duecall.core.contact import Consent, Contact
from duecall.core.gate_types import EMPTY, Conduct, ProposedCall
from duecall.core.outcome import Outcome
from duecall.core.verdict import Denied
from duecall.shell.contact_json import contact_data, contact_of, contact_text
from duecall.shell.import_contacts import ImportCounts
from duecall.shell.stop_types import NewStop
from duecall.shell.store import Store
from duecall.shell.target_store import TargetRow
from fs_scripts.contract import Brief
from tests.core.rule_world import gate_of, small_pack, words
from tests.shell.store_world import (
    NAME,
    NOON,
    Row,
    attempt,
    campaign,
    loaded,
    outcome,
    row,
    save,
)

pytestmark = pytest.mark.usefixtures("database")
PHONE, OTHER = "+84900000001", "+84900000002"
TOMORROW = NOON + timedelta(days=1)


def targets(store: Store) -> dict[str, TargetRow]:
    """All that are due, by contract; they are given back."""
    store.rank(NAME)
    found = store.due_targets(NAME, TOMORROW, 99)
    store.recover()
    return {target.account.contract_number: target for target in found}


def key(store: Store, contract: str = "HD-0000001") -> str:
    return targets(store)[contract].contact_key


def put(store: Store, *rows: Row) -> ImportCounts:
    return store.import_rows(NAME, rows)


# ---- the keys


def test_several_numbers_of_one_person_and_several_people_at_one_number(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    put(
        store,
        row(1, name="An", phone=PHONE, customer_id="KH-1"),
        row(2, name="Nguyễn An", phone=OTHER, customer_id="KH-1"),
        row(3, name="An", phone=PHONE, customer_id="KH-3"),
        row(4, name="An", phone=PHONE),
        row(5, name="Bình", phone=PHONE),
        row(6, name="AN", phone=PHONE),
    )
    found = targets(store)
    keys = {int(contract[-1]): target.contact_key for contract, target in found.items()}
    assert keys[1] == keys[2]
    assert keys[4] == keys[6]
    assert len({keys[1], keys[3], keys[4], keys[5]}) == 4
    numbers = {int(contract[-1]): target.phone_hash for contract, target in found.items()}
    assert numbers[1] != numbers[2]
    assert len({numbers[n] for n in (1, 3, 4, 5, 6)}) == 1
    accounts = {target.account_key for target in found.values()}
    assert len(accounts) == 6 and all(account.isdigit() for account in accounts)
    told = found["HD-0000001"].as_target(Brief("", ()))
    assert (told.contact_key, told.account_key) == (
        found["HD-0000001"].contact_key,
        found["HD-0000001"].account_key,
    )


def test_keys_are_those_of_the_tables_and_say_nothing(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    put(store, row(1, customer_id="KH-1"))
    target = targets(store)["HD-0000001"]
    run = store._database.run
    assert run("SELECT contact_key FROM contact").fetchall() == [(target.contact_key,)]
    assert run("SELECT id FROM account").fetchall() == [(int(target.account_key),)]
    assert target.contact_key == store._vault.keyed_hash("customer", "KH-1")


@pytest.mark.parametrize("change", [{"phone": OTHER}, {"name": "Nguyen An"}])
def test_without_an_id_a_person_outlives_a_new_number_or_name(
    tmp_path: Path, change: dict[str, str]
) -> None:
    store = loaded(tmp_path, 0)
    first = {"name": "Nguyễn An", "phone": PHONE}
    put(store, row(1, **first), row(2, **first))
    before = key(store)
    put(store, row(1, **{**first, **change}))
    assert key(store) == before == key(store, "HD-0000002")
    put(store, row(1, name="Trần Bình", phone="+84900000003"))
    assert key(store) != before == key(store, "HD-0000002")


def test_somebody_known_keeps_the_own_key(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    put(store, row(1, name="An", phone=PHONE), row(2, name="Bình", phone=PHONE))
    first, second = key(store), key(store, "HD-0000002")
    put(store, row(1, name="Bình", phone=PHONE))  # the contract is the other one's now
    assert first != key(store) == second == key(store, "HD-0000002")


def test_an_id_decides(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    same = {"name": "An", "phone": PHONE}
    put(store, row(1, **same, customer_id="KH-1"))
    before = key(store)
    put(store, row(1, name="An B", phone=OTHER, customer_id="KH-1"))
    assert key(store) == before
    put(store, row(1, name="An B", phone=OTHER, customer_id="KH-2"))
    assert key(store) != before


# ---- stops go with the person


def stop(store: Store, contact_key: str) -> None:
    with store._database.writing():
        store._stops.add(NewStop("contact", contact_key, "deceased", "HD-0000001"), 1)


def stopped(store: Store) -> set[str]:
    rows = store._database.run("SELECT key FROM stop WHERE key_kind = 'contact'").fetchall()
    assert all(one.clear == "HD-0000001" for one in store._stops.all())  # each can be opened
    return {found for (found,) in rows}


def test_stops_follow_a_person_who_is_given_an_id(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    put(store, row(1, name="An", phone=PHONE), row(2, name="Bình", phone=OTHER))
    old = key(store)
    stop(store, old)
    put(store, row(2, name="Bình", phone=OTHER, customer_id="KH-2"))
    assert stopped(store) == {old}
    put(store, row(3, name="An", phone=PHONE, customer_id="KH-3"))  # another contract of hers
    third = store._vault.keyed_hash("customer", "KH-3")
    assert stopped(store) == {old, third}
    put(store, row(1, name="An Nguyễn", phone=PHONE, customer_id="KH-1"))
    first = store._vault.keyed_hash("customer", "KH-1")
    assert stopped(store) == {old, third, first}
    seq = store.news_seq()
    put(store, row(1, name="Cúc", phone=PHONE, customer_id="KH-4"))  # another id, another person
    assert stopped(store) == {old, third, first}
    assert store.news_seq() >= seq


def test_stops_follow_a_person_who_turns_out_to_be_known(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    put(store, row(1, name="An", phone=PHONE), row(2, name="An", phone=OTHER))
    old, known = key(store), key(store, "HD-0000002")
    stop(store, old)
    put(store, row(1, name="An", phone=OTHER))
    assert stopped(store) == {old, known}


# ---- as it is sealed


def test_a_sealed_contact_reads_as_it_was_written() -> None:
    consents = (Consent("called_back", date(2027, 6, 30)), Consent("recorded"))
    full = Contact("An", PHONE, "Asia/Tokyo", "vi", "KH-1", "US-MA", "mobile", consents, ("x1",))
    assert contact_of(contact_text(full)) == full
    assert contact_data(full)["consents"] == [["called_back", "2027-06-30"], ["recorded", None]]


def test_a_contact_sealed_before_there_were_consents_reads_and_has_the_same_digest(
    tmp_path: Path,
) -> None:
    old = {"name": "An", "phone": PHONE, "zone": "", "language": "vi"}
    contact = contact_of(json.dumps(old).encode())
    assert contact == Contact("An", PHONE, "", "vi")
    assert contact_data(contact) == old  # or a first import would take every row for changed
    store = loaded(tmp_path, 1)
    ((person_hash,),) = store._database.run("SELECT person_hash FROM contact").fetchall()
    sealed = store._vault.seal(json.dumps(old).encode(), f"contact:{person_hash}")
    store._database.run("UPDATE contact SET sealed = ?", (sealed,))
    assert targets(store)["HD-0000001"].contact == contact


def test_rows_of_one_person_have_their_own_consents_and_share_flags(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0, order=[{"field": "name"}])
    person = {"name": "An", "phone": PHONE}
    recorded = (Consent("recorded"),)
    put(store, row(1, **person, consents=recorded, flags=("bankrupt",)), row(2, **person))
    found = {n: targets(store)[f"HD-000000{n}"].contact for n in (1, 2)}
    assert (found[1].consents, found[2].consents) == (recorded, ())
    assert (found[1].flags, found[2].flags) == (("bankrupt",), ())
    put(store, row(2, **person, flags=("third_party",)))
    found = {n: targets(store)[f"HD-000000{n}"].contact for n in (1, 2)}
    assert (found[1].consents, found[2].consents) == (recorded, ())
    assert found[1].flags == ("bankrupt", "third_party")
    assert found[2].flags == ("third_party",)


# ---- kept back, and open again


def refusal(contact: Contact, pack: dict[str, Any], zones: tuple[str, ...]) -> Denied:
    """What the gate says to a call of this contact."""
    call = ProposedCall(
        Conduct(NAME, 4, 30, "Asia/Ho_Chi_Minh"),
        keys=(),
        zones=zones,
        consents=frozenset(one.word for one in contact.consents),
        flags=frozenset(contact.flags),
    )
    verdict = gate_of(pack, words(pack)).check(call, EMPTY, EMPTY, NOON)
    assert isinstance(verdict, Denied)
    return verdict


HANOI = ("Asia/Ho_Chi_Minh",)
NO_COMMON_HOUR = {
    "hours": [{"days": "all", "spans": [{"from": "08:00", "to": "11:00"}]}],
    "require": [{"on_file": "recorded"}],
}
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any], dict[str, Any]]] = {
    "consent": (
        {"require": [{"on_file": "recorded"}]},
        HANOI,
        {},
        {"consents": (Consent("recorded"),)},
    ),
    "flag": (
        {"require": [{"not_flagged": "third_party"}]},
        HANOI,
        {"flags": ("third_party",)},
        {},
    ),
    "no zone": ({"gaps": []}, (), {}, {"zone": "Asia/Tokyo"}),
    "zone of another world": ({"gaps": []}, ("Mars/Olympus",), {}, {"zone": "Asia/Tokyo"}),
    "no common hour": (
        {"hours": NO_COMMON_HOUR["hours"]},
        ("Europe/Kaliningrad", "Asia/Kamchatka"),
        {},
        {"zone": "Europe/Moscow"},
    ),
    "no consent, then no common hour": (
        NO_COMMON_HOUR,
        ("Europe/Kaliningrad", "Asia/Kamchatka"),
        {},
        {"zone": "Europe/Moscow"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_rows_own_data_kept_back_is_open_again(tmp_path: Path, name: str) -> None:
    pack, zones, before, after = CASES[name]
    store = loaded(tmp_path, 0)
    put(store, row(1, **before), row(2, **before))
    store.rank(NAME)
    due = {target.account.contract_number: target for target in store.due_targets(NAME, NOON, 9)}
    first, second = (due[contract] for contract in sorted(due))
    denied = refusal(first.contact, small_pack(**pack), zones)
    for target in (first, second):
        whom = target.as_target(Brief("", ()))
        store.apply([DeferTarget(whom, denied.until, denied.reason)], NOON)
    kept_back = "done" if denied.until is None else "waiting"
    assert store.status_counts(NAME).targets == {kept_back: 2}
    assert put(store, row(1, **after), row(2, **before)) == ImportCounts(changed=1, unchanged=1)
    store.rank(NAME)
    counts = store.status_counts(NAME)
    assert counts.targets == {kept_back: 1, "ready": 1}
    assert sum(counts.done.values()) == (1 if denied.until is None else 0)
    (again,) = store.due_targets(NAME, NOON, 9)
    assert (again.id, again.contact) == (first.id, row(1, **after).contact)


@pytest.mark.parametrize(
    "reason",
    [
        "vn.gap: too soon after the last call, by contact",
        "t.hours-0: outside calling hours",
        "stopped for this number in all campaigns: dnc (x: no consent on file: y)",
        "retry after busy",
    ],
)
def test_what_time_mends_waits_on(tmp_path: Path, reason: str) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 9)
    store.apply([DeferTarget(target.as_target(Brief("", ())), TOMORROW, reason)], NOON)
    put(store, row(1, consents=(Consent("recorded"),), flags=("x1",), zone="Asia/Tokyo"))
    store.rank(NAME)
    assert store.next_due(NAME) == TOMORROW


def test_a_retry_waits_on(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 9)
    call = attempt(target)
    store.apply([save(target)], NOON)
    store.apply([outcome(call, Outcome.BUSY, TOMORROW)], NOON)
    put(store, row(1, consents=(Consent("recorded"),)))
    store.rank(NAME)
    assert store.status_counts(NAME).targets == {"waiting": 1}
    assert store.next_due(NAME) == TOMORROW


# ---- the file as a whole


def entries(store: Store) -> list[dict[str, Any]]:
    rows = store._database.run("SELECT body FROM ledger WHERE kind = 'import' ORDER BY at, seq")
    return [json.loads(body) for (body,) in rows.fetchall()]


def test_a_file_that_changes_something_is_noted(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    digest = "SELECT contacts_digest FROM campaign"
    assert store._database.run(digest).fetchone() == ("",)
    store.imported(NAME, "a" * 64, put(store, row(1), row(2)), 3)
    assert store._database.run(digest).fetchone() == ("a" * 64,)
    first = {"new": 2, "changed": 0, "unchanged": 0, "refused": 3}
    assert entries(store) == [{"campaign": NAME, "sha256": "a" * 64, **first}]
    seq = store.news_seq()
    store.imported(NAME, "a" * 64, put(store, row(1), row(2)), 3)
    assert (len(entries(store)), store.news_seq()) == (1, seq)
    store.imported(NAME, "b" * 64, put(store, row(1), row(2)), 0)  # other bytes, the same rows
    assert entries(store)[-1]["sha256"] == "b" * 64
    assert store.news_seq() == seq


def test_daemons_hear_that_a_contact_was_changed(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    seq = store.news_seq()
    counts = put(store, row(1, flags=("third_party",)), row(2))
    assert counts == ImportCounts(changed=1, unchanged=1)
    assert store.news(seq).stops
    seq = store.news_seq()
    counts += put(store, row(1), row(2))
    assert store.news_seq() == seq  # not with every thousand rows
    store.imported(NAME, "a" * 64, counts, 0)
    assert store.news(seq).stops


def test_an_older_contacts_key_is_the_persons(tmp_path: Path) -> None:
    """As the migration leaves it: one without an id has the person's hash for its key."""
    store = loaded(tmp_path, 1)
    ((person_hash, contact_key),) = store._database.run(
        "SELECT person_hash, contact_key FROM contact"
    ).fetchall()
    assert person_hash == contact_key
    assert targets(store)["HD-0000001"] == replace(
        targets(store)["HD-0000001"], contact_key=person_hash
    )


def test_campaigns_share_the_person(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    store.put_campaign(campaign(name="survey"), "x")
    store.import_rows("survey", [row(1)])
    store.rank("survey")
    (target,) = store.due_targets("survey", NOON, 9)
    assert target.contact_key == key(store)
    assert target.account_key == targets(store)["HD-0000001"].account_key
