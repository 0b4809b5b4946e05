"""L7: a trunk's channels and calls per second are never exceeded, in any second.

Judged where it hurts: by the channels that truly exist in each switch, and by the moments at which
calls arrive there; and by the moments at which they are sent. Below one call a second: one in
each 1/n seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from duecall.sim.truth import Story

# Sums of floating-point seconds: a call exactly one second after another is not within it.
TOLERANCE_S = 1e-6


def check(story: Story) -> Iterator[str]:
    yield from _channels(story)
    yield from _rate(story, "sent")
    yield from _rate(story, "arrived")


def _channels(story: Story) -> Iterator[str]:
    taken: dict[str, set[str]] = {}
    for entry in story.log:
        if entry.what == "arrived":
            mine = taken.setdefault(entry.daemon, set())
            mine.add(entry.attempt)
            if len(mine) > story.rules.channels:
                yield f"{len(mine)} of {story.rules.channels} channels at {entry.at_s:.2f} s"
        elif entry.what == "gone":
            taken.get(entry.daemon, set()).discard(entry.attempt)


def _rate(story: Story, what: str) -> Iterator[str]:
    rate = story.rules.calls_per_second
    window_s, most = max(1.0, 1.0 / rate) - TOLERANCE_S, max(1, int(rate))
    starts: dict[str, deque[float]] = {}
    for entry in story.of(what):
        mine = starts.setdefault(entry.daemon, deque())
        mine.append(entry.at_s)
        while mine[0] <= entry.at_s - window_s:
            mine.popleft()
        if len(mine) > most:
            yield f"{len(mine)} calls {what} within {window_s:.1f} s before {entry.at_s:.2f} s"
