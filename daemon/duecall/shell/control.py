"""How the operator's commands reach the running daemon: JSON lines over a Unix socket.

Whoever may open the socket file may command the daemon, so the file is the owner's alone (0600).
A request is one JSON object with `do`; the answer is one JSON object with `ok` and, if not ok,
`error` for people.
"""

from __future__ import annotations

import json
import logging
import os
import socket as plain_socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent import socket
from gevent.server import StreamServer

log = logging.getLogger(__name__)
LINE_MAX = 1_000_000
SILENCE_S = 60  # a client that asks nothing for so long is sent away
CLIENTS_MAX = 64
Answerer = Callable[[dict[str, Any]], dict[str, Any]]


class ControlError(Exception):
    """The daemon said no; the text says why."""


class NoDaemon(Exception):
    """Nobody listens on the control socket."""


class ControlServer:
    """answer(request) -> reply runs on the hub, in a greenlet a connection."""

    def __init__(self, path: Path, answer: Answerer) -> None:
        self._path = path
        self._answer = answer
        self._listener = socket.socket(plain_socket.AF_UNIX, plain_socket.SOCK_STREAM)
        path.unlink(missing_ok=True)  # of a daemon that died; a living one holds the lock file
        old_mask = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(old_mask)
        self._listener.listen(64)
        self._server = StreamServer(self._listener, self._serve, spawn=CLIENTS_MAX)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(timeout=1)
        self._path.unlink(missing_ok=True)

    def _serve(self, connection: socket.socket, _address: object) -> None:
        connection.settimeout(SILENCE_S)
        try:
            with connection, connection.makefile("rwb") as stream:
                while line := stream.readline(LINE_MAX):
                    whole = line.endswith(b"\n")
                    reply = self._reply(line) if whole else _no("a request is one line of JSON")
                    stream.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
                    stream.flush()
                    if not whole:
                        return
        except OSError as error:
            log.debug("a control connection ended: %s", error)

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return _no("a request is one line of JSON")
        if not isinstance(request, dict):
            return _no('a request is a JSON object, such as {"do": "status"}')
        try:
            return self._answer(request)
        except ControlError as error:
            return _no(str(error))
        except Exception:
            log.exception("a control request failed")
            return _no("the daemon failed at this; see its log")


def _no(why: str) -> dict[str, Any]:
    return {"ok": False, "error": why}


def ask(path: Path, request: dict[str, Any], timeout_s: float = 30.0) -> dict[str, Any]:
    """Send one request to the daemon. NoDaemon if none runs, ControlError if it says no."""
    connection = plain_socket.socket(plain_socket.AF_UNIX, plain_socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise NoDaemon(f"no daemon listens at {path}; start one with: duecall run") from None
    except OSError as error:
        connection.close()
        raise ControlError(f"{path}: the daemon cannot be reached: {error}") from None
    try:
        with connection, connection.makefile("rwb") as stream:
            stream.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
            stream.flush()
            line = stream.readline()
    except TimeoutError:
        raise ControlError(
            f"the daemon did not answer within {timeout_s:g} s; see its log"
        ) from None
    except OSError as error:
        raise ControlError(f"the connection to the daemon broke: {error}") from None
    if not line.endswith(b"\n"):
        raise ControlError("the daemon closed the connection without an answer; see its log")
    reply: dict[str, Any] = json.loads(line)
    if not reply.pop("ok", False):
        raise ControlError(str(reply.get("error", "refused")))
    return reply
