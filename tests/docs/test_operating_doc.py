"""docs/operating.md tells of every command, outcome, exit code, stage, alarm and reason."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from duecall.cli import EXIT_CODES, cli, load_commands
from duecall.cli.prompts import AHEAD
from duecall.cli.status_view import ALARMS_SHOWN, COLUMNS
from duecall.core.attempt import Stage
from duecall.core.outcome import Outcome
from duecall.shell import freeswitch_layout
from duecall.shell.operator import STATES
from tests.docs.alarm_texts import texts_of

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "daemon" / "duecall"
DOC = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
load_commands()


def section(title: str) -> str:
    """Up to the next heading of any depth."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOC, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def first_cells(title: str) -> list[str]:
    """What stands in backquotes in the first cell of each row of the section's tables."""
    cells = re.findall(r"^\| ([^|]*) \|", section(title), re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def commands(group: click.Group, above: str = "duecall") -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        full = f"{above} {name}"
        found += commands(command, full) if isinstance(command, click.Group) else [full]
    return found


def test_every_command_is_told_and_no_other() -> None:
    told = [re.sub(r" [A-Z]+$", "", cell) for cell in first_cells("Commands")]
    assert sorted(told) == sorted(commands(cli))


def test_every_command_that_is_mentioned_exists() -> None:
    known = {command.split()[1] for command in commands(cli)}
    mentioned = set(re.findall(r"`duecall ([a-z-]+)", DOC))
    assert mentioned <= known


def test_every_outcome_is_told_in_its_order_with_whether_it_counts() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (yes|no) \|$", section("Outcomes"), re.MULTILINE)
    assert rows == [(outcome.value, "yes" if outcome.counts else "no") for outcome in Outcome]


def test_every_exit_code_is_told_with_its_meaning() -> None:
    rows = re.findall(r"^\| `(\d)` \| ([^|]+) \|$", section("Exit codes"), re.MULTILINE)
    assert [int(code) for code, _ in rows] == list(EXIT_CODES)
    for code, text in rows:
        assert text.startswith(EXIT_CODES[int(code)])


def test_every_stage_state_and_column_of_status_is_told() -> None:
    told = first_cells("Reading `status`")
    assert [stage.name.lower() for stage in Stage] == told[: len(Stage)]
    assert set(COLUMNS) <= set(told)
    assert {*STATES.values(), "finished"} - {"stopped"} <= set(told)


def test_every_alarm_is_told_and_no_other() -> None:
    in_code = texts_of("Alarm", CODE)
    assert len(in_code) >= 10
    assert set(first_cells("Alarms")) == in_code


@pytest.mark.parametrize("reason", sorted(texts_of("Denied", CODE)))
def test_every_reason_of_the_gate_is_told(reason: str) -> None:
    told = first_cells("Reading `status`")
    assert any(text.startswith(reason.removesuffix(" balance")) for text in told)


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    assert f"the first {AHEAD:,} contacts" in DOC
    assert ALARMS_SHOWN == 5
    assert "the last five" in section("Alarms")


def test_every_variable_of_the_environment_is_told_and_no_other() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted(CODE.rglob("*.py"))]
    ours = {name for text in sources for name in re.findall(r'"(DUECALL_[A-Z_]*[A-Z])"', text)}
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", section("Environment"), re.MULTILINE))
    assert len(ours) >= 5
    assert told == ours | {freeswitch_layout.PREFIX_VARIABLE, "NO_COLOR"}
