"""What is wrong with a campaign or site file, where, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Spot(NamedTuple):
    """Line and column, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault. key: dotted path, empty where the fault belongs to no key."""

    file: str
    line: int
    column: int
    key: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " + (f"{self.key}: " if self.key else "")
        return f"{where}{self.problem}; allowed: {self.allowed}"


class ConfigFaults(Exception):
    """All faults of one file, in the order of the file; as text, one a line."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))
