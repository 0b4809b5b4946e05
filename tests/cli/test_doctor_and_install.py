"""`doctor` without a switch, and `freeswitch install` into a folder that looks like FreeSWITCH."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.desk import Desk
from tests.freeswitch.test_install import FHS, contents, make_prefix


def test_doctor_says_what_is_missing_and_what_to_do(desk: Desk) -> None:
    nothing, script = desk.run_all([("doctor",), ("doctor", "--json")])
    assert nothing.code == script.code == 1
    findings = {f["what"]: f for f in json.loads(script.out)}
    assert {what for what, f in findings.items() if f["verdict"] == "wrong"} == {
        "Event Socket password"
    }
    for finding in findings.values():
        assert (finding["verdict"] == "ok") == (finding["remedy"] == "")
    assert "wrong   Event Socket password  not known" in nothing.out
    with_password = desk.run("doctor", "--json", DUECALL_ESL_PASSWORD="secret")
    assert with_password.code == 1
    wrong = [f for f in json.loads(with_password.out) if f["verdict"] == "wrong"]
    assert [f["what"] for f in wrong] == ["switch"]
    assert "secret" not in with_password.out + with_password.err


def test_the_doctor_breaks_lines_at_words_and_never_in_a_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long-folder-" * 5) / "site"
    folder.mkdir(parents=True)
    desk = Desk(folder)
    shown = desk.run("doctor").out
    for name in ("recordings", "cdr"):
        assert str(folder / "var" / name) in shown
    assert "…" not in shown


def test_a_database_that_cannot_be_used_is_found(desk: Desk) -> None:
    (desk.folder / "var").mkdir(mode=0o700)
    (desk.folder / "var" / "duecall.db").write_bytes(b"nothing of a database " * 400)
    findings = {f["what"]: f for f in json.loads(desk.run("doctor", "--json").out)}
    assert findings["database"]["verdict"] == "wrong"
    assert "cannot be opened" in findings["database"]["detail"]


@pytest.mark.parametrize("again", [False, True])
def test_install_dry_run_tells_all_and_changes_nothing(
    desk: Desk, tmp_path: Path, again: bool
) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    before = contents(prefix)
    if again:
        assert desk.run("freeswitch", "install", "--prefix", prefix).good
        assert contents(prefix) != before
        before = contents(prefix)
    planned = desk.run("freeswitch", "install", "--prefix", prefix, "--dry-run")
    assert "Nothing changed." in planned.err
    assert contents(prefix) == before
    lines = planned.good.splitlines()
    actions = {line[:13].strip() for line in lines if not line.startswith(" ")}
    assert actions == ({"unchanged"} if again else {"write", "backup", "make folder"})
    for name in ("freeswitch.xml", "fs_scripts/entry.py"):
        assert any(name in line for line in lines)


def test_install_into_what_is_no_freeswitch(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = desk.run("freeswitch", "install", "--prefix", tmp_path / "empty").error
    assert str(tmp_path / "empty") in error
