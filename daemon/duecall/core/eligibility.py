"""The one gate. Every call passes it at the last moment; it answers with a reason and a time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from duecall.core.attempt import Target
from duecall.core.calling_window import CallingWindow, candidate_zones
from duecall.core.campaign import Campaign, Range
from duecall.core.contact import Account, dpd_bucket, dpd_on
from duecall.core.money import major_units
from duecall.core.verdict import Allowed, Denied, Verdict


class Gate:
    """Asks for one campaign: is this target to be called, and may it be called now?"""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._window = CallingWindow(campaign.calendar)
        self._zone = ZoneInfo(campaign.zone)

    def __reduce__(self) -> tuple[type[Gate], tuple[Campaign]]:
        """In a snapshot (the journal's) it is its campaign alone: the rest follows from that."""
        return Gate, (self._campaign,)

    def check(self, target: Target, at: datetime) -> Verdict:
        """at: wall time, aware. First the reasons that end it, then those that only delay it."""
        past, retry = target.past, self._campaign.retry
        if past.counted >= retry.max_attempts:
            return Denied(f"all {retry.max_attempts} attempts used", None)
        local = at.astimezone(self._zone)
        selected = self._selected(target.account, local)
        if not isinstance(selected, Allowed):
            return selected
        zones = candidate_zones(target.contact.phone, target.contact.zone)
        open_ = self._window.check(zones, at, needed_s=self._campaign.ring)
        if isinstance(open_, Allowed) and target.spoken_on not in (None, local.date()):
            return Denied("its message speaks of another day", at)
        return open_

    def _selected(self, account: Account, local: datetime) -> Verdict:
        """local: the clock where the lender keeps its books."""
        selection = self._campaign.selection
        dpd = dpd_on(account.due_date, local.date())
        tomorrow = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        # Days past due change at midnight where the lender keeps its books: look again then.
        again = tomorrow.astimezone(timezone.utc)
        if selection.dpd_buckets and dpd_bucket(dpd) not in selection.dpd_buckets:
            return Denied(f"not selected: {dpd} days past due", again)
        if selection.dpd is not None and not _within(Decimal(dpd), selection.dpd):
            return Denied(f"not selected: {dpd} days past due", again)
        if selection.balance is not None and not _within(
            major_units(account.balance_minor, account.currency), selection.balance
        ):
            return Denied("not selected: balance", None)
        for name, wanted in selection.fields.items():
            value = account.fields.get(name, "")
            if isinstance(wanted, Range):
                fits = _within(_number(value), wanted)
            else:
                fits = value in wanted
            if not fits:
                return Denied(f"not selected: {name}", None)
        return Allowed()


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _within(number: Decimal | None, limits: Range) -> bool:
    if number is None:
        return False
    return (limits.min is None or number >= limits.min) and (
        limits.max is None or number <= limits.max
    )
