"""A database that an older Duecall has filled is taken up whole: nothing is lost, all goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from duecall.audit.sources import AuditError
from duecall.cli import cli, load_commands
from duecall.core import commands as c
from duecall.core.attempt import Stage
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS, events_of
from duecall.core.outcome import Ending, Outcome
from duecall.shell.migrations import VERSION
from duecall.shell.models import MODELS
from duecall.shell.rule_packs import load_packs
from duecall.shell.store import Store
from tests.cli.explained import Bank
from tests.shell import store_world
from tests.shell import upgrade_world as world
from tests.shell.service_world import Daemon, until
from tests.shell.store_world import NAME, row

load_commands()
pytestmark = pytest.mark.usefixtures("database")
SETTINGS = {
    **store_world.campaign().model_dump(mode="json", by_alias=True, exclude_unset=True),
    "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
}
CONTRACTS = {f"HD-{n:07d}" for n in range(1, 26)}


@pytest.fixture(params=world.OLDER)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def store(tmp_path: Path, version: int) -> Iterator[Store]:
    """Opened by the Duecall of today."""
    world.build(tmp_path, version)
    one = store_world.open_store(tmp_path)
    yield one
    one.close()


def test_every_table_of_the_older_database_has_rows(tmp_path: Path, version: int) -> None:
    url = world.build(tmp_path, version)
    filled = {name for name, rows in world.old(version).tables.items() if rows}
    assert filled == set(world.tables_of(url))
    assert world.version_of(url) == version


def test_no_row_is_lost_and_none_is_changed(tmp_path: Path, version: int) -> None:
    url = world.build(tmp_path, version)
    before = world.tables(url, version)
    store_world.open_store(tmp_path).close()
    assert world.version_of(url) == VERSION
    assert set(world.tables_of(url)) >= {model._meta.table_name for model in MODELS}
    kept = [name for name in before if name not in ("suppression", "schema_version")]
    after = world.rows_of(url, [*kept, "stop"])
    for name in kept:
        was = before[name]
        columns = was[0] if was else ()
        now = [{column: row[column] for column in columns} for row in after[name]]
        assert sorted(map(repr, now)) == sorted(map(repr, was)), name
    if version < 3:
        was = [
            (one["phone_hash"], one["reason"], one["source"], one["at"], one["sealed"])
            for one in before["suppression"]
        ]
        now_stopped = [
            (one["key"], one["kind"], one["source"], one["at"], one["sealed"])
            for one in after["stop"]
        ]
        assert sorted(now_stopped) == sorted(was) and len(was) == 2
        assert {(s["key_kind"], s["campaign_id"], s["expires_at"]) for s in after["stop"]} == {
            ("number", 0, None)
        }


def test_calls_of_before_count_for_the_caps(tmp_path: Path, version: int) -> None:
    """By what each was, as the core of today says; those without a known end count as all."""
    url = world.build(tmp_path, version)
    store_world.open_store(tmp_path).close()
    found = world.rows_of(url, ["attempt", "target", "account", "contact"])
    targets = {one["id"]: one for one in found["target"]}
    accounts = {one["id"]: one for one in found["account"]}
    contacts = {one["id"]: one for one in found["contact"]}
    assert len({one["outcome"] for one in found["attempt"]}) == 12
    for one in found["attempt"]:
        account = accounts[targets[one["target_id"]]["account_id"]]
        assert one["account_id"] == account["id"]
        assert one["contact_key"] == contacts[account["contact_id"]]["contact_key"] != ""
        events, channels = ALL_EVENTS, ALL_CHANNELS
        if one["outcome"] not in (None, Outcome.UNKNOWN.value):
            rang = one["rang_at"] is not None or one["answered_at"] is not None
            outcome = Outcome(one["outcome"])
            events = events_of(outcome, rang=rang, heard_ms=one["heard_ms"])
            channels = 5 if outcome is Outcome.TRANSFERRED else 4
        if version < 3:
            assert (one["events"], one["channels"]) == (events, channels), one["outcome"]


def test_what_was_sealed_is_opened(store: Store) -> None:
    listed = list(store.targets(NAME))
    found = [one for n in range(1, 26) for one in store.why.by_contract(f"HD-{n:07d}")]
    assert len(listed) == 25
    assert {one.row.account.contract_number for one in found} >= CONTRACTS - {"HD-0000024"}
    named = {one.row.contact.name: one.row.contact.phone for one in found}
    assert named[row(7).contact.name] == row(7).contact.phone
    calls = list(store.attempts(NAME))
    assert len(calls) == 15
    stopped = {one.phone for one in store.stopped_numbers()}
    assert {row(2).contact.phone, row(19).contact.phone} <= stopped


# ---- the commands


class Desk:
    """All commands of today, in this process, on the older database."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder = folder
        self.url = world.build(folder, version)
        (folder / "var").mkdir()
        key = folder / "var" / "duecall.key"
        key.touch(mode=0o600)
        key.write_bytes((folder / "duecall.key").read_bytes())
        trunk = {"proxy": "127.0.0.1:9", "channels": 2, "calls_per_second": 1}
        names = ("var", "recordings", "cdr", "tts_cache")
        site = {
            "lender": "bank",
            "database": self.url,
            "trunks": {"demo": trunk},
            "agents": {"front-desk": {"members": ["sip:anna@127.0.0.1:5090"]}},
            "folders": {name: str(folder / name) for name in names},
        }
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(site))

    def run(self, *arguments: str, code: int = 0) -> str:
        asked = CliRunner().invoke(cli, ["--config", str(self.config), *arguments])
        if asked.exception and not isinstance(asked.exception, SystemExit):
            raise asked.exception
        assert asked.exit_code == code, (arguments, asked.output)
        return asked.stdout if code == 0 else asked.output

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def desk(tmp_path: Path, version: int) -> Desk:
    return Desk(tmp_path, version)


