"""A target as the gate is asked about it: who it is, where, and what the call may become."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from duecall.core.attempt import Target
from duecall.core.call_events import AGENT, PRERECORDED, CallKey
from duecall.core.callee_zones import line_of, zones_of
from duecall.core.campaign import Campaign
from duecall.core.contact import Contact
from duecall.core.gate_types import Conduct, ProposedCall, Tally
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import LineKind


class Proposals:
    """Makes a campaign's targets into proposed calls."""

    def __init__(self, campaign: Campaign, rules: EffectiveRules) -> None:
        self._zone_rules = rules.pack.zones
        # What line a number is costs more to find out than all the rest: only where a rule asks.
        self._of_lines = any(rule.line for rule in rules.pack.rules())
        self._clock = ZoneInfo(campaign.zone)
        self.conduct = conduct_of(campaign)

    def of(self, target: Target, at: datetime, abandoned: tuple[Tally, ...] = ()) -> ProposedCall:
        """at: aware; by its day, where the lender keeps its books, consents end."""
        contact = target.contact
        return ProposedCall(
            self.conduct,
            keys=keys_of(target),
            zones=zones_of(contact.phone, contact.zone, self._zone_rules),
            line=_line_kind(contact) if self._of_lines else "",
            regions=frozenset((contact.region,)) if contact.region else frozenset(),
            consents=self._consents(contact, at),
            flags=frozenset(contact.flags),
            abandoned=abandoned,
        )

    def _consents(self, contact: Contact, at: datetime) -> frozenset[str]:
        if not contact.consents:
            return frozenset()
        today = at.astimezone(self._clock).date()
        return frozenset(
            one.word for one in contact.consents if one.until is None or one.until >= today
        )


def conduct_of(campaign: Campaign) -> Conduct:
    """What all calls of the campaign have in common."""
    rules = [*campaign.keys.values()]
    for question in campaign.questions:
        rules += question.keys.values()
    channels = PRERECORDED | (AGENT if any(rule.do == "transfer" for rule in rules) else 0)
    return Conduct(
        campaign.name,
        channels,
        campaign.ring,
        campaign.zone,
        campaign.purpose,
        campaign.caller_name,
    )


class Keyed(Protocol):
    """A target, or one on its way to be one."""

    @property
    def phone_hash(self) -> str: ...
    @property
    def contact_key(self) -> str: ...
    @property
    def account_key(self) -> str: ...


def keys_of(target: Keyed) -> tuple[CallKey, ...]:
    """By what its calls are counted."""
    keys = [CallKey("number", target.phone_hash)]
    if target.contact_key:
        keys.append(CallKey("contact", target.contact_key))
    if target.account_key:
        keys.append(CallKey("account", target.account_key))
    return tuple(keys)


def _line_kind(contact: Contact) -> LineKind | Literal[""]:
    if contact.line == "mobile":
        return "mobile"
    if contact.line == "landline":
        return "landline"
    return line_of(contact.phone)
