"""However many rows are faulty: the first are shown, all are counted, memory stays bounded."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from duecall.cli import row_faults
from duecall.cli.row_faults import FAULTS_KEPT, FAULTS_SHOWN, RowFaults
from duecall.core.contact_row import RowFault


def fault(row: int, field: str = "balance") -> RowFault:
    return RowFault(row, field, "not a number", "write 1234567")


def told(faults: RowFaults, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown = io.StringIO()
    monkeypatch.setattr(row_faults, "errors", Console(file=shown, width=300))
    faults.tell("refused")
    return shown.getvalue().splitlines()


def test_few_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = RowFaults()
    faults.add(fault(2), fault(2, "phone"), fault(7))
    assert (faults.count, faults.rows) == (3, 2)
    assert told(faults, monkeypatch) == [
        "refused: row 2: balance: not a number; write 1234567",
        "refused: row 2: phone: not a number; write 1234567",
        "refused: row 7: balance: not a number; write 1234567",
    ]


def test_of_a_million_the_first_are_kept_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = RowFaults()
    for row in range(2, FAULTS_KEPT * 3):
        faults.add(fault(row))
    assert faults.count == faults.rows == FAULTS_KEPT * 3 - 2
    assert [one.row for one in faults] == list(range(2, FAULTS_KEPT + 2))
    lines = told(faults, monkeypatch)
    assert len(lines) == FAULTS_SHOWN + 1
    assert lines[-1] == f"refused: and {faults.count - FAULTS_SHOWN} more"


def test_none_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(RowFaults(), monkeypatch) == []
