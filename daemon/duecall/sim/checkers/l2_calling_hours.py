"""L2: no originate outside the campaign's hours by the callee's clock, its days off included. (What
the law's own hours forbid is the audit's to judge.)

The law is judged by the wall clock of the machine that sends, as it is in that moment: a daemon
has no other. The phone may ring for the campaign's ring time, and must have stopped by closing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from duecall.sim.truth import CampaignRules, Story

END_OF_DAY = time(0)  # as the end of a span
_TICK = timedelta(microseconds=1)


def check(story: Story) -> Iterator[str]:
    zones = {number: [ZoneInfo(z) for z in names] for number, names in story.rules.zones.items()}
    for entry in story.of("sent"):
        assert entry.wall is not None
        rules = story.rules.campaigns[entry.campaign]
        if not zones[entry.number]:
            yield f"{entry.number} is rung, and nobody knows what its clock shows"
        for zone in zones[entry.number]:
            if not may_ring(rules, zone, entry.wall):
                local = entry.wall.astimezone(zone)
                yield f"{entry.number} is rung at {local:%Y-%m-%d %H:%M:%S} in {zone.key}"


def may_ring(rules: CampaignRules, zone: ZoneInfo, at: datetime) -> bool:
    """May a phone there begin to ring at this moment? Hours are longer than any ringing, and so is
    the time between them."""
    last = at + timedelta(seconds=rules.ring_s) - _TICK
    return all(open_at(rules, moment.astimezone(zone)) for moment in (at, last))


def open_at(rules: CampaignRules, local: datetime) -> bool:
    """May a phone ring when the clock on the wall shows this?"""
    if local.date() in rules.except_dates:
        return False
    shown = local.time()
    return any(begin <= shown and (shown < end or end == END_OF_DAY) for begin, end in rules.hours)
