"""A folder of tampered logs, each in one way: `duecall audit`, as typed, fails on all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.audit.tampering import Copy
from tests.audit.test_tampered import TAMPERINGS
from tests.cli.desk import Desk

AT_ONCE = 4


def installation(folder: Path, honest: Path) -> tuple[Desk, Copy]:
    """Whose database is a copy of the honest log."""
    (folder / "var").mkdir(parents=True)
    desk = Desk(folder)
    desk.config.write_text("lender: bank\n" + desk.config.read_text())
    return desk, Copy(honest, folder / "var")


def found(out: str) -> set[tuple[str, str]]:
    told: dict[str, Any] = json.loads(out)
    return {(one["law"], one["rule"]) for one in told["violations"]}


def test_the_command_fails_on_each_of_a_folder_of_tampered_logs(
    honest: Path, tmp_path: Path
) -> None:
    untouched, _ = installation(tmp_path / "honest", honest)
    assert found(untouched.run("audit", "--json").good) == set()
    desks: list[tuple[str, Desk]] = []
    for number, (name, (tamper, _)) in enumerate(TAMPERINGS.items(), 1):
        desk, log = installation(tmp_path / "tampered" / f"{number:02d}", honest)
        tamper(log)
        desks.append((name, desk))
    for start in range(0, len(desks), AT_ONCE):
        some = desks[start : start + AT_ONCE]
        answers = Desk.run_each([desk for _, desk in some], "audit", "--json")
        for (name, _), answer in zip(some, answers, strict=True):
            assert (answer.code, found(answer.out)) == (1, TAMPERINGS[name][1]), name
