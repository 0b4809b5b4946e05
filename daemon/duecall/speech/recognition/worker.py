"""`WorkerRecogniser`: a recogniser that is loaded once, in a process of its own.

A process that hangs, dies or sends rubbish is killed; the next sound starts another one.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from duecall.core.campaign import Language
from duecall.speech.audio import Samples
from duecall.speech.engines.child_process import ChildLost, ChildProcess, NoChild
from duecall.speech.recognition.recogniser import (
    Answer,
    Grammar,
    Phrase,
    RecogniserError,
    RecogniserMissing,
)
from duecall.speech.recognition.stretches import stretches

START_TIMEOUT_S = 180.0
SOUND_TIMEOUT_S = 30.0  # … and so much for each second of the sound:
SLOWEST = 20.0
SHORT_TIMEOUT_S = 15.0
SHORT_MAX_S = 30.0
RATE_MIN_HZ = 8_000


class WorkerRecogniser:
    """As the Recogniser; one sound at a time, the others wait."""

    def __init__(
        self,
        name: str,
        languages: tuple[Language, ...],
        child: str | Sequence[str],
        settings: Mapping[str, Any],
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        short_timeout_s: float = SHORT_TIMEOUT_S,
    ) -> None:
        """child: the module of the child program, or a whole argument list."""
        self.name = name
        self.languages = languages
        line = [sys.executable, "-m", child] if isinstance(child, str) else list(child)
        self._line = [*line, json.dumps(dict(settings))]
        self._start_timeout_s = start_timeout_s
        self._short_timeout_s = short_timeout_s
        self._child: ChildProcess | None = None
        self._version = self._model = ""  # of that child
        self._lock = threading.Lock()

    def version(self) -> str:
        with self._lock:
            self._ready()
            return self._version

    def model(self) -> str:
        with self._lock:
            self._ready()
            return self._model

    def transcribe(self, samples: Samples, rate_hz: int, language: Language) -> tuple[Phrase, ...]:
        self._check(rate_hz, language)
        found: list[Phrase] = []
        for start, end in stretches(samples, rate_hz):
            sound = samples[start:end]
            wait_s = SOUND_TIMEOUT_S + SLOWEST * sound.size / rate_hz
            answer = self._asked({"do": "transcribe", "rate_hz": rate_hz}, sound, wait_s)
            from_ms, to_ms = start * 1000 // rate_hz, end * 1000 // rate_hz
            for phrase in _phrases(answer):
                first = min(from_ms + phrase.from_ms, to_ms)
                last = max(first, min(from_ms + phrase.to_ms, to_ms))
                found.append(phrase._replace(from_ms=first, to_ms=last))
        return tuple(found)

    def recognise_short(
        self, samples: Samples, rate_hz: int, language: Language, grammar: Grammar
    ) -> Answer:
        self._check(rate_hz, language)
        if not grammar.phrases or grammar.longest < 1:
            raise ValueError("a grammar needs a phrase, and room for one")
        if samples.size > SHORT_MAX_S * rate_hz:
            raise RecogniserError(f"a short answer of more than {SHORT_MAX_S:g} s")
        spans = stretches(samples, rate_hz)
        if not spans:
            return Answer((), 0.0)
        asked = {
            "do": "short",
            "rate_hz": rate_hz,
            "phrases": list(grammar.phrases),
            "longest": grammar.longest,
        }
        sound = samples[spans[0][0] : spans[-1][1]]
        answer = self._asked(asked, sound, self._short_timeout_s)
        words, sureness = answer.get("words"), answer.get("sureness")
        if not isinstance(words, list) or not set(words) <= set(grammar.phrases):
            raise RecogniserError(f"recogniser {self.name} answered with words of its own")
        return Answer(tuple(words), _unit(sureness))

    def close(self) -> None:
        """At once; a sound that is listened to fails."""
        if (child := self._child) is not None:
            child.kill()

    def _check(self, rate_hz: int, language: Language) -> None:
        if language not in self.languages:
            raise RecogniserError(f"recogniser {self.name} was not loaded for {language}")
        if rate_hz < RATE_MIN_HZ:
            raise RecogniserError(f"a sound of {rate_hz} Hz; at least {RATE_MIN_HZ} are needed")

    def _asked(self, header: dict[str, Any], sound: Samples, wait_s: float) -> dict[str, Any]:
        pcm = np.clip(np.rint(sound * 32767.0), -32768, 32767).astype("<i2").tobytes()
        with self._lock:
            child = self._ready()
            try:
                answer, _ = child.ask(header, pcm, wait_s, "gave no answer")
            except BaseException as error:
                # Cut off in the middle, its answer would be taken for that of the next sound.
                child.kill()
                self._child = None
                if isinstance(error, ChildLost):
                    raise RecogniserError(f"recogniser {self.name} {error}") from None
                raise
        if refusal := answer.get("error"):
            raise RecogniserError(f"recogniser {self.name}: {refusal}")
        return answer

    def _ready(self) -> ChildProcess:
        if self._child is None or not self._child.alive():
            if self._child is not None:
                self._child.kill()
            self._child = None
            self._child = self._loaded()
        return self._child

    def _loaded(self) -> ChildProcess:
        try:
            child = ChildProcess(self._line)
        except NoChild as error:
            raise RecogniserMissing(f"recogniser {self.name}: {error}") from None
        try:
            header = child.greeting(self._start_timeout_s)
            if missing := header.get("missing"):
                raise RecogniserMissing(f"recogniser {self.name}: {missing}")
            version, model = str(header.get("version", "")), str(header.get("model", ""))
            if header.get("ready") is not True or not version:
                raise RecogniserMissing(f"recogniser {self.name} does not say its version")
        except ChildLost as error:
            child.kill()
            raise RecogniserMissing(f"recogniser {self.name} {error}") from None
        except BaseException:
            child.kill()
            raise
        self._version, self._model = version, model
        return child


def _phrases(answer: Mapping[str, Any]) -> list[Phrase]:
    try:
        return [
            Phrase(int(from_ms), int(to_ms), " ".join(str(text).split()), _unit(sureness))
            for from_ms, to_ms, text, sureness in answer["phrases"]
            if str(text).strip()
        ]
    except (KeyError, TypeError, ValueError):
        raise RecogniserError("a recogniser answered without phrases") from None


def _unit(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return min(1.0, max(0.0, number)) if math.isfinite(number) else 0.0
