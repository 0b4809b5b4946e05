"""Event Socket bytes -> frames -> events. Pure: no socket, no clock.

A frame is a block of `Name: value` lines, a blank line, and as many bytes of body as its
Content-Length says. Lines are split before anything is unquoted: a `%0A` in a value stays a value
(what a stranger's display name holds must never become a header).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson

HEAD_MAX_BYTES = 65_536
BODY_MAX_BYTES = 16 * 1024 * 1024
# FreeSWITCH writes its reply to `userauth` into 512 bytes (mod_event_socket.c: parse_command) and
# cuts a longer one, blank line and all: it is then exactly this long, its `Content-Type` included.
CUT_REPLY_BYTES = 538
_CUT_REPLY_BEGINS = b"Content-Type: command/reply\nReply-Text: +OK accepted\n"

# An event as FreeSWITCH tells it: header -> value, or list of values. The body is "_body".
Headers = dict[str, Any]


class ProtocolError(ValueError):
    """Bytes that are no Event Socket frame. What follows them cannot be trusted: end the link."""


@dataclass(slots=True)
class Frame:
    """kind: the Content-Type. Header names as the switch writes them; the first of twins counts."""

    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class FrameReader:
    """Feed bytes as they come, cut anywhere; get the frames that are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # up to here the buffer holds no blank line
        self._head: Frame | None = None  # waits for its body
        self._missing = 0  # bytes of that body

    @property
    def inside_a_frame(self) -> bool:
        """The bytes so far end in the middle of a frame."""
        return bool(self._buffer) or self._head is not None

    def feed(self, data: bytes) -> list[Frame]:
        """Raises ProtocolError; the reader is of no use after that."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        at = 0
        while True:
            if self._head is None:
                while buffer[at : at + 1] == b"\n":
                    at += 1
                end = buffer.find(b"\n\n", max(at, self._searched))
                if end < 0:
                    if len(buffer) - at > HEAD_MAX_BYTES:
                        raise ProtocolError(f"{len(buffer) - at} bytes without a blank line")
                    break
                self._head, self._missing = _parse_head(bytes(buffer[at:end]))
                at = end + 2
                self._searched = at
            if len(buffer) - at < self._missing:
                break
            frame, self._head = self._head, None
            frame.body = bytes(buffer[at : at + self._missing])
            at += self._missing
            self._searched = at
            frames.append(frame)
        del buffer[:at]
        self._searched = max(0, len(buffer) - 1) if self._head is None else 0
        return frames

    def cut_reply(self) -> Frame | None:
        """The accepted `userauth` whose reply FreeSWITCH cut; to be asked for only then."""
        if len(self._buffer) < CUT_REPLY_BYTES or not self._buffer.startswith(_CUT_REPLY_BEGINS):
            return None
        if b"\n\n" in self._buffer[:CUT_REPLY_BYTES]:
            return None
        frame, _ = _parse_head(bytes(self._buffer[:CUT_REPLY_BYTES]))
        del self._buffer[:CUT_REPLY_BYTES]
        self._searched = 0
        return frame


def decode_event(frame: Frame) -> Headers:
    """The event in a text/event-json or text/event-plain frame. Raises ValueError if it is none.

    FreeSWITCH passes bytes that are not UTF-8 (a Latin-1 display name) as they are: they become
    U+FFFD, and the event is still an event.
    """
    if frame.kind == "text/event-json":
        try:
            event = orjson.loads(frame.body)  # most of what the daemon reads: it must be fast
        except ValueError:
            event = json.loads(frame.text)  # slower, and takes what is not quite UTF-8
        if not isinstance(event, dict):
            raise ValueError("the JSON of an event is not an object")
        return event
    return _decode_plain(frame.body)


def _decode_plain(body: bytes) -> Headers:
    reader = FrameReader()
    frames = reader.feed(body if body.endswith(b"\n\n") else body + b"\n\n")
    event: Headers = {}
    for frame in frames[:1]:
        event.update((name, unquote(value)) for name, value in frame.headers.items())
        if frame.body:
            event["_body"] = frame.text
    if not event:
        raise ValueError("an event without headers")
    return event


def _parse_head(head: bytes) -> tuple[Frame, int]:
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip(), value.strip())
    length = headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 12):
        raise ProtocolError("Content-Length is " + repr(length[:40]))
    if int(length) > BODY_MAX_BYTES:
        raise ProtocolError(f"a body of {length} bytes")
    return Frame(headers.get("Content-Type", ""), headers), int(length)
