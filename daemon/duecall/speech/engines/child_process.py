"""The parent's end of the link to a child program: engines and recognisers are asked alike.

The link is a pair of sockets, so that time-outs hold and, under gevent's patches, the hub goes on
while an answer is waited for. `child_link.py` is the other end.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from duecall.speech.engines import frames
from duecall.speech.engines.offline import OFFLINE
from duecall.speech.engines.run_once import environment

_LAST_WORDS_BYTES = 2_000
_LAST_WORDS_CHARS = 200


class NoChild(Exception):
    """Its process cannot be started, and why."""


class ChildLost(Exception):
    """The process is of no use any more. The text tells how it ended, for the end of a sentence
    that names it. late: it did not answer in time, so another one would hardly do better."""

    def __init__(self, how: str, *, late: bool = False) -> None:
        super().__init__(how)
        self.late = late


class ChildProcess:
    """One process and our end of its link. `kill` it when it is lost, too."""

    def __init__(self, line: Sequence[str]) -> None:
        """line: its argument list. NoChild."""
        # Kept until it is loaded; nothing that was said or is to be said is in it.
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
            raise NoChild(f"its process cannot be started: {error.strerror}") from None
        finally:
            theirs.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    def greeting(self, timeout_s: float) -> dict[str, Any]:
        """Its first word, once it has loaded. ChildLost."""
        with self._errors:
            return self._frame(timeout_s, "did not start")[0]

    def ask(
        self, header: dict[str, Any], payload: bytes, timeout_s: float, late: str
    ) -> tuple[dict[str, Any], bytes]:
        """Header and payload of its answer. late: what it did not do, such as `gave no sound`.
        ChildLost."""
        self._link.settimeout(timeout_s)
        try:
            self._link.sendall(frames.packed(header, payload))
        except TimeoutError:
            raise ChildLost(f"took nothing for {timeout_s:g} s", late=True) from None
        except OSError:
            raise ChildLost(self._end_words()) from None
        return self._frame(timeout_s, late)

    def kill(self) -> None:
        """At once. Whoever waits for it gets ChildLost."""
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
            raise ChildLost(f"sent what is no answer ({error})") from None
        except TimeoutError:
            raise ChildLost(f"{late} within {timeout_s:g} s", late=True) from None
        except (frames.Ended, OSError):
            raise ChildLost(self._end_words()) from None

    def _end_words(self) -> str:
        """How it ended, with its last words of the loading."""
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
        how = "closed its link" if code is None else f"ended with code {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        if self._errors.closed:
            return how
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_WORDS_BYTES))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        words = (line.strip()[:_LAST_WORDS_CHARS] for line in reversed(lines) if line.strip())
        last = next(words, "")
        return how + (f" ({last})" if last else "")
