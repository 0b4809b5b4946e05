"""docs/compliance.md and docs/rules.md: every pack, level, section and event; the example loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from duecall.core.call_events import EVENTS
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import SECTIONS, Level
from duecall.shell.rule_packs import find_pack, load_pack, pack_names

DOCS = Path(__file__).resolve().parents[2] / "docs"
OFFICERS = (DOCS / "compliance.md").read_text(encoding="utf-8")
DOC = OFFICERS + (DOCS / "rules.md").read_text(encoding="utf-8")
TWO_PAGES = 1_100  # words


def first_column(marker: str) -> list[str]:
    lines = DOC.split(f"<!-- {marker} -->\n")[1].split("\n\n")[0].split("\n")[2:]
    return [re.findall(r"`([^`]+)`", line)[0] for line in lines]


@pytest.mark.parametrize(
    ("marker", "names"),
    [
        ("packs", pack_names()),
        ("levels", get_args(Level)),
        ("sections", SECTIONS),
        ("events", EVENTS),
    ],
)
def test_the_tables_are_complete(marker: str, names: Any) -> None:
    assert sorted(first_column(marker)) == sorted(names)


def test_packs_are_called_as_they_call_themselves() -> None:
    for line in DOC.split("<!-- packs -->\n")[1].split("\n\n")[0].split("\n")[2:]:
        name, words = re.findall(r"\| `(\w+)` \| ([^;]+)", line)[0]
        if name != "none":
            assert load_pack(find_pack(name)).name == words.removesuffix(" |")


def test_the_example_loads_and_does_what_is_said() -> None:
    text = DOC.split("```yaml rules\n")[1].split("```")[0]
    changes = RuleChanges.model_validate(yaml.load(text, Loader=yaml.BaseLoader))
    rules = merge(load_pack(find_pack(changes.pack or "")), None, changes)
    assert [(one.kind, one.rule) for one in rules.changes] == [
        ("changed", "vn.calls-day"),
        ("added", "own.sundays"),
        ("added", "own.gap"),
        ("days", ""),
    ]


def test_the_officers_page_is_two_pages() -> None:
    assert len(OFFICERS.split()) <= TWO_PAGES
