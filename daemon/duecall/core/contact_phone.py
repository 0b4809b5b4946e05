"""A phone number as somebody typed it -> E.164, or why it is not one that may be called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberType,
    ValidationResult,
    is_number_type_geographical,
)
from phonenumbers import timezone as number_timezone

_SHAPE = re.compile(r"[+\uff0b]?[0-9 ().\u00a0/-]{2,40}", re.ASCII)
_EXPONENT = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]+")
_TYPES = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.TOLL_FREE: "a toll-free number of a company",
    PhoneNumberType.UAN: "a company's universal number",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
    PhoneNumberType.PAGER: "a pager",
}
_LENGTHS = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_LENGTH: "of no length that is in use",
    ValidationResult.INVALID_COUNTRY_CODE: "of no country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
}
_UNPARSED = {
    NumberParseException.INVALID_COUNTRY_CODE: "of no country",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too short",
    NumberParseException.TOO_SHORT_NSN: "too short",
    NumberParseException.TOO_LONG: "too long",
}
_UNKNOWN_ZONE = "Etc/Unknown"


class PhoneError(ValueError):
    """problem and remedy; neither repeats the number."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class ParsedPhone:
    """e164: with its plus. country: ISO 3166. zone_known: the number tells its zone or zones."""

    e164: str
    country: str
    zone_known: bool


def parse_phone(text: str, country: str) -> ParsedPhone:
    """text: international with +, or national in `country`. Raises PhoneError.

    Judged by the tables of phonenumbers: form, length, ranges in use and kind. Mobile, fixed and
    internet numbers of people may be called; numbers that cost the caller or are no person's, not.
    """
    form = f"write it with + and country code, or as it is dialled in {country}"
    if _EXPONENT.fullmatch(text):
        remedy = "make the column text in the spreadsheet and export it again"
        raise PhoneError("written with an exponent by a spreadsheet", remedy)
    if any(c.isdigit() and not c.isascii() for c in text):
        raise PhoneError("digits other than 0-9", form)
    if re.search(r"[,;|]|[0-9] */ *[0+]", text):
        raise PhoneError("several numbers in one cell", "give each number a row of its own")
    if not _SHAPE.fullmatch(text):
        raise PhoneError("not a phone number", form)
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException as error:
        problem = _UNPARSED.get(error.error_type, "not a phone number")
        raise PhoneError(problem, form) from None
    kind = phonenumbers.number_type(number)  # costly: it tries the ranges of each kind
    if kind == PhoneNumberType.UNKNOWN:  # which is how `is_valid_number` tells
        length = phonenumbers.is_possible_number_with_reason(number)
        raise PhoneError(_LENGTHS.get(length, "not in use by any operator"), form)
    if kind in _TYPES:
        raise PhoneError(_TYPES[kind], "give a number of the person")
    return ParsedPhone(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.region_code_for_number(number) or "",
        any(zone != _UNKNOWN_ZONE for zone in _zones(number, kind)),
    )


def _zones(number: PhoneNumber, kind: int) -> Sequence[str]:
    """As `time_zones_for_number` has them, which would find out the kind once more."""
    if is_number_type_geographical(kind, number.country_code or 0):
        found: Sequence[str] = number_timezone.time_zones_for_geographical_number(number)
    else:
        found = number_timezone.time_zones_for_number(number)
    return found
