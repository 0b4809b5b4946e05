"""A TCP relay between daemon and switch that is slow, deaf, stalled or cut, as it is told."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable

CHUNK = 65_536
_LENGTH = re.compile(rb"^Content-Length: ([0-9]+)$", re.MULTILINE)


class Relay:
    """port: where it listens. delay_s: of each piece, in each direction. loses: True for a frame of
    the switch that is not passed on; set it when the daemon has logged in (FreeSWITCH's answer to
    that is no whole frame)."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self.delay_s = 0.0
        self.loses: Callable[[bytes], bool] | None = None
        self.lost = 0
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Connections stay, and nothing passes any more; new ones are taken and lead nowhere."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """Every connection ends, now."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self._open = False
        self._listener.close()
        self.flow()
        self.cut()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- inside

    def _accept(self) -> None:
        while self._open:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._pairs.append((near, far))
        threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
        self._carry(far, near, True)

    def _carry(self, source: socket.socket, sink: socket.socket, from_switch: bool) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._flows.wait()
                if self.delay_s:
                    time.sleep(self.delay_s)
                if from_switch and self.loses is not None:
                    frames, rest = _frames(rest + data)
                    kept = [frame for frame in frames if not self.loses(frame)]
                    self.lost += len(frames) - len(kept)
                    data = b"".join(kept)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole messages of the Event Socket, and the begin of one that is still to come."""
    frames = []
    while b"\n\n" in data:
        head = data[: data.index(b"\n\n") + 2]
        length = _LENGTH.search(head)
        end = len(head) + (int(length[1]) if length else 0)
        if len(data) < end:
            break
        frames.append(data[:end])
        data = data[end:]
    return frames, data
