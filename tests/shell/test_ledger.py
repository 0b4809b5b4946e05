"""The ledger in a real file: whole or not at all, chained, and no line for what is no news."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from duecall.core.attempt import Stage
from duecall.core.commands import DeferTarget, NoteRules, SaveStage
from duecall.core.gate_types import Grounds
from duecall.core.outcome import Outcome
from duecall.core.proposal import Proposals
from duecall.core.rule_choice import rules_of
from duecall.shell.ledger import CLI, Ledger
from duecall.shell.store import Store
from duecall.shell.vault import Vault
from fs_scripts.contract import Brief
from tests.core import building
from tests.shell.store_world import NAME, NOON, attempt, campaign, loaded, open_store, outcome, save

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)


def entries(store: Store, chain: str = "main") -> list[tuple[Any, ...]]:
    sql = """SELECT seq, at, kind, target_id, attempt_id, body, hash FROM ledger
        WHERE chain = ? ORDER BY seq"""
    return list(store.parts.database.run(sql, (chain,)).fetchall())


def kinds(store: Store, chain: str = "main") -> list[str]:
    return [entry[2] for entry in entries(store, chain)]


def put_off(store: Store, reason: str, rule: str = "t.gap") -> None:
    (target,) = store.due_targets(NAME, NOON, 1) or [None]
    if target is None:
        store.recover()
        (target,) = store.due_targets(NAME, NOON + 24 * HOUR, 1)
    until = NOON + HOUR
    command = DeferTarget(target.as_target(Brief("", ())), until, reason, rule, "digest", NOON)
    store.apply([command])


def test_a_call_and_its_end_are_told_without_a_name_or_number(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    chosen = campaign()
    rules = rules_of(building.site(), chosen)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    call = Proposals(chosen, rules).of(planned.target, NOON)
    planned = replace(planned, grounds=Grounds(rules.digest, call))
    store.apply([NoteRules(NAME, rules, NOON), replace(save(target), attempt=planned)])
    store.apply([SaveStage(planned.id, Stage.RINGING, NOON)])
    store.apply([outcome(planned, Outcome.BUSY, NOON + HOUR, call_events=1, channels=4)])
    assert kinds(store) == ["rules", "call", "ended"]
    noted, called, ended = (json.loads(entry[5]) for entry in entries(store))
    assert noted["rules"] == called["rules"] == rules.digest
    assert called["campaign_digest"] == noted["campaign_digest"]
    assert called["zones"] == ["Asia/Ho_Chi_Minh"]
    assert (called["number"], called["try"]) == (target.phone_hash, 1)
    assert (ended["outcome"], ended["rang"], ended["events"]) == ("busy", True, 1)
    whole = json.dumps(entries(store), default=str)
    for secret in (target.contact.name, target.contact.phone, target.account.contract_number):
        assert secret not in whole
    text, kind = store.parts.database.run(
        "SELECT text, kind FROM document WHERE digest = ?", (rules.digest,)
    ).fetchone()
    assert (hashlib.sha256(text.encode()).hexdigest(), kind) == (rules.digest, "rules")


def test_the_hashes_by_hand(tmp_path: Path) -> None:
    """As docs/rules.md tells it; the key is the first part of the key file."""
    import base64

    store = loaded(tmp_path, 2)
    store.apply([save(target) for target in store.due_targets(NAME, NOON, 2)])
    text = (tmp_path / "duecall.key").read_text().strip()
    key = base64.urlsafe_b64decode(text.split(".")[1])

    def tie_of(known: str) -> str:
        return hmac.new(key, b"ledger tie\x00" + known.encode(), hashlib.sha256).hexdigest()

    tie = tie_of("")
    for seq, at, kind, target, made, body, stored in entries(store):
        told = "\n".join((tie, "main", str(seq), str(at), kind, str(target), made, body))
        digest = hmac.new(key, b"ledger\x00" + told.encode(), hashlib.sha256).hexdigest()
        assert stored == digest
        tie = tie_of(stored)
    newest = store.parts.database.run("SELECT name, seq, hash FROM chain").fetchall()
    assert ("main", 2, tie) in [tuple(one) for one in newest]


def test_who_waits_for_morning_is_told_once(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    for _ in range(5):
        put_off(store, "t.hours: outside calling hours", "t.hours")
    assert kinds(store) == ["refused"]
    put_off(store, "t.gap: too soon after the last call")
    put_off(store, "t.hours: outside calling hours", "t.hours")
    assert kinds(store) == ["refused"] * 3
    body = json.loads(entries(store)[0][5])
    assert (body["rule"], body["rules"]) == ("t.hours", "digest")


def test_what_was_not_committed_is_not_told(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    with pytest.raises(TypeError):
        store.apply([save(target), building.target()])  # type: ignore[list-item]
    assert entries(store) == []
    store.apply([save(target)])
    assert [(entry[0], entry[2]) for entry in entries(store)] == [(1, "call")]


def test_a_refused_attempt_is_no_call(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    store.apply([save(target)])
    assert store.apply([save(target)]).refused
    assert kinds(store) == ["call"]


def test_each_daemon_has_its_chain_and_commands_have_one(tmp_path: Path) -> None:
    one = loaded(tmp_path, 2)
    two = open_store(tmp_path, "two")
    one.apply([save(target) for target in one.due_targets(NAME, NOON, 1)])
    two.apply([save(target) for target in two.due_targets(NAME, NOON, 1)])
    assert kinds(one) == kinds(one, "two") == ["call"]
    assert entries(one)[0][0] == entries(one, "two")[0][0] == 1


def test_two_commands_at_once_do_not_break_the_chain(tmp_path: Path) -> None:
    loaded(tmp_path, 1).close()
    stores = [open_store(tmp_path, CLI) for _ in range(2)]

    def stop(which: int) -> None:
        for number in range(10):
            stores[which].stop_number(f"+8490{which}{number:06d}", "dnc", "a test", NOON)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(stop, range(2)))
    found = [entry for entry in entries(stores[0], CLI) if entry[2] == "stop"]
    assert len(found) == 20
    assert len({entry[0] for entry in entries(stores[0], CLI)}) == len(entries(stores[0], CLI))
    vault = Vault.load(tmp_path / "duecall.key", {})
    tie = vault.ledger_tie("")
    for seq, at, kind, target, made, body, stored in entries(stores[0], CLI):
        told = (tie, CLI, str(seq), str(at), kind, str(target), made, body)
        assert stored == vault.ledger_hash("\n".join(told))
        tie = vault.ledger_tie(stored)


def test_an_entry_outside_a_transaction_is_a_mistake(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    parts = store.parts
    ledger = Ledger(parts.database, parts.vault, parts.lender, "main")
    with pytest.raises(RuntimeError, match="transaction"):
        ledger.add("call", {}, 0)
