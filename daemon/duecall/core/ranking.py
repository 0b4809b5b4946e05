"""In which order a campaign calls: its `order` list turned into sort keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from duecall.core.campaign import OrderBy
from duecall.core.contact import Account, Contact
from duecall.core.money import major_units

# (kind, value): numbers stand before words; None where there is no value, which always comes last.
OrderKey: TypeAlias = tuple[int, int | Decimal | str] | None

_NUMBER, _WORD = 0, 1
OF_ACCOUNT = frozenset({"interest_rate", "currency", "contract_number", "card_number"})
OF_CONTACT = frozenset({"name", "phone", "zone", "language"})


def order_keys(
    contact: Contact, account: Account, order: Sequence[OrderBy]
) -> tuple[OrderKey, ...]:
    """One key an entry of `order`, to be given to `ranked`.

    Days past due need no date of today: who is due earlier is more days past due, on any day.
    """
    return tuple(_key(contact, account, entry.field) for entry in order)


def _key(contact: Contact, account: Account, name: str) -> OrderKey:
    if name == "dpd":
        return _NUMBER, -account.due_date.toordinal()
    if name == "due_date":
        return _NUMBER, account.due_date.toordinal()
    if name == "balance":
        return _NUMBER, major_units(account.balance_minor, account.currency)
    if name in OF_ACCOUNT:
        return _of_text(getattr(account, name))
    if name in OF_CONTACT:
        return _of_text(getattr(contact, name))
    return _of_text(account.fields.get(name, ""))


def _of_text(text: str) -> OrderKey:
    text = text.strip()
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _of_word(text)
    return (_NUMBER, number) if number.is_finite() else _of_word(text)


def _of_word(text: str) -> OrderKey:
    try:
        return _NUMBER, date.fromisoformat(text).toordinal()
    except ValueError:
        return _WORD, text.casefold()


def ranked(rows: list[tuple[int, tuple[OrderKey, ...]]], order: Sequence[OrderBy]) -> list[int]:
    """rows: (id, keys). The ids, first to be called first; equals in the order they came in."""
    for index in reversed(range(len(order))):
        # One stable sort an entry, the least important first: each may run its own way.
        present = [row for row in rows if row[1][index] is not None]
        absent = [row for row in rows if row[1][index] is None]
        present.sort(key=lambda row: row[1][index] or (0, ""), reverse=order[index].descending)
        rows = present + absent
    return [row[0] for row in rows]
