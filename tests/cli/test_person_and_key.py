"""`duecall forget`, `export-person`, `evidence` and `key`, as an operator types them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from duecall.cli import FAULTS_OF_THE_WORLD, cli, load_commands
from duecall.cli.common import in_words
from duecall.shell.journal_file import SegmentWriter
from duecall.shell.vault import KEY_VARIABLE, Vault
from tests.cli.desk import Answer, Desk

load_commands()


@pytest.fixture
def full(desk: Desk) -> Desk:
    """With three contacts."""
    run(desk, "import", desk.campaign()).good  # noqa: B018
    return desk


def run(desk: Desk, *arguments: object) -> Answer:
    """In this process: most of a command's time is Python's start."""
    asked = CliRunner().invoke(cli, ["--config", str(desk.config), *map(str, arguments)])
    error = asked.exception
    if error is None or isinstance(error, SystemExit):
        return Answer(asked.exit_code, asked.stdout, asked.stderr)
    assert isinstance(error, FAULTS_OF_THE_WORLD), error  # as `main` tells them
    return Answer(1, asked.stdout, f"{asked.stderr}error: {in_words(error)}\n")


def test_what_would_be_erased_is_said_before_it_is_asked(full: Desk) -> None:
    asked = run(full, "forget", "HD-000001")
    assert asked.code == 1 and asked.err.strip().endswith("error: nothing was erased")
    said = " ".join(asked.out.split())
    for text in ("erased name", "1 contact and 1 account;", "kept times", "people.csv", "backups"):
        assert text in said, said
    assert json.loads(run(full, "export-person", "HD-000001").good)["contacts"][0]["name"]
    done = run(full, "forget", "HD-000001", "--yes", "--reason", "a letter")
    assert "forgotten: 1 contact, 1 account, 1 target" in done.good
    again = run(full, "forget", "+84912000001", "--yes", "--json")
    told = json.loads(again.good)
    assert told["erased"]["contacts"] == 0 and told["kept"]["until"] is None
    gone = json.loads(run(full, "export-person", "HD-000001").good)
    assert gone["contacts"][0]["name"] == "" and gone["accounts"][0]["contract_number"] == ""
    assert [stop["kind"] for stop in gone["stops"]] == ["forgotten", "forgotten"]
    other = json.loads(run(full, "export-person", "HD-000002").good)
    assert other["contacts"][0]["name"] == "Nguyễn Văn An"


def test_the_same_file_does_not_bring_back_who_is_forgotten(full: Desk) -> None:
    run(full, "forget", "HD-000001", "--yes").good  # noqa: B018
    run(full, "import", full.folder / "people.yaml").good  # noqa: B018
    changed = (full.folder / "people.csv").read_text().replace("1001000", "7001000")
    full.campaign("second", csv=changed)
    run(full, "import", full.folder / "second.yaml").good  # noqa: B018
    gone = json.loads(run(full, "export-person", "HD-000001").good)
    assert gone["contacts"][0]["name"] == "" and gone["accounts"][0]["contract_number"] == ""
    assert [target["campaign"] for target in gone["targets"]] == ["people"]


def test_nobody_is_told_in_one_line(full: Desk) -> None:
    for who in ("HD-9", "+84911111111"):
        for command in ("forget", "export-person", "evidence"):
            assert "is known" in run(full, command, who).error
    assert "takes --yes" in run(full, "forget", "HD-000001", "--json").error


def test_an_export_is_for_its_owner_only(full: Desk) -> None:
    out = full.folder / "given" / "person.json"
    run(full, "export-person", "HD-000002", "--out", out, "--recordings", full.folder / "rec").good  # noqa: B018
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    told = json.loads(out.read_text())
    assert told["contacts"][0]["phone"] == "+84912000002" and told["recordings"] == []


def test_evidence_makes_one_folder(full: Desk) -> None:
    done = run(full, "evidence", "HD-000001", "--out", full.folder / "complaint")
    assert "0 attempts" in done.good and "complaint" in done.out
    names = {path.name for path in (full.folder / "complaint").iterdir()}
    assert names == {
        "summary.md", "attempts.csv", "keys.csv", "promises.csv", "stops.csv", "ledger.jsonl",
        "rules", "SHA256SUMS",
    }  # fmt: skip
    assert (
        "name another folder"
        in run(full, "evidence", "HD-000001", "--out", full.folder / "complaint").error
    )
    assert "no contract number" in run(full, "evidence", "+84912000001").error
    told = json.loads(full.run("evidence", "HD-000001", "--json").good)
    assert told["problems"] == [] and Path(full.folder / told["folder"]).is_dir()


# ---- the key: in processes of their own, for each holds the key file while it lives


@pytest.fixture
def apart(desk: Desk) -> Desk:
    """With three contacts."""
    desk.run("import", desk.campaign()).good  # noqa: B018
    return desk


def test_a_key_is_changed_and_never_shown(apart: Desk) -> None:
    path = apart.folder / "var" / "duecall.key"
    text = path.read_text()
    before = json.loads(apart.run("key", "show", "--json").good)
    assert before["opens"] == [before["seals"]] and before["from"] == str(path)
    done = apart.run("key", "rotate", DUECALL_PROGRESS="1")
    assert "6 rows sealed anew" in done.good and f"dropped: {before['seals']}" in done.out
    after = apart.run("key", "show")
    assert after.good.count("seals and opens") == 1 and before["seals"] not in after.out
    parts = text.strip().split(".")[1:] + path.read_text().strip().split(".")[1:]
    shown = done.out + done.err + after.out
    assert not [part for part in parts if part in shown]
    assert json.loads(apart.run("export-person", "HD-000001").good)["contacts"][0]["name"]
    assert "not changed everywhere" not in apart.run("key", "rotate", "--finish", "--json").good


def test_a_key_that_cannot_be_changed_is_told_with_the_remedy(desk: Desk) -> None:
    assert "there is no key yet" in desk.run("key", "rotate").error
    assert "makes it" in desk.run("key", "show").error
    desk.run("import", desk.campaign()).good  # noqa: B018
    text = (desk.folder / "var" / "duecall.key").read_text().strip()
    error = desk.run("key", "rotate", **{KEY_VARIABLE: text}).error
    assert KEY_VARIABLE in error and "chmod 600" in error
    assert KEY_VARIABLE in desk.run("key", "show", **{KEY_VARIABLE: text}).good


def test_the_older_key_stays_for_the_journal(apart: Desk) -> None:
    path = apart.folder / "var" / "duecall.key"
    writer = SegmentWriter(
        apart.folder / "var" / "journal", "00000001-x", Vault(path.read_text()), {}
    )
    writer.close()
    done = apart.run("key", "rotate")
    assert "1 files of the journal are sealed with it" in done.good
    assert "1 files of the journal" in apart.run("key", "rotate", "--finish").error
    os.unlink(writer.path)
    assert "dropped: " in apart.run("key", "rotate", "--finish").good


def test_a_daemon_takes_up_the_new_key_by_itself(daemon_desk: Desk) -> None:
    daemon_desk.run("import", daemon_desk.campaign()).good  # noqa: B018
    before = json.loads(daemon_desk.run("key", "show", "--json").good)["seals"]
    done = json.loads(daemon_desk.run("key", "rotate", "--json").good)
    assert done["rows"] >= 6 and done["key"] != before
    assert done["journal_files"] >= 1 and done["dropped"] == []  # it wrote with the old one
    shown = json.loads(daemon_desk.run("key", "show", "--json").good)
    assert shown["opens"] == [done["key"], before]
    daemon_desk.run("status").good  # noqa: B018
