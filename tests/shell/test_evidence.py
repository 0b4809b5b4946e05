"""`duecall evidence`: all of it in one folder, whole or not at all; what does not agree is told."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from duecall.core import commands as c
from duecall.core.outcome import Outcome
from duecall.core.rule_choice import rules_of
from duecall.shell import evidence
from duecall.shell.column_values import to_us
from duecall.shell.evidence import Evidence, EvidenceWriter
from duecall.shell.ledger import entry_text
from duecall.shell.person_export import PersonExport, note
from duecall.shell.recording_hashes import write_sums
from duecall.shell.recording_index import look_at
from duecall.shell.store_answers import Recorded
from duecall.shell.vault import parse_key
from fs_scripts.contract import Brief
from tests.shell.store_world import NAME, NOON, campaign
from tests.shell.test_person_erasing import LATER, World, person_row
from tests.shell.test_retention import site

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(
        tmp_path,
        [
            person_row(1, "C-1", contract="HD-1", name="Trần Thị Một"),
            person_row(2, "C-1", contract="HD-2", name="Trần Thị Một"),
            person_row(3, contract="HD-3", name="# Lê **Ba**\n## Ende"),
        ],
    )


def hashed(world: World) -> None:
    """As the daemon does after each recorded call."""
    parts = world.store.parts
    sql = "SELECT id, target_id, recording FROM attempt WHERE recording <> ''"
    rows = [Recorded(*row) for row in parts.database.run(sql).fetchall()]
    looks = [(one, look_at(world.files.recording(one.name))) for one in rows]
    write_sums(parts, looks, to_us(NOON))


def made(world: World, contract: str, name: str = "out", **options: Any) -> Evidence:
    person = world.person(contract)
    wanted = world.store.parts.vault.keyed_hash("contract", contract)
    (account,) = [one for one in person.accounts if one.contract_hash == wanted]
    full = options.pop("full_phones", False)
    writer = EvidenceWriter(world.store.parts, world.files, LATER, full_phones=full)
    with world.store.reading():
        return writer.write(person, account, contract, world.folder / name)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_has_all_of_it(world: World) -> None:
    attempt_id = world.call("HD-1")
    world.call("HD-2")  # another contract of the same person
    world.store.stop_number("+84900000001", "dnc", "a letter", LATER)
    hashed(world)
    done = made(world, "HD-1")
    out = world.folder / "out"
    assert (done.folder, done.attempts, done.recordings, done.problems) == (out, 1, 1, [])
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    (row,) = rows_of(out / "attempts.csv")
    assert (row["attempt"], row["outcome"], row["keys"]) == (attempt_id, "promised", "message:1")
    assert row["local_time"] == "2026-11-23T12:00:00+07:00"
    assert row["phone"] == "'+84…001" and row["recording_is"] == "as in the ledger"
    assert rows_of(out / "keys.csv")[0]["key"] == "1"
    assert rows_of(out / "promises.csv")[0]["due"] == "2026-11-23"
    assert rows_of(out / "stops.csv")[0]["kind"] == "dnc"
    copy = out / "recordings" / row["recording"]
    assert copy.read_bytes() == b"RIFF" + attempt_id.encode()
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == row["recording_sha256"]
    entries = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    assert [entry["kind"] for entry in entries] == ["call", "ended", "recording"]
    assert done.entries == 3


def test_sums_are_over_all_files_and_hold(world: World) -> None:
    world.call("HD-1")
    made(world, "HD-1")
    out = world.folder / "out"
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=out, capture_output=True).returncode == 0
    named = {line.split("  ")[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert named == there - {"SHA256SUMS"}
    (out / "summary.md").write_text("other")
    assert subprocess.run(command, cwd=out, capture_output=True).returncode != 0


def test_each_entry_can_be_verified_with_the_key_alone(world: World) -> None:
    world.call("HD-1")
    world.call("HD-1", at=LATER)
    made(world, "HD-1")
    key = parse_key((world.folder / "duecall.key").read_text())[0]
    lines = (world.folder / "out" / "ledger.jsonl").read_text().splitlines()
    assert len(lines) >= 4
    for line in lines:
        one = json.loads(line)
        tie = hmac.new(key, b"ledger tie\0" + one["prev"].encode(), hashlib.sha256).hexdigest()
        text = "\n".join(
            (tie, one["chain"], str(one["seq"]), str(one["at"]), one["kind"],
             str(one["target_id"]), one["attempt_id"], one["body"])
        )  # fmt: skip
        digest = hmac.new(key, b"ledger\0" + text.encode(), hashlib.sha256).hexdigest()
        assert digest == one["hash"]


def test_the_rules_in_force_are_there_as_the_entries_name_them(world: World) -> None:
    rules = rules_of(site(), campaign())
    (target,) = [one for one in world.store.due_targets(NAME, NOON, 9)
                 if one.account.contract_number == "HD-3"]  # fmt: skip
    refusal = c.DeferTarget(
        target.as_target(Brief("", ())),
        LATER,
        "outside calling hours",
        "vn.hours",
        rules.digest,
        NOON,
    )
    world.store.apply([c.NoteRules(NAME, rules, NOON), refusal])
    done = made(world, "HD-3")
    assert done.problems == []
    (path,) = (world.folder / "out" / "rules").glob("*.json")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem == rules.digest
    text = (world.folder / "out" / "summary.md").read_text()
    assert "2026-11-23 12:00:00 +07 Not called: outside calling hours (rule `vn.hours`)" in text


def test_rules_that_are_gone_are_a_problem(world: World) -> None:
    (target,) = [one for one in world.store.due_targets(NAME, NOON, 9)
                 if one.account.contract_number == "HD-3"]  # fmt: skip
    world.store.apply(
        [c.DeferTarget(target.as_target(Brief("", ())), LATER, "x", "vn.hours", "f" * 64, NOON)]
    )
    (problem,) = made(world, "HD-3").problems
    assert "f" * 64 in problem


# ---- what does not agree


def test_a_recording_that_was_changed_is_told_loudly(world: World) -> None:
    world.call("HD-1")
    hashed(world)
    (path,) = (world.folder / "recordings").rglob("*.wav")
    path.write_bytes(path.read_bytes() + b"cut")
    (problem,) = made(world, "HD-1").problems
    assert "is NOT the one that was made" in problem
    text = (world.folder / "out" / "summary.md").read_text()
    assert text.index("PROBLEMS") < text.index("What happened") and "NOT the one" in text
    assert rows_of(world.folder / "out" / "attempts.csv")[0]["recording_is"].startswith("DIFFERS")


def test_a_recording_that_is_gone_is_told(world: World) -> None:
    world.call("HD-1")
    hashed(world)
    (path,) = (world.folder / "recordings").rglob("*.wav")
    path.unlink()
    (problem,) = made(world, "HD-1").problems
    assert "No such file" in problem
    assert rows_of(world.folder / "out" / "attempts.csv")[0]["recording_is"] == "MISSING"


def test_one_that_never_was_is_no_problem(world: World) -> None:
    attempt_id = world.call("HD-1")
    (path,) = (world.folder / "recordings").rglob("*.wav")
    path.unlink()
    (record,) = world.store.attempts(NAME)
    never = Recorded(attempt_id, record.target_id, record.recording)
    write_sums(world.store.parts, [(never, None)], to_us(NOON))
    assert made(world, "HD-1").problems == []


def test_an_entry_that_was_changed_is_told(world: World) -> None:
    world.call("HD-1")
    parts = world.store.parts
    with parts.database.writing():
        sql = "SELECT seq, body FROM ledger WHERE kind = 'ended'"
        seq, body = parts.database.run(sql).fetchone()
        changed = body.replace('"promised"', '"no_answer"')
        assert changed != body
        parts.database.run("UPDATE ledger SET body = ? WHERE seq = ?", (changed, seq))
    (problem,) = made(world, "HD-1").problems
    assert f"entry main {seq} of the ledger" in problem


def test_an_entry_whose_predecessor_is_gone_is_told(world: World) -> None:
    world.call("HD-1")
    parts = world.store.parts
    with parts.database.writing():
        parts.database.run("DELETE FROM ledger WHERE kind = 'call'")
    assert len(made(world, "HD-1").problems) == 1


def test_an_attempt_that_nobody_decided_is_told(world: World) -> None:
    """All of the ledger is in order, and tells nothing of it."""
    attempt_id = world.call("HD-1")
    parts = world.store.parts
    with parts.database.writing():
        parts.database.run("DELETE FROM promise")
        parts.database.run("UPDATE attempt SET id = 'forged' WHERE id = ?", (attempt_id,))
    (problem,) = made(world, "HD-1").problems
    assert problem == "attempt forged: the ledger has no decision to make this call"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("attempt SET outcome = 'busy'", "outcome is busy, the ledger has promised"),
        ("attempt SET saved_at = saved_at + 1", "saved_at is "),
        ("attempt SET settled_at = settled_at + 1", "settled_at is "),
        ("attempt SET sent_at = 7", "sent_at is 7, the ledger has "),
        ("attempt SET heard_ms = heard_ms + 1", "heard_ms is "),
        ("attempt SET number = 2", "try is 2, the ledger has 1"),
        (
            "attempt SET settled_at = NULL, outcome = NULL",
            "it has not ended, the ledger has promised",
        ),
        ("attempt SET keys = '[]'", "keys, answers or the promised day are others"),
        ('attempt SET answers = \'{"a": "b"}\'', "keys, answers or the promised day are others"),
        ("promise SET due = '2026-12-31'", "keys, answers or the promised day are others"),
    ],
)
def test_an_attempt_that_was_changed_is_told(world: World, change: str, told: str) -> None:
    attempt_id = world.call("HD-1")
    assert made(world, "HD-1", name="before").problems == []
    parts = world.store.parts
    with parts.database.writing():
        parts.database.run(f"UPDATE {change}")
    (problem,) = made(world, "HD-1").problems
    assert problem.startswith(f"attempt {attempt_id} is NOT what the ledger says: ")
    assert told in problem


def test_entries_of_before_there_were_ties_are_verified(world: World) -> None:
    """Each carries on from the hash of the one before it."""
    world.call("HD-1")
    parts = world.store.parts
    sql = "SELECT seq, at, kind, target_id, attempt_id, body FROM ledger WHERE chain = 'main'"
    before = ""
    with parts.database.writing():
        for seq, *facts in parts.database.run(f"{sql} ORDER BY seq").fetchall():
            before = parts.vault.ledger_hash(entry_text(before, "main", seq, *facts))
            change = "UPDATE ledger SET hash = ? WHERE chain = 'main' AND seq = ?"
            parts.database.run(change, (before, seq))
    assert made(world, "HD-1").problems == []


# ---- for people


def test_numbers_are_masked_unless_asked_for(world: World) -> None:
    world.call("HD-1")
    made(world, "HD-1")
    made(world, "HD-1", name="whole", full_phones=True)
    for name, there in (("out", False), ("whole", True)):
        files = (world.folder / name).glob("*.*")
        assert any("84900000001" in path.read_text() for path in files) is there


def test_a_name_makes_no_heading(world: World) -> None:
    made(world, "HD-3")
    lines = (world.folder / "out" / "summary.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## What happened",
        "## The files",
    ]


def test_the_folder_is_there_whole_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.call("HD-1")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evidence, "_write_sums", full)
    with pytest.raises(OSError, match="No space"):
        made(world, "HD-1")
    assert [name for name in os.listdir(world.folder) if "out" in name] == []
    monkeypatch.undo()
    made(world, "HD-1")
    with pytest.raises(FileExistsError, match="name another folder with --out"):
        made(world, "HD-1")


def test_after_the_person_is_forgotten_what_stays_can_still_be_shown(world: World) -> None:
    world.call("HD-1")
    hashed(world)
    world.forget("HD-1")
    assert made(world, "HD-1").problems == []
    text = (world.folder / "out" / "summary.md").read_text()
    assert "(erased)" in text and "Trần" not in text and "**promised**" in text
    assert rows_of(world.folder / "out" / "attempts.csv")[0]["recording_is"] == "removed since"


# ---- all that is held of a person


def test_an_export_has_everything_of_them_and_nothing_of_others(world: World) -> None:
    world.call("HD-1")
    world.call("HD-2")
    world.call("HD-3")
    world.store.stop_number("+84900000002", "dnc", "a letter", NOON)
    person = world.person("C-1")
    told = PersonExport(world.store.parts).of(person)
    assert [one["name"] for one in told["contacts"]] == ["Trần Thị Một"] * 2
    assert [one["contract_number"] for one in told["accounts"]] == ["HD-1", "HD-2"]
    assert told["accounts"][0]["fields"] == {"city": "city 1"}
    assert {one["phone"] for one in told["attempts"]} == {"+84900000001", "+84900000002"}
    assert [one["outcome"] for one in told["attempts"]] == [Outcome.PROMISED.value] * 2
    assert [one["keys"][0]["key"] for one in told["attempts"]] == ["1", "1"]
    assert [one["saved_at"] for one in told["attempts"]] == [NOON.isoformat()] * 2
    assert len(told["promises"]) == len(told["targets"]) == 2
    assert [stop["kind"] for stop in told["stops"]] == ["dnc"]
    assert {entry["kind"] for entry in told["ledger"]} >= {"call", "ended"}
    whole = json.dumps(told, ensure_ascii=False)
    assert "Ende" not in whole and "+84900000003" not in whole


def test_that_it_was_given_out_stands_in_the_ledger(world: World) -> None:
    person = world.person("C-1")
    note(world.store.parts, "exported", person, NOON)
    (entry,) = world.entries("person")
    assert (entry["did"], entry["contact"]) == ("exported", person.key)
