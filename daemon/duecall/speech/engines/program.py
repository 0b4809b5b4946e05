"""A program that an engine's process keeps running: texts go in by its stdin, never by a line."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import wave
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from duecall.speech.engines.offline import CLOSED_DOOR, OFFLINE
from duecall.speech.faults import EngineError, EngineMissing

_LINE_MAX = 1_000_000


class Program:
    """One running program. It dies with us, and where it does not, at the end of its stdin."""

    def __init__(
        self,
        line: Sequence[str],
        *,
        keep: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
    ) -> None:
        """keep: descriptors that the program inherits. folder: where it runs.

        EngineMissing where it cannot be started.
        """
        self.name = os.path.basename(line[0])
        if shutil.which(line[0]) is None:
            raise EngineMissing(f"{line[0]} is not installed or may not be started")
        holder = shutil.which("setpriv")  # util-linux; killed, we cannot end it ourselves
        started = [holder, "--pdeathsig", "KILL", *line] if holder else list(line)
        self._process = subprocess.Popen(
            started,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=keep,
            env={**os.environ, **OFFLINE, **CLOSED_DOOR, **(environment or {})},
            cwd=folder,
            bufsize=0,
        )
        self.last_words = ""  # of its output; may hold what it was told
        self._read = b""

    def write(self, text: str) -> None:
        """EngineError where the program has ended."""
        assert self._process.stdin is not None
        try:
            rest = memoryview(text.encode())
            while rest:
                rest = rest[self._process.stdin.write(rest) or 0 :]
        except OSError:
            raise EngineError(self._ended()) from None

    def read_line(self) -> str:
        """The next line of stdout or stderr, without its end; waits for it. EngineError at the
        program's end. No time-out: whoever started this process has one, and kills it."""
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            some = self._process.stdout.read(65_536)
            if not some:
                raise EngineError(self._ended())
            self._read = (self._read + some)[-_LINE_MAX:]
        line, self._read = self._read.split(b"\n", 1)
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.last_words = text.strip()[:200] or self.last_words
        return text

    def close(self) -> None:
        with suppress(OSError):
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()

    def _ended(self) -> str:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"the program {self.name} {how} at this text; it is started again for the next one"


def samples_of(data: bytes) -> tuple[Any, int]:
    """Of a WAV file in memory. EngineError where it is none."""
    import numpy as np

    try:
        with wave.open(io.BytesIO(data)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise EngineError("the voice made a sound that is not mono with 16 bits")
            pcm = file.readframes(file.getnframes())
            return np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, file.getframerate()
    except (wave.Error, EOFError):
        raise EngineError("the voice made no sound of a text") from None
