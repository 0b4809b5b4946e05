"""How many calls may start now: a trunk's channels and its calls per second (design: law L7)."""

from __future__ import annotations

from collections import deque

BURST_SHARE = (
    0.05  # calls may bunch up to this share of a second, so that one turn can send several
)


class CallRate:
    """At most floor(per_second) starts in any one second, spread evenly.

    Two rules at once: a log of the last starts keeps the law exactly; the even spread (a generic
    cell rate: each call moves an ideal time on by 1/per_second) keeps a switch from a burst.
    Below one a second: one start each 1/per_second seconds. All times are monotonic seconds.
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

    def ready_at(self, now_s: float) -> float:
        """The first moment, now or later, at which a call may start."""
        return max(now_s, self._log[0] + self._window_s, self._ideal_s - self._burst_s)

    def take(self, now_s: float) -> None:
        """A call starts now."""
        if self.ready_at(now_s) > now_s:
            raise ValueError("too early: ask ready_at first")
        self._log.append(now_s)
        self._ideal_s = max(now_s, self._ideal_s) + self._interval_s
