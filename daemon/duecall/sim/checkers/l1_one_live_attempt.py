"""L1: never two live attempts to one number.

An attempt is live from the moment it is sent until its channel is truly gone, or it is certain
that none will ever be: whatever the daemons believe.
"""

from __future__ import annotations

from collections.abc import Iterator

from duecall.sim.truth import Story


def check(story: Story) -> Iterator[str]:
    live: dict[str, dict[str, None]] = {}
    for entry in story.log:
        if entry.what == "sent":
            mine = live.setdefault(entry.number, {})
            if mine and entry.attempt not in mine:
                other = next(iter(mine))
                yield (
                    f"{entry.number} is rung by {entry.attempt} at {entry.at_s:.2f} s while "
                    f"{other} is live"
                )
            mine[entry.attempt] = None
        elif entry.what in ("gone", "void"):
            live.get(entry.number, {}).pop(entry.attempt, None)
