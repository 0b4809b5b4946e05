"""Importing: the same again changes nothing, changed data changes that row only."""

from __future__ import annotations

import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError, Model
from playhouse.schema_diff import diff_models

from duecall.core.contact import Consent
from duecall.shell import migrations
from duecall.shell.column_values import from_us, to_us
from duecall.shell.database import StoreError
from duecall.shell.database_sqlite import sqlite_path
from duecall.shell.import_contacts import ImportCounts
from duecall.shell.models import MODELS
from tests.shell.store_world import NAME, NOON, campaign, loaded, open_store, row, rows

pytestmark = pytest.mark.usefixtures("database")


def test_same_file_twice_changes_nothing(tmp_path: Path, database: str) -> None:
    store, watcher = loaded(tmp_path, 2_500), open_store(tmp_path)
    sql = "PRAGMA data_version" if database == "sqlite" else "SELECT max(xmin::text) FROM target"

    def commits() -> object:
        """Of others than the watcher."""
        return watcher._database.run(sql).fetchone()

    before = commits()
    assert store.import_rows(NAME, rows(2_500)) == ImportCounts(unchanged=2_500)
    assert store.rank(NAME) == 0
    assert commits() == before  # not one
    store.import_rows(NAME, [row(1, balance_minor=7)])
    store.import_rows(NAME, [row(9_999)])
    assert commits() != before
    watcher.close()


@pytest.mark.parametrize(
    "change",
    [
        {"balance_minor": 5},
        {"phone": "+84911111111"},
        {"name": "Trần Thị B"},
        {"zone": "Asia/Tokyo"},
        {"language": "ru"},
        {"customer_id": "KH-4"},
        {"region": "US-MA", "line": "mobile"},
        {"consents": (Consent("called_back", date(2027, 6, 30)), Consent("recorded"))},
        {"flags": ("bankrupt", "third_party")},
        {"fields": {"city": "Huế"}},
        {"due": NOON.date()},
    ],
)
def test_changed_row_is_taken_over_and_no_other(tmp_path: Path, change: dict[str, object]) -> None:
    store = loaded(tmp_path, 10)
    new = [row(n) if n != 4 else row(4, **change) for n in range(1, 11)]
    assert store.import_rows(NAME, new) == ImportCounts(changed=1, unchanged=9)
    store.rank(NAME)
    found = {t.account.contract_number: t for t in store.due_targets(NAME, NOON, 99)}
    assert len(found) == 10
    for want in new:
        got = found[want.account.contract_number]
        assert (got.contact, got.account) == (want.contact, want.account)
    assert store._database.run("SELECT count(*) FROM contact").fetchone() == (10,)


