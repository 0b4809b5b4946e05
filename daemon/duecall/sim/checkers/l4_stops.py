"""L4: no call after a stop.

A target that is barred by any stop (of its number, contact, account or prefix; in its campaign or
in all; until a moment or for ever) gets no new attempt; one that was saved before is not sent once
the daemon knows of the stop, and never more than UNSENT_S after it was saved. A contact who has
opted out, promised, said that it is paid, or got what the campaign wanted, is not called again by
it. Nothing is sent for a campaign that is not running, or by a daemon that is to end, as soon as
the daemon knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from duecall.sim.truth import Entry, Story

ENDS = frozenset(
    ("transferred", "opted_out", "claims_paid", "promised", "surveyed", "delivered", "invalid")
)
UNSENT_S = 11.0


def check(story: Story) -> Iterator[str]:
    stopped: set[str] = set()
    knows: set[tuple[str, str]] = set()  # (daemon, number)
    ended: dict[int, str] = {}
    sent: set[str] = set()
    saved_s: dict[str, float] = {}
    states: dict[str, str] = {}  # campaign -> durable
    heard: dict[tuple[str, str], str] = {}  # (daemon, campaign) -> what the daemon was told
    draining: set[str] = set()
    bars = Bars()
    for entry in story.log:
        who = f"{entry.attempt} to {entry.number} at {entry.at_s:.2f} s"
        if entry.what == "stopped":
            stopped.add(entry.number)
        elif entry.what == "barred":
            bars.add(entry)
        elif entry.what == "freed":
            bars.free(entry.value)
        elif entry.what == "state":
            states[entry.campaign] = entry.value
        elif entry.what == "born":
            draining.discard(entry.daemon)
            for campaign, state in states.items():
                heard[entry.daemon, campaign] = state
        elif entry.what == "told":
            if entry.number:
                knows.add((entry.daemon, entry.number))
            elif entry.value == "stops":
                bars.told(entry.daemon)
            elif entry.campaign:
                heard[entry.daemon, entry.campaign] = entry.value
            elif entry.value == "drain":
                draining.add(entry.daemon)
        elif entry.what == "saved":
            saved_s[entry.attempt] = entry.at_s
            bars.saved(entry)
            if entry.number in stopped:
                yield f"{who} is saved though the number is stopped"
        elif entry.what == "settled" and entry.attempt in sent:
            if entry.value in ENDS:
                ended[entry.target] = entry.value
        elif entry.what == "sent":
            sent.add(entry.attempt)
            if (entry.daemon, entry.number) in knows:
                yield f"{who} is sent though the daemon knows that the number is stopped"
            late_s = entry.at_s - saved_s.get(entry.attempt, entry.at_s)
            if entry.number in stopped and late_s > UNSENT_S:
                yield f"{who} is sent {late_s:.0f} s after it was saved, and is stopped by now"
            if stop := bars.broken_by(entry, late_s):
                yield f"{who} is sent though its target is stopped: {stop}"
            if entry.target in ended:
                yield f"{who} is sent though the target has {ended[entry.target]}"
            if entry.daemon in draining:
                yield f"{who} is sent by a daemon that is to end"
            state = heard.get((entry.daemon, entry.campaign), "running")
            if state in ("paused", "stopped"):
                yield f"{who} is sent for a campaign that is {state}"


@dataclass(slots=True)
class Bar:
    """until_us: None for ever. told: daemons that know of it. saved: open attempts of the target
    that were saved since."""

    stop: str
    until_us: int | None
    told: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)


class Bars:
    """Which stops bar which targets now."""

    def __init__(self) -> None:
        self._of: dict[int, list[Bar]] = {}

    def add(self, entry: Entry) -> None:
        until_us = int(entry.value) if entry.value else None
        self._of.setdefault(entry.target, []).append(Bar(entry.number, until_us))

    def free(self, stop: str) -> None:
        for bars in self._of.values():
            bars[:] = [bar for bar in bars if bar.stop != stop]

    def told(self, daemon: str) -> None:
        for bars in self._of.values():
            for bar in bars:
                bar.told.add(daemon)

    def saved(self, entry: Entry) -> None:
        for bar in self._of.get(entry.target, ()):
            bar.saved.add(entry.attempt)

    def broken_by(self, sent: Entry, late_s: float) -> str:
        """The stop that forbids to send this; empty for none. By the clock of who sends."""
        assert sent.wall is not None
        for bar in self._of.get(sent.target, ()):
            holds = bar.until_us is None or _us(sent.wall) < bar.until_us
            knew = sent.attempt in bar.saved or sent.daemon in bar.told or late_s > UNSENT_S
            if holds and knew:
                return bar.stop
        return ""


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
