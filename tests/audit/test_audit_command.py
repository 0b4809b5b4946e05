"""`duecall audit`, as an auditor types it; on both databases, beside the store that writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from duecall.audit.chains import Anchor
from duecall.audit.proofs import prove
from duecall.audit.reader import Key, Reading, read
from duecall.audit.sources import AuditError, open_source
from duecall.shell.rule_packs import SHIPPED
from duecall.shell.store import Store
from tests.audit.real_log import START, make_log
from tests.cli.desk import Desk
from tests.shell.store_world import open_store, rows, url_of


@pytest.fixture
def desk(tmp_path: Path, database: str) -> Desk:
    """Over a database with some days of calls; its key lies where it belongs."""
    make_log(tmp_path, turns=12, people=6).close()
    desk = Desk(tmp_path)
    config = desk.config.read_text()
    desk.config.write_text(f"lender: bank\ndatabase: {url_of(tmp_path)}\n{config}")
    (tmp_path / "var").mkdir()
    (tmp_path / "duecall.key").replace(tmp_path / "var" / "duecall.key")
    return desk


def read_all(folder: Path, *anchors: Anchor) -> Reading:
    source = open_source(url_of(folder))
    try:
        key = Key.of((folder / "duecall.key").read_text())
        return read(source, "bank", key, [SHIPPED], anchors)
    finally:
        source.close()


def tampered(folder: Path) -> None:
    key = folder / "var" / "duecall.key"
    (folder / "duecall.key").write_text(key.read_text())
    (folder / "duecall.key").chmod(0o600)
    store = open_store(folder)
    with store._database.writing():
        store._database.run("UPDATE attempt SET outcome = 'busy' WHERE outcome = 'opted_out'")
    store.close()


def test_a_lawful_log_passes_and_a_changed_one_does_not(desk: Desk) -> None:
    said = desk.run("audit").good
    assert "no violation" in said
    assert "vn.calls-day" in said, "what was made laxer is shown"
    found = json.loads(desk.run("audit", "--json").good)
    assert found["violations"] == []
    assert found["attempts"] == found["judged"] > 10
    assert found["campaigns"]["overdue"]["refusals"] > 0
    (head,) = found["heads"]
    assert head in said.replace("\n", "")
    assert desk.run("audit", "--head", head).code == 0

    tampered(desk.folder)
    answer = desk.run("audit")
    assert answer.code == 1
    assert "opted_out" in answer.out
    assert "1 violations" in answer.out
    found = json.loads(desk.run("audit", "--json").out)
    (violation,) = found["violations"]
    assert (violation["law"], violation["rule"]) == ("books", "ended")
    assert violation["entry"].startswith("main:")
    assert found["by_law"] == [{"law": "books", "rule": "ended", "count": 1}]


@pytest.mark.sqlite
def test_days_heads_and_keys(desk: Desk) -> None:
    monday = json.loads(desk.run("audit", "--to", "2026-11-23", "--json").good)
    later = json.loads(desk.run("audit", "--from", "2026-11-24", "--json").good)
    both = json.loads(desk.run("audit", "--json").good)
    assert monday["judged"] and later["judged"]
    assert monday["judged"] + later["judged"] == both["judged"]
    assert desk.run("audit", "--from", "2026-11-25", "--to", "2026-11-24").code == 2
    assert desk.run("audit", "--head", "main:1").code == 2
    gone = desk.run("audit", "--head", f"main:999:{'0' * 64}")
    assert gone.code == 1
    assert "once had entry 999" in gone.out

    key = desk.folder / "var" / "duecall.key"
    kept = key.read_text()
    key.unlink()
    assert "does not exist" in desk.run("audit").error
    assert not key.exists(), "none is made"
    assert desk.run("audit", DUECALL_KEY=kept).code == 0
    other = "duecall-key-1." + "A" * 43 + "=." + "A" * 43 + "="
    assert "belongs to another key" in desk.run("audit", DUECALL_KEY=other).error


@pytest.mark.sqlite
def test_a_rule_set_of_a_former_pack_is_proved_by_it(desk: Desk) -> None:
    own, former = desk.folder / "rules", desk.folder / "former"
    own.mkdir()
    former.mkdir()
    shipped = (SHIPPED / "vn.yaml").read_text(encoding="utf-8")
    (former / "vn.yaml").write_text(shipped.replace('to: "21:00"', 'to: "22:00"'))
    assert desk.run("audit", "--packs", former).code == 0, "any of those of that name will do"
    (own / "vn.yaml").write_text(shipped.replace('to: "21:00"', 'to: "20:30"'))
    assert desk.run("audit").code == 0
    assert desk.run("audit", "--packs", desk.folder / "none").code == 2


@pytest.mark.sqlite
def test_what_cannot_be_audited_says_why(tmp_path: Path, database: str) -> None:
    desk = Desk(tmp_path)
    desk.config.write_text("database: sqlite:///none.db\n" + desk.config.read_text())
    assert "none.db does not exist" in desk.run("audit", DUECALL_KEY="x").error
    (tmp_path / "none.db").write_bytes(b"")
    key = "duecall-key-1." + "A" * 43 + "=." + "A" * 43 + "="
    assert "is it a Duecall database?" in desk.run("audit", DUECALL_KEY=key).error
    assert "the key is none" in desk.run("audit", DUECALL_KEY="x").error


def test_the_store_and_the_audit_agree_while_the_store_writes(
    tmp_path: Path, database: str
) -> None:
    """The audit sees one moment; the daemon is not held up and may go on."""
    store = make_log(tmp_path, turns=6, people=5)
    source = open_source(url_of(tmp_path))
    key = Key.of((tmp_path / "duecall.key").read_text())
    before = len(list(source.rows("SELECT id FROM attempt")))
    _stop_one(store)
    found = read(source, "bank", key, [SHIPPED])
    assert len(found.log.attempts) == before
    assert found.chains == []
    assert prove(found.log).violations == []
    source.close()
    store.close()
    after = read_all(tmp_path, *found.ends)
    assert after.chains == []
    assert after.ends[0].seq > found.ends[0].seq or len(after.ends) > len(found.ends)
    assert prove(after.log).violations == []


def _stop_one(store: Store) -> None:
    (one,) = rows(1, start=3)
    store.stop_number(one.contact.phone, "dnc", "a test", START)


def test_prefixes_are_judged_by_the_numbers_that_were_called(tmp_path: Path, database: str) -> None:
    store = make_log(tmp_path, turns=6, people=5)
    sql = """INSERT INTO stop (lender_id, key_kind, key, campaign_id, kind, expires_at, sealed,
        source, at) VALUES (1, 'prefix', '+849', 0, 'dnc', NULL, ?, 'a law', ?)"""
    with store._database.writing():
        store._database.run(sql, (b"", 0))
    store.close()
    found = read_all(tmp_path)
    assert all(one.phone.startswith("+849") for one in found.log.attempts)
    proof = prove(found.log)
    assert {(one.law, one.rule) for one in proof.violations} == {("L4", "stop.dnc")}
    assert len(proof.violations) == proof.judged


@pytest.mark.sqlite
def test_an_older_database_has_no_ledger(tmp_path: Path, database: str) -> None:
    store = make_log(tmp_path, turns=1, people=1)
    with store._database.writing():
        store._database.run("DELETE FROM schema_version WHERE version >= 3")
    store.close()
    with pytest.raises(AuditError, match="no ledger yet"):
        read_all(tmp_path)