def test_reports_tell_of_every_call_of_before(desk: Desk) -> None:
    assert "opted_out" in desk.run("report", NAME)
    path = desk.folder / "report.csv"
    desk.run("report", NAME, "--csv", str(path), "--full-phones")
    text = path.read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == 1 + 15
    assert row(3).contact.phone in text


def test_why_and_plan_answer(desk: Desk, version: int) -> None:
    asked = desk.told("why", "HD-0000002", "--campaign", NAME)
    [target] = asked["targets"]
    assert (target["state"], target["tries"]) == ("done", 1)
    assert [stop["kind"] for stop in asked["stops"]] == ["opted_out"]
    [ready] = desk.told("why", "HD-0000007", "--campaign", NAME)["targets"]
    # Packs came with version 3: who has not said under which law he calls is not called.
    assert ready["allowed"] == (version >= 3), ready["reason"]
    past = desk.told("why", "HD-0000003", "--campaign", NAME, "--at", "2026-05-12T12:00+07:00")
    [then] = past["targets"]
    kinds = [entry["kind"] for entry in then["then"]["entries"]]
    assert kinds == (["call", "ended"] if version >= 3 else [])
    assert desk.told("plan", NAME, "--next", "1h")


def test_the_audit_proves_what_has_a_ledger(desk: Desk, version: int) -> None:
    if version < 3:
        with pytest.raises(AuditError, match="older Duecall; start this one once"):
            desk.run("audit")
    desk.run("dnc", "list")  # the first command that opens it upgrades it
    proved = desk.run("audit")
    assert "no violation" in proved, proved


def test_what_is_held_of_a_person_is_given_out_and_forgotten(desk: Desk) -> None:
    held = json.loads(desk.run("export-person", "HD-0000003"))
    text = json.dumps(held, ensure_ascii=False)
    assert row(3).contact.name in text and "promised" in text
    desk.run("forget", "HD-0000003", "--yes")
    again = json.dumps(json.loads(desk.run("export-person", row(3).contact.phone)))
    assert row(3).contact.name not in again


def test_why_of_the_past_says_what_it_does_not_know(desk: Desk, version: int) -> None:
    """Stops that were lifted before a lifted stop was kept: entered singly, and with a list."""
    if version < 3:
        pytest.skip("stops could not be lifted")
    at = ("--campaign", NAME, "--at", "2026-05-11T06:00:00+00:00")
    [singly] = desk.told("why", "HD-0000022", *at)["targets"]
    [stop] = singly["then"]["stops"]
    assert (stop["kind"], stop["lifted_by"], singly["allowed"]) == ("dispute", "letter back", False)
    [of_a_list] = desk.told("why", "HD-0000023", *at)["targets"]
    if version < 5:
        assert of_a_list["then"]["stops"] == []
        assert any("is not known" in note and "dnc" in note for note in of_a_list["then"]["notes"])


# ---- it goes on


class GoesOn(Bank):
    """A bank on the older database: its campaign is taken up by a file of today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = Daemon(folder).site.with_packs(load_packs(folder / "none"))
        self.store = store_world.open_store(folder)


def test_open_attempts_are_taken_up_by_a_daemon_and_never_sent_again(
    tmp_path: Path, version: int
) -> None:
    """tests/e2e/test_upgrade.py follows them to their end."""
    url = world.build(tmp_path, version)
    daemon = Daemon(tmp_path)
    daemon.start()
    until(lambda: hasattr(daemon.service, "dialer") and len(daemon.service.dialer.live) == 4)
    live = list(daemon.service.dialer.live.values())
    contracts = {call.attempt.target.account.contract_number for call in live}
    assert contracts == set(world.OPEN)
    daemon.stop()
    was = {one["id"]: one["sent_at"] for one in world.old(version).tables["attempt"]}
    after = world.rows_of(url, ["attempt"])["attempt"]
    assert {one["id"]: one["sent_at"] for one in after} == was


def test_a_campaign_goes_on_and_the_audit_proves_it(desk: Desk) -> None:
    bank = GoesOn(desk.folder)
    store, at = bank.store, store_world.NOON
    for attempt, stage in store.recover():  # as a daemon does that finds no evidence of them
        ending = Ending(cause="", sip_status=0, answered=stage >= Stage.ANSWERED, result=None)
        done = c.SaveOutcome(attempt, Outcome.UNKNOWN, ending, at, None, "unknown")
        store.apply([done], at)
    bank.take_up({**SETTINGS, "name": NAME}, at)
    [untouched] = store.why.by_contract("HD-0000022")
    assert untouched.state.value == "ready"
    assert bank.call("HD-0000022", at, Outcome.NO_ANSWER).number == 1
    store.import_rows(NAME, [row(26)])
    store.rank(NAME)
    bank.call("HD-0000026", at, Outcome.DELIVERED)
    assert bank.call("HD-0000007", at, Outcome.BUSY).number == 2
    counts = store.status_counts(NAME)
    assert (counts.live, sum(counts.targets.values())) == (0, 26)
    store.close()
    proved = desk.run("audit")
    assert "no violation" in proved, proved
    assert len(world.rows_of(desk.url, ["attempt"])["attempt"]) == 18
