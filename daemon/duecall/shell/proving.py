"""The proof of a whole contacts file, on all cores where it is worth it, in the order of its rows.

This process parts the file into rows and hands them out; processes beside it read and prove them
(shell/row_prover.py). What rows have in common, a contract that stands twice, is seen here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import islice
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Protocol

from duecall.core.contact_row import ParsedRow, RowFault
from duecall.shell.contacts_csv import (
    Progress,
    Record,
    Taken,
    notes_of_words,
    once_more,
    read_records,
)
from duecall.shell.row_prover import ProofOrder, ProvenRow, RowProver

BLOCK = 500  # rows that are handed out at once
ALONE_BYTES = 3_000_000  # a smaller file is proven before another process had begun
PROCESSES_MAX = 8  # by then the parting of the file is what takes longest
CHILD = "duecall.shell.proving_child"


class ProvingError(RuntimeError):
    """A process that proves has gone."""


def prove_rows(
    path: Path,
    order: ProofOrder,
    progress: Progress | None = None,
    processes: int | None = None,
    taken: Taken | None = None,
) -> Iterator[ProvenRow | RowFault]:
    """Each row, proven or refused; a refused one may give several faults. In the file's order.

    progress, taken: as `read_contacts` has them. processes: beside this one; left out, as many as
    there are cores, and none for a small file. Raises ProvingError, ContactsFileError as
    `read_contacts` does, and TemplateFault as Prover does.
    """
    if processes is None:
        processes = _worth_it(path)
    blocks = _blocks(read_records(path, progress=progress, taken=taken))
    seen: dict[str, int] = {}
    told: set[tuple[str, str]] = set()
    with ExitStack() as stack:
        workers: list[_Worker] = [_Here(order)]  # which also tells what is wrong with the campaign
        if processes:
            workers = [stack.enter_context(_Beside(order)) for _ in range(processes)]
        for found in _in_turn(blocks, workers):
            if isinstance(found, list):
                yield from found
                continue
            if found.unknown:
                notes = notes_of_words(found.row, found.unknown, told)
                found = found._replace(notes=(*found.notes, *notes))
            first = seen.setdefault(found.contract, found.row)
            yield found if first == found.row else once_more(found.row, first)


def read_rows(
    path: Path,
    order: ProofOrder,
    progress: Progress | None = None,
    processes: int | None = None,
    taken: Taken | None = None,
) -> Iterator[ParsedRow | RowFault]:
    """The same without the proof: what `read_contacts` gives, by all cores."""
    order = replace(order, asked="none")
    for row in prove_rows(path, order, progress, processes, taken):
        if isinstance(row, RowFault):
            yield row
        elif row.parsed is not None:
            parsed = row.parsed
            yield parsed if row.notes == parsed.notes else replace(parsed, notes=row.notes)


def _worth_it(path: Path) -> int:
    try:
        big = path.stat().st_size >= ALONE_BYTES
    except OSError:
        return 0  # the reader tells what is wrong with it
    cores = len(os.sched_getaffinity(0))
    return min(cores, PROCESSES_MAX) if big and cores > 1 else 0


class _Worker(Protocol):
    """Gets one block, and is asked for its answer before it gets the next one."""

    def give(self, block: list[Record]) -> None: ...
    def answer(self) -> Sequence[ProvenRow | list[RowFault]]: ...


def _blocks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while block := list(islice(records, BLOCK)):
        yield block


def _in_turn(
    blocks: Iterator[list[Record]], workers: Sequence[_Worker]
) -> Iterator[ProvenRow | list[RowFault]]:
    """The answers to all blocks, in their order. A worker has its next block before anybody looks
    at its last answer."""
    idle, busy = deque(workers), deque[_Worker]()
    for block in blocks:
        answer: Sequence[ProvenRow | list[RowFault]] = ()
        if not idle:
            idle.append(busy.popleft())
            answer = idle[0].answer()
        worker = idle.popleft()
        worker.give(block)
        busy.append(worker)
        yield from answer
    for worker in busy:
        yield from worker.answer()


class _Here:
    """In this process."""

    def __init__(self, order: ProofOrder) -> None:
        self._prover = RowProver(order)
        self._block: list[Record] = []

    def give(self, block: list[Record]) -> None:
        self._block = block

    def answer(self) -> Sequence[ProvenRow | list[RowFault]]:
        return self._prover.prove(self._block)


class _Beside:
    """In a process of its own, which ends with this one. What is sent are our own objects, over
    pipes that nobody else has; Ctrl-C is for this process alone."""

    def __init__(self, order: ProofOrder) -> None:
        theirs_in, self._give = Pipe(duplex=False)
        self._take, theirs_out = Pipe(duplex=False)
        line = [sys.executable, "-m", CHILD, str(theirs_in.fileno()), str(theirs_out.fileno())]
        with theirs_in, theirs_out:
            self._process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs_in.fileno(), theirs_out.fileno()),
                start_new_session=True,
            )
        self._send(order)

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._give.close()
        self._take.close()
        self._process.kill()
        self._process.wait()

    def give(self, block: list[Record]) -> None:
        self._send(block)

    def answer(self) -> Sequence[ProvenRow | list[RowFault]]:
        try:
            found: Sequence[ProvenRow | list[RowFault]] = self._take.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        return found

    def _send(self, what: object) -> None:
        try:
            self._give.send(what)
        except OSError:
            raise self._gone() from None

    def _gone(self) -> ProvingError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        return ProvingError(
            f"a process that proved rows has ended ({self._process.returncode}): is there enough "
            "memory? Nothing was changed; do it again"
        )
