"""One row of a contacts file -> a contact and an account, or all reasons why it cannot be taken.

A row is taken or refused as a whole, and each reason comes with a remedy. Names and other free
text are never a reason: they are cleaned, and what was done is told as a note.
Reasons never repeat names or phone numbers, so that they may be logged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from duecall.core.contact import Account, Contact, dpd_on
from duecall.core.contact_phone import PhoneError, parse_phone
from duecall.core.contact_words import CellError, consents_of, flags_of, line_of_cell, region_of
from duecall.core.currency import CURRENCIES, AmountError, parse_amount
from duecall.core.scalars import zone_problem
from duecall.core.variables import COLUMNS

NAME_MAX = 200  # characters kept of a name
TEXT_MAX = 500  # characters kept of any further column
NUMBER_MAX = 64  # characters of a contract number, and of a customer's
RATE_MAX = Decimal(1000)  # per cent a year; beyond, it is another column's value
DUE_YEARS = range(1990, 2101)
_EXPONENT = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]+")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_SLASH_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_RATE = re.compile(r"[0-9]{1,4}(?:[.,][0-9]{1,6})?")
_DPD = re.compile(r"-?[0-9]{1,5}")
_T = TypeVar("_T")
_DAY_FORM = "write 2026-04-19, or 19/04/2026 with the day first"


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What holds where a row says nothing.

    as_of: the day of which the file's dpd is true. needed: columns that the campaign speaks,
    chooses or orders by; their cells must be filled. currencies: those that can be spoken.
    """

    country: str
    currency: str
    zone: str
    language: str
    as_of: date
    needed: frozenset[str] = frozenset()
    currencies: frozenset[str] = CURRENCIES


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row was refused (or, as a note, how it was changed). row: as a spreadsheet counts."""

    row: int
    field: str  # a column; empty where the row as a whole is meant
    reason: str
    remedy: str

    def __str__(self) -> str:
        column = f"{self.field}: " if self.field else ""
        return f"row {self.row}: {column}{self.reason}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """A row that was taken. notes: what was changed in it on the way."""

    row: int
    contact: Contact
    account: Account
    notes: tuple[RowFault, ...] = ()


@dataclass(slots=True)
class _Reading:
    """One row while it is read."""

    cells: Mapping[str, str]
    row: int
    faults: list[RowFault] = field(default_factory=list)
    notes: list[RowFault] = field(default_factory=list)

    def refuse(self, column: str, reason: str, remedy: str) -> None:
        self.faults.append(RowFault(self.row, column, reason, remedy))

    def note(self, column: str, reason: str, remedy: str) -> None:
        self.notes.append(RowFault(self.row, column, reason, remedy))

    def cell(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def required(self, column: str) -> str:
        value = self.cell(column)
        if not value:
            self.refuse(column, "is empty", "fill it; every row needs it")
        return value


def parse_row(
    cells: Mapping[str, str], *, row: int, defaults: RowDefaults
) -> ParsedRow | list[RowFault]:
    """cells: by column name as in variables.COLUMNS, further ones by their own. Pure."""
    reading = _Reading(cells, row)
    name = _text(reading, "name", NAME_MAX)
    if not name:
        reading.refuse("name", "is empty", "fill it; every row needs it")
    contract = _contract_number(reading)
    card = _card_number(reading)
    currency = _currency(reading, defaults)
    balance = _balance(reading, currency, card)
    rate = _rate(reading)
    due = _due_date(reading)
    _check_dpd(reading, due, defaults.as_of)
    language = _language(reading, defaults.language)
    phone, zone = _phone(reading, defaults)
    customer_id = _id_of_person(reading)
    region = _rule_cell(reading, "region", region_of)
    line = _rule_cell(reading, "line", line_of_cell)
    consents = _rule_cell(reading, "consents", consents_of)
    flags = _rule_cell(reading, "flags", flags_of)
    fields = _further(reading)
    for column in sorted(defaults.needed):
        if not reading.cell(column) and not _told(reading, column):
            reading.refuse(column, "is empty", "fill it; the campaign speaks or orders by it")
    if reading.faults or due is None:
        return reading.faults
    account = Account(contract, balance, currency, rate, due, card, fields)
    contact = Contact(name, phone, zone, language, customer_id, region, line, consents, flags)
    return ParsedRow(row, contact, account, tuple(reading.notes))


def _told(reading: _Reading, column: str) -> bool:
    return any(fault.field == column for fault in reading.faults)


def clean_text(text: str, limit: int) -> tuple[str, str]:
    """(text in NFC without control characters, at most `limit` long; what was done, or empty)."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text.strip(), ""
    clean = unicodedata.normalize("NFC", text)
    done = []
    if not clean.isprintable():
        # Control and format characters part words (newline) or stand within them (zero width).
        spaced = "".join(
            c if c.isprintable() else "" if unicodedata.category(c) == "Cf" else " " for c in clean
        )
        spaced = " ".join(spaced.split())
        if spaced != " ".join(clean.split()) or "\n" in clean.strip():
            done.append("control characters taken out")
        clean = spaced
    clean = clean.strip()
    if len(clean) > limit:
        done.append(f"{len(clean)} characters cut to {limit}")
        clean = clean[:limit].rstrip()
    return clean, " and ".join(done)


