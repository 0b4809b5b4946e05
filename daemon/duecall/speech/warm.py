"""Rendering ahead for many contacts, so that no call waits for a synthesiser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from duecall.speech.faults import (
    CacheError,
    EngineError,
    EngineMissing,
    RecordingFault,
    SpeechError,
)
from duecall.speech.planner import Utterance
from duecall.speech.prompts import Part, PromptBook
from duecall.speech.values import Values

FAULTS_MAX = 1_000  # kept of one run; the count goes on
_SEEN_MAX = 200_000  # sounds known to be there: all but the personal ones, many contacts share
_AHEAD = 16  # steps waiting per worker, so that a million contacts need no memory

Job: TypeAlias = "tuple[Sequence[Part], Values]"


@dataclass(frozen=True, slots=True)
class Progress:
    """jobs: read so far. made: files rendered. faults: contacts that cannot be spoken to."""

    jobs: int
    made: int
    faults: int


@dataclass(frozen=True, slots=True)
class WarmReport:
    """faults: (position of the job, from 0; what is wrong), in order; at most FAULTS_MAX.

    unrecorded: texts of which a recorded voice has no recording, or none that can be played; names
    are not among them. later: jobs whose personal sounds were left.
    """

    jobs: int
    made: int
    fault_count: int
    faults: tuple[tuple[int, str], ...]
    unrecorded: tuple[str, ...] = ()
    later: int = 0


def warm(
    book: PromptBook,
    jobs: Iterable[Job],
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    personal_jobs: int | None = None,
) -> WarmReport:
    """Makes every file that these jobs need of the chosen voice and that is not there. One fault a
    job is reported.

    personal_jobs: names and other personal sounds are made for so many jobs only, the first ones.

    workers: threads, each of which waits for a process of the engine; by default one a core.
    progress: called in the calling thread after each job; an exception in it ends the work.
    EngineMissing and CacheError end it too, and so does any fault in the campaign's own text or
    sounds: it would hit every job. Where other voices stand in, only what these cannot say either.
    """
    run = _Run(book, max(1, workers or os.cpu_count() or 1), progress, personal_jobs)
    try:
        for job in jobs:
            run.add(job)
        run.finish()
    except BaseException:
        run.pool.shutdown(wait=True, cancel_futures=True)
        raise
    run.pool.shutdown(wait=True)
    faults = tuple(sorted(run.faults.items())[:FAULTS_MAX])
    unrecorded = tuple(sorted(run.unrecorded))
    return WarmReport(run.jobs, run.made, run.fault_count, faults, unrecorded, run.later)


class _Run:
    def __init__(
        self,
        book: PromptBook,
        workers: int,
        progress: Callable[[Progress], None] | None,
        personal_jobs: int | None,
    ) -> None:
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="speech")
        self.jobs = self.made = self.fault_count = self.later = 0
        self.unrecorded: set[str] = set()
        self._personal_jobs = personal_jobs
        self.faults: dict[int, str] = {}
        self._book = book
        self._progress = progress
        self._ahead_max = workers * _AHEAD
        self._waiting: dict[Future[bool], tuple[int, bool]] = {}  # -> job, static
        self._seen: set[Utterance | Path] = set()

    def add(self, job: Job) -> None:
        position, self.jobs = self.jobs, self.jobs + 1
        parts, values = job
        try:
            # All of it first: half a message is of no use.
            steps = list(self._book.steps(parts, values))
        except SpeechError as error:
            self._fault(position, error)
            steps = []
        late = self._personal_jobs is not None and position >= self._personal_jobs
        self.later += late and any(isinstance(one, Utterance) and one.personal for one in steps)
        for step in steps:
            if step in self._seen:
                continue
            personal = isinstance(step, Utterance) and step.personal
            if personal and late:
                continue
            if not personal and len(self._seen) < _SEEN_MAX:
                self._seen.add(step)
            while len(self._waiting) >= self._ahead_max:
                self._collect()
            static = isinstance(step, Path) or step.static
            self._waiting[self.pool.submit(self._prepare, step)] = position, static
        self._tell()

    def _prepare(self, step: Utterance | Path) -> bool:
        """With the chosen voice; where it cannot, with those that stand in."""
        voices = self._book.voices
        try:
            return self._book.prepare(step, voices.first)
        except EngineError as error:
            unrecorded = isinstance(error, RecordingFault)
            if unrecorded and isinstance(step, Utterance) and not step.personal:
                self.unrecorded.add(step.text)
            if len(voices.speakers) == 1:
                raise
            return False if unrecorded else self._book.prepare(step)

    def finish(self) -> None:
        while self._waiting:
            self._collect()
        self._tell()

    def _collect(self) -> None:
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        for future in done:
            position, static = self._waiting.pop(future)
            try:
                self.made += future.result()
            except (EngineMissing, CacheError):
                raise
            except RecordingFault as error:
                self._fault(position, error)  # all that are missing are told, not the first
            except SpeechError as error:
                if static:
                    raise
                self._fault(position, error)

    def _fault(self, position: int, error: SpeechError) -> None:
        if position in self.faults:
            return  # its first fault is enough
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults[position] = str(error)

    def _tell(self) -> None:
        if self._progress:
            self._progress(Progress(self.jobs, self.made, self.fault_count))
