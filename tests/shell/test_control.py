"""The control socket: cut lines, nonsense, clients that say nothing, many at once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket as green
from gevent.threadpool import ThreadPool

from duecall.shell import control
from duecall.shell.control import ControlError, ControlServer, NoDaemon


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request.get("do") == "refuse":
        raise ControlError("no, because")
    if request.get("do") == "break":
        raise ZeroDivisionError
    return {"ok": True, "heard": request}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    server = ControlServer(tmp_path / "d.sock", answer)
    server.start()
    with gevent.Timeout(30, AssertionError("the test hangs")):
        yield tmp_path / "d.sock"
    server.stop()
    assert not (tmp_path / "d.sock").exists()


class Client:
    def __init__(self, path: Path) -> None:
        self.socket = green.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rwb")

    def send(self, data: bytes) -> None:
        self.stream.write(data)
        self.stream.flush()

    def reply(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stream.readline())
        return found

    def ask(self, data: bytes) -> dict[str, Any]:
        self.send(data)
        return self.reply()


def test_the_socket_is_the_owners_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_request_may_come_in_pieces_and_several_on_one_connection(path: Path) -> None:
    client = Client(path)
    client.send(b'{"do": "sta')
    gevent.sleep(0.01)
    assert client.ask(b'tus"}\n') == {"ok": True, "heard": {"do": "status"}}
    assert client.ask(b'{"do": "refuse"}\n') == {"ok": False, "error": "no, because"}
    assert client.ask(b'{"do": "break"}\n')["ok"] is False
    assert client.ask(b'{"do": "still there"}\n')["ok"] is True


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1, 2]\n", b"\xff\xfe\n", b"[" * 90_000 + b"\n"])
def test_nonsense_is_refused_and_the_connection_lives(path: Path, line: bytes) -> None:
    client = Client(path)
    reply = client.ask(line)
    assert reply["ok"] is False
    assert "JSON" in reply["error"]
    assert client.ask(b'{"do": "status"}\n')["ok"] is True


def test_a_request_without_an_end_is_refused_and_not_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "LINE_MAX", 1_000)
    client = Client(path)
    reply = client.ask(b'{"do": "' + b"x" * 1_500)
    assert "one line" in reply["error"]
    assert client.stream.read() == b"", "what follows is no request of its own"


def test_a_client_that_hangs_up_in_mid_request_hurts_nobody(path: Path) -> None:
    client = Client(path)
    client.send(b'{"do": "status"')
    client.stream.close()
    client.socket.close()
    assert Client(path).ask(b'{"do": "status"}\n')["ok"] is True


def test_silent_clients_are_sent_away_so_that_an_operator_gets_in(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SILENCE_S", 0.2)
    silent = [Client(path) for _ in range(control.CLIENTS_MAX)]
    assert Client(path).ask(b'{"do": "status"}\n')["ok"] is True
    assert all(client.stream.read() == b"" for client in silent)


def in_a_thread(*arguments: Any) -> Any:
    return ThreadPool(1).apply(control.ask, arguments)


def test_ask_says_what_the_daemon_said(path: Path) -> None:
    assert in_a_thread(path, {"do": "x"}) == {"heard": {"do": "x"}}
    with pytest.raises(ControlError, match="no, because"):
        in_a_thread(path, {"do": "refuse"})


def test_ask_says_that_no_daemon_is_there(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match="duecall run"):
        control.ask(tmp_path / "nobody.sock", {"do": "status"})


def test_ask_says_that_the_daemon_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))
        deaf.listen()
        with pytest.raises(ControlError, match="did not answer"):
            control.ask(tmp_path / "deaf.sock", {"do": "status"}, 0.05)
