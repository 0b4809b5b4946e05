"""A wire between a client and PostgreSQL that can be cut at the worst moment: around a COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

Cut = Literal["", "before", "after"]


class Relay:
    """Listens on a port of its own. cut: once, a COMMIT is lost on its way ("before"), or it is
    carried out and its answer is lost ("after"); the connection breaks in either case."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cut: Cut = ""
        self.commits_cut = 0
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for link in [self._listener, *self._links]:
            _shut(link)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._links += [client, server]
                silent = threading.Event()
                for run, arguments in (
                    (self._to_server, (client, server, silent)),
                    (self._to_client, (server, client, silent)),
                ):
                    threading.Thread(target=run, args=arguments, daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, silent: object) -> None:
        assert isinstance(silent, threading.Event)
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if self.cut and b"COMMIT" in data:
                    self.commits_cut += 1
                    cut, self.cut = self.cut, ""
                    if cut == "before":
                        break
                    silent.set()  # nothing goes back any more
                server.sendall(data)
        _shut(client)
        _shut(server)

    def _to_client(self, server: socket.socket, client: socket.socket, silent: object) -> None:
        assert isinstance(silent, threading.Event)
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if silent.is_set():  # it has answered, so it has carried it out
                    break
                client.sendall(data)
        _shut(client)
        _shut(server)


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
