"""What was decided about a target at an earlier moment, and what the gate of then says to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from duecall.core.campaign import Campaign
from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import Conduct, Explanation, ProposedCall, Snapshot
from duecall.core.hindsight import calls_then, past_then, rules_of_text
from duecall.core.local_day import to_us
from duecall.core.proposal import keys_of
from duecall.core.rule_merge import EffectiveRules
from duecall.core.verdict import Denied
from duecall.shell.column_values import from_us
from duecall.shell.config_faults import ConfigFaults
from duecall.shell.former_stops import StopThen
from duecall.shell.stop_types import scope_of
from duecall.shell.store import StoredCampaign
from duecall.shell.why_store import Entry, OpenTarget, WhyStore
from duecall.shell.yaml_tree import tree_of

SHOWN, SHOWN_AFTER = 5, 2  # entries before the moment, and after it
A_CENTURY = timedelta(days=36_500)
MINUTE = timedelta(minutes=1)
DECISIONS = ("call", "refused")


@dataclass(frozen=True)
class Then:
    """at: the moment the gate is asked about again: that of the decision, where one falls into the
    minute that was asked about. decision: that one, else the last before. own: the decision was
    made at `at`. going_on: a call of it was. idle: why none was due. entries: of the ledger, in
    order, around it. notes: what is not as it was then. stops: those that held then."""

    at: datetime
    decision: Entry | None
    own: bool
    going_on: bool
    idle: str
    entries: tuple[Entry, ...]
    explanation: Explanation
    call: ProposedCall
    rules: EffectiveRules
    notes: tuple[str, ...]
    stops: tuple[StopThen, ...] = ()

    @property
    def headline(self) -> str:
        """What was done, and whether the gate says the same again."""
        verdict = self.explanation.verdict
        again = f"Not to be called: {verdict.reason}" if isinstance(verdict, Denied) else ""
        if self.going_on:
            return f"It was in a call then. {again}".rstrip()
        if self.idle and not self.own:
            return f"Not to be called: {self.idle}"
        if not self.own or self.decision is None:
            return again or "It might have been called"
        body = self.decision.body
        if self.decision.kind == "refused":
            return f"It was put off: {body['reason']}"
        if again:
            return f"It was called. Asked again, the gate says otherwise: {again}"
        return "It was called, and the gate says so again"


def then_of(
    store: WhyStore,
    found: OpenTarget,
    stored: StoredCampaign,
    today: EffectiveRules,
    at: datetime,
    minute: bool,
) -> Then:
    """today: the rules of now, for where those of then are not known. minute: the whole of it was
    asked about."""
    notes: list[str] = []
    target_id = found.row.id
    end = at + MINUTE if minute else at + timedelta(microseconds=1)
    inside = store.entries([target_id], to_us(at) - 1, to_us(end) - 1, 100)
    decision = _last_decision(inside)
    own = decision is not None
    if decision is not None:
        at = from_us(decision.at_us)
    at_us = to_us(at)
    before = store.entries([target_id], -1, at_us, 100)
    decision = decision or _last_decision(before)
    going_on = not own and decision is not None and _goes_on(decision, before)
    idle = _idle(before, at_us)
    campaign, rules = _as_of(store, found, stored, today, decision, at_us, notes)
    eligibility = Eligibility(campaign, rules)
    target = replace(found.target(), past=past_then(store.attempts_of(target_id, at_us), at_us))
    call = eligibility.proposal(target, at, store.answered(found.campaign))
    if own and decision is not None and decision.kind == "call" and "zones" in decision.body:
        call = _as_judged(call, decision.body)
    else:
        notes.append("the contact's data (zone, consents, flags) are those of today")
    keys = keys_of(target)
    horizon = eligibility.horizon(at)
    since = min((us for us in (horizon.number, horizon.contact, horizon.account) if us), default=0)
    attempts = store.attempts(keys, since, at_us)
    calls = {key: calls_then(attempts[key], at_us) for key in keys}
    stops, doubtful = store.stops_then(found, at_us)
    notes += [_doubt(entry) for entry in doubtful]
    known = Snapshot(calls, tuple(stop.for_gate for stop in stops))
    explanation = eligibility.explain(target, known, at, call=call)
    if explanation.deciding is not None and explanation.deciding.kind == "abandonment":
        notes.append("abandoned calls are counted to the end of that day")
    before = _in_time([*before, *store.stop_entries(found, -1, at_us)])[-SHOWN:]
    end_us = to_us(at + A_CENTURY)
    after = store.entries([target_id], at_us, end_us, SHOWN_AFTER, first=True)
    after = _in_time([*after, *store.stop_entries(found, at_us, end_us)])[:SHOWN_AFTER]
    entries = (*before, *after)
    return Then(
        at,
        decision,
        own,
        going_on,
        idle,
        entries,
        explanation,
        call,
        rules,
        tuple(notes),
        tuple(stops),
    )


def _doubt(lifted: Entry) -> str:
    body = lifted.body
    scope = scope_of(body["key_kind"], body["key"], body["campaign"])
    return (
        f"a stop {body['kind']} for {scope} was lifted at {from_us(lifted.at_us):%Y-%m-%d %H:%MZ}; "
        "since when it held is not known, so it is not counted"
    )


def _goes_on(decision: Entry, before: Sequence[Entry]) -> bool:
    ended = {entry.attempt_id for entry in before if entry.kind == "ended"}
    return decision.kind == "call" and decision.attempt_id not in ended


def _idle(before: Sequence[Entry], at_us: int) -> str:
    """Why no call was due after the last one; empty where one was, or nothing is known."""
    last = next((one for one in reversed(before) if one.kind in (*DECISIONS, "ended")), None)
    if last is None or last.kind != "ended":
        return ""
    outcome, due = last.body["outcome"], last.body["next_due"]
    if due is None:
        return f"the campaign was done with it: {outcome}"
    return f"it waited for its time: retry after {outcome}" if at_us < due else ""


def _in_time(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.at_us)


def _last_decision(entries: Sequence[Entry]) -> Entry | None:
    return next((one for one in reversed(entries) if one.kind in DECISIONS), None)


def _as_of(
    store: WhyStore,
    found: OpenTarget,
    stored: StoredCampaign,
    today: EffectiveRules,
    decision: Entry | None,
    at_us: int,
    notes: list[str],
) -> tuple[Campaign, EffectiveRules]:
    """The campaign's file and the rules by which it was judged at that moment."""
    taken_up = store.rules_then(found.campaign.name, at_us)
    newest: dict[str, Any] = taken_up.body if taken_up else {}
    if decision is not None and (taken_up is None or decision.at_us >= taken_up.at_us):
        newest = newest | {key: value for key, value in decision.body.items() if value}
    rules, campaign = today, stored.campaign
    text = store.document(newest.get("rules", ""))
    if text is not None:
        rules = rules_of_text(text)
    else:
        notes.append("no rules of then are known: those of today are used")
    digest = newest.get("campaign_digest", "")
    if digest != stored.digest:
        text = store.document(digest)
        try:
            campaign = stored.campaign if text is None else _campaign_of(text, stored.name)
        except (ConfigFaults, ValidationError):
            text = None
        if text is None:
            notes.append("the campaign's file of then is not known: today's is used")
    return campaign, rules


def _campaign_of(text: str, name: str) -> Campaign:
    """Of the file's text. Its paths stay as they are written: nothing is read from them."""
    data = tree_of(text, name).data
    data.setdefault("name", name)
    return Campaign.model_validate(data)


def _as_judged(call: ProposedCall, body: dict[str, Any]) -> ProposedCall:
    """The call as it was judged by, in the ledger's words."""
    conduct = body["conduct"]
    return replace(
        call,
        zones=tuple(body["zones"]),
        line=body["line"],
        regions=frozenset(body["regions"]),
        consents=frozenset(body["consents"]),
        flags=frozenset(body["flags"]),
        conduct=Conduct(
            call.conduct.campaign,
            conduct["channels"],
            conduct["ring_s"],
            conduct["zone"],
            conduct["purpose"],
            conduct["label"],
        ),
    )
