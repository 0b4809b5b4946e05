"""L5: each originate has an earlier durable attempt, and is sent once in all daemons' lives."""

from __future__ import annotations

from collections.abc import Iterator

from duecall.sim.truth import Story


def check(story: Story) -> Iterator[str]:
    saved: set[str] = set()
    sent: set[str] = set()
    arrived: set[str] = set()
    for entry in story.log:
        if entry.what == "saved":
            if entry.attempt in saved:
                yield f"{entry.attempt} is saved twice"
            saved.add(entry.attempt)
        elif entry.what == "sent":
            if entry.attempt not in saved:
                yield f"{entry.attempt} is sent at {entry.at_s:.2f} s before it is durable"
            if entry.attempt in sent:
                yield f"{entry.attempt} is sent again at {entry.at_s:.2f} s"
            sent.add(entry.attempt)
        elif entry.what == "arrived":
            if entry.attempt in arrived:
                yield f"{entry.attempt} rings twice"
            arrived.add(entry.attempt)