def test_contract_twice_in_one_file_the_later_holds(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    twice = [row(1), row(2), row(1, balance_minor=5), row(3)]
    assert store.import_rows(NAME, twice) == ImportCounts(new=3, changed=1)
    store.rank(NAME)
    balances = [
        t.account.balance_minor
        for t in store.due_targets(NAME, NOON, 9)
        if t.account.contract_number == "HD-0000001"
    ]
    assert balances == [5]


def test_accounts_of_one_person_share_the_contact(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    person = {"name": "Lê Lan", "phone": "+84900000009"}
    store.import_rows(NAME, [row(1, **person), row(2, **person), row(3, phone="+84900000009")])
    store.rank(NAME)
    contacts = [target.contact_id for target in store.targets(NAME)]
    assert contacts[0] == contacts[1] != contacts[2]


def test_account_known_from_another_campaign_is_new_to_this_one(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    store.put_campaign(campaign(name="survey"), "x")
    assert store.import_rows("survey", rows(3)) == ImportCounts(new=3)
    store.rank("survey")
    assert len(store.due_targets("survey", NOON, 9)) == 3
    with pytest.raises(StoreError, match="duecall import nowhere"):
        store.import_rows("nowhere", rows(1))


def test_speed_of_a_large_import_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(tmp_path)
    store.put_campaign(campaign(), "x")
    count = 25_000
    began = time.monotonic()
    assert store.import_rows(NAME, rows(count)).new == count
    imported = time.monotonic()
    assert store.rank(NAME) == count
    ranked = time.monotonic()
    taken = store.due_targets(NAME, NOON, 100)
    with capsys.disabled():
        print(
            f"\n  import {count / (imported - began):,.0f} rows/s,"
            f" order {count / (ranked - imported):,.0f} rows/s,"
            f" 100 due targets in {(time.monotonic() - ranked) * 1e3:.1f} ms"
        )
    dues = [target.account.due_date for target in taken]
    assert len(taken) == 100 and dues == sorted(dues)


# ---- the schema


def test_models_and_migrations_say_the_same(tmp_path: Path) -> None:
    database = open_store(tmp_path)._database.db
    with database.bind_ctx(MODELS):
        diff = diff_models(database, MODELS)
        for model in MODELS:
            assert_alike(model, database)
    assert not diff.create_tables and not diff.add_columns and not diff.drop_columns
    assert [index for index in diff.add_indexes if index.columns] == []


def assert_alike(model: type[Model], database: Any) -> None:
    """Columns, and the names and uniqueness of the indexes."""
    table = model._meta.table_name
    columns = {column.name for column in database.get_columns(table)}
    indexes = {
        index.name: bool(index.unique)
        for index in database.get_indexes(table)
        if not index.name.startswith("sqlite_autoindex") and not index.name.endswith("_pkey")
    }
    assert columns == set(model._meta.columns)
    wanted = {index._name: bool(index._unique) for index in model._meta.fields_to_index()}
    assert indexes == wanted


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store._database.run("INSERT INTO schema_version VALUES (99, 'tomorrow')")
    store.close()
    with pytest.raises(StoreError, match=rf"schema version 99.*knows {migrations.VERSION}"):
        open_store(tmp_path)


def test_migrating_is_done_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = loaded(tmp_path, 3)
    store.close()
    known, following = migrations.MIGRATIONS, "ALTER TABLE account ADD note TEXT"
    torn = following + "; ALTER TABLE gone ADD x {id}"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*known, torn))
    monkeypatch.setattr(migrations, "VERSION", len(known) + 1)
    with pytest.raises(StoreError, match=r"no such table: gone|\"gone\" does not exist"):
        open_store(tmp_path)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*known, following))
    store = open_store(tmp_path)  # the half step before was taken back, so it works now
    assert len(store.due_targets(NAME, NOON, 9)) == 3
    store.close()
    open_store(tmp_path).close()  # and is not done again


def test_database_holds_its_own_rules(tmp_path: Path) -> None:
    run = loaded(tmp_path, 1)._database.run
    for wrong in (
        "UPDATE target SET state = 'lost'",
        "UPDATE target SET state = 'waiting', due_at = NULL",
        "UPDATE target SET account_id = 99",
        "INSERT INTO target (lender_id, campaign_id, account_id, phone_hash, state)"
        " SELECT lender_id, campaign_id, account_id, phone_hash, state FROM target",
    ):
        with pytest.raises(IntegrityError):
            run(wrong)


@pytest.mark.sqlite
def test_what_cannot_be_opened_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "duecall.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"duecall\.db.*not a database"):
        open_store(tmp_path)
    for url in ("mysql://localhost/x", "sqlite:///:memory:", "sqlite://", "duecall.db"):
        with pytest.raises(StoreError, match=r"sqlite:///var/duecall\.db"):
            sqlite_path(url)
    assert sqlite_path("sqlite:///var/duecall.db") == Path("var/duecall.db")
    assert sqlite_path("sqlite:////srv/duecall.db") == Path("/srv/duecall.db")


def test_times_are_exact_and_never_naive() -> None:
    for at in (NOON, NOON.replace(microsecond=1), NOON.replace(year=1969, microsecond=999_999)):
        assert from_us(to_us(at)) == at
    with pytest.raises(ValueError, match="without a zone"):
        to_us(datetime(2026, 1, 1))


def test_a_database_that_may_only_be_read_is_told(tmp_path: Path, database: str) -> None:
    store = loaded(tmp_path, 1)
    store.check_writable()
    read_only = {
        "sqlite": "PRAGMA query_only = 1",
        "postgres": "SET default_transaction_read_only = on",
    }
    store._database.run(read_only[database])
    with pytest.raises(StoreError, match=r"readonly database|read-only transaction"):
        store.check_writable()


@pytest.mark.sqlite
def test_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    for path in tmp_path.glob("duecall.db*"):
        assert path.stat().st_mode & 0o077 == 0, path
    store.close()


def test_a_fault_among_many_rows_is_of_the_same_kind_as_in_one(tmp_path: Path) -> None:
    database = loaded(tmp_path, 1)._database
    sql = "INSERT INTO news (lender_id, seq, kind, name) VALUES (?, 1000, 'number', '')"
    lender = database.run("SELECT id FROM lender").fetchone()
    with pytest.raises(IntegrityError), database.writing():
        database.run_many(sql, [lender, lender])
