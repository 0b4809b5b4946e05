"""`WorkerEngine`: an engine that is loaded once, in a process of its own, and asked text by text.

A process that hangs, dies or sends rubbish is killed and started anew. The new one may be another
version, or have another model: then the others are started anew as well, so that all speak alike.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from duecall.speech.audio import Samples
from duecall.speech.engines.child_process import ChildLost, ChildProcess, NoChild
from duecall.speech.faults import EngineError, EngineMissing

START_TIMEOUT_S = 120.0
TEXT_TIMEOUT_S = 60.0
DEATHS_MAX = 3  # in a row; then the engine is given up
REST_S = 60.0  # … for so long
RATES_HZ = range(4_000, 192_001)
NO_SOUND = "gave no sound for a text"

Settings = Mapping[str, int | str]
T = TypeVar("T")


class WorkerEngine:
    """Safe from several threads; `processes` of them speak at the same time, the others wait."""

    def __init__(
        self,
        name: str,
        voice: str,
        child: str | Sequence[str],
        settings: Settings,
        *,
        told: Mapping[str, Any] | None = None,
        version: Callable[[], str] | None = None,
        processes: int = 1,
        start_timeout_s: float = START_TIMEOUT_S,
        text_timeout_s: float = TEXT_TIMEOUT_S,
    ) -> None:
        """child: the module of the child program, or a whole argument list.
        settings: all that changes the sound (part of the cache key), and told to the child.
        told: what the child is told beyond that, such as the path of a model.
        version: of engine and voice data; left out, the child says it, which starts it.
        """
        self.name = name
        self.voice = voice
        self.processes = processes  # may be set until the first text
        self._settings = dict(settings)
        line = [sys.executable, "-m", child] if isinstance(child, str) else list(child)
        self._line = [*line, json.dumps({"voice": voice, **settings, **(told or {})})]
        self._version = version
        self._told_version = ""
        self._start_timeout_s = start_timeout_s
        self._text_timeout_s = text_timeout_s
        self._places: list[_Place] = []
        self._idle: queue.LifoQueue[_Place] = queue.LifoQueue()  # of them
        self._lock = threading.Lock()
        self._deaths = 0
        self._given_up_until = float("-inf")
        self._last_death = ""

    def settings(self) -> dict[str, int | str]:
        return dict(self._settings)

    def version(self) -> str:
        """That of the processes that run; may start one. Another one since then: what was spoken
        meanwhile may be of either. EngineMissing where it cannot be told."""
        if not self._told_version:
            if self._version:
                self._told_version = self._version()
            else:
                self.ready()
        return self._told_version

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """EngineError: at this text. EngineMissing: the engine is not there, or died too often."""

        def speak(child: ChildProcess) -> tuple[Samples, int]:
            timeout_s = self._text_timeout_s
            return _sound_of(*child.ask({"text": text}, b"", timeout_s, NO_SOUND), self.name)

        return self._with_child(speak)

    def ready(self) -> None:
        """Loads it, if it is not. EngineMissing or EngineError where it cannot be."""
        self._with_child(lambda child: None)

    def close(self) -> None:
        """Ends its processes. A text that comes, or is being spoken, starts a new one."""
        for place in list(self._places):
            if (child := place.child) is not None:
                child.kill()

    # ---- children

    def _with_child(self, use: Callable[[ChildProcess], T]) -> T:
        """Once more where the process died and another may do better."""
        self._open_places()
        place = self._idle.get()
        try:
            try:
                return self._asked(place, use)
            except ChildLost as death:
                self._count(death)
                if death.late:
                    raise EngineError(self._died_words(str(death))) from None
            try:
                return self._asked(place, use)
            except ChildLost as death:
                self._count(death)
                raise EngineError(self._died_words(str(death))) from None
        finally:
            self._idle.put(place)

    def _asked(self, place: _Place, use: Callable[[ChildProcess], T]) -> T:
        if time.monotonic() < self._given_up_until:
            raise EngineMissing(self._last_death)
        child = place.child
        if child is None or not child.alive() or place.version != self._told_version:
            self._empty(place)
            self._fill(place)
        assert place.child is not None
        try:
            answer = use(place.child)
        except EngineError:
            self._deaths = 0  # it is well, and refuses this text
            raise
        except BaseException:
            # Cut off in the middle, its answer would be taken for that of the next text.
            self._empty(place)
            raise
        self._deaths = 0
        return answer

    def _open_places(self) -> None:
        with self._lock:
            while len(self._places) < self.processes:
                self._places.append(_Place())
                self._idle.put(self._places[-1])

    def _fill(self, place: _Place) -> None:
        try:
            place.version = self._loaded(place)
            self._told_version = place.version
        except EngineMissing as error:
            self._empty(place)
            self._give_up(str(error))
            raise
        except BaseException:
            self._empty(place)
            raise

    def _loaded(self, place: _Place) -> str:
        """Starts a process there; the version of what it has loaded."""
        version = self._version() if self._version else ""
        try:
            place.child = ChildProcess(self._line)
        except NoChild as error:
            raise EngineMissing(f"engine {self.name}: {error}") from None
        header = place.child.greeting(self._start_timeout_s)
        if missing := header.get("missing"):
            raise EngineMissing(f"engine {self.name}: {missing}")
        if header.get("ready") is not True or not isinstance(header.get("version"), str):
            raise ChildLost("began with an answer that says nothing of its version")
        if self._version and self._version() != version:
            raise ChildLost("was loaded while its voice was being changed")
        return version or str(header["version"])

    def _empty(self, place: _Place) -> None:
        child, place.child = place.child, None
        if child is not None:
            child.kill()

    def _count(self, death: ChildLost) -> None:
        self._deaths += 1
        if self._deaths >= DEATHS_MAX:
            self._deaths = DEATHS_MAX - 1  # after the rest one more is enough
            why = f"{self._died_words(str(death))}; {DEATHS_MAX} times in a row"
            self._give_up(why)
            raise EngineMissing(why) from None

    def _died_words(self, why: str) -> str:
        return (
            f"engine {self.name} {why}; try it by itself with `duecall voice try`, "
            "look at the machine's memory, or choose another engine or a fallback in `voice:`"
        )

    def _give_up(self, why: str) -> None:
        self._last_death = why
        self._given_up_until = time.monotonic() + REST_S


class _Place:
    """Where a process may run. version: of the engine, as this process speaks."""

    def __init__(self) -> None:
        self.child: ChildProcess | None = None
        self.version = ""


def _sound_of(header: Mapping[str, Any], payload: bytes, name: str) -> tuple[Samples, int]:
    """Of a child's answer. ChildLost where it is none; EngineError: at this text."""
    if error := header.get("error"):
        raise EngineError(f"engine {name}: {error}")
    rate_hz = header.get("rate_hz")
    if type(rate_hz) is not int or rate_hz not in RATES_HZ or len(payload) % 4:
        raise ChildLost("sent a sound with a wrong rate or length")
    if not payload:
        raise EngineError(f"engine {name} made no sound of a text")
    samples = np.frombuffer(payload, "<f4").astype(np.float32)
    if not np.isfinite(samples).all():
        raise ChildLost("sent samples that are no numbers")
    return samples, rate_hz
