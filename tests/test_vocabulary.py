"""Names in the code keep to docs/glossary.md: none is of the words that it says "not" to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
SOURCES = sorted([*(ROOT / "daemon").rglob("*.py"), *(ROOT / "fs_scripts").rglob("*.py")])
# (word, name) that may stand all the same, and why.
ALLOWED = {
    ("customer", "customer_id"): "a column of lenders' files, by the name it has there",
    ("lead", "lead_ms"): "silence before a sound, as in lead-in",
    ("lead", "leads"): "the verb: which channel leads the other",
}


def rows() -> list[list[str]]:
    """Cells of all rows of the glossary's tables, without their headings."""
    lines = [line for line in GLOSSARY.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("word", "---")]


def words_not_to_use() -> list[str]:
    return [word.strip() for row in rows() for word in row[2].split(",") if word.strip()]


def tokens(name: str) -> list[str]:
    """`LeadTime_ms` -> lead, time, ms."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What this code names itself, with the line: not what it uses of others."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def holds(name: str, word: str) -> bool:
    """Whether the word stands in the name, in one piece, also with an s behind it."""
    wanted, found = tokens(word), tokens(name)
    for start in range(len(found) - len(wanted) + 1):
        piece = found[start : start + len(wanted)]
        if piece[:-1] == wanted[:-1] and piece[-1] in (wanted[-1], wanted[-1] + "s"):
            return True
    return False


def offences(name: str) -> list[str]:
    return [w for w in words_not_to_use() if holds(name, w) and (w, name) not in ALLOWED]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_keep_to_the_glossary(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [f"{path.stem}: {offences(path.stem)}"] if offences(path.stem) else []
    found += [f"line {line}: {n}: {offences(n)}" for n, line in names_in(tree) if offences(n)]
    assert found == []


def test_what_may_stand_all_the_same_is_still_there() -> None:
    named = {name for path in SOURCES for name, _ in names_in(ast.parse(path.read_text("utf-8")))}
    for word, name in ALLOWED:
        assert holds(name, word)
        assert name in named, f"{name} is gone: take it off the list"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Debtor", "debtor"),
        ("all_leads", "lead"),
        ("_LoanRow", "loan"),
        ("dispositionOf", "disposition"),
        ("overdue_days", "overdue_days"),
    ],
)
def test_a_wrong_name_is_found(name: str, word: str) -> None:
    assert word in offences(name)


@pytest.mark.parametrize("name", ["misleading", "loaned_out", "client", "hopper", "DebtRow"])
def test_only_whole_words_count(name: str) -> None:
    expected = {"DebtRow": ["debt"]}
    assert offences(name) == expected.get(name, [])


def test_each_word_of_the_glossary_stands_once_and_is_not_refused_elsewhere() -> None:
    words = [word.strip() for row in rows() for word in row[0].split(",")]
    assert len(words) == len(set(words))
    assert not set(words) & set(words_not_to_use())
    assert {"lead", "debtor", "subscriber", "loan"} <= set(words_not_to_use())


@pytest.mark.parametrize(
    "word", ["target", "hopper", "stage", "brief", "result", "step", "line", "gate", "manifest"]
)
def test_the_words_of_the_code_are_explained(word: str) -> None:
    assert any(row[0] == word and len(row[1]) > 10 for row in rows())