def _text(reading: _Reading, column: str, limit: int) -> str:
    clean, done = clean_text(reading.cells.get(column, ""), limit)
    if done:
        reading.note(column, done, "look whether the cell holds what it should")
    return clean


def _contract_number(reading: _Reading) -> str:
    return _identity(reading, "contract_number", reading.required("contract_number"))


def _id_of_person(reading: _Reading) -> str:
    """By it, rows are one person: what many rows may have in common by mistake is refused."""
    value = _identity(reading, "customer_id", reading.cell("customer_id"))
    if value and (not any(c.isalnum() for c in value) or value.casefold() in _NO_VALUE):
        reading.refuse("customer_id", "a sign for no value", "leave it empty where there is none")
    return value


_NO_VALUE = frozenset({"0", "n/a", "na", "nan", "nil", "none", "null", "unknown"})


def _identity(reading: _Reading, column: str, value: str) -> str:
    """A number by which the lender tells accounts or people apart."""
    if _EXPONENT.fullmatch(value):
        reading.refuse(column, "written with an exponent by a spreadsheet", _AS_TEXT)
    elif not value.isprintable() or len(value) > NUMBER_MAX:
        remedy = f"write at most {NUMBER_MAX} characters without control characters"
        reading.refuse(column, "too long or not printable", remedy)
    return unicodedata.normalize("NFC", value)


_AS_TEXT = "make the column text in the spreadsheet and export it again"


def _card_number(reading: _Reading) -> str:
    value = reading.cell("card_number")
    if not value:
        return ""
    if _EXPONENT.fullmatch(value):
        reading.refuse("card_number", "written with an exponent by a spreadsheet", _AS_TEXT)
        return ""
    compact = re.sub(r"[ \u00a0-]", "", value)
    if not re.fullmatch(r"[0-9A-Za-z*]{4,24}", compact):
        remedy = "write 4 to 24 digits or letters, * for those left out"
        reading.refuse("card_number", "not a card number", remedy)
        return ""
    # The number of a payment card is not ours to keep: its last four digits do for the callee.
    return "*" * (len(compact) - 4) + compact[-4:] if _is_payment_card(compact) else compact


def _is_payment_card(digits: str) -> bool:
    """13 to 19 digits with a right Luhn sum (ISO/IEC 7812-1)."""
    if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _currency(reading: _Reading, defaults: RowDefaults) -> str:
    value = reading.cell("currency").upper()
    if not value:
        return defaults.currency
    if value not in defaults.currencies:
        remedy = "write one of " + ", ".join(sorted(defaults.currencies))
        reading.refuse("currency", f"{value[:10]!r} cannot be used here", remedy)
        return defaults.currency
    return value


