"""What one call leg sends and hears, 20 ms at a time, and the wire between bridged legs.

Bridged legs may live in different workers (each can hold only four), so their sound always goes
over a loopback UDP socket, one a worker: 16 bytes of token, then one frame.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pocket_switch.recording import Recorder
from pocket_switch.sounds import FRAME_BYTES, SILENT_FRAME, Sound

_TOKEN_BYTES = 16
_JITTER_FRAMES = 6  # 120 ms; older ones are dropped rather than lag behind


class Media(Protocol):
    """The sound side of a line. `ends_at`: monotonic time at which the sound played will be over,
    None where the line reports that by itself (`on_done`)."""

    on_done: Callable[[], None]
    ends_at: float | None

    def play(self, sound: Sound) -> None: ...
    def stop(self) -> None: ...
    @property
    def playing(self) -> bool: ...
    def record(self, recorder: Recorder) -> bool: ...
    def forget(self, recorder: Recorder) -> None: ...
    def join(self, stream: BridgeStream | None) -> None: ...


class RealMedia:
    """For a line with RTP. say/hear are called by PJSIP's media thread each 20 ms."""

    ends_at: float | None = None

    def __init__(self) -> None:
        self.on_done: Callable[[], None] = lambda: None
        self._sound: Sound | None = None
        self._recorders: list[Recorder] = []
        self._stream: BridgeStream | None = None

    def play(self, sound: Sound) -> None:
        self._sound = sound

    def stop(self) -> None:
        self._sound = None

    @property
    def playing(self) -> bool:
        return self._sound is not None

    def record(self, recorder: Recorder) -> bool:
        self._recorders = [*self._recorders, recorder]
        return True

    def forget(self, recorder: Recorder) -> None:
        self._recorders = [one for one in self._recorders if one is not recorder]

    def join(self, stream: BridgeStream | None) -> None:
        self._sound = None
        self._stream = stream

    @property
    def listening(self) -> bool:
        """Does anybody want what the far end says? Copying it out of PJSIP costs time."""
        return bool(self._recorders) or self._stream is not None

    def say(self) -> bytes | None:
        """The next 20 ms to send; None for silence."""
        frame = self._next_frame()
        for recorder in self._recorders:
            recorder.say(frame or SILENT_FRAME)
        return frame

    def hear(self, frame: bytes) -> None:
        for recorder in self._recorders:
            recorder.hear(frame)
        stream = self._stream
        if stream is not None:
            stream.send(frame)

    def _next_frame(self) -> bytes | None:
        stream = self._stream
        if stream is not None:
            return stream.receive()
        sound = self._sound
        if sound is None:
            return None
        frame = sound.next_frame()
        if frame is None and self._sound is sound:
            self._sound = None
            self.on_done()
        return frame


class NullMedia:
    """For a null line: nothing sounds, but playing takes its time, divided by `speed`."""

    def __init__(self, speed: float) -> None:
        self.on_done: Callable[[], None] = lambda: None
        self.ends_at: float | None = None
        self._speed = speed
        self._sound: Sound | None = None
        self._began = 0.0

    def play(self, sound: Sound) -> None:
        self._sound, self._began = sound, time.monotonic()
        self.ends_at = self._began + sound.length_ms / 1_000 / self._speed

    def stop(self) -> None:
        sound = self._sound
        if sound is not None and not sound.loop:
            played_ms = (time.monotonic() - self._began) * 1_000 * self._speed
            sound.position = min(len(sound.pcm), int(played_ms) * 16)
        self._sound, self.ends_at = None, None

    @property
    def playing(self) -> bool:
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            if self._sound is not None:
                self._sound.position = len(self._sound.pcm)
            self._sound, self.ends_at = None, None
        return self._sound is not None

    def record(self, recorder: Recorder) -> bool:
        return False

    def forget(self, recorder: Recorder) -> None:
        return None

    def join(self, stream: BridgeStream | None) -> None:
        self.stop()


class MediaBus:
    """This worker's end of the wire between bridged legs."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._streams: dict[bytes, deque[bytes]] = {}
        threading.Thread(target=self._read, name="media-bus", daemon=True).start()

    def open(self, token: str) -> None:
        """From now on, frames that carry `token` (hex) are kept for a stream."""
        self._streams[bytes.fromhex(token)] = deque(maxlen=_JITTER_FRAMES)

    def stream(self, token: str, peer_port: int, peer_token: str) -> BridgeStream:
        key = bytes.fromhex(token)
        inbox = self._streams.setdefault(key, deque(maxlen=_JITTER_FRAMES))
        head = bytes.fromhex(peer_token)

        def send(frame: bytes) -> None:
            # An error means that the peer's worker is gone; the broker ends this leg too.
            with contextlib.suppress(OSError):
                self._socket.sendto(head + frame, ("127.0.0.1", peer_port))

        return BridgeStream(inbox, send, lambda: self._streams.pop(key, None))

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(_TOKEN_BYTES + FRAME_BYTES)
            except OSError:
                return
            inbox = self._streams.get(data[:_TOKEN_BYTES])
            if inbox is not None and len(data) == _TOKEN_BYTES + FRAME_BYTES:
                inbox.append(data[_TOKEN_BYTES:])


class BridgeStream:
    """One leg's view of a bridge."""

    def __init__(
        self, inbox: deque[bytes], send: Callable[[bytes], None], close: Callable[[], object]
    ) -> None:
        self._inbox = inbox
        self.send = send
        self.close = close

    def receive(self) -> bytes | None:
        """The peer's next 20 ms; None when nothing has come."""
        try:
            return self._inbox.popleft()
        except IndexError:
            return None


def new_token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)
