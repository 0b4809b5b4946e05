"""What is wrong with rows, told on the screen: the first ones each, the others as a count."""

from __future__ import annotations

from collections.abc import Iterator

from duecall.cli.common import errors
from duecall.core.contact_row import RowFault

FAULTS_SHOWN = 50  # on the screen
FAULTS_KEPT = 10_000  # for --json; a million of them would take the memory of a million rows


class RowFaults:
    """Faults or notes of a file's rows, in the order of the rows. count, rows: of all of them; only
    the first FAULTS_KEPT are kept themselves."""

    def __init__(self) -> None:
        self.count = self.rows = 0
        self._kept: list[RowFault] = []
        self._last_row = 0

    def add(self, *faults: RowFault) -> None:
        for fault in faults:
            self.count += 1
            self.rows += fault.row != self._last_row
            self._last_row = fault.row
            if len(self._kept) < FAULTS_KEPT:
                self._kept.append(fault)

    def __iter__(self) -> Iterator[RowFault]:
        return iter(self._kept)

    def tell(self, title: str) -> None:
        for fault in self._kept[:FAULTS_SHOWN]:
            tell_line(f"{title}: {fault}")
        if self.count > FAULTS_SHOWN:
            tell_line(f"{title}: and {self.count - FAULTS_SHOWN} more")


def tell_line(line: str) -> None:
    errors.print(line, highlight=False, markup=False, soft_wrap=True)
