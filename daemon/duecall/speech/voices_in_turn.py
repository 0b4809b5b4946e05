"""The chosen voice, and those that stand in for it; each message is of one voice alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from duecall.speech.cache import folder_name
from duecall.speech.engine import Engine
from duecall.speech.faults import EngineError, EngineMissing, RecordingFault

AGAIN_S = 600.0  # a voice that failed is tried again after this
REFUSALS_MAX = 5  # messages in a row that a voice could not say: then it rests as well
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Speaker:
    """turn: 0 the chosen voice, from 1 those that stand in."""

    engine: Engine
    turn: int = 0

    @property
    def label(self) -> str:
        """`espeak:vi`, as it stands in attempts and reports."""
        return f"{self.engine.name}:{self.engine.voice}"

    @property
    def folder(self) -> str:
        """Of its sounds in the cache."""
        return folder_name(f"{self.engine.name}-{self.engine.voice}")


@dataclass(frozen=True, slots=True)
class VoiceNews:
    """voice: who speaks now. instead_of: the chosen one, empty where that one is back. why: what
    was wrong with it. for_now: with this one message only, so far."""

    voice: str
    instead_of: str = ""
    why: str = ""
    for_now: bool = False


class VoicesInTurn:
    """Safe from several threads."""

    def __init__(
        self,
        engines: Sequence[Engine],
        told: Callable[[VoiceNews], None] | None = None,
        *,
        again_s: float = AGAIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """engines: the chosen one first. told: hears when another one speaks, and when the chosen
        one is back; called in the thread that made the message. clock: seconds."""
        self.speakers = tuple(Speaker(engine, turn) for turn, engine in enumerate(engines))
        self.first = self.speakers[0]
        self._told = told or (lambda news: None)
        self._again_s = again_s
        self._clock = clock
        self._lock = threading.Lock()
        self._rests_until: dict[int, float] = {}  # turn -> when it may be tried again
        self._refusals: dict[int, int] = {}  # turn -> in a row
        self._standing_in = 0  # the turn that was told of last
        self._told_at = float("-inf")  # of one message

    def speak(self, make: Callable[[Speaker], T]) -> T:
        """What `make` makes with the first voice that can. It is called anew for each voice, and
        makes everything with the one that it is given.

        EngineMissing or EngineError of the chosen voice where none can, with what the others said.
        """
        failed: list[tuple[Speaker, EngineError]] = []
        for speaker in self.speakers:
            if not self._has_turn(speaker):
                continue
            try:
                made = make(speaker)
            except EngineError as error:
                failed.append((speaker, error))
                self._failed(speaker, error)
            else:
                self._spoke(speaker, failed)
                return made
        if len(failed) == 1:
            raise failed[0][1]
        every = all(isinstance(error, EngineMissing) for _, error in failed)
        kind = EngineMissing if every and len(failed) == len(self.speakers) else EngineError
        raise kind("; ".join(f"{speaker.label}: {error}" for speaker, error in failed))

    def _has_turn(self, speaker: Speaker) -> bool:
        """The last one always has: there is nobody after it."""
        if speaker.turn == len(self.speakers) - 1:
            return True
        with self._lock:
            until = self._rests_until.get(speaker.turn)
            now = self._clock()
            if until is None:
                return True
            if now < until:
                return False
            # One message tries it; should that take long, the others do not wait for it too.
            self._rests_until[speaker.turn] = now + self._again_s
            return True

    def _failed(self, speaker: Speaker, error: EngineError) -> None:
        if isinstance(error, RecordingFault):
            return  # of this text; the recordings that are there are fine
        with self._lock:
            refusals = self._refusals[speaker.turn] = self._refusals.get(speaker.turn, 0) + 1
            if isinstance(error, EngineMissing) or refusals >= REFUSALS_MAX:
                self._rests_until[speaker.turn] = self._clock() + self._again_s

    def _spoke(self, speaker: Speaker, failed: Sequence[tuple[Speaker, EngineError]]) -> None:
        with self._lock:
            self._refusals[speaker.turn] = 0
            self._rests_until.pop(speaker.turn, None)
            news = self._news(speaker, failed[0][1] if failed else None)
        if news:
            self._told(news)

    def _news(self, speaker: Speaker, error: EngineError | None) -> VoiceNews | None:
        if speaker.turn == 0:
            was, self._standing_in = self._standing_in, 0
            return VoiceNews(speaker.label) if was else None
        for_now = 0 not in self._rests_until
        if for_now:
            if self._clock() - self._told_at < self._again_s:
                return None
            self._told_at = self._clock()
        elif speaker.turn == self._standing_in:
            return None
        else:
            self._standing_in = speaker.turn
        why = str(error) if error else "it failed at messages before"
        return VoiceNews(speaker.label, self.first.label, why, for_now)
