"""A contact and an account as the store seals them: JSON, in which what is empty does not stand.

So a row that was sealed before Duecall knew of consents reads as one without any, and its digest
is the same as ever. Consents and flags stand with both: of two rows of one person each has its own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

from duecall.core.contact import Account, Consent, Contact


def contact_data(contact: Contact) -> dict[str, Any]:
    """Of plain JSON values. consents: [[word, "2027-06-30" or null], …]."""
    data: dict[str, Any] = {
        "name": contact.name,
        "phone": contact.phone,
        "zone": contact.zone,
        "language": contact.language,
    }
    if contact.customer_id:
        data["customer_id"] = contact.customer_id
    if contact.region:
        data["region"] = contact.region
    if contact.line:
        data["line"] = contact.line
    return data | _words_data(contact)


def _words_data(contact: Contact) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if contact.consents:
        data["consents"] = [
            [one.word, None if one.until is None else one.until.isoformat()]
            for one in contact.consents
        ]
    if contact.flags:
        data["flags"] = list(contact.flags)
    return data


def contact_text(contact: Contact) -> bytes:
    """To be sealed."""
    return json.dumps(contact_data(contact)).encode()


def account_text(account: Account, contact: Contact) -> bytes:
    """To be sealed: what of the row has no column of its own."""
    data = {
        "contract_number": account.contract_number,
        "card_number": account.card_number,
        "fields": account.fields,
    }
    return json.dumps(data | _words_data(contact)).encode()


def contact_of(text: bytes) -> Contact:
    """What `contact_text` made, or an older Duecall. ValueError or TypeError for anything else."""
    data = json.loads(text)
    if "consents" in data:
        data["consents"] = _consents(data)
    if "flags" in data:
        data["flags"] = tuple(data["flags"])
    return Contact(**data)


def of_account(contact: Contact, data: dict[str, Any]) -> Contact:
    """The contact as the row of this account has it. data: of `account_text`, read.

    A consent is that of the row alone. A flag holds wherever it was seen: in this row, or in the
    one of the same person at the same number that came in last.
    """
    if not (contact.consents or contact.flags or "consents" in data or "flags" in data):
        return contact
    flags = {*contact.flags, *data.get("flags", ())}
    return replace(contact, consents=_consents(data), flags=tuple(sorted(flags)))


def _consents(data: dict[str, Any]) -> tuple[Consent, ...]:
    return tuple(
        Consent(word, None if until is None else date.fromisoformat(until))
        for word, until in data.get("consents", ())
    )
