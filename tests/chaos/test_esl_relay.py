"""The wire carries what is said, and can be cut, torn and stalled."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.esl_relay import EslRelay
from tests.chaos.parts import wait_until


class Echo:
    """Answers with what it hears."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(4096):
                self.heard += data
                connection.sendall(data)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    found = Echo()
    yield found
    found.close()


@pytest.fixture
def relay(echo: Echo) -> Iterator[EslRelay]:
    with EslRelay(echo.port) as found:
        yield found


def connect(relay: EslRelay) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", relay.port), timeout=5.0)
    link.sendall(b"hello")
    assert link.recv(64) == b"hello"
    return link


def ended(link: socket.socket) -> bool:
    """Within the connection's time-out, after whatever was still on the way."""
    try:
        while link.recv(64):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_a_cut_ends_what_stands_and_lets_new_ones_in(relay: EslRelay) -> None:
    with connect(relay) as link:
        relay.cut()
        assert ended(link)
    with connect(relay) as link:
        assert relay.connections == 1


def test_a_stall_keeps_connections_and_delivers_late(relay: EslRelay, echo: Echo) -> None:
    with connect(relay) as link:
        relay.stall()
        link.sendall(b"late")
        link.settimeout(0.5)
        with pytest.raises(TimeoutError):
            link.recv(64)
        assert echo.heard == b"hello"
        relay.flow()
        link.settimeout(5.0)
        assert link.recv(64) == b"late"


def test_what_waits_in_a_stalled_wire_is_lost_with_it(relay: EslRelay, echo: Echo) -> None:
    with connect(relay) as link:
        relay.stall()
        link.sendall(b"never")
        relay.cut()
        assert ended(link)
    relay.flow()
    with connect(relay):
        assert echo.heard == b"hellohello"


def test_a_torn_wire_delivers_half_a_word(relay: EslRelay, echo: Echo) -> None:
    with connect(relay) as link:
        relay.tear()
        link.sendall(b"originate!")
        assert ended(link)
    wait_until(lambda: echo.heard == b"hello" + b"origi", 5.0, "half of it is heard")


def test_nobody_behind_it_is_an_ended_connection(echo: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with (
        EslRelay(port) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=5.0) as link,
    ):
        assert ended(link)
