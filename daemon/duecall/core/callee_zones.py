"""Where a callee may be: the zones by whose clocks the hours are told, and what line the number is.

The zone tables of phonenumbers are not law-grade (Kaliningrad is given Bucharest's); a pack's own
table goes over them (core/rule_pack.corrected_zones).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import timezone as number_timezone

from duecall.core.rule_pack import LineKind, ZoneRule, corrected_zones

UNKNOWN_ZONE = "Etc/Unknown"


@lru_cache(maxsize=1_000)
def _parsed(phone: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=10_000)
def candidate_zones(phone: str, contact_zone: str) -> tuple[str, ...]:
    """The zones the callee may be in: the contact's own, else all that the number admits.

    Empty where nothing is known: such a number is not called.
    """
    if contact_zone:
        return (contact_zone,)
    number = _parsed(phone)
    if number is None:
        return ()
    zones = number_timezone.time_zones_for_number(number)
    return tuple(sorted(zone for zone in zones if zone != UNKNOWN_ZONE))


def zones_of(phone: str, contact_zone: str, table: tuple[ZoneRule, ...]) -> tuple[str, ...]:
    """The zones a callee may be in: the contact's own, else the number's, put right by the pack.

    Empty where none is known: such a number is not called.
    """
    zones = candidate_zones(phone, contact_zone)
    return zones if contact_zone else corrected_zones(table, phone, zones)


@lru_cache(maxsize=10_000)
def line_of(phone: str) -> LineKind | Literal[""]:
    """What the number says of its line; empty where it does not tell, as most of North America."""
    number = _parsed(phone)
    if number is None:
        return ""
    known: dict[int, LineKind] = {
        phonenumbers.PhoneNumberType.MOBILE: "mobile",
        phonenumbers.PhoneNumberType.FIXED_LINE: "landline",
    }
    return known.get(phonenumbers.number_type(number), "")
