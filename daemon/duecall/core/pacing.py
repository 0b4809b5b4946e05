"""How many calls may start now: a trunk's channels and its calls per second (design: law L7)."""

from __future__ import annotations

import math
from collections import deque

BURST_SHARE = (
    0.05  # calls may bunch up to this share of a second, so that one turn can send several
)
# Calls that the switch has not acknowledged, in seconds of calling: one that stands still rings all
# of them when it goes on, however late that is. A switch acknowledges within milliseconds.
UNACKNOWLEDGED_S = 0.25


class CallRate:
    """At most floor(per_second) starts in any one second, spread evenly.

    Two rules at once: a log of the last starts keeps the law exactly; the even spread (a generic
    cell rate: each call moves an ideal time on by 1/per_second) keeps a switch from a burst.
    Below one a second: one start each 1/per_second seconds. All times are monotonic seconds.

    A call that was sent and of which nothing is heard may start at any moment: a switch that stood
    still, or a link that was stalled, lets all of them start at once. So until `began` each of them
    counts as a start of this very second, and few of them are sent at all.
    """

    def __init__(self, per_second: float, began_s: float) -> None:
        if per_second <= 0:
            raise ValueError("calls per second must be above zero")
        self._interval_s = 1.0 / per_second
        count = max(1, int(per_second))
        self._window_s = max(1.0, self._interval_s)
        # Another daemon may have used the trunk until just now: begin as if the second were full.
        self._log: deque[float] = deque([began_s] * count, maxlen=count)
        self._burst_s = BURST_SHARE if per_second * BURST_SHARE >= 1 else 0.0
        self._ideal_s = began_s
        self._on_the_way: set[str] = set()  # sent, and not known to have started
        self._on_the_way_max = max(1, math.ceil(per_second * UNACKNOWLEDGED_S))

    def ready_at(self, now_s: float) -> float:
        """The first moment, now or later, at which a call may start, if nothing is heard before."""
        on_the_way = len(self._on_the_way)
        if on_the_way >= self._on_the_way_max:
            return now_s + self._window_s
        return max(now_s, self._log[on_the_way] + self._window_s, self._ideal_s - self._burst_s)

    def take(self, now_s: float, call: str = "") -> None:
        """A call starts now; or, where it is named, between now and `began`."""
        if self.ready_at(now_s) > now_s:
            raise ValueError("too early: ask ready_at first")
        if call:
            self._on_the_way.add(call)
        else:
            self._log.append(now_s)
        self._ideal_s = max(now_s, self._ideal_s) + self._interval_s

    def may_have_begun(self, now_s: float) -> None:
        """One of which we know nothing may have started until now."""
        self._log.append(max(now_s, self._log[-1]))

    def began(self, call: str, now_s: float) -> None:
        """It has started by now, or never will. Said again, or of a stranger: nothing changes."""
        if call in self._on_the_way:
            self._on_the_way.remove(call)
            self._log.append(max(now_s, self._log[-1]))
