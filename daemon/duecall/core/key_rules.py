"""Which rule of the campaign the callee's deciding key stands for."""

from __future__ import annotations

from datetime import date, timedelta

from duecall.core.campaign import Campaign, KeyRule
from fs_scripts.contract import PROMISE, Result


def deciding_key(campaign: Campaign, result: Result) -> KeyRule | None:
    """The rule behind the last key pressed; None where no key ended the dialogue."""
    if not result.action or not result.keys:
        return None
    last = result.keys[-1]
    for question in campaign.questions:
        if question.id == last.step:
            return question.keys.get(last.key)
    return campaign.keys.get(last.key)


def promised_for(campaign: Campaign, result: Result | None, today: date) -> date | None:
    """The day by which the callee promised to pay, where the key that promises names one.

    today: the day of the call where the lender is.
    """
    if result is None or result.action != PROMISE:
        return None
    rule = deciding_key(campaign, result)
    if rule is None or rule.days is None:
        return None
    return today + timedelta(days=rule.days)
