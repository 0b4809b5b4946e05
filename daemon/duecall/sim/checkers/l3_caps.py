"""L3: caps are never exceeded: the campaign's maximum of attempts, how often each outcome may be
followed by another attempt, and the rest that is kept between two.

An attempt that was never sent counts for nothing, unless nobody can know that; nor do faults of
the trunk or our own against the overall maximum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from duecall.sim.truth import Story

NOT_COUNTED = ("congestion", "technical")
# News that is old when it is heard moves the rest back; a clock that is stepped moves it anywhere.
UNTIMED = ("clock_stepped", "event_late")


def check(story: Story) -> Iterator[str]:
    sent: set[str] = set()
    outcomes: dict[int, Counter[str]] = {}
    decided_s: dict[tuple[str, str], float] = {}  # (daemon, attempt)
    ended_s: dict[int, float] = {}
    timed = not any(fault in story.met for fault in UNTIMED)
    for entry in story.log:
        if entry.what == "decided":
            decided_s[entry.daemon, entry.attempt] = entry.at_s
        elif entry.what == "settled" and (entry.attempt in sent or entry.value == "unknown"):
            outcomes.setdefault(entry.target, Counter())[entry.value] += 1
            ended_s[entry.target] = decided_s[entry.daemon, entry.attempt]
        elif entry.what == "sent":
            sent.add(entry.attempt)
            rules = story.rules.campaigns[entry.campaign]
            past = outcomes.get(entry.target, Counter())
            counted = sum(n for outcome, n in past.items() if outcome not in NOT_COUNTED)
            who = f"target {entry.target} is called at {entry.at_s:.2f} s"
            if counted >= rules.max_attempts:
                yield f"{who}, though {counted} of {rules.max_attempts} attempts are used"
            for outcome, n in past.items():
                if n > rules.times.get(outcome, 0):
                    yield f"{who} after {n} times {outcome}"
            rest_s = entry.at_s - ended_s.get(entry.target, -1e9)
            if timed and rest_s < rules.every_s - 0.01:
                yield f"{who}, only {rest_s:.2f} s after its last attempt"
