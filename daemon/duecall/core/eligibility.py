"""Who is called: the campaign's own matters (how often, whom it selects), then the one gate.

Every call passes here twice: when it is planned, by the past as it was when its target was claimed;
and in the moment in which it is sent, by the past as it is after the attempt's own commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from duecall.core.attempt import Target
from duecall.core.campaign import Campaign, Range, Selection
from duecall.core.contact import Account, dpd_bucket, dpd_on
from duecall.core.gate import Gate
from duecall.core.gate_types import (
    Explanation,
    Finding,
    Grounds,
    Horizon,
    ProposedCall,
    Snapshot,
    Tally,
)
from duecall.core.local_day import to_us
from duecall.core.money import major_units
from duecall.core.proposal import Proposals
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import WEEKDAYS, AbandonmentRule
from duecall.core.verdict import Allowed, Denied, Verdict

UNSETTLED_S = 60  # a call that goes on counts as everything until it has ended: look again then
Answered = Mapping[date, tuple[int, int]]  # day where the lender is -> (answered, abandoned)


class Eligibility:
    """Asks for one campaign: is this target to be called, and may it be called now?"""

    def __init__(self, campaign: Campaign, rules: EffectiveRules) -> None:
        self._campaign = campaign
        self.rules = rules
        self._gate = Gate(rules, campaign.calendar)
        self._proposals = Proposals(campaign, rules)
        self._zone = ZoneInfo(campaign.zone)
        self._reach_us = self._gate.reach_us()

    def __reduce__(self) -> tuple[type[Eligibility], tuple[Campaign, EffectiveRules]]:
        """In a snapshot (the journal's) it is these two alone: the rest follows from them."""
        return Eligibility, (self._campaign, self.rules)

    def check(
        self, target: Target, known: Snapshot, at: datetime, answered: Answered | None = None
    ) -> Verdict:
        """at: wall time, aware. First the reasons that end it, then those that only delay it.

        known: calls and stops of the target's keys, without the attempt that is asked about.
        answered: the campaign's calls by day.
        """
        own = self.selects(target, at)
        if isinstance(own, Denied):
            return own
        verdict = self._gate.check(self.proposal(target, at, answered), known, known, at)
        if isinstance(verdict, Allowed):
            return self._of_today(target, at)
        return _soon(verdict, known, at)

    def explain(
        self,
        target: Target,
        known: Snapshot,
        at: datetime,
        answered: Answered | None = None,
        call: ProposedCall | None = None,
    ) -> Explanation:
        """The same verdict, with what every rule said, in order; the campaign's own come first.

        call: what the gate is asked, where that is known otherwise (the ledger's words of then).
        """
        own = self.selects(target, at)
        denies = isinstance(own, Denied)
        reason = own.reason if isinstance(own, Denied) else "selected"
        until = to_us(own.until) if isinstance(own, Denied) and own.until else None
        mine = Finding("campaign", "campaign", "policy", denies, reason, until)
        call = call or self.proposal(target, at, answered)
        told = self._gate.explain(call, known, known, at)
        findings = (mine, *told.findings)
        if isinstance(own, Denied):
            return Explanation(own, mine, findings)
        if isinstance(told.verdict, Denied):
            told = replace(told, verdict=_soon(told.verdict, known, at))
        return replace(told, findings=findings)

    def proposal(
        self, target: Target, at: datetime, answered: Answered | None = None
    ) -> ProposedCall:
        """The target as the gate is asked about it."""
        return self._proposals.of(target, at, self._abandoned(answered, at))

    def grounds(self, target: Target, at: datetime) -> Grounds:
        """What a call of it is judged by, for the ledger."""
        return Grounds(self.rules.digest, self._proposals.of(target, at))

    def horizon(self, at: datetime) -> Horizon:
        """How far back the past of a target matters for calls from now on."""
        now_us = to_us(at)
        since = {kind: now_us - us for kind, us in self._reach_us.items() if us}
        return Horizon(
            since.get("number"),
            since.get("contact"),
            since.get("account"),
            answered=bool(self.rules.pack.abandonment),
        )

    def selects(self, target: Target, at: datetime) -> Verdict:
        """The campaign's own matters alone: does it want to call this target at all?"""
        past, retry = target.past, self._campaign.retry
        if past.counted >= retry.max_attempts:
            return Denied(f"all {retry.max_attempts} attempts used", None)
        return self._selected(target.account, at.astimezone(self._zone))

    def _of_today(self, target: Target, at: datetime) -> Verdict:
        if target.spoken_on in (None, at.astimezone(self._zone).date()):
            return Allowed()
        return Denied("its message speaks of another day", at)

    def _abandoned(self, answered: Answered | None, at: datetime) -> tuple[Tally, ...]:
        bounds = self.rules.pack.abandonment
        if not bounds or not answered:
            return ()
        today = at.astimezone(self._zone).date()
        week_start = self.rules.pack.calendar.week_start
        return tuple(_tally(bound, answered, today, week_start) for bound in bounds)

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
        if unfit := _unfit(selection, account):
            return Denied(f"not selected: {unfit}", None)
        return Allowed()


def ever_selected(selection: Selection, account: Account) -> bool:
    """Whether the account may be picked on some day; as long as its row stays as it is."""
    return not _unfit(selection, account)


def _unfit(selection: Selection, account: Account) -> str:
    """Which condition does not hold, of those that no day changes; empty: all do."""
    if selection.balance is not None and not _within(
        major_units(account.balance_minor, account.currency), selection.balance
    ):
        return "balance"
    for name, wanted in selection.fields.items():
        value = account.fields.get(name, "")
        if isinstance(wanted, Range):
            fits = _within(_number(value), wanted)
        else:
            fits = value in wanted
        if not fits:
            return name
    return ""


def _soon(verdict: Denied, known: Snapshot, at: datetime) -> Denied:
    """Who is held back by a call that goes on is looked at again when that may have ended."""
    soon = at + timedelta(seconds=UNSETTLED_S)
    if verdict.until is not None and verdict.until > soon and known.unsettled:
        return replace(verdict, until=soon)
    return verdict


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


def _tally(bound: AbandonmentRule, answered: Answered, today: date, week_start: str) -> Tally:
    """Within the bound's window; one of hours is taken in whole days, the longer way."""
    window = bound.window
    if window.rolling_hours is not None:
        first = today - timedelta(days=-(-window.rolling_hours // 24))
    elif window.rolling_days is not None:
        first = today - timedelta(days=window.rolling_days - 1)
    elif window.calendar == "week":
        first = today - timedelta(days=(today.weekday() - WEEKDAYS.index(week_start)) % 7)
    else:
        first = today if window.calendar == "day" else today.replace(day=1)
    counts = [n for day, n in answered.items() if first <= day <= today]
    return Tally(bound.id, sum(n for n, _ in counts), sum(n for _, n in counts))
