"""L4: no call after a stop.

A number whose stop is durable gets no new attempt; one that was saved before is not sent once the
daemon knows of the stop, and never more than UNSENT_S after it was saved. A contact who has opted
out, promised, said that it is paid, or got what the campaign wanted, is not called again by it.
Nothing is sent for a campaign that is not running, or by a daemon that is to end, as soon as the
daemon knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from duecall.sim.truth import Story

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
    for entry in story.log:
        who = f"{entry.attempt} to {entry.number} at {entry.at_s:.2f} s"
        if entry.what == "stopped":
            stopped.add(entry.number)
        elif entry.what == "state":
            states[entry.campaign] = entry.value
        elif entry.what == "born":
            draining.discard(entry.daemon)
            for campaign, state in states.items():
                heard[entry.daemon, campaign] = state
        elif entry.what == "told":
            if entry.number:
                knows.add((entry.daemon, entry.number))
            elif entry.campaign:
                heard[entry.daemon, entry.campaign] = entry.value
            else:
                draining.add(entry.daemon)
        elif entry.what == "saved":
            saved_s[entry.attempt] = entry.at_s
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
            if entry.target in ended:
                yield f"{who} is sent though the target has {ended[entry.target]}"
            if entry.daemon in draining:
                yield f"{who} is sent by a daemon that is to end"
            state = heard.get((entry.daemon, entry.campaign), "running")
            if state in ("paused", "stopped"):
                yield f"{who} is sent for a campaign that is {state}"
