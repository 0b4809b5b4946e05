"""What a campaign's rules will refuse to every contact, told before the first call."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from duecall.core.campaign import Campaign
from duecall.core.gate import Gate
from duecall.core.gate_types import EMPTY, Finding, ProposedCall
from duecall.core.proposal import conduct_of
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import SECTIONS, RulePack
from duecall.core.verdict import Allowed

_MENDED_BY_PEOPLE = ("content", "caller_id", "ring")
_NEVER_OPEN = timedelta(days=30)


def refused_to_all(campaign: Campaign, rules: EffectiveRules, at: datetime) -> list[Finding]:
    """The rules that deny every call of the campaign until somebody changes a file.

    Judged by the gate itself, for a callee where the lender is, of whom nothing is known. What
    depends on the callee, on earlier calls or on the calendar's own days is left out, and so is the
    pack's review (see `overdue_review`). at: aware.
    """
    call = ProposedCall(conduct_of(campaign), keys=(), zones=(campaign.zone,))
    told = Gate(rules).explain(call, EMPTY, EMPTY, at)
    attested = {rule.id for rule in rules.pack.require if rule.attested}
    refusing = [
        one
        for one in told.findings
        if one.denies and (one.kind in _MENDED_BY_PEOPLE or one.rule in attested)
    ]
    if _never_open(campaign, rules, call, at):
        reason = "campaign.calendar: its hours and those of the rules never meet"
        refusing.append(Finding("campaign.calendar", "hours", "policy", True, reason))
    return refusing


def _never_open(
    campaign: Campaign, rules: EffectiveRules, call: ProposedCall, at: datetime
) -> bool:
    calendar = campaign.calendar.model_copy(update={"start": None, "end": None, "except_dates": ()})
    others = {section: () for section in SECTIONS if section != "hours"}
    pack = rules.pack.model_copy(update={**others, "review_by": None})
    verdict = Gate(replace(rules, pack=pack), calendar).check(call, EMPTY, EMPTY, at)
    if isinstance(verdict, Allowed):
        return False
    return verdict.until is None or verdict.until > at + _NEVER_OPEN


def overdue_review(pack: RulePack, today: date) -> str:
    """Why nobody is called by this pack any more; empty where it is trusted."""
    if pack.review_by is None or today <= pack.review_by:
        return ""
    name, by = pack.jurisdiction, pack.review_by
    return (
        f"the rules of {name} were to be reviewed by {by}: nobody is called until a lawyer has "
        "checked them and the date is a later one"
    )
