"""Has time jumped? A process that was stopped, a machine that slept and a clock that was set are no
faults of Duecall, but an operator who wonders why nobody was called wants to know."""

from __future__ import annotations

from collections.abc import Callable

from duecall.core import commands as c
from duecall.core.moment import Moment

STILL_S = 15  # beyond the moment for which the loop has gone to sleep, if it has
STEP_S = 5


class ClockWatch:
    """alarm: takes what is to be told."""

    def __init__(self, at: Moment, alarm: Callable[[c.Alarm], None]) -> None:
        self._last = at
        self._sleeps_until_s = at.mono_s
        self._alarm = alarm

    def sleeps_until(self, mono_s: float) -> None:
        """Nothing is due before that: the loop comes round then at the latest."""
        self._sleeps_until_s = mono_s

    def look(self, at: Moment) -> None:
        """Once a turn of the loop."""
        last, self._last = self._last, at
        gone_s = at.mono_s - last.mono_s
        stepped_s = (at.wall - last.wall).total_seconds() - gone_s
        if at.mono_s - max(last.mono_s, self._sleeps_until_s) >= STILL_S:
            self._alarm(c.Alarm("the daemon stood still", (("seconds", f"{gone_s:.0f}"),)))
        if abs(stepped_s) >= STEP_S:
            fields = (("seconds", f"{stepped_s:+.0f}"),)
            self._alarm(c.Alarm("the clock was set, or the machine slept", fields))
