"""A blocking Event Socket client for these tests; shares no code with switch and daemon."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
_REPLY_S, _EVENT_S = 60.0, 60.0  # only what does not come at all is waited for so long


class Client:
    """Two frames in one socket: replies in order, events in a list. Raises ConnectionError."""

    def __init__(self, port: int, login: str) -> None:
        self.events: list[Event] = []
        self.closed = threading.Event()
        self._news = threading.Condition()
        self._replies: queue.Queue[tuple[dict[str, str], str]] = queue.Queue()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_REPLY_S)
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._reply()  # auth/request
        self.greeting = self.command(login)["Reply-Text"]

    def close(self) -> None:
        self._socket.close()

    def command(self, text: str) -> dict[str, str]:
        """Headers of the reply; `body` for that of an api."""
        self._socket.sendall(text.encode() + b"\n\n")
        headers, body = self._reply()
        return {**headers, "body": body}

    def api(self, text: str) -> str:
        return self.command("api " + text)["body"]

    def originate(self, target: str, action: str, **variables: str) -> str:
        """By bgapi, with a uuid of its own; returns it. The job has the same id."""
        leg = variables.pop("origination_uuid", "") or str(uuid.uuid4())
        pairs = {
            "origination_uuid": leg,
            "presence_data": "duecall:test",
            "ignore_early_media": "true",
            "originate_timeout": "10",
            "RECORD_STEREO": "true",
            **variables,
        }
        inside = ",".join(f"{name}={value}" for name, value in pairs.items())
        reply = self.command(f"bgapi originate {{{inside}}}{target} {action}\nJob-UUID: {leg}")
        assert reply["Job-UUID"] == leg
        return leg

    def wait(self, what: Callable[[Event], bool], seconds: float = _EVENT_S) -> Event:
        """The first event that fits, of those that came or within the time."""
        until = time.monotonic() + seconds
        with self._news:
            while True:
                for event in self.events:
                    if what(event):
                        return event
                left = until - time.monotonic()
                if left <= 0:
                    names = [(e["Event-Name"], e.get("Unique-ID", "")[:4]) for e in self.events]
                    raise AssertionError(f"it did not come; these did: {names}")
                self._news.wait(left)

    def wait_for(self, name: str, leg: str, seconds: float = _EVENT_S) -> Event:
        return self.wait(lambda e: e["Event-Name"] == name and e.get("Unique-ID") == leg, seconds)

    def job(self, leg: str, seconds: float = _EVENT_S) -> str:
        def done(event: Event) -> bool:
            return bool(event["Event-Name"] == "BACKGROUND_JOB" and event["Job-UUID"] == leg)

        return str(self.wait(done, seconds)["_body"])

    def names(self, leg: str) -> list[str]:
        with self._news:
            return [e["Event-Name"] for e in self.events if e.get("Unique-ID") == leg]

    def _reply(self) -> tuple[dict[str, str], str]:
        return self._replies.get(timeout=_REPLY_S)

    def _read(self) -> None:
        file = self._socket.makefile("rb")
        try:
            while True:
                headers: dict[str, str] = {}
                while (line := file.readline()).strip():
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    headers[name] = value
                if not line:
                    return
                body = file.read(int(headers.get("Content-Length", 0))).decode()
                self._take(headers, body)
        except (OSError, ValueError):
            return
        finally:
            self.closed.set()

    def _take(self, headers: dict[str, str], body: str) -> None:
        kind = headers.get("Content-Type", "")
        if kind == "text/event-json":
            with self._news:
                self.events.append(json.loads(body))
                self._news.notify_all()
        elif kind != "text/disconnect-notice":
            self._replies.put((headers, body))
