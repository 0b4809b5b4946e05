"""A campaign while the daemon runs: its gate, its hopper, and when to look into the store again."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime, timedelta

from duecall.core.attempt import Target
from duecall.core.campaign import Campaign
from duecall.core.eligibility import Gate

HOPPER_S = 4  # seconds of calling that the hopper holds
HOPPER_MIN, HOPPER_MAX = 20, 500
LOOK_AGAIN_S = 30  # other programs may have changed the store without telling


class CampaignRun:
    """hopper: targets claimed and prepared, in the campaign's order. look_at: next LoadTargets."""

    def __init__(self, campaign: Campaign, calls_per_second: float, at: datetime) -> None:
        self.campaign = campaign
        self.gate = Gate(campaign)
        self.active = True
        self.hopper: deque[Target] = deque()
        self.loading = 0  # how many were asked for; 0 when no answer is awaited
        self.look_at: datetime = at
        self.finished = False
        self.denied: Counter[str] = Counter()  # why targets were held back, since the start
        self._goal = min(HOPPER_MAX, max(HOPPER_MIN, int(calls_per_second * HOPPER_S)))

    def wanted(self, at: datetime) -> int:
        """How many targets to ask the store for now; 0 for none."""
        if not self.active or self.loading or at < self.look_at:
            return 0
        room = self._goal - len(self.hopper)
        return room if room >= self._goal // 2 else 0

    def loaded(self, targets: tuple[Target, ...], next_due: datetime | None, at: datetime) -> None:
        asked, self.loading = self.loading, 0
        self.hopper.extend(targets)
        if targets:
            self.finished = False
        if len(targets) >= asked:
            self.look_at = at
            return
        self.look_at = at + timedelta(seconds=LOOK_AGAIN_S)
        if next_due is not None:
            self.look_at = min(self.look_at, max(next_due, at))

    def look_by(self, due: datetime | None) -> None:
        """A target falls due then: look into the store no later."""
        if due is not None:
            self.look_at = min(self.look_at, due)

    def empty_hopper(self) -> tuple[int, ...]:
        """Take everything out; the ids go back to the store."""
        ids = tuple(target.id for target in self.hopper)
        self.hopper.clear()
        return ids
