"""An Event Socket server over real TCP that behaves as badly as it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
import gevent.event
from gevent.server import StreamServer

PASSWORD = "a good password"
USER = "duecall@duecall"


@dataclass
class Received:
    """One command as it came over the wire."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)


def frame(kind: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.insert(0, f"Content-Length: {len(body)}")
    lines.append(f"Content-Type: {kind}")
    return ("\n".join(lines) + "\n\n").encode() + body


def json_event(event: dict[str, Any]) -> bytes:
    return frame("text/event-json", json.dumps(event, ensure_ascii=False).encode())


def ok(text: str = "+OK") -> bytes:
    return frame("command/reply", Reply_Text=text)


class FakeSwitch(StreamServer):
    """answers: first words of a command -> reply, function of the command, or None for silence.

    cut: bytes a packet; 0 sends all at once. greeting: what is said first.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self._serve)
        self.cut = 0
        self.greeting = frame("auth/request")
        self.close_after_greeting = False
        self.deaf = False  # reads no more
        self.received: list[Received] = []
        self.peers: list[Any] = []  # sockets, in the order they came
        self.subscribed: list[Any] = []
        self.connections = 0
        self.something_came = gevent.event.Event()
        self.core_uuid = "11111111-2222-3333-4444-555555555555"
        self.channels: list[dict[str, str]] = []
        self.existing: set[str] = set()
        self.answers: dict[str, bytes | Callable[[Received], bytes | None] | None] = {}
        self.start()

    @property
    def port(self) -> int:
        return int(self.server_port)

    def lines(self, beginning: str) -> list[str]:
        return [one.line for one in self.received if one.line.startswith(beginning)]

    def wait_for(self, beginning: str, count: int = 1, timeout_s: float = 10.0) -> list[str]:
        """Until so many commands that begin so have come."""
        with gevent.Timeout(timeout_s, AssertionError(f"no {beginning!r} in {self.received}")):
            while len(self.lines(beginning)) < count:
                self.something_came.clear()
                self.something_came.wait()
        return self.lines(beginning)

    def tell(self, *events: dict[str, Any]) -> None:
        """Events, to all who subscribed."""
        for peer in list(self.subscribed):
            self.send(peer, b"".join(json_event(event) for event in events))

    def send(self, peer: Any, data: bytes) -> None:
        step = self.cut or len(data) or 1
        for start in range(0, len(data), step):
            peer.sendall(data[start : start + step])
            if self.cut:
                gevent.sleep(0)

    def hang_up_on_all(self) -> None:
        for peer in self.peers:
            peer.close()
        self.peers.clear()
        self.subscribed.clear()

    def shut(self) -> None:
        self.hang_up_on_all()
        self.stop(timeout=0.1)

    # ---- inside

    def _serve(self, peer: Any, address: Any) -> None:
        self.connections += 1
        self.peers.append(peer)
        try:
            self.send(peer, self.greeting)
            if self.close_after_greeting:
                peer.close()
                return
            data = b""
            while more := peer.recv(65_536):
                while self.deaf:
                    gevent.sleep(0.05)
                data += more
                while b"\n\n" in data:
                    block, _, data = data.partition(b"\n\n")
                    self._take(peer, block.decode())
        except OSError:
            return

    def _take(self, peer: Any, block: str) -> None:
        first, *rest = block.split("\n")
        command = Received(first, dict(line.split(": ", 1) for line in rest))
        self.received.append(command)
        reply = self._reply(peer, command)
        if reply is not None:
            self.send(peer, reply)
        self.something_came.set()

    def _reply(self, peer: Any, command: Received) -> bytes | None:
        for beginning, answer in self.answers.items():
            if command.line.startswith(beginning):
                return answer(command) if callable(answer) else answer
        word = command.line.split(" ", 1)[0]
        if word == "userauth":
            good = command.line == f"userauth {USER}:{PASSWORD}"
            return ok("+OK accepted" if good else "-ERR invalid")
        if word == "event":
            self.subscribed.append(peer)
            return ok("+OK event listener enabled json")
        if word == "bgapi":
            return ok("+OK Job-UUID: " + command.headers.get("Job-UUID", ""))
        if word == "api":
            return frame("api/response", self._api(command.line[4:]).encode())
        return ok()

    def _api(self, line: str) -> str:
        if line == "global_getvar core_uuid":
            return self.core_uuid
        if line.startswith("show channels"):
            return json.dumps({"row_count": len(self.channels), "rows": self.channels})
        if line.startswith("uuid_exists "):
            return "true" if line.split(" ")[1] in self.existing else "false"
        return "+OK"
