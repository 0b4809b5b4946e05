"""The typed values of one contact on one day: what each variable of a template stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

from duecall.core.contact import Account, Contact, dpd_bucket, dpd_on
from duecall.speech.faults import Unspeakable
from duecall.speech.values import (
    Count,
    Day,
    DaysCount,
    Digits,
    Money,
    Name,
    Percent,
    Phone,
    Text,
    Value,
    parse_decimal,
)

# What is said of these is true for one day.
OF_THE_DAY = frozenset({"today", "tomorrow", "dpd", "bucket"})


def bucket_on(account: Account, today: date) -> int:
    """The account's DPD bucket; 0 before its due date."""
    return dpd_bucket(dpd_on(account.due_date, today))


def values_of(
    names: Iterable[str],
    contact: Contact,
    account: Account,
    today: date,
    own: Mapping[str, str],
    lender: str,
) -> dict[str, Value]:
    """By name. today: where the lender is. own: the campaign's variables. lender: where those do
    not say it. Unspeakable, with its variable, where one of these names has no value.
    """
    values: dict[str, Value] = {}
    for name in names:
        if name in _STANDARD:
            try:
                values[name] = _STANDARD[name](contact, account, today)
            except Unspeakable as error:
                error.variable = name
                raise
        elif name in own:
            values[name] = Text(own[name], personal=False)
        elif name == "lender":
            values[name] = Text(lender, personal=False)
        else:  # a column that this row has not, or has empty, is false in an {% if %}
            values[name] = Text(account.fields.get(name, ""))
    return values


def _spelled(text: str) -> Value:
    """An empty cell: false where the template asks about it, refused where it would be spoken."""
    return Digits(text) if text else Text("")


def _rate(text: str) -> Value:
    return Percent(parse_decimal(text.replace(",", "."))) if text else Text("")


_STANDARD: dict[str, Callable[[Contact, Account, date], Value]] = {
    "name": lambda contact, account, today: Name(contact.name),
    "contract_number": lambda contact, account, today: Digits(account.contract_number),
    "card_number": lambda contact, account, today: _spelled(account.card_number),
    "balance": lambda contact, account, today: Money(account.balance_minor, account.currency),
    "interest_rate": lambda contact, account, today: _rate(account.interest_rate),
    "due_date": lambda contact, account, today: Day(account.due_date),
    "dpd": lambda contact, account, today: DaysCount(dpd_on(account.due_date, today)),
    "bucket": lambda contact, account, today: Count(bucket_on(account, today)),
    "phone": lambda contact, account, today: Phone(contact.phone),
    "today": lambda contact, account, today: Day(today),
    "tomorrow": lambda contact, account, today: Day(today + timedelta(days=1)),
}
