"""A child program's end of its link to the parent: engines and recognisers speak it alike.

Standard library only: what libraries print must find stdout already moved.
"""

from __future__ import annotations

import os
import select
from typing import Any

from duecall.speech.engines import frames


def receive(link: int) -> tuple[dict[str, Any], bytes]:
    """The parent's next frame; where it has gone the process ends."""
    try:
        return frames.read_frame(
            lambda size: frames.exactly(lambda some: os.read(link, some), size)
        )
    except (frames.Ended, frames.BrokenFrame, OSError):
        os._exit(0)


def send(link: int, header: dict[str, Any], payload: bytes = b"") -> None:
    rest = memoryview(frames.packed(header, payload))
    try:
        while rest:
            rest = rest[os.write(link, rest) :]
    except OSError:
        os._exit(0)


def end_with_parent(link: int) -> None:
    """Ends the process as soon as the parent has closed, even where an answer takes for ever."""
    poll = select.poll()
    poll.register(link, select.POLLHUP | getattr(select, "POLLRDHUP", 0))
    while True:
        if any(events & ~select.POLLIN for _, events in poll.poll()):
            os._exit(0)


def replace(descriptor: int, mode: int) -> None:
    null = os.open(os.devnull, mode)
    os.dup2(null, descriptor)
    os.close(null)
