"""What the ledger says of a decision: bodies of its entries, without personal data in clear.

docs/rules.md tells what each field is; `duecall audit` reads them by code of its own.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Target
from duecall.core.gate_types import ProposedCall
from duecall.core.rule_merge import EffectiveRules
from duecall.shell.column_values import maybe_us

NO_PROMISE = "none"


def of_call(attempt: Attempt, campaign_digest: str, contacts_digest: str) -> dict[str, Any]:
    """A decision to call. Of an attempt without grounds (a test's) only the keys are told."""
    target, grounds = attempt.target, attempt.grounds
    body = {
        "campaign": target.campaign,
        "campaign_digest": campaign_digest,
        "contacts_digest": contacts_digest,
        "rules": grounds.rules if grounds else "",
        "try": attempt.number,
        **_keys(target),
    }
    return body | _of_proposal(grounds.call) if grounds else body


def _of_proposal(call: ProposedCall) -> dict[str, Any]:
    conduct = call.conduct
    return {
        "zones": list(call.zones),
        "line": call.line,
        "regions": sorted(call.regions),
        "consents": sorted(call.consents),
        "flags": sorted(call.flags),
        "conduct": {
            "channels": conduct.channels,
            "ring_s": conduct.ring_s,
            "zone": conduct.zone,
            "purpose": conduct.purpose,
            "label": conduct.label,
        },
    }


def of_refusal(command: c.DeferTarget) -> dict[str, Any]:
    """Not now, or never: the contact's state has changed by it."""
    return {
        "campaign": command.target.campaign,
        "rules": command.rules,
        "rule": command.rule,
        "reason": command.reason,
        "until": maybe_us(command.until),
        **_keys(command.target),
    }


def of_end(command: c.SaveOutcome, sent_at: int | None, said: str, *, rang: bool) -> dict[str, Any]:
    """An attempt has its outcome. sent_at: microseconds; None where that is not known. said: keyed
    hash of `said_text`."""
    result = command.ending.result
    return {
        "outcome": command.outcome.value,
        "sent": sent_at,
        "cause": command.ending.cause,
        "events": command.call_events,
        "channels": command.channels,
        "rang": rang,
        "answered": command.ending.answered,
        "heard_ms": result.heard_ms if result else 0,
        "said": said,
        "next_due": maybe_us(command.next_due),
        "reason": command.reason,
    }


def said_text(action: str, keys: str, answers: str, promised: str) -> str:
    """What the callee said by keys or words. All as the tables have it: three columns of `attempt`,
    and `due` of its row in `promise`, or `NO_PROMISE`."""
    return "\n".join((action, keys, answers, promised))


def of_rules(campaign: str, campaign_digest: str, rules: EffectiveRules) -> dict[str, Any]:
    """From here on the campaign is judged by these rules; their text is a document."""
    return {
        "campaign": campaign,
        "campaign_digest": campaign_digest,
        "pack": rules.pack.jurisdiction,
        "rules": rules.digest,
        "changes": [asdict(change) for change in rules.changes],
    }


def _keys(target: Target) -> dict[str, str]:
    return {
        "number": target.phone_hash,
        "contact": target.contact_key,
        "account": target.account_key,
    }
