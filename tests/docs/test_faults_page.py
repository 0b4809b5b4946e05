"""docs/architecture.md tells what happens at every fault that the simulator knows, in its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duecall.sim import trouble
from duecall.sim.faults import TABLE, Fault

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TITLE = "## What happens when … dies"


def rows() -> dict[str, list[str]]:
    """name -> the row's other cells."""
    found = re.search(rf"^{TITLE}\n(.*?)(?=^## |\Z)", DOC, re.MULTILINE | re.DOTALL)
    assert found, f"no section {TITLE!r}"
    lines = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", found[1], re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in lines}


def test_the_page_and_the_simulator_know_the_same_faults() -> None:
    assert list(rows()) == [fault.name for fault in TABLE]


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_the_page_says_what_the_table_says(fault: Fault) -> None:
    assert rows()[fault.name] == [fault.what, fault.then, fault.seen]


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_each_fault_is_told_in_full_and_can_strike(fault: Fault) -> None:
    least, most = fault.rates
    assert 0 < least < most
    assert fault.what.endswith(".") and fault.then.endswith(".") and fault.seen and fault.heals
    if fault.each_time:
        assert most <= 1
    else:
        assert hasattr(trouble.Trouble, f"_{fault.name}")
