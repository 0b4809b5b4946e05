"""One command on its way to a switch: its bytes, and the wait for its reply."""

from __future__ import annotations

import re
from collections.abc import Mapping

import gevent.event

from duecall.shell.esl_errors import CommandRefused, CommandTimeout, LinkError, UnsafeLine
from duecall.shell.esl_frames import Frame

COMMAND_TIMEOUT_S = 10.0

_LINE = re.compile(r"[\x20-\x7e]+\Z")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+\Z")


class Pending:
    """A command that was sent. `wait` for its reply, from one greenlet, once."""

    __slots__ = ("_reply", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self._reply: gevent.event.AsyncResult = gevent.event.AsyncResult()

    def wait(self, timeout_s: float = COMMAND_TIMEOUT_S) -> Frame:
        """Raises LinkLost or CommandTimeout."""
        self._reply.wait(timeout=timeout_s)
        if not self._reply.ready():
            raise CommandTimeout(f"the switch did not answer `{self.what}` within {timeout_s:g} s")
        reply: Frame = self._reply.get(block=False)
        return reply

    def settle(self, reply: Frame) -> None:
        self._reply.set(reply)

    def fail(self, error: LinkError) -> None:
        self._reply.set_exception(error)


def accepted(reply: Frame) -> None:
    """Raises CommandRefused if this reply to a bgapi does not say that the job has begun."""
    text = reply.headers.get("Reply-Text", "")
    if not text.startswith("+OK"):
        raise CommandRefused(f"the switch did not take the job: {text or reply.kind}")


def command_bytes(line: str, headers: Mapping[str, str]) -> bytes:
    """What goes over the wire. Raises UnsafeLine: a newline would begin another command."""
    _guard(line)
    lines = [line]
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            raise UnsafeLine(f"the header name {name[:40]!r} is not letters, digits and '-'")
        _guard(value)
        lines.append(f"{name}: {value}")
    return ("\n".join(lines) + "\n\n").encode("ascii")


def _guard(text: str) -> None:
    """The text itself is not repeated in the error: it may hold a password."""
    if not _LINE.match(text):
        bad = next((x for x in text if not " " <= x <= "~"), "")
        raise UnsafeLine(
            "a command for the switch must be one line of printable ASCII; this one "
            + (f"has {bad!r} in it" if bad else "is empty")
        )