def _balance(reading: _Reading, currency: str, card: str) -> int:
    """Minor units; 0 where a card account gives none, which `needed` keeps from being spoken."""
    value = reading.cell("balance")
    if not value:
        if not card and not _told(reading, "card_number"):
            reading.refuse("balance", "is empty, and card_number too", "fill one of the two")
        return 0
    try:
        return parse_amount(value, currency)
    except AmountError as error:
        reading.refuse("balance", error.problem, error.remedy)
        return 0


def _rate(reading: _Reading) -> str:
    value = reading.required("interest_rate")
    number = value.removesuffix("%").rstrip()
    if value and not (number.isascii() and _RATE.fullmatch(number)):
        reading.refuse("interest_rate", "not a rate", "write per cent a year, such as 18.5")
        return ""
    number = number.replace(",", ".")
    if number and Decimal(number) > RATE_MAX:
        remedy = "write per cent a year; look whether two columns were mixed up"
        reading.refuse("interest_rate", f"above {RATE_MAX} per cent", remedy)
    return number


@lru_cache(maxsize=10_000)
def _day(value: str) -> date | str:
    """The day, or what is wrong with it."""
    if match := _ISO_DAY.fullmatch(value):
        year, month, day = map(int, match.groups())
    elif match := _SLASH_DAY.fullmatch(value):
        day, month, year = map(int, match.groups())
    else:
        return "not a day in a form that is taken"
    if not value.isascii():
        return "digits other than 0-9"
    if year not in DUE_YEARS:
        return f"the year {year} cannot be"
    try:
        return date(year, month, day)
    except ValueError:
        return f"there is no day {day} of month {month} in {year}"


def _due_date(reading: _Reading) -> date | None:
    value = reading.required("due_date")
    if not value:
        return None
    day = _day(value)
    if isinstance(day, str):
        reading.refuse("due_date", day, _DAY_FORM)
        return None
    return day


def _check_dpd(reading: _Reading, due: date | None, as_of: date) -> None:
    value = reading.required("dpd")
    if not value:
        return
    if not _DPD.fullmatch(value):
        remedy = "write whole days, such as 12; below zero before the due date"
        reading.refuse("dpd", "not a number of days", remedy)
    elif due is not None and int(value) != dpd_on(due, as_of):
        right = dpd_on(due, as_of)
        reason = f"is {int(value)}, but from {due} to {as_of} it is {right} days"
        remedy = f"write {right}, or correct due_date; a file of another day: set contacts_as_of"
        reading.refuse("dpd", reason, remedy)


def _language(reading: _Reading, language: str) -> str:
    value = reading.cell("language").lower()
    if value and value != language:
        reason = f"is {value[:10]!r}, this campaign speaks {language!r}"
        reading.refuse("language", reason, "put the row into a campaign of its language")
    return language


def _phone(reading: _Reading, defaults: RowDefaults) -> tuple[str, str]:
    """(E.164, zone). The zone is empty where the number tells enough by itself."""
    zone = reading.cell("zone")
    if zone and (problem := _zone_problem(zone)):
        reading.refuse("zone", problem, "write a name such as Asia/Ho_Chi_Minh, or leave it empty")
    value = reading.required("phone")
    if not value:
        return "", zone
    try:
        phone = parse_phone(value, defaults.country)
    except PhoneError as error:
        reading.refuse("phone", error.problem, error.remedy)
        return "", zone
    if not zone and not phone.zone_known:
        if phone.country == defaults.country:
            zone = defaults.zone
        else:
            reason = "is empty, and the number does not tell where it is"
            reading.refuse("zone", reason, "write the callee's zone, such as Asia/Ho_Chi_Minh")
    return phone.e164, zone


def _rule_cell(reading: _Reading, column: str, read: Callable[[str], _T]) -> _T:
    """What `read` makes of the cell; of an empty one where it is refused."""
    try:
        return read(reading.cell(column))
    except CellError as error:
        reading.refuse(column, error.problem, error.remedy)
        return read("")


@lru_cache(maxsize=1_000)
def _zone_problem(zone: str) -> str:
    return zone_problem(zone)


def _further(reading: _Reading) -> dict[str, str]:
    return {
        column: _text(reading, column, TEXT_MAX)
        for column in reading.cells
        if column not in COLUMNS
    }
