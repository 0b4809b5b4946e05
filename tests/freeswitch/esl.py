"""A small blocking Event Socket client for tests of the real switch."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

_REPLY_S, _EVENT_S = 60.0, 60.0  # only what does not come at all is waited for so long


class Refused(RuntimeError):
    """The switch said -ERR, or closed the link."""


class Esl:
    """One link. Events arrive as dicts; api() returns the body."""

    def __init__(self, port: int, login: str, timeout_s: float = _REPLY_S) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        self._frame()  # auth/request
        reply = self.command(login)
        if not reply.startswith("+OK"):
            raise Refused(reply)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Esl:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def command(self, line: str, **headers: str) -> str:
        """Send; return Reply-Text, or the body of an api."""
        text = line + "".join(f"\n{k.replace('_', '-')}: {v}" for k, v in headers.items())
        self._socket.sendall(text.encode() + b"\n\n")
        while True:
            kind, head, body = self._frame()
            if kind == "api/response":
                return body.decode("utf-8", "replace")
            if kind == "command/reply":
                return head.get("reply-text", "")
            self._keep(kind, body)

    def api(self, line: str) -> str:
        return self.command("api " + line).strip()

    def bgapi(self, line: str) -> str:
        """Start it; returns the job's id."""
        job = str(uuid4())
        reply = self.command("bgapi " + line, Job_UUID=job)
        if not reply.startswith("+OK"):
            raise Refused(reply)
        return job

    def listen(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """All events, the old ones first, until the time is over."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        while True:
            while seen < len(self.events):
                yield self.events[seen]
                seen += 1
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._socket.settimeout(left)
            try:
                kind, _, body = self._frame()
            except TimeoutError:
                return
            finally:
                self._socket.settimeout(_REPLY_S)
            self._keep(kind, body)

    def wait(
        self, what: Callable[[dict[str, Any]], bool], timeout_s: float = _EVENT_S
    ) -> dict[str, Any]:
        """The first event (old ones included) that is wanted; AssertionError without one."""
        for event in self.listen(timeout_s):
            if what(event):
                return event
        names = [e.get("Event-Name") for e in self.events]
        raise AssertionError(f"no such event in {timeout_s} s; there were {names}")

    def wait_for(self, name: str, uuid: str = "", timeout_s: float = _EVENT_S) -> dict[str, Any]:
        return self.wait(
            lambda e: e["Event-Name"] == name and (not uuid or e.get("Unique-ID") == uuid),
            timeout_s,
        )

    def _keep(self, kind: str, body: bytes) -> None:
        if kind == "text/event-json":
            self.events.append(json.loads(body.decode("utf-8", "replace")))
        elif kind == "text/disconnect-notice":
            raise Refused("disconnected")

    def _frame(self) -> tuple[str, dict[str, str], bytes]:
        while b"\n\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\n\n")
        headers = {}
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return headers.get("content-type", ""), headers, body

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise Refused("the switch closed the link")
        self._buffer += data
