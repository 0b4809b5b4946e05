"""docs/rules.md tells of every kind of entry in the ledger, and of every law proved."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.test_compliance_doc import first_column

CODE = Path(__file__).resolve().parents[2] / "daemon" / "duecall"


def test_every_kind_of_entry_is_told_and_no_other() -> None:
    written: set[str] = set()
    for path in (CODE / "shell").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        written.update(re.findall(r'ledger\.add\(\s*"(\w+)"', text))
    assert len(written) > 8
    assert written == set(first_column("entries"))


def test_every_law_is_told_and_no_other() -> None:
    named: set[str] = set()
    for path in (CODE / "audit").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        named.update(re.findall(r'"(L\d+|chain|books|rules)"', text))
    assert named == set(first_column("proofs"))
