"""A program that is started for one text: text in by stdin, sound out by stdout."""

from __future__ import annotations

import io
import os
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from duecall.speech.faults import EngineError, EngineMissing

STDOUT_MAX = 60_000_000  # ten minutes of 48 kHz, 16 bit
_CHUNK = 1 << 16


def environment() -> dict[str, str]:
    """Ours, but for our own secrets: keys and passwords may come by DUECALL_…"""
    return {name: value for name, value in os.environ.items() if not name.startswith("DUECALL_")}


def run_once(line: Sequence[str], stdin: bytes, timeout_s: float, what: str) -> bytes:
    """What the program wrote. what: how errors call it; its stderr is not shown, for programs tend
    to repeat the text there.

    EngineMissing where it cannot be started; EngineError where it takes too long, writes too much
    or ends with a code other than 0. Under gevent the others go on, as poll() is a patched one.
    """
    ours_out, theirs_out = os.pipe()
    theirs_in, ours_in = os.pipe()
    with open(ours_out, "rb", buffering=0) as out, open(ours_in, "wb", buffering=0) as into:
        try:
            process = subprocess.Popen(
                line,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise EngineMissing(
                f"{what}: {line[0]} is not there; install it or correct its path"
            ) from None
        except OSError as error:
            raise EngineMissing(
                f"{what}: {line[0]} cannot be started: {error.strerror}; check its mode"
            ) from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        end = time.monotonic() + timeout_s
        code = 0
        try:
            made = _exchange(out, into, stdin, end)
            if len(made) <= STDOUT_MAX:
                code = process.wait(max(0.1, end - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise EngineError(
                f"{what} took more than {timeout_s:g} s for one text; it hangs, the machine is "
                "overloaded or the text too long"
            ) from None
        finally:
            _end(process)
    if len(made) > STDOUT_MAX:
        raise EngineError(f"{what} wrote more than {STDOUT_MAX} bytes for one text")
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise EngineError(f"{what} {how}; start it by hand to see why")
    return made


def _exchange(out: io.FileIO, into: io.FileIO, stdin: bytes, end: float) -> bytes:
    """Writes and reads as far as either goes; `into` is closed when all is written. What comes back
    is more than STDOUT_MAX bytes where the program wrote too much. TimeoutError after `end`."""
    os.set_blocking(into.fileno(), False)
    source, sink = out.fileno(), into.fileno()
    made: list[bytes] = []
    size = 0
    rest = memoryview(stdin)
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(sink, select.POLLOUT)
    while size <= STDOUT_MAX:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
        if sink in ready:
            try:
                rest = rest[into.write(rest[:_CHUNK]) or 0 :]
            except OSError:  # it has read as much as it wanted
                rest = rest[:0]
            if not rest:
                poll.unregister(sink)
                into.close()
                sink = -1
        if source in ready:
            chunk = os.read(source, _CHUNK)
            if not chunk:
                break
            made.append(chunk)
            size += len(chunk)
    return b"".join(made)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and whatever it has started, for it has a session of its own."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, 9)
        process.wait(10)
