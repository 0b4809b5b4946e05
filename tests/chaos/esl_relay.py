"""A wire between the daemon and the Event Socket that can be cut, torn and stalled.

One thread accepts, two carry each connection. It listens on 127.0.0.1 and connects to 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

CHUNK = 65_536
TORN_MAX_S = 2.0  # a wire that is to be torn in mid-word is torn anyway after so long
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by reset, what was on the way is lost


class _Pair:
    """One connection of the daemon, and the one to the switch that goes with it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.ends = (near, far)
        self.tear = threading.Event()
        self.closed = threading.Event()

    def close(self, reset: bool = False) -> None:
        self.closed.set()
        for end in self.ends:
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Wakes the thread that reads; without it the kernel keeps the connection for it.
                end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            if reset:
                end.close()


class EslRelay:
    """target_port: the switch's. The daemon is to connect to `port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="esl-relay", daemon=True).start()

    def __enter__(self) -> EslRelay:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._pairs)

    def cut(self) -> None:
        """All connections are reset now; new ones may be made."""
        for pair in self._standing():
            pair.close(reset=True)

    def tear(self) -> None:
        """The same, in the middle of whatever is said next: its first half still arrives."""
        for pair in self._standing():
            pair.tear.set()
            threading.Timer(TORN_MAX_S, pair.close, (True,)).start()

    def stall(self) -> None:
        """Nothing passes any more, in either direction; the connections seem to stand."""
        self._flowing.clear()

    def flow(self) -> None:
        """What waited passes, in order."""
        self._flowing.set()

    def stop(self) -> None:
        self._ended.set()
        self._flowing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._standing():
            pair.close()

    # ---- threads

    def _standing(self) -> list[_Pair]:
        with self._lock:
            return list(self._pairs)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._flowing.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port), timeout=5.0)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Pair(near, far)
        with self._lock:
            self._pairs.append(pair)
        threading.Thread(target=self._carry, args=(pair, near, far), daemon=True).start()
        self._carry(pair, far, near)

    def _carry(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                self._flowing.wait()
                if pair.closed.is_set():
                    return
                if pair.tear.is_set():
                    sink.sendall(data[: len(data) // 2])
                    pair.close(reset=True)
                    return
                sink.sendall(data)
        except OSError:
            pass
        finally:
            pair.close()
            with self._lock:
                if pair in self._pairs:
                    self._pairs.remove(pair)
