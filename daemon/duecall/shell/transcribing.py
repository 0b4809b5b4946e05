"""Transcripts of all recordings that have none: several recognisers at once, each in a process of
its own and at low priority; each transcript is written when it is done, so it can be cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import gevent
from gevent.pool import Pool
from gevent.queue import Queue

from duecall.core.campaign import Language
from duecall.shell.call_files import CallFiles, sum_of
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.recording_index import index, look_at, read_sides
from duecall.shell.store_answers import Recorded
from duecall.shell.store_parts import StoreParts
from duecall.shell.transcripts import ToDo, Transcript, Transcripts, listen
from duecall.speech.recognition.recogniser import (
    Recogniser,
    RecogniserError,
    RecogniserMissing,
    SidePhrase,
)

Choose = Callable[[Language], Recogniser]


class Done(NamedTuple):
    """problem: why there is no transcript; it is tried again by the next run, unless `kept`: then
    that stands in its place. phrases: how many."""

    one: ToDo
    phrases: int = 0
    problem: str = ""
    kept: bool = False


class Transcribing:
    """languages: of each campaign. choose: a fresh recogniser; RecogniserMissing."""

    def __init__(
        self,
        parts: StoreParts,
        files: CallFiles,
        languages: Mapping[str, Language],
        choose: Choose,
        *,
        jobs: int = 1,
    ) -> None:
        self._parts = parts
        self._transcripts = Transcripts(parts)
        self._files = files
        self._languages = languages
        self._choose = choose
        self._jobs = jobs
        self._idle: list[dict[Language, Recogniser]] = [{} for _ in range(jobs)]
        self._missing: dict[Language, str] = {}

    def run(self, to_do: Iterable[ToDo]) -> Iterator[Done]:
        """Each when it is done. The database is worked with by the caller alone."""
        answers: Queue[tuple[ToDo, Transcript | str]] = Queue()
        pool = Pool(self._jobs)
        try:
            for one in to_do:
                pool.wait_available()
                yield from self._written(answers)
                pool.spawn(lambda one=one: answers.put((one, self._heard(one))))
            while pool or not answers.empty():
                yield from self._written(answers)
                gevent.sleep(0.01)
        finally:
            for recognisers in self._idle:
                for recogniser in recognisers.values():
                    recogniser.close()
            pool.kill()

    def _written(self, answers: Queue[tuple[ToDo, Transcript | str]]) -> Iterator[Done]:
        while not answers.empty():
            one, found = answers.get()
            if isinstance(found, str):
                self._look_again(one)
                yield Done(one, problem=found)
                continue
            self._transcripts.put(found)
            yield Done(one, len(found.phrases or ()), found.error, kept=bool(found.error))

    def _heard(self, one: ToDo) -> Transcript | str:
        """What was heard, or why it cannot be told now. Raises nothing."""
        language = self._languages.get(one.campaign)
        if language is None:
            return f"the language of campaign {one.campaign} is not known"
        if problem := self._missing.get(language):
            return problem
        try:
            path = self._files.recording(one.name)
            if sum_of(path).sha256 != one.sha256:
                return "the file is not the one that was made"
            sides, rate_hz = read_sides(path)
        except FileNotFoundError:
            return "the file is missing"
        except (OSError, ValueError) as error:
            return str(error)
        recognisers = self._idle.pop()
        try:
            if language not in recognisers:
                recognisers[language] = self._choose(language)
            recogniser = recognisers[language]
            engine = (recogniser.name, recogniser.version(), recogniser.model())
            phrases: tuple[SidePhrase, ...] = ()
            error_text = ""
            try:
                phrases = listen(recogniser, sides.items(), rate_hz, language)
            except RecogniserMissing:
                raise
            except RecogniserError as error:
                error_text = str(error)
            return Transcript(
                one.attempt, language, *engine, one.sha256, now().wall, error_text, phrases
            )
        except RecogniserMissing as error:
            self._missing[language] = str(error)
            return str(error)
        finally:
            self._idle.append(recognisers)

    def _look_again(self, one: ToDo) -> None:
        """The index says what became of a file that is not as it was."""
        try:
            look = look_at(self._files.recording(one.name))
        except FileNotFoundError:
            look = None
        except (OSError, ValueError):
            return
        recorded = Recorded(one.attempt, 0, one.name)

        def write() -> None:
            with self._parts.database.writing():
                index(self._parts, recorded, look, to_us(now().wall))

        self._parts.database.repeated(write)
