"""A trunk while the daemon runs: which channels are taken, which saved attempts wait to be sent."""

from __future__ import annotations

import math
from collections import deque

from duecall.core.pacing import CallRate
from duecall.core.site import Trunk

SAVED_AHEAD_S = 0.25  # attempts saved but not sent, in seconds of calling: hides the commit's time


class Line:
    """taken: attempts that hold a channel (from being saved to being settled)."""

    def __init__(self, name: str, trunk: Trunk, began_s: float) -> None:
        self.name = name
        self.trunk = trunk
        self.rate = CallRate(trunk.calls_per_second, began_s)
        self.taken: set[str] = set()
        self.unsaved: set[str] = set()  # on their way to the store
        self.to_send: deque[str] = deque()  # durable, waiting for their turn
        self._ahead = max(1, math.ceil(trunk.calls_per_second * SAVED_AHEAD_S))

    def may_save(self, now_s: float) -> bool:
        """Is there a channel for one more attempt, and is its turn near? One that is saved long
        before it is sent knows nothing of an opt-out in between."""
        return (
            len(self.taken) < self.trunk.channels
            and len(self.unsaved) + len(self.to_send) < self._ahead
            and self.rate.ready_at(now_s) <= now_s + SAVED_AHEAD_S
        )

    def release(self, attempt_id: str) -> None:
        """Its channel is free."""
        self.taken.discard(attempt_id)
        self.unsaved.discard(attempt_id)
