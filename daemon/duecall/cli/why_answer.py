"""The answer about one target at one moment: past, now or to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from duecall.cli.common import fail
from duecall.cli.why_past import Then, then_of
from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import Explanation
from duecall.core.local_day import to_us
from duecall.core.planning import Opening, opening_of_waiting
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import EffectiveRules, MergeProblems
from duecall.core.site import Site
from duecall.core.verdict import Denied
from duecall.shell.column_values import CampaignState, TargetState, maybe_from_us
from duecall.shell.store import StoredCampaign
from duecall.shell.why_store import OpenTarget, WhyStore

AHEAD = timedelta(days=62)  # how far a next start is looked for
A_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Answer:
    """About one target at one moment. opening: when a call may start; None where the question is of
    the past, or the target is done with. then: what the ledger says, for the past alone."""

    found: OpenTarget
    stored: StoredCampaign
    at: datetime
    asked: str  # past, now, future
    explanation: Explanation
    zones: tuple[str, ...]
    rules: EffectiveRules
    opening: Opening | None = None
    then: Then | None = None

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.then is not None:
            return self.then.headline
        found, verdict = self.found, self.explanation.verdict
        if found.state is TargetState.DONE:
            return f"Not called: the campaign is done with it: {found.reason}"
        if found.state is TargetState.CALLING:
            return f"It is in a call now, made by daemon {found.held_by}"
        due = maybe_from_us(found.due_us)
        waits = found.state is TargetState.WAITING and due is not None and due > self.at
        if isinstance(verdict, Denied):
            return f"Not called: {verdict.reason}"
        if waits:
            return f"Not called: it waits for its time: {found.reason}"
        if self.stored.state is not CampaignState.RUNNING:
            return f"Not called: the campaign is {self.stored.state.value}"
        return "It may be called"

    @property
    def allowed(self) -> bool:
        """By the rules alone, whatever state it is in."""
        return not isinstance(self.explanation.verdict, Denied)


def answer_of(
    site: Site,
    store: WhyStore,
    found: OpenTarget,
    stored: StoredCampaign,
    at: datetime,
    present: datetime,
    *,
    minute: bool = False,
) -> Answer:
    """at: the moment asked about; minute: the whole of it. present: now. Ends the command where the
    campaign cannot be judged."""
    if at < present - (A_MINUTE if minute else timedelta()):
        rules = _rules(site, stored)
        then = then_of(store, found, stored, rules, at, minute)
        return Answer(
            found, stored, then.at, "past", then.explanation, then.call.zones, then.rules, then=then
        )
    at = max(at, present)
    rules = _rules(site, stored)
    eligibility = Eligibility(stored.campaign, rules)
    target = found.target()
    horizon = eligibility.horizon(present)
    [known] = store.known(found.campaign, [found.row], horizon, to_us(present))
    answered = store.answered(found.campaign)
    explanation = eligibility.explain(target, known, at, answered)
    start = None
    if found.state is not TargetState.DONE:
        start = opening_of_waiting(
            lambda moment: eligibility.check(target, known, moment, answered),
            at,
            at + AHEAD,
            maybe_from_us(found.due_us) if found.state is TargetState.WAITING else None,
            found.reason,
        )
    zones = eligibility.proposal(target, at).zones
    asked = "now" if at == present else "future"
    return Answer(found, stored, at, asked, explanation, zones, rules, start)


def _rules(site: Site, stored: StoredCampaign) -> EffectiveRules:
    try:
        return rules_of(site, stored.campaign)
    except MergeProblems as error:
        fail(f"the rules of campaign {stored.name}: {error}; see: duecall check {stored.name}")
