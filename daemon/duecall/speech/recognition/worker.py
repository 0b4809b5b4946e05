"""`WorkerRecogniser`: a recogniser that is loaded once, in a process of its own.

The link is a pair of sockets, so that time-outs hold and, under gevent's patches, the hub goes on
while a sound is listened to. A process that hangs, dies or sends rubbish is killed; the next sound
starts another one.
"""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np

from duecall.core.campaign import Language
from duecall.speech.audio import Samples
from duecall.speech.engines import frames
from duecall.speech.engines.run_once import environment
from duecall.speech.engines.worker import OFFLINE
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
        self._child: _Child | None = None
        self._lock = threading.Lock()

    def version(self) -> str:
        with self._lock:
            return self._ready().version

    def model(self) -> str:
        with self._lock:
            return self._ready().model

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
                answer = child.ask(header, pcm, wait_s)
            except BaseException:
                # Cut off in the middle, its answer would be taken for that of the next sound.
                child.kill()
                self._child = None
                raise
        if error := answer.get("error"):
            raise RecogniserError(f"recogniser {self.name}: {error}")
        return answer

    def _ready(self) -> _Child:
        if self._child is None or not self._child.alive():
            if self._child is not None:
                self._child.kill()
            self._child = None
            child = _Child(self.name, self._line)
            try:
                child.wait_until_ready(self._start_timeout_s)
            except BaseException:
                child.kill()
                raise
            self._child = child
        return self._child


class _Child:
    """One process and our end of its link."""

    version = ""
    model = ""

    def __init__(self, name: str, line: Sequence[str]) -> None:
        self._name = name
        # Kept until it is loaded; nothing that was said is in it.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - outlives this call
        self._link, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                line,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                env={**environment(), **OFFLINE},
                start_new_session=True,  # Ctrl-C is for the parent, which then closes the link
            )
        except OSError as error:
            self._link.close()
            raise RecogniserMissing(
                f"recogniser {name}: its process cannot be started: {error.strerror}"
            ) from None
        finally:
            theirs.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, timeout_s: float) -> None:
        with self._errors:
            header = self._frame(timeout_s, RecogniserMissing, "did not start")
        if missing := header.get("missing"):
            raise RecogniserMissing(f"recogniser {self._name}: {missing}")
        self.version, self.model = str(header.get("version", "")), str(header.get("model", ""))
        if header.get("ready") is not True or not self.version:
            raise RecogniserMissing(f"recogniser {self._name} does not say its version")

    def ask(self, header: dict[str, Any], payload: bytes, timeout_s: float) -> dict[str, Any]:
        self._link.settimeout(timeout_s)
        try:
            self._link.sendall(frames.packed(header, payload))
        except OSError:
            raise RecogniserError(f"recogniser {self._name} took no sound") from None
        return self._frame(timeout_s, RecogniserError, "gave no answer")

    def kill(self) -> None:
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()
        if self._process.poll() is None:
            with suppress(OSError):
                self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)

    def _frame(self, timeout_s: float, failure: type[RecogniserError], late: str) -> dict[str, Any]:
        end = time.monotonic() + timeout_s

        def receive(size: int) -> bytes:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._link.settimeout(left)
            return self._link.recv(size)

        try:
            header, _ = frames.read_frame(lambda size: frames.exactly(receive, size))
            return header
        except frames.BrokenFrame as error:
            why = f"sent what is no answer ({error})"
        except TimeoutError:
            why = f"{late} within {timeout_s:g} s"
        except (frames.Ended, OSError):
            why = self._end_words()
        raise failure(f"recogniser {self._name} {why}")

    def _end_words(self) -> str:
        """How it ended, with the last words of its loading."""
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
        how = "closed its link" if code is None else f"ended with code {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        if self._errors.closed:
            return how
        size = self._errors.seek(0, 2)
        self._errors.seek(max(0, size - 2_000))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
        return how + (f" ({last})" if last else "")


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
