"""`WorkerEngine`: an engine that is loaded once, in a process of its own, and asked text by text.

The link is a pair of sockets, so that time-outs hold and, under gevent's patches, the hub goes on
while a text is spoken. A process that hangs, dies or sends rubbish is killed and started anew.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, TypeVar

import numpy as np

from duecall.speech.audio import Samples
from duecall.speech.engines import frames
from duecall.speech.engines.run_once import environment
from duecall.speech.faults import EngineError, EngineMissing

START_TIMEOUT_S = 120.0
TEXT_TIMEOUT_S = 60.0
DEATHS_MAX = 3  # in a row; then the engine is given up
REST_S = 60.0  # … for so long
RATES_HZ = range(4_000, 192_001)
# No library may look for a model in the network, or tell anybody of its use: onnxruntime does, from
# 1.32 on, where this does not forbid it.
OFFLINE = {
    "HF_HUBOFFLINE": "1",
    "TRANSFORMERSOFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}

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
        """Cached; may start the child. EngineMissing where it cannot be told."""
        if not self._told_version:
            if self._version:
                self._told_version = self._version()
            else:
                self._told_version = self._with_child(lambda child: child.version)
        return self._told_version

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """EngineError: at this text. EngineMissing: the engine is not there, or died too often."""
        return self._with_child(lambda child: child.speak(text, self._text_timeout_s))

    def ready(self) -> None:
        """Loads it, if it is not. EngineMissing or EngineError where it cannot be."""
        self._with_child(lambda child: child.version)

    def close(self) -> None:
        """Ends its processes. A text that comes, or is being spoken, starts a new one."""
        for place in list(self._places):
            if (child := place.child) is not None:
                child.kill()

    # ---- children

    def _with_child(self, use: Callable[[_Child], T]) -> T:
        """Once more where the process died and another may do better."""
        self._open_places()
        place = self._idle.get()
        try:
            try:
                return self._asked(place, use)
            except _Died as death:
                self._count(death)
                if not death.worth_another:
                    raise EngineError(self._died_words(str(death))) from None
            try:
                return self._asked(place, use)
            except _Died as death:
                self._count(death)
                raise EngineError(self._died_words(str(death))) from None
        finally:
            self._idle.put(place)

    def _asked(self, place: _Place, use: Callable[[_Child], T]) -> T:
        if time.monotonic() < self._given_up_until:
            raise EngineMissing(self._last_death)
        if place.child is None or not place.child.alive():
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
        place.child = _Child(self.name, self._line)
        try:
            place.child.wait_until_ready(self._start_timeout_s)
        except EngineMissing as error:
            self._empty(place)
            self._give_up(str(error))
            raise
        except BaseException:
            self._empty(place)
            raise

    def _empty(self, place: _Place) -> None:
        child, place.child = place.child, None
        if child is not None:
            child.kill()

    def _count(self, death: _Died) -> None:
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


class _Died(Exception):
    """The process is of no use any more. worth_another: a new one may do better at this text."""

    def __init__(self, why: str, *, worth_another: bool = True) -> None:
        super().__init__(why)
        self.worth_another = worth_another


class _Place:
    """Where a process may run."""

    def __init__(self) -> None:
        self.child: _Child | None = None


class _Child:
    """One process and our end of its link."""

    version = ""

    def __init__(self, name: str, line: Sequence[str]) -> None:
        self._name = name
        # Kept until it is loaded; it holds no text of a contact.
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
            raise EngineMissing(
                f"engine {name}: its process cannot be started: {error.strerror}"
            ) from None
        finally:
            theirs.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, timeout_s: float) -> None:
        """EngineMissing: it said that it cannot work."""
        with self._errors:
            header, _ = self._frame(timeout_s, "did not start")
        if missing := header.get("missing"):
            raise EngineMissing(f"engine {self._name}: {missing}")
        if header.get("ready") is not True or not isinstance(header.get("version"), str):
            raise _Died("began with an answer that says nothing of its version")
        self.version = header["version"]

    def speak(self, text: str, timeout_s: float) -> tuple[Samples, int]:
        self._link.settimeout(timeout_s)
        try:
            self._link.sendall(frames.packed({"text": text}))
        except TimeoutError:
            raise _Died(f"took no text for {timeout_s:g} s", worth_another=False) from None
        except OSError:
            raise _Died(self._end_words()) from None
        header, payload = self._frame(timeout_s, "gave no sound for a text")
        if error := header.get("error"):
            raise EngineError(f"engine {self._name}: {error}")
        rate_hz = header.get("rate_hz")
        if type(rate_hz) is not int or rate_hz not in RATES_HZ or len(payload) % 4:
            raise _Died("sent a sound with a wrong rate or length")
        if not payload:
            raise EngineError(f"engine {self._name} made no sound of a text")
        samples = np.frombuffer(payload, "<f4").astype(np.float32)
        if not np.isfinite(samples).all():
            raise _Died("sent samples that are no numbers")
        return samples, rate_hz

    def kill(self) -> None:
        """At once. Whoever waits for it gets _Died."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()
        if self._process.poll() is None:
            with suppress(OSError):
                self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)

    def _frame(self, timeout_s: float, late: str) -> tuple[dict[str, Any], bytes]:
        end = time.monotonic() + timeout_s

        def receive(size: int) -> bytes:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._link.settimeout(left)
            return self._link.recv(size)

        try:
            return frames.read_frame(lambda size: frames.exactly(receive, size))
        except frames.BrokenFrame as error:
            raise _Died(f"sent what is no answer ({error})") from None
        except TimeoutError:
            raise _Died(f"{late} within {timeout_s:g} s", worth_another=False) from None
        except (frames.Ended, OSError):
            raise _Died(self._end_words()) from None

    def _end_words(self) -> str:
        """How it ended, with its last words of the loading."""
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
        how = "closed its link" if code is None else f"ended with code {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        last = ""
        if not self._errors.closed:
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - 2_000))
            lines = self._errors.read().decode("utf-8", "replace").split("\n")
            last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
        return how + (f" ({last})" if last else "")
