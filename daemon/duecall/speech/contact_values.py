"""The template variables of one contact. Their names are part of docs/campaign.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from duecall.core.contact import Account, Contact, dpd_on
from duecall.speech.values import (
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


def contact_values(
    contact: Contact,
    account: Account,
    today: date,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Value]:
    """Typed variables by name. Unspeakable where a field of the row is none of its kind.

    Empty fields are left out, so that a template which needs one is refused for this row.
    Columns of the contacts file and the campaign's own `variables` come as Text; the campaign's
    win over columns, and nothing wins over the variables that have a type.
    """
    values: dict[str, Value] = {key: Text(text) for key, text in account.fields.items() if text}
    values |= {key: Text(text, personal=False) for key, text in (variables or {}).items() if text}
    dpd = dpd_on(account.due_date, today)
    values |= {
        "balance": Money(account.balance_minor, account.currency),
        "due_date": Day(account.due_date),
        "dpd": DaysCount(dpd),
        "days_left": DaysCount(-dpd),
        "today": Day(today),
    }
    if contact.name:
        values["name"] = Name(contact.name)
    if contact.phone:
        values["phone"] = Phone(contact.phone)
    if account.contract_number:
        values["contract_number"] = Digits(account.contract_number)
    if account.card_number:
        values["card_number"] = Digits(account.card_number)
    if account.interest_rate:
        values["interest_rate"] = Percent(parse_decimal(account.interest_rate))
    return values
