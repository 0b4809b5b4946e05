"""What goes between Duecall and an engine's process: a header in JSON, and bytes after it.

    4 bytes  length of the header, big-endian
    header   JSON, one object
    payload  header["bytes"] bytes, none where it does not say

Child to parent at first: {"ready": true, "version": "…", "rate_hz": n} or {"missing": "why, and the
remedy"}. Then parent to child {"text": "…"}, and child to parent {"rate_hz": n, "bytes": 4*n} with
float32 samples (little-endian, mono, full scale ±1.0), or {"error": "…"}.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

LENGTH = struct.Struct(">I")
HEADER_MAX = 1_000_000  # a text is far shorter
PAYLOAD_MAX = 4 * 48_000 * 600  # ten minutes


class BrokenFrame(Exception):
    """The other side does not speak this protocol."""


class Ended(Exception):
    """The other side has closed."""


def packed(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One frame. The header's `bytes` is set here."""
    if payload:
        header = {**header, "bytes": len(payload)}
    text = json.dumps(header, ensure_ascii=True).encode()
    return LENGTH.pack(len(text)) + text + payload


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], bytes]:
    """read: exactly so many bytes; raises Ended where the other side closes first."""
    (size,) = LENGTH.unpack(read(LENGTH.size))
    if not 2 <= size <= HEADER_MAX:
        raise BrokenFrame(f"a header of {size} bytes")
    try:
        header = json.loads(read(size))
    except ValueError:
        raise BrokenFrame("a header that is no JSON") from None
    count = header.get("bytes", 0) if isinstance(header, dict) else None
    if type(count) is not int or not 0 <= count <= PAYLOAD_MAX:
        raise BrokenFrame("a header that is no object, or with a wrong number of bytes")
    return header, read(count) if count else b""


def exactly(receive: Callable[[int], bytes], size: int) -> bytes:
    """So many bytes of a stream whose `receive` may give fewer, and none at its end."""
    chunks: list[bytes] = []
    while size:
        chunk = receive(min(size, 1 << 18))
        if not chunk:
            raise Ended
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
