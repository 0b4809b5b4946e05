"""Virtual time: what happens next. Things of one moment happen in the order of their planning."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Agenda:
    """now_s: true time, seconds since the story began."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def next_s(self) -> float:
        """When the next thing happens; infinity for never."""
        return self._due[0][0] if self._due else float("inf")

    def later(self, lag_s: float, do: Callable[..., None], *args: Any) -> None:
        self._number += 1
        heapq.heappush(self._due, (self.now_s + lag_s, self._number, do, args))

    def step(self) -> None:
        """Let the next thing happen."""
        self.now_s, _, do, args = heapq.heappop(self._due)
        do(*args)
