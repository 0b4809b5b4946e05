"""`numbers.csv`: which number meets which callee, what the callee does, and what should come of it.

A `*` stands for any digits (`+84911*`, `+84911*7`); of several rows that fit, the one with the most
digits wins. A callee written `busy|presses-1` is busy on the first call and presses 1 on the
second and all later ones; the expected outcome is that of the last.
"""

from __future__ import annotations

import csv
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NUMBERS_CSV = FOLDER / "numbers.csv"
COLUMNS = ("number", "callee", "what_it_does", "expected_outcome")
NUMBERS_COUNTED_MAX = 200_000

_NUMBER = re.compile(r"\+[1-9][0-9]*(\*[0-9]*)?\Z")


class NumberPlanError(ValueError):
    """numbers.csv cannot be used: names file, row and remedy."""


@dataclass(frozen=True)
class Row:
    """One line of numbers.csv. callees: the first call meets the first, the last one repeats."""

    number: str  # E.164 with +, or a pattern with one *
    callees: tuple[str, ...]
    what_it_does: str
    expected_outcome: str

    @property
    def is_pattern(self) -> bool:
        return "*" in self.number


def read_rows(path: Path = NUMBERS_CSV) -> list[Row]:
    """All rows in the order of the file. NumberPlanError where one is not sound."""
    rows: list[Row] = []
    seen: set[str] = set()
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise NumberPlanError(f"{path}: row 1: the columns must be {','.join(COLUMNS)}")
        for raw in reader:
            where = f"{path}: row {reader.line_num}"
            if None in raw or None in raw.values():
                raise NumberPlanError(f"{where}: not {len(COLUMNS)} columns; quote commas")
            number = raw["number"]
            callees = tuple(raw["callee"].split("|"))
            if not _NUMBER.match(number):
                raise NumberPlanError(f"{where}: {number!r}: write +, digits and at most one *")
            if number in seen:
                raise NumberPlanError(f"{where}: {number} stands twice; remove one")
            if not all(callees):
                raise NumberPlanError(f"{where}: callee is empty; name a scenario")
            seen.add(number)
            rows.append(Row(number, callees, raw["what_it_does"], raw["expected_outcome"]))
    return rows


def callees_of(rows: list[Row]) -> set[str]:
    """Names of all callees that these rows can meet."""
    return {callee for row in rows for callee in row.callees}


class NumberPlan:
    """Finds the row of a number, and counts calls where the callee changes with them."""

    def __init__(self, rows: list[Row]) -> None:
        self._exact = {row.number: row for row in rows if not row.is_pattern}
        patterns = sorted(
            (row for row in rows if row.is_pattern), key=lambda row: len(row.number), reverse=True
        )
        self._patterns = [(row.number.partition("*"), row) for row in patterns]
        self._calls: OrderedDict[str, int] = OrderedDict()  # number -> calls so far; bounded

    def row_of(self, number: str) -> Row | None:
        """number: E.164 with +. None: nobody has it."""
        row = self._exact.get(number)
        if row is not None:
            return row
        for (head, _, tail), pattern_row in self._patterns:
            if (
                len(number) >= len(head) + len(tail)
                and number.startswith(head)
                and number.endswith(tail)
            ):
                return pattern_row
        return None

    def next_callee(self, number: str) -> str | None:
        """Whom this call meets; counts it. To be asked once a call, not once a repeated INVITE."""
        row = self.row_of(number)
        if row is None:
            return None
        if len(row.callees) == 1:
            return row.callees[0]
        calls = self._calls.pop(number, 0)
        self._calls[number] = calls + 1
        if len(self._calls) > NUMBERS_COUNTED_MAX:
            self._calls.popitem(last=False)
        return row.callees[min(calls, len(row.callees) - 1)]


def normal_number(user: str, home: str) -> str:
    """The user part of a SIP URI as E.164 with +; home: country code of numbers that begin with 0.

    >>> normal_number("0901234567", "84"), normal_number("84901234567", "84")
    ('+84901234567', '+84901234567')
    """
    text = user.replace("%2B", "+").replace("%2b", "+").split(";", 1)[0]
    if text.startswith("+"):
        return text
    if text.startswith("00"):
        return "+" + text[2:]
    if text.startswith("0"):
        return "+" + home + text[1:]
    return "+" + text
