"""Events as FreeSWITCH's Event Socket sends them: an ordered set of headers, perhaps a body."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import Any
from urllib.parse import quote

from pocket_switch import NAME

Headers = dict[str, str]
# What this switch sends. A subscription to another of FreeSWITCH's events is taken, in vain.
SENT = frozenset(
    {
        "CHANNEL_PROGRESS",
        "CHANNEL_PROGRESS_MEDIA",
        "CHANNEL_ANSWER",
        "CHANNEL_BRIDGE",
        "CHANNEL_UNBRIDGE",
        "CHANNEL_PARK",
        "CHANNEL_UNPARK",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "BACKGROUND_JOB",
        "HEARTBEAT",
        "SHUTDOWN",
        "CUSTOM",
    }
)


class Stamp:
    """Gives each event the head FreeSWITCH gives it; numbers them in one row."""

    def __init__(self, core_uuid: str) -> None:
        self.core_uuid = core_uuid
        self._hostname = socket.gethostname()
        self._next = itertools.count(1)

    def __call__(self, name: str, headers: Headers, at_us: int | None = None) -> Headers:
        at_us = time.time_ns() // 1000 if at_us is None else at_us
        seconds = at_us // 1_000_000
        head = {
            "Event-Name": name,
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": self._hostname,
            "FreeSWITCH-Switchname": NAME,
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
            "Event-Date-Local": local_time(seconds),
            "Event-Date-GMT": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds)),
            "Event-Date-Timestamp": str(at_us),
            "Event-Calling-File": "pocket_switch",
            "Event-Calling-Function": name.lower(),
            "Event-Calling-Line-Number": "0",
            "Event-Sequence": str(next(self._next)),
        }
        head.update(headers)
        return head


def local_time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def to_json(event: Headers, body: str = "") -> bytes:
    """The body, where there is one, goes in as `_body` after its Content-Length."""
    data: dict[str, Any] = dict(event)
    if body:
        data["Content-Length"] = str(len(body.encode()))
        data["_body"] = body
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def to_plain(event: Headers, body: str = "") -> bytes:
    """Values percent-encoded, a blank line, the body."""
    lines = [
        f"{name}: {quote(value, safe=_PLAIN_SAFE) or '_undef_'}" for name, value in event.items()
    ]
    raw = body.encode()
    if raw:
        lines.append(f"Content-Length: {len(raw)}")
    return ("\n".join(lines) + "\n\n").encode() + raw


_PLAIN_SAFE = "!'()*+,-./:;<=>?@[]_~$&{}| "


def to_xml(event: Headers, body: str = "") -> bytes:
    from xml.sax.saxutils import escape

    rows = "".join(f"    <{name}>{escape(value)}</{name}>\n" for name, value in event.items())
    text = f"<event>\n  <headers>\n{rows}  </headers>\n"
    text += f"  <body>{escape(body)}</body>\n" if body else ""
    return (text + "</event>").encode()


FORMATS = {"json": to_json, "plain": to_plain, "xml": to_xml}
