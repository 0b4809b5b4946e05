"""A campaign while the daemon runs: its gate, its hopper, and when to look into the store again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from duecall.core.attempt import Target
from duecall.core.campaign import Campaign
from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import Horizon, Snapshot
from duecall.core.moment import Moment
from duecall.core.rule_merge import EffectiveRules
from duecall.core.verdict import Verdict

HOPPER_S = 4  # seconds of calling that the hopper holds
HOPPER_MIN, HOPPER_MAX = 20, 500
LOOK_AGAIN_S = 30  # other programs may have changed the store without telling
REASONS_MAX = 100  # reasons told apart in `denied`
OTHER_REASONS = "other reasons"


class CampaignRun:
    """hopper: targets claimed and prepared, in the campaign's order. look_at: next LoadTargets.

    loading: how many were asked for; 0 when no answer is awaited. unwanted: the answer that is
    awaited is of before a change, and goes back as it comes. changed: targets were put off or
    settled since the last LoadTargets, so that its answer does not know all that still waits.
    trouble: why nothing can be said to anybody, while that lasts. by_day: day where the lender is
    -> (answered calls, abandoned ones).
    """

    def __init__(
        self, campaign: Campaign, rules: EffectiveRules, calls_per_second: float, at: Moment
    ) -> None:
        self.campaign = campaign
        self.eligibility = Eligibility(campaign, rules)
        self.by_day: dict[date, tuple[int, int]] = {}
        self._since_asked: dict[date, tuple[int, int]] = {}  # what that answer cannot know of
        self.active = True
        self.hopper: deque[Target] = deque()
        self.loading = 0
        self.unwanted = False
        self.changed = False
        self.look_at: datetime = at.wall
        self.finished = False
        self.trouble = ""
        self.denied: Counter[str] = Counter()  # why targets were held back, since the start
        self._goal = min(HOPPER_MAX, max(HOPPER_MIN, int(calls_per_second * HOPPER_S)))
        self._look_by_s = at.mono_s  # a wall clock that is put back must not stop the loading

    def wanted(self, at: Moment) -> int:
        """How many targets to ask the store for now; 0 for none."""
        if not self.active or self.loading:
            return 0
        if at.wall < self.look_at and at.mono_s < self._look_by_s:
            return 0
        room = self._goal - len(self.hopper)
        return room if room >= self._goal // 2 else 0

    def look_s(self, at: Moment) -> float:
        """Monotonic time at which the store is asked again, if nothing happens before."""
        if not self.active or self.loading:
            return float("inf")
        return min(self._look_by_s, at.mono_s + (self.look_at - at.wall).total_seconds())

    def asked(self, limit: int) -> None:
        """LoadTargets is on its way: all that was changed before, its answer will know."""
        self.loading = limit
        self.changed = False
        self._since_asked = {}

    def answered(self, taken: int, next_due: datetime | None, trouble: str, at: Moment) -> bool:
        """The store has answered; taken: targets that it has claimed. False: give them back."""
        asked, self.loading = self.loading, 0
        unwanted, self.unwanted = self.unwanted, False
        self.trouble = trouble
        self._look_by_s = at.mono_s + LOOK_AGAIN_S
        if unwanted or (taken and taken >= asked):
            self.look_at = at.wall
            return not unwanted
        self.look_at = at.wall + timedelta(seconds=LOOK_AGAIN_S)
        if next_due is not None and not trouble:
            self.look_by(max(next_due, at.wall))
        return True

    def check(self, target: Target, known: Snapshot, at: datetime) -> Verdict:
        """May it be called now, by all that is known of it and of the campaign's calls?"""
        return self.eligibility.check(target, known, at, self.by_day)

    def horizon(self, at: Moment) -> Horizon:
        """How far back the calls of its targets matter."""
        return self.eligibility.horizon(at.wall)

    def has_answered(self, day: date, *, abandoned: bool) -> None:
        """A call of it was answered; the store's sums know of it later."""
        for counts in (self.by_day, self._since_asked):
            live, lost = counts.get(day, (0, 0))
            counts[day] = live + 1, lost + abandoned

    def learn(self, days: Iterable[tuple[date, int, int]]) -> None:
        """Some of the store's sums, a moment ago: what other daemons did stands in them as well."""
        for day, live, lost in days:
            mine = self.by_day.get(day, (0, 0))
            self.by_day[day] = max(mine[0], live), max(mine[1], lost)

    def have_answered(self, days: Iterable[tuple[date, int, int]]) -> None:
        """The store's sums, as they were when it was asked: all daemons' calls up to then."""
        self.by_day = {day: (live, lost) for day, live, lost in days}
        for day, (live, lost) in self._since_asked.items():
            before = self.by_day.get(day, (0, 0))
            self.by_day[day] = before[0] + live, before[1] + lost

    def look_by(self, due: datetime | None) -> None:
        """A target falls due then: look into the store no later."""
        if due is not None:
            self.look_at = min(self.look_at, due)

    def renew(self, at: Moment) -> tuple[int, ...]:
        """What was loaded is of before a change: the ids go back, and the store is asked anew."""
        self.unwanted = bool(self.loading)
        self.look_at = at.wall
        return self.empty_hopper()

    def hold_back(self, reason: str) -> None:
        """Count a target that was held back."""
        known = reason in self.denied or len(self.denied) < REASONS_MAX
        self.denied[reason if known else OTHER_REASONS] += 1

    def empty_hopper(self) -> tuple[int, ...]:
        """Take everything out; the ids go back to the store."""
        ids = tuple(target.id for target in self.hopper)
        self.hopper.clear()
        return ids
