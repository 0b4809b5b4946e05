"""L2: no originate outside the callee's local calling hours, holidays included.

The law is judged by the wall clock of the machine that sends, as it is in that moment: a daemon
has no other. The phone may ring for the campaign's ring time, and must have stopped by closing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from duecall.sim.truth import CampaignRules, Story


def check(story: Story) -> Iterator[str]:
    zones = {number: [ZoneInfo(z) for z in names] for number, names in story.rules.zones.items()}
    for entry in story.of("sent"):
        assert entry.wall is not None
        rules = story.rules.campaigns[entry.campaign]
        for zone in zones[entry.number]:
            local = entry.wall.astimezone(zone)
            if not open_at(rules, local):
                yield f"{entry.number} is rung at {local:%Y-%m-%d %H:%M:%S} in {zone.key}"


def open_at(rules: CampaignRules, local: datetime) -> bool:
    """May a phone begin to ring at this local time?"""
    if local.date() in rules.except_dates:
        return False
    # Nobody puts clocks back or on within the hours of this campaign: plain addition will do.
    stops = local.replace(tzinfo=None) + timedelta(seconds=rules.ring_s)
    return any(
        local.time() >= begin and stops.date() == local.date() and stops.time() <= end
        for begin, end in rules.hours
    )
