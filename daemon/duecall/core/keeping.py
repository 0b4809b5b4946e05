"""How long what was written down is kept: the retention rules of a campaign, as days.

Where several rules speak of one thing, the longest holds: a law of three years is not shortened by
a house rule of one. A rule that is limited to a line, a region or a channel is taken to be about
every call, for to keep a record a little longer breaks no law that the pack knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from duecall.core.rule_pack import Level, Purpose, RetentionRule

What = Literal["log", "recording"]
ALL_LEVELS: tuple[Level, ...] = ("law", "presumption", "standard", "policy")


@dataclass(frozen=True, slots=True)
class Kept:
    """until: the last day on which it has to be there. rule: which one says so."""

    until: date
    rule: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """Of one campaign. zone: of the lender's books. digest: of the rules in effect."""

    rules: tuple[RetentionRule, ...]
    purpose: Purpose
    zone: str
    digest: str = ""

    def day(self, at: datetime) -> date:
        """at: aware. The day in the lender's books."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def kept(
        self,
        what: What,
        event: date,
        last_activity: date | None,
        today: date,
        levels: Collection[Level] = ALL_LEVELS,
    ) -> Kept | None:
        """The longest time that rules of these levels keep it; None: none of them speaks of it.

        event: the day of the call. last_activity: of all that was done about the account; None: it
        goes on, so that a time that begins with its end has not begun.
        """
        found: Kept | None = None
        for rule in self._about(what, event, today):
            if rule.level not in levels:
                continue
            start = event
            if rule.since == "last_activity":
                start = max(event, last_activity or today)
            until = years_after(start, rule.years)
            if found is None or until > found.until:
                found = Kept(until, rule.id)
        return found

    def longest_years(self, what: What, today: date) -> int | None:
        """Nothing younger than that is ever over; None: no rule says how long it is kept, and so it
        is kept."""
        years = [rule.years for rule in self._about(what, date.min, today)]
        return max(years, default=None)

    def _about(self, what: What, event: date, today: date) -> Iterable[RetentionRule]:
        """In force when it happened, or at any time since."""
        return (
            rule
            for rule in self.rules
            if rule.what == what
            and rule.purpose in (None, self.purpose)
            and rule.valid_from <= today
            and (rule.valid_to is None or rule.valid_to >= event)
        )


def years_after(day: date, years: int) -> date:
    """The same day of a later (or earlier) year; 1 March in place of a 29 February that is not."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
