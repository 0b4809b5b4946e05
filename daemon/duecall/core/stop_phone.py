"""A phone number of a stop list -> E.164, quickly where it is written so: lists are long.

What is written in full is taken by its form alone: country code, length, no trunk prefix left in.
Whether anybody uses the number does not matter, for it will not be called. All else is judged as a
contact's number is, so that both come out the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from duecall.core.contact_phone import PhoneError, parse_phone

_FULL = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN = str.maketrans("", "", " ().-/\u00a0")
_NO_COUNTRY = "ZZ"
_WRITTEN_IN_FULL = "write it with + and country code"


def stop_phone(text: str, country: str = "") -> str:
    """text: with + and country code, or national in `country`. Raises PhoneError."""
    if _is_plain(text):
        return text
    full = text[:1] in ("+", "\uff0b")
    if full and _is_plain(bare := text.translate(_BETWEEN)):
        return bare
    if country:
        return parse_phone(text, country).e164
    if not full:
        raise PhoneError("a number without + and country code", _WRITTEN_IN_FULL)
    try:
        return parse_phone(text, _NO_COUNTRY).e164
    except PhoneError as error:
        told = _WRITTEN_IN_FULL if _NO_COUNTRY in error.remedy else error.remedy
        raise PhoneError(error.problem, told) from None


def _is_plain(text: str) -> bool:
    """E.164 beyond doubt."""
    if not _FULL.fullmatch(text):
        return False
    for length in (2, 3, 4):
        plan = _plan(text[1:length])
        if plan is not None:
            lengths, trunk_prefix = plan
            rest = text[length:]
            found = trunk_prefix.match(rest) if trunk_prefix else None
            return len(rest) in lengths and not (found and found.group())
    return False


@lru_cache(2_000)
def _plan(code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """(lengths of national numbers, what phonenumbers would take away from their beginning) of a
    country code; None: there is no such code."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    plans = [PhoneMetadata.metadata_for_region_or_calling_code(int(code), r) for r in regions]
    lengths: set[int] = set()
    for plan in plans:
        if plan is not None and plan.general_desc is not None:
            lengths.update(plan.general_desc.possible_length)
    if not lengths:
        return None
    first = plans[0]  # of the code's main country, by which all of them are parsed
    prefix = first.national_prefix_for_parsing if first is not None else None
    return frozenset(lengths), re.compile(prefix) if prefix else None
